"""gunicorn's worker with threads, which nobody waits for in vain."""

import time
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from framework import context


class Worker(ThreadWorker):
    """Says how long a request has waited for a thread; serves all who have connected, and takes nobody at its end.

    A request's own deadline would else begin only with its thread, and a customer who waits for one waits twice.

    gunicorn's own stops accepting and leaves the port open for two seconds more. Who connects then, as a proxy does,
    is never answered, and cannot know whether it was heard. One who is refused asks another server.
    """

    def enqueue_req(self, conn: TConn) -> None:
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        context.arrive(time.monotonic() - conn.queued_at)
        return super().handle(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._take_all(listener)
                listener.close()

    def _take_all(self, listener: Any) -> None:
        before = -1
        while self.nr_conns != before:
            before = self.nr_conns
            self.accept(listener)

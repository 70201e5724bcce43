"""A mail server that keeps the subjects."""

import socketserver
import threading
from collections import Counter


class Sink:
    def __init__(self) -> None:
        self.subjects: Counter[str] = Counter()
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                sink.talk(self)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"smtp://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def talk(self, connection: socketserver.StreamRequestHandler) -> None:
        """As much of SMTP as Python's client speaks."""
        connection.wfile.write(b"220 sink\r\n")
        for line in connection.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                connection.wfile.write(b"354 go on\r\n")
                self.keep(connection)
            connection.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return

    def keep(self, connection: socketserver.StreamRequestHandler) -> None:
        for line in connection.rfile:
            if line.lower().startswith(b"subject:"):
                self.subjects[line[8:].decode().strip()] += 1
            if line == b".\r\n":
                return

    def orders(self) -> Counter[int]:
        """How many confirmations each order got."""
        return Counter({int(s.rpartition(" ")[2]): n for s, n in self.subjects.items() if "Your order" in s})

    def clear(self) -> None:
        self.subjects.clear()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

"""Background work: the table of tasks, the relay, the base of tasks, the worker, beat's scheduler, heartbeats.

May import `errors`, `actor`, `context`, `data`, `admin` and `observe`.
"""

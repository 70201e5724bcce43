"""What is lost when parts of the system die, hang or are wiped: `python -m benchmarks.faults`.

Each row starts its own processes, database and Redis under a temporary folder, does harm, waits until all is quiet,
and counts. It kills only processes that it started, by their ids.
"""

"""Reading and writing: keyset pages, compiled queries, connections, the read replica, the cache.

May import `errors`, `pages` and `context`.
"""

"""gRPC, both ends: what a domain's `rpc.py` serves with and what its `client.py` calls with.

`channel`, `errors`, `assertion`, `convert` know nothing of Django: they also travel in the client package.
"""

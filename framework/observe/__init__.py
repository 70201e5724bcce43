"""What a process says of itself: logs, metrics, traces, error reports, health.

May import all but `graphql`, `grpc` and `web`.
"""

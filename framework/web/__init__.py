"""HTTP: middleware, URLs of domains, gunicorn's settings and worker.

May import all but `graphql` and `grpc`.
"""

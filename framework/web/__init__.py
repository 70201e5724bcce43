"""HTTP: middleware, trusted proxies, CSRF and CORS, URLs of domains, gunicorn's settings and worker.

May import all but `graphql` and `grpc`.
"""

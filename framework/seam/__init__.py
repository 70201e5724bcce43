"""The seam between domains: whether one runs here or elsewhere, its client over gRPC, entities to and from messages.

May import `errors`, `actor`, `pages`, `context` and `grpc`. What the client package ships needs no Django.
"""

"""The GraphQL door: types from entities, the view, documents, limits, cost, loaders, and the executor.

May import all but `grpc`.
"""

"""Celery tasks as rows of a table: enqueued in a transaction, published by the relay, scheduled by beat.

May import framework.context, framework.data and framework.observe; imports no domain.
"""

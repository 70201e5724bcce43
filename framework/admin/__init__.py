"""Base classes for the admin: rows are changed through services, or only shown.

May import `errors` and `actor`.
"""

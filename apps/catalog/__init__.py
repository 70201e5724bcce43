"""Owns the products and how many of each are in stock. Calls no other domain."""

CALLS: tuple[str, ...] = ()

"""Owns the products and how many of each are in stock. Calls accounts, for the addresses of the staff."""

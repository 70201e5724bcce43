"""Owns orders: who bought what at which price, and what became of it. Calls catalog for products and stock, and
accounts for the customer's address."""

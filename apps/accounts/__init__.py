"""Owns users: they log in by e-mail, have a password and a role. Calls no other domain."""

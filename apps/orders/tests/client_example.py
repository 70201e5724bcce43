"""What a team may write that has the client package and a token. The server is live, its database is empty."""

import sys

from backend_client import Actor, errors, from_env, orders

from_env()
assert orders.list_orders(Actor(user_id=7)).items == []
try:
    orders.list_orders(Actor(for_visitor=True))
except errors.Unauthenticated:
    pass
else:
    sys.exit("a visitor has no orders")

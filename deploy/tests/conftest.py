from importlib.util import find_spec

# It places orders: a product may have deleted the example's domains.
collect_ignore = [] if find_spec("apps.orders") else ["test_pgbouncer.py"]

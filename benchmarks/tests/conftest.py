from importlib.util import find_spec

# These run the example's domains, which a product may have deleted.
collect_ignore = [] if find_spec("apps.catalog") else ["test_abuse.py", "test_nginx.py", "test_streaming_replica.py"]

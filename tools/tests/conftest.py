from importlib.util import find_spec

# A session with the example's domains, and the pages about them, which a product may have deleted.
collect_ignore = [] if find_spec("apps.orders") else ["test_docs.py", "test_split_session.py"]

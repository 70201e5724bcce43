"""How many queries one request makes: `python -m benchmarks.probe`, in a variant's environment.

Reads {work: [path, body]} as JSON, and prints {work: number of queries}.
"""

import json
import os
import sys
from importlib import import_module


def main() -> None:
    import_module(os.environ["BENCH_WSGI"])
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1")
    found = {}
    for work, (path, body) in json.load(sys.stdin).items():
        for _ in range(2):  # the first one connects
            with CaptureQueriesContext(connection) as queries:
                answer = client.post(
                    path, body, content_type="application/json", headers={"accept": "application/json"}
                )
        if answer.status_code != 200 or b'"errors"' in answer.content:
            raise SystemExit(f"{work}: {answer.content[:500]!r}")
        found[work] = len(queries)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

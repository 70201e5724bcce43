import re
import subprocess
import sys

MOST = {"GraphQL query": 14, "gRPC call": 8}


def test_a_warm_request_passes_few_files_of_the_machinery() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks.path"], capture_output=True, text=True, check=True)
    found = {
        title: int(count) for title, count in re.findall(r"^(.+) of '.+': (\d+) files$", done.stdout, re.MULTILINE)
    }
    assert found.keys() == MOST.keys()
    assert {title: count for title, count in found.items() if count > MOST[title]} == {}, done.stdout

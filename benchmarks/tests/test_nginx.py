from benchmarks.faults.front import _upstreams
from benchmarks.faults.traffic import _judge


def test_each_upstream_has_the_servers_it_is_given_with_the_projects_options():
    lines = _upstreams({"web": [1, 2], "grpc": [3]}).splitlines()

    assert [line.strip() for line in lines if "server 127" in line] == [
        "server 127.0.0.1:1 fail_timeout=2s;",
        "server 127.0.0.1:2 fail_timeout=2s;",
        "server 127.0.0.1:3 fail_timeout=2s;",
    ]
    assert not any("web:8000" in line or "grpc:50051" in line for line in lines)


def test_a_request_has_failed_unless_it_was_answered_as_it_should_be():
    assert _judge(502, b"") == ("HTTP 502", 0)
    assert _judge(200, b'{"errors": [{"extensions": {"code": "UNAVAILABLE"}}]}') == ("UNAVAILABLE", 0)
    assert _judge(200, b'{"data": {"products": []}}') == ("", 0)
    assert _judge(200, b'{"data": {"placeOrder": {"order": {"id": "7"}}}}') == ("", 7)

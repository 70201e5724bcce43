"""deploy/server: Caddy in front of nginx in front of a server that answers with what has reached it."""

import json
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.tests.test_nginx import NGINX, Echo, nginx
from framework.testing.servers import free_port, wait_for_port

SERVER = Path(__file__).resolve().parent.parent / "server"

pytestmark = pytest.mark.skipif(not (NGINX and shutil.which("caddy")), reason="needs caddy and nginx")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder, port, web = tmp_path_factory.mktemp("server"), free_port(), ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with nginx(folder / "nginx", [web.server_port], [free_port()], SERVER / "upstreams.conf") as (http, grpc):
        environment = os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        environment |= {"DOMAIN": f"http://127.0.0.1:{port}", "GRPC_DOMAIN": f"http://127.0.0.1:{free_port()}"}
        environment |= {"WEB": f"127.0.0.1:{http}", "GRPC": f"127.0.0.1:{grpc}"}
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(SERVER / "Caddyfile")]
        caddy = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{http}"
        caddy.terminate()
        caddy.wait()
    web.shutdown()


def headers(url, **given):
    with urllib.request.urlopen(urllib.request.Request(url, headers=given)) as answer:
        return json.loads(answer.read())["headers"]


def test_what_a_client_writes_about_itself_is_not_handed_on(site):
    forged = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    reached = headers(site[0], **forged, Forwarded="for=1.2.3.4")

    assert reached["x-forwarded-for"] == "127.0.0.1"
    assert reached["x-forwarded-proto"] == "http"
    assert "forwarded" not in reached
    assert "x-forwarded-host" not in reached


def test_readiness_is_for_inside(site):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{site[0]}/health/ready")

    assert refused.value.code == 404


def test_what_caddy_says_of_a_client_is_believed(site):
    reached = headers(site[1], **{"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})

    assert reached["x-forwarded-for"] == "192.0.2.7"
    assert reached["x-forwarded-proto"] == "https"

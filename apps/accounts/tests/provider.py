"""A provider of OpenID Connect on a port of this machine, for tests."""

import json
import secrets
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt

CLIENT, SECRET = "this-site", "secret-of-this-site-0123456789-0123456789"


class Provider:
    """Says that everybody who comes is the one whom `claims` describe."""

    def __init__(self, url):
        self.url = url
        self.claims = {"sub": "ann-1", "email": "ann@example.com", "email_verified": True}
        self.codes = set()

    def authorize(self, url):
        """What the browser is sent back with after its user has agreed: the URL here."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert asked["code_challenge_method"] == "S256"
        self.codes.add(code := secrets.token_hex(8))
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def configuration(self, _):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
        }

    def token(self, form):
        assert form["client_secret"] == [SECRET]
        self.codes.remove(form["code"][0])  # good for once
        signed = jwt.encode(self.claims | {"iss": self.url, "aud": CLIENT}, SECRET)
        return {"access_token": "token", "token_type": "Bearer", "id_token": signed}

    def userinfo(self, _):
        return self.claims


@contextmanager
def provider():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.provider = Provider(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.provider
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        name = self.path.rpartition("/")[2].removeprefix("openid-")
        answer = json.dumps(getattr(self.server.provider, name)(parse_qs(body))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass

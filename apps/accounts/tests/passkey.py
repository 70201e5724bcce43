"""A passkey in software, for tests: what a phone and its browser do together."""

import hashlib
import json
import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

ORIGIN = "http://localhost"
FLAGS = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV  # its owner is there, and has proven to be it


class Passkey:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(16)

    def create(self, options):
        """The answer to navigator.credentials.create(options)."""
        options = options["publicKey"]
        self.rp, self.user = options["rp"]["id"], options["user"]["id"]
        public = ES256.from_cryptography_key(self.key.public_key())
        data = self._data(FLAGS | AuthenticatorData.FLAG.AT, AttestedCredentialData.create(bytes(16), self.id, public))
        attestation = AttestationObject.create("none", data, {})
        client = _client("webauthn.create", options["challenge"])
        return self._credential(client, attestationObject=websafe_encode(attestation))

    def get(self, options, origin=ORIGIN):
        """The answer to navigator.credentials.get(options)."""
        client = _client("webauthn.get", options["publicKey"]["challenge"], origin)
        data = self._data(FLAGS)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            client,
            authenticatorData=websafe_encode(data),
            signature=websafe_encode(signature),
            userHandle=self.user,
        )

    def _data(self, flags, credential=b""):
        return AuthenticatorData.create(hashlib.sha256(self.rp.encode()).digest(), flags, 0, credential)

    def _credential(self, client, **response):
        name = websafe_encode(self.id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "clientExtensionResults": {"credProps": {"rk": True}},
            "response": {"clientDataJSON": websafe_encode(client), **response},
        }


def _client(kind, challenge, origin=ORIGIN):
    assert websafe_decode(challenge)
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()

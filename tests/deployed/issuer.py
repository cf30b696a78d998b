"""An OIDC issuer on a local port: it publishes its key and signs tokens with it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "vending"
SCOPE = "vend"


class Issuer:
    """Signs with one key of its own. `url` is set while it serves."""

    def __init__(self) -> None:
        self.url = ""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def keys(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}

    def token(self, subject: str, **changes: object) -> str:
        """A token that lets its subject buy for an hour."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3600, "scope": f"openid {SCOPE}"}
        return jwt.encode({**claims, **changes}, self._key, algorithm="RS256", headers={"kid": "one"})

    @property
    def variables(self) -> dict[str, str]:
        """What a function has to be told to trust this issuer."""
        return {
            "OIDC_ISSUER": self.url,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_JWKS_URL": f"{self.url}/keys",
            "OIDC_SCOPE": SCOPE,
        }


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer, as long as the block runs."""
    issuer = Issuer()
    document = json.dumps(issuer.keys).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            serving.join()

"""Who may call: the running function checks tokens of a real issuer on a socket, and tells browsers which pages may ask."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.functions.running import SIMULATED, client_of
from tests.functions.wallet import METER, new_key, problem, sale

ISSUER, AUDIENCE, SCOPE = "https://issuer.example", "https://vas.example", "vas.buy"
PAGE = "https://wallet.example"
KEY = rsa.generate_private_key(65537, 2048)
ANOTHER_KEY = rsa.generate_private_key(65537, 2048)


class Keys(BaseHTTPRequestHandler):
    """The issuer's address of public keys."""

    def do_GET(self) -> None:
        key = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        body = json.dumps({"keys": [{**key, "kid": "1", "use": "sig", "alg": "RS256"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/keys"
        server.shutdown()
        thread.join()


def environ(issuer: str, store: str) -> dict[str, str]:
    oidc = {"OIDC_ISSUER": ISSUER, "OIDC_AUDIENCE": AUDIENCE, "OIDC_JWKS_URL": issuer, "OIDC_SCOPE": SCOPE}
    return {**SIMULATED, **oidc, "TRANSACTION_STORE": f"sqlite:///{store}", "CORS_ORIGINS": f"{PAGE},https://other.example"}


@pytest.fixture(scope="module")
def purchase(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    store = tmp_path_factory.mktemp("store") / "sales.sqlite"
    with client_of("purchase", **environ(issuer, str(store))) as client:
        yield client


def token(key: object = KEY, **changes: object) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wallet-7", "scope": f"openid {SCOPE}", "iat": now, "exp": now + 300, **changes}
    return jwt.encode(claims, key, "RS256", {"kid": "1"})


def unsigned() -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"1"}').rstrip(b"=").decode()
    return f"{header}.{token().split('.')[1]}."


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def buy(purchase: httpx.Client, headers: dict[str, str]) -> httpx.Response:
    return purchase.post("/utility", json=METER, headers={"Idempotency-Key": new_key(), **headers})


def test_a_token_of_the_issuer_buys(purchase):
    sold = sale(buy(purchase, bearing(token())), 201)
    assert sale(purchase.get(f"/transactions/{sold['transactionId']}", headers=bearing(token())), 200) == sold


def test_another_subject_of_the_issuer_sees_nothing_of_it(purchase):
    sold = sale(buy(purchase, bearing(token())), 201)
    problem(purchase.get(f"/transactions/{sold['transactionId']}", headers=bearing(token(sub="wallet-8"))), 404, "not-found")


def test_without_a_token_nobody_buys(purchase):
    response = buy(purchase, {"X-Caller": "wallet-7"})  # good on a developer's machine only
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "forged",
    [
        lambda: token(aud="https://another.example"),
        lambda: token(iss="https://another.example"),
        lambda: token(exp=int(time.time()) - 60),
        lambda: token(iat=int(time.time()) + 600),
        lambda: token(key=ANOTHER_KEY),
        lambda: token(sub=""),
        unsigned,
        lambda: f"{token()[:-4]}AAAA",
        lambda: "nonsense",
    ],
    ids=["audience", "issuer", "expired", "from the future", "key", "subject", "alg none", "signature", "nonsense"],
)
def test_a_token_that_proves_nothing_buys_nothing(purchase, forged):
    response = buy(purchase, bearing(forged()))
    problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("scope", ["", "openid", "vas.buyer", "VAS.BUY"])
def test_a_token_without_the_scope_is_forbidden(purchase, scope):
    response = buy(purchase, bearing(token(scope=scope)))
    problem(response, 403, "forbidden")
    assert response.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


def test_who_is_asking_is_checked_before_what_is_asked(purchase):
    problem(purchase.post("/utility", content=b"not json"), 401, "unauthenticated")
    problem(purchase.get("/transactions?day=never"), 401, "unauthenticated")


def test_health_is_for_everybody(purchase):
    assert purchase.get("/health").is_success


def test_an_issuer_that_is_away_is_not_the_callers_fault(tmp_path):
    nowhere = "http://127.0.0.1:1/keys"
    with client_of("purchase", **environ(nowhere, str(tmp_path / "sales.sqlite"))) as client:
        problem(buy(client, bearing(token())), 503, "identity-unavailable")


def test_a_page_of_a_known_origin_may_ask(purchase):
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    response = purchase.options("/utility", headers=asks)

    assert (response.status_code, response.headers["access-control-allow-origin"], response.headers["vary"]) == (204, PAGE, "Origin")
    allowed = {name.strip().lower() for name in response.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type", "idempotency-key"} <= allowed
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["cache-control"] == "no-store"


def test_a_page_of_a_known_origin_may_read_the_answer(purchase):
    for response in (buy(purchase, {**bearing(token()), "Origin": PAGE}), buy(purchase, {"Origin": PAGE})):
        assert (response.headers["access-control-allow-origin"], response.headers["vary"]) == (PAGE, "Origin")
        assert {"Idempotent-Replayed", "Location", "Retry-After"} <= set(response.headers["access-control-expose-headers"].split(", "))


def test_what_depends_on_form_and_origin_says_both(purchase):
    assert purchase.get("/problems", headers={"Origin": PAGE}).headers["vary"] == "Accept, Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", f"{PAGE}.evil.example", "null", "http://wallet.example"])
def test_a_page_of_another_origin_may_not(purchase, origin):
    asked = purchase.options("/utility", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    problem(asked, 405, "method-not-allowed")
    answered = buy(purchase, {**bearing(token()), "Origin": origin})
    assert not any(name.startswith("access-control") for response in (asked, answered) for name in response.headers)
    assert answered.headers["vary"] == "Origin"

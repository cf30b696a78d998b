"""The identity of callers: OIDC bearer tokens of apps and back ends, and the names of operators."""

import re
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, assert_never

import httpx
import jwt
from starlette.datastructures import Headers

from shared.domain.identifiers import Caller
from shared.web.settings import Oidc, ScopeClaim
from shared.web.signing_keys import ALGORITHMS, KeysUnavailable, SigningKeys

LOCAL_ISSUER: Final = "local"
UNKNOWN_OPERATOR: Final = "unknown"
IAP_ISSUER: Final = "https://cloud.google.com/iap"
IAP_KEYS_URL: Final = "https://www.gstatic.com/iap/verify/public_key-jwk"
IAP_HEADER: Final = "x-goog-iap-jwt-assertion"
MAX_LIFE_SECONDS: Final = 86_400  # the latest end of a token, from now

_MAX_TOKEN_CHARACTERS: Final = 8192
_LEEWAY_SECONDS: Final = 30
_MAX_KNOWN: Final = 10_000  # tokens, of some 200 bytes each
_REQUIRED_CLAIMS: Final = ["exp", "iat", "iss", "aud", "sub"]
_TIMES: Final = ("exp", "iat", "nbf")
_TYPES: Final = frozenset({"jwt", "at+jwt"})  # of a header. Other types are no access tokens: logout, DPoP, events
_BODY_TYPES: Final = frozenset({"bearer", "jwt", "at+jwt"})  # Keycloak names the use of a token in its claims
_NAME: Final = re.compile(r"[!-~]{1,255}")
_SERVICE_ACCOUNTS: Final = ".gserviceaccount.com"
_MAIL: Final = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,189}")


class Unauthenticated(Exception):
    """The token is missing or invalid. The text is a short reason that quotes nothing of the request."""


class MissingScope(Exception):
    """The token is valid, and lacks the scope that buying needs."""


class IdentityUnavailable(Exception):
    """The issuer's keys could not be read, so no caller can be identified. The caller is not at fault."""


class Verifier:
    """Callers by their OIDC tokens, verified with the keys that the issuer publishes.

    A verified token is cached by its hash until it expires, or until the issuer's keys are read again. A back end sends one token for
    an hour. `clock` is monotonic, in seconds.
    """

    def __init__(self, oidc: Oidc, http: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._oidc = oidc
        self._keys = SigningKeys(oidc.jwks_url, http, clock)
        self._known: dict[bytes, tuple[Caller, int]] = {}
        self._known_edition = 0

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """The caller that sent the request with `headers`, whose look-up ignores case.

        Raises:
            Unauthenticated: the token is missing or invalid.
            MissingScope: the token is valid, and lacks the scope.
            IdentityUnavailable: the token could not be verified.
        """
        token = _bearer(headers.get("authorization"))
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        if (known := self._known_caller(digest)) is not None:
            return known
        claims = await _checked(token, self._keys, self._oidc.audience, (self._oidc.issuer, *self._oidc.issuer_aliases))
        if self._oidc.scope is not None and self._oidc.scope not in _scopes(claims, self._oidc.scope_claim):
            raise MissingScope
        subject = claims["sub"]
        if not isinstance(subject, str) or not _NAME.fullmatch(subject):
            raise Unauthenticated("the token's subject is malformed")
        caller = Caller(self._oidc.identity, subject)
        self._remember(digest, caller, claims["exp"])
        return caller

    def _known_caller(self, digest: bytes) -> Caller | None:
        """The cached caller of a token, while the keys are fresh and the token has not expired."""
        if not self._keys.are_fresh or self._known_edition != self._keys.edition or digest not in self._known:
            return None
        caller, expires_at = self._known[digest]
        return caller if time.time() - _LEEWAY_SECONDS < expires_at else None

    def _remember(self, digest: bytes, caller: Caller, expires_at: object) -> None:
        if len(self._known) >= _MAX_KNOWN or self._known_edition != self._keys.edition:
            self._known.clear()  # a revoked key verifies nothing any more
        self._known_edition = self._keys.edition
        if isinstance(expires_at, int | float):
            self._known[digest] = (caller, int(expires_at))


class IapOperator:
    """Operators by the assertion that Identity-Aware Proxy signs for each request.

    Source: "Securing your app with signed headers", Google's documentation of Identity-Aware Proxy.
    """

    def __init__(self, audience: str, http: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._audience = audience
        self._keys = SigningKeys(IAP_KEYS_URL, http, clock)

    async def __call__(self, headers: Headers) -> str:
        """The operator's e-mail address.

        Raises:
            Unauthenticated: the assertion is missing, invalid, or given more than once.
            IdentityUnavailable: the assertion could not be verified.
        """
        given = headers.getlist(IAP_HEADER)
        if len(given) != 1:
            raise Unauthenticated("the assertion of Identity-Aware Proxy is required, once")
        claims = await _checked(given[0], self._keys, self._audience, (IAP_ISSUER,), algorithms=("ES256",))
        address = claims.get("email")
        return address if isinstance(address, str) and _MAIL.fullmatch(address) else UNKNOWN_OPERATOR


async def _checked(
    token: str, keys: SigningKeys, audience: str, issuers: tuple[str, ...], algorithms: tuple[str, ...] = ALGORITHMS
) -> Mapping[str, Any]:
    """The claims of a token that one of the issuer's keys has signed.

    Raises:
        Unauthenticated, IdentityUnavailable.
    """
    if len(token) > _MAX_TOKEN_CHARACTERS:
        raise Unauthenticated("the token is too long")
    key_id, algorithm = _header(token, algorithms)
    try:
        candidates = await keys.candidates(key_id, algorithm)
    except KeysUnavailable:
        raise IdentityUnavailable from None
    reason = "the token's signing key is unknown"
    for key in candidates:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=audience,
                issuer=issuers,
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED_CLAIMS},
            )
        except jwt.InvalidSignatureError as error:  # another key of that name may have signed the token
            reason = _reason(error)
        except Exception as error:  # any failure: the token was not verified
            raise Unauthenticated(_reason(error)) from None
        else:
            _refuse_other_uses(claims)
            return claims
    raise Unauthenticated(reason)


def _refuse_other_uses(claims: Mapping[str, Any]) -> None:
    """Refuse tokens that an issuer signs for another use than access, and tokens with a time that is no number or without an end.

    Raises:
        Unauthenticated.
    """
    if any(type(claims.get(name, 0)) not in (int, float) for name in _TIMES):  # RFC 7519: a NumericDate is a number
        raise Unauthenticated("a time of the token is no number")
    if not _is_one_of(_BODY_TYPES, claims.get("typ")) or "events" in claims:
        raise Unauthenticated("the token is not for access")
    if "cnf" in claims:  # RFC 7800: the sender must prove to hold a key, and this edge checks no such proof
        raise Unauthenticated("the token is bound to a key that was not proven")
    if claims["exp"] > time.time() + MAX_LIFE_SECONDS + _LEEWAY_SECONDS:
        raise Unauthenticated("the token ends more than a day ahead")


async def local_caller(headers: Mapping[str, str]) -> Caller:
    """The caller that the header `X-Caller` names, on a developer's machine.

    Raises:
        Unauthenticated: the header is not 1 to 255 visible ASCII characters.
    """
    name = headers.get("x-caller", LOCAL_ISSUER)
    if not _NAME.fullmatch(name):
        raise Unauthenticated("X-Caller must be 1 to 255 visible ASCII characters")
    return Caller(LOCAL_ISSUER, name)


def operator(headers: Headers) -> str:
    """The operator's e-mail address, from the token that Cloud Run has verified and whose signature it has removed.

    If `X-Serverless-Authorization` is sent, Cloud Run verifies that header alone, and `Authorization` may hold anything. If a header is
    given twice, nobody knows which one was verified: the operator is unknown.
    """
    try:
        (checked,) = headers.getlist("x-serverless-authorization") or headers.getlist("authorization")
        token = _bearer(checked)
        address = jwt.decode(token, options={"verify_signature": False}).get("email")
    except Exception:  # the platform accepted the request without a token that names a person
        return UNKNOWN_OPERATOR
    return address if isinstance(address, str) and _MAIL.fullmatch(address) else UNKNOWN_OPERATOR


def local_operator(headers: Headers) -> str:
    """The operator that the header `X-Caller` names, on a developer's machine. A repeated header names nobody."""
    name, *others = headers.getlist("x-caller") or [LOCAL_ISSUER]
    return name if _NAME.fullmatch(name) and not others else UNKNOWN_OPERATOR


def is_service_account(address: str) -> bool:
    """Whether an e-mail address belongs to a program."""
    return address.lower().endswith(_SERVICE_ACCOUNTS)


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("a bearer token is required")
    if len(token) > _MAX_TOKEN_CHARACTERS:
        raise Unauthenticated("the token is too long")
    return token.strip()


def _header(token: str, algorithms: tuple[str, ...]) -> tuple[str | None, str]:
    """The name of the key that should have signed a token, and the algorithm, from its unverified header.

    Raises:
        Unauthenticated: the text is no token, is for another use, or is signed with an algorithm that proves nothing.
    """
    header_alone = f"{token.partition('.')[0]}.."  # the rest is parsed once, during verification
    try:
        header = jwt.get_unverified_header(header_alone)
    except Exception:  # also any failure of the JSON parser on a hostile header
        raise Unauthenticated("the token is malformed") from None
    algorithm = header.get("alg")
    if algorithm not in algorithms:
        raise Unauthenticated("the token's algorithm is not accepted")
    use = header.get("typ")
    if not _is_one_of(_TYPES, use.lower().removeprefix("application/") if isinstance(use, str) else use):
        raise Unauthenticated("the token is not for access")
    return header.get("kid"), algorithm


def _is_one_of(types: frozenset[str], use: object) -> bool:
    """Whether a token names one of these types in any case, or none. The value may be any JSON."""
    return use is None or (isinstance(use, str) and use.lower() in types)


def _scopes(claims: Mapping[str, Any], claim: ScopeClaim) -> frozenset[str]:
    """The scopes of a token: a list, or a text separated by spaces as RFC 8693 defines `scope`."""
    match claim:
        case ScopeClaim.SCOPE:
            granted = claims.get("scope", claims.get("scp"))
        case ScopeClaim.ROLES:  # Keycloak nests the roles of a realm
            realm = claims.get("realm_access")
            granted = claims.get("roles", realm.get("roles") if isinstance(realm, dict) else None)
        case ScopeClaim.SCP | ScopeClaim.PERMISSIONS:
            granted = claims.get(claim.value)
        case _:
            assert_never(claim)
    if isinstance(granted, str):
        return frozenset(granted.split())
    return frozenset(each for each in granted if isinstance(each, str)) if isinstance(granted, list) else frozenset()


def _reason(error: Exception) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "the token has expired"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet"
        case jwt.InvalidAudienceError():
            return "the token is for another audience"
        case jwt.InvalidIssuerError():
            return "the token is from another issuer"
        case jwt.MissingRequiredClaimError():
            return "the token lacks a claim"
        case jwt.InvalidAlgorithmError():
            return "the token's algorithm is not accepted"
        case jwt.InvalidSignatureError():
            return "the token's signature is wrong"
        case _:
            return "the token is malformed"

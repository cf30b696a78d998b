"""Who is calling: OIDC bearer tokens of apps and back ends, and the names of operators."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from starlette.datastructures import Headers

from shared import logs
from shared.config import Oidc
from shared.identifiers import Caller

LOCAL_ISSUER: Final = "local"
UNKNOWN_OPERATOR: Final = "unknown"

_ALGORITHMS: Final = ("RS256", "ES256")  # both public-key: a key that verifies cannot sign
_LEAST_RSA_BITS: Final = 2048
_MOST_TOKEN_CHARACTERS: Final = 8192
_LEEWAY_SECONDS: Final = 30
_KEYS_VALID_SECONDS: Final = 3600
_REREAD_SECONDS: Final = 10  # at most so often do tokens with unknown keys, which anyone can send, make us ask the issuer
_READ_TIMEOUT_SECONDS: Final = 5
_MOST_KNOWN: Final = 10_000  # tokens, of some 200 bytes each
_REQUIRED_CLAIMS: Final = ["exp", "iat", "iss", "aud", "sub"]
_NAME: Final = re.compile(r"[!-~]{1,255}")
_SERVICE_ACCOUNTS: Final = ".gserviceaccount.com"
_MAIL: Final = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,189}")

log = logs.logger(__name__)


class Unauthenticated(Exception):
    """No valid token. The text is a short reason that quotes nothing of what was sent."""


class MissingScope(Exception):
    """A valid token, without the scope that buying needs."""


class IdentityUnavailable(Exception):
    """The issuer's keys could not be read, so nobody can be told from anybody. Not the caller's fault."""


class Verifier:
    """Callers by their OIDC tokens, checked with the keys that the issuer publishes.

    Keys are kept for an hour, and read again for a token that names an unknown one. What was checked with them is known, by
    the token's hash, until the token expires or the keys are read again: a back end sends one token for an hour.
    `clock` is monotonic, in seconds.
    """

    def __init__(self, oidc: Oidc, http: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._oidc = oidc
        self._http = http
        self._clock = clock
        self._keys: Mapping[str | None, jwt.PyJWK] = {}
        self._known: dict[bytes, tuple[Caller, int]] = {}
        self._stale_at = self._reread_at = clock()
        self._reading: asyncio.Task[bool] | None = None

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who sent the request that came with `headers` (whose look-up ignores case).

        Raises:
            Unauthenticated: no valid token.
            MissingScope: a valid one, without the scope.
            IdentityUnavailable: it could not be checked.
        """
        token = _bearer(headers.get("authorization"))
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        if (known := self._known_caller(digest)) is not None:
            return known
        claims = self._claims(token, await self._key(_key_id(token)))
        if self._oidc.scope is not None and self._oidc.scope not in _scopes(claims):
            raise MissingScope
        subject = claims["sub"]
        if not isinstance(subject, str) or not _NAME.fullmatch(subject):
            raise Unauthenticated("the token's subject is malformed")
        caller = Caller(self._oidc.issuer, subject)
        self._remember(digest, caller, claims["exp"])
        return caller

    def _known_caller(self, digest: bytes) -> Caller | None:
        """Whose token this was found to be, while its keys are fresh and it has not expired."""
        if self._clock() >= self._stale_at or digest not in self._known:
            return None
        caller, expires_at = self._known[digest]
        return caller if time.time() - _LEEWAY_SECONDS < expires_at else None

    def _remember(self, digest: bytes, caller: Caller, expires_at: object) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        if isinstance(expires_at, int | float):
            self._known[digest] = (caller, int(expires_at))

    def _claims(self, token: str, key: jwt.PyJWK) -> Mapping[str, object]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._oidc.audience,
                issuer=self._oidc.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED_CLAIMS},
            )
        except Exception as error:  # whatever it is, the token was not found good
            raise Unauthenticated(_reason(error)) from None

    async def _key(self, key_id: str | None) -> jwt.PyJWK:
        if self._clock() >= self._stale_at or (self._named(key_id) is None and self._may_reread()):
            await self._read()
        if (key := self._named(key_id)) is None:
            raise Unauthenticated("the token's signing key is unknown")
        return key

    def _may_reread(self) -> bool:
        """Whether an unknown key is a reason to ask the issuer, or to wait for the answer that is under way."""
        if self._reading is not None and not self._reading.done():
            return True
        if self._clock() < self._reread_at:
            return False
        self._reread_at = self._clock() + _REREAD_SECONDS
        return True

    def _named(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None and len(self._keys) == 1:  # an issuer with one key need not name it
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _read(self) -> None:
        """Read the issuer's keys, once for all who wait. A caller who gives up does not end it for the others.

        Raises:
            IdentityUnavailable: they could not be read.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._replace_keys())
        if not await asyncio.shield(self._reading):
            raise IdentityUnavailable

    async def _replace_keys(self) -> bool:
        try:
            async with asyncio.timeout(_READ_TIMEOUT_SECONDS):
                response = await self._http.get(self._oidc.jwks_url, headers={"accept": "application/json"})
            keys = _usable_keys(response.raise_for_status().json())
        except Exception as error:  # of any library, or of what was sent: there are no keys
            log.error("signing keys not read", cause=error)
            return False
        if not keys:
            log.error("signing keys not read", cause="none is usable")
            return False
        self._keys = keys
        self._known.clear()  # what they verified: a key that was taken back verifies nothing any more
        self._stale_at = self._clock() + _KEYS_VALID_SECONDS
        return True


async def local_caller(headers: Mapping[str, str]) -> Caller:
    """Whoever the header `X-Caller` says, on a developer's machine.

    Raises:
        Unauthenticated: the header is not 1 to 255 visible ASCII characters.
    """
    name = headers.get("x-caller", LOCAL_ISSUER)
    if not _NAME.fullmatch(name):
        raise Unauthenticated("X-Caller must be 1 to 255 visible ASCII characters")
    return Caller(LOCAL_ISSUER, name)


def operator(headers: Headers) -> str:
    """The operator's e-mail address, from the token that Cloud Run has checked and whose signature it has removed.

    Where `X-Serverless-Authorization` is sent, Cloud Run checks that header alone, so `Authorization` may then say anything.
    Of two such headers nobody knows which was checked: they name nobody.
    """
    try:
        (checked,) = headers.getlist("x-serverless-authorization") or headers.getlist("authorization")
        token = _bearer(checked)
        address = jwt.decode(token, options={"verify_signature": False}).get("email")
    except Exception:  # the platform let it pass without a token that names anyone
        return UNKNOWN_OPERATOR
    return address if isinstance(address, str) and _MAIL.fullmatch(address) else UNKNOWN_OPERATOR


def local_operator(headers: Headers) -> str:
    """Whoever the header `X-Caller` says, on a developer's machine. Two of them name nobody."""
    name, *others = headers.getlist("x-caller") or [LOCAL_ISSUER]
    return name if _NAME.fullmatch(name) and not others else UNKNOWN_OPERATOR


def is_service_account(address: str) -> bool:
    """Whether an e-mail address is that of a program, not of a person."""
    return address.lower().endswith(_SERVICE_ACCOUNTS)


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("a bearer token is required")
    if len(token) > _MOST_TOKEN_CHARACTERS:
        raise Unauthenticated("the token is too long")
    return token.strip()


def _key_id(token: str) -> str | None:
    """The name of the key that a token claims to be signed with, from its unverified header.

    Raises:
        Unauthenticated: it is no token, or is signed in a way that proves nothing.
    """
    header_alone = f"{token.partition('.')[0]}.."  # the rest is taken apart once, when it is verified
    try:
        header = jwt.get_unverified_header(header_alone)
    except Exception:  # also what a hostile header does to a JSON parser
        raise Unauthenticated("the token is malformed") from None
    if header.get("alg") not in _ALGORITHMS:
        raise Unauthenticated("the token's algorithm is not accepted")
    return header.get("kid")


def _usable_keys(document: Mapping[str, object]) -> dict[str | None, jwt.PyJWK]:
    """The keys of a JWKS document that may sign tokens, by their ids."""
    listed = document["keys"]
    if not isinstance(listed, list):
        raise TypeError("keys is not a list")
    keys = (key for each in listed if (key := _usable_key(each)) is not None)
    return {key.key_id: key for key in keys}


def _usable_key(data: dict[str, object]) -> jwt.PyJWK | None:
    try:
        key = jwt.PyJWK(data)
    except Exception:  # of a kind that we do not know, or broken: the others may serve
        return None
    if key.algorithm_name not in _ALGORITHMS or key.public_key_use not in {None, "sig"}:
        return None
    match key.key:
        case RSAPublicKey(key_size=bits) if bits >= _LEAST_RSA_BITS:
            return key
        case EllipticCurvePublicKey():
            return key
        case _:  # too short, or a private key, which whoever read it can sign with
            return None


def _scopes(claims: Mapping[str, object]) -> frozenset[str]:
    """`scope` as RFC 8693 has it, separated by spaces, or `scp`, a list."""
    granted = claims.get("scope", claims.get("scp"))
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

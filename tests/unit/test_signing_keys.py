"""Which keys of an issuer's set may verify tokens: just at each bound, and each kind of key."""

import base64
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from shared.signing_keys import usable_keys

P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def number(value: int) -> str:
    """A number as a key set writes it."""
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).rstrip(b"=").decode()


def rsa_of(bits: int) -> dict[str, Any]:
    """A public RSA key of so many bits."""
    return {"kty": "RSA", "n": number(2 ** (bits - 1) + 1), "e": "AQAB"}


def listed(key: Any) -> dict[str, Any]:
    """The public half of a key, as a key set lists it."""
    of = jwt.algorithms.OKPAlgorithm if isinstance(key, ed25519.Ed25519PrivateKey) else jwt.algorithms.ECAlgorithm
    return dict(of.to_jwk(key.public_key(), as_dict=True))


KEYS = {
    "RSA": (rsa_of(2048), ["RS256", "PS256"]),
    "P-256": (listed(P256), ["ES256"]),
    "P-384": (listed(P384), ["ES384"]),
    "Ed25519": (listed(EDWARDS), ["EdDSA"]),
}
every_key = pytest.mark.parametrize(("key", "algorithms"), KEYS.values(), ids=KEYS)


def algorithms_of(*keys: object) -> list[str]:
    return [key.algorithm_name for key in usable_keys({"keys": list(keys)})]


@every_key
def test_a_key_serves_each_algorithm_that_it_is_good_for(key, algorithms):
    assert algorithms_of(key) == algorithms_of(key | {"kid": "k"}) == algorithms
    assert [algorithms_of(key | {"alg": name}) for name in algorithms] == [[name] for name in algorithms]
    assert algorithms_of(key | {"alg": "HS256"}) == algorithms_of(key | {"alg": "RS512"}) == []


@every_key
@pytest.mark.parametrize("kid", [7, ["k"], True], ids=repr)
def test_a_key_whose_name_is_no_text_verifies_nothing(key, algorithms, kid):
    assert algorithms_of(key | {"kid": kid}) == []
    assert algorithms_of(key | {"kid": kid}, key) == algorithms


@pytest.mark.parametrize(("bits", "serves"), [(1024, False), (2047, False), (2048, True), (2049, True), (4096, True)])
def test_an_rsa_key_is_trusted_from_2048_bits_on(bits, serves):
    assert algorithms_of(rsa_of(bits)) == (["RS256", "PS256"] if serves else [])


def test_a_key_on_another_curve_or_of_another_kind_verifies_nothing():
    mislabelled = listed(P256) | {"crv": "P-521"}
    assert algorithms_of(listed(P384) | {"alg": "ES256"}, listed(P256) | {"alg": "ES384"}, mislabelled) == []
    assert algorithms_of({"kty": "OKP", "crv": "X25519", "x": number(2**255 - 20)}) == []
    assert algorithms_of(dict(jwt.algorithms.OKPAlgorithm.to_jwk(EDWARDS, as_dict=True))) == []  # the private half as well
    assert algorithms_of(dict(jwt.algorithms.ECAlgorithm.to_jwk(P256, as_dict=True))) == []


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}, {"keys": "none"}])
def test_what_lists_no_keys_is_no_key_set(document):
    with pytest.raises(ValueError, match="keys is not a list"):
        usable_keys(document)

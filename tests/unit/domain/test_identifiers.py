"""Golden vectors: these values are on record in production databases. They never change."""

import pytest

from shared.domain.identifiers import (
    IDEMPOTENCY_KEY,
    Caller,
    account_key,
    caller_id,
    comparable,
    fingerprint,
    hashed,
    one_spelling,
    same_supplier_id,
    transaction_id,
)
from shared.domain.money import Money
from shared.domain.vas import Mode, Order, VasType

CALLER = Caller("https://issuer.example", "user-1")
ORDER = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="p", meter_number="12345678901")
BODY = {"meterNumber": "12345678901", "amountCents": 10_000}


def test_golden_transaction_ids():
    assert transaction_id(Mode.LIVE, CALLER, "key-1") == "2c0f18d86321ff42b7fb80e9c935c0cb"
    assert transaction_id(Mode.SIMULATED, CALLER, "key-1") == "e942eb3027c5e89c0b2b1aa45ff4aebd"


def test_golden_hashes_of_any_text():
    assert hashed("a\ud800", "b") == "797248d0f2443c5a5967fa9855e27e89"
    assert hashed("a", "\ud800b") != hashed("a\ud800", "b")


def test_a_key_is_up_to_255_visible_ascii_characters_each_of_which_counts():
    longest = "!" + "~" * 254
    keys = ["!", "~", "a", longest, longest[:-1] + "!"]
    assert all(map(IDEMPOTENCY_KEY.fullmatch, keys))
    assert not any(map(IDEMPOTENCY_KEY.fullmatch, ("", " ", "a b", "a\n", "\x7f", "é", f"{longest}!")))
    assert len({transaction_id(Mode.LIVE, CALLER, key) for key in keys}) == len(keys)


def test_golden_caller_and_account_keys():
    assert caller_id(Mode.LIVE, CALLER) == "208e340a371d84f5261e656e22c9a613"
    assert account_key(Mode.LIVE, CALLER, ORDER) == "d5894078f1bdcb05d71f5f98da7520a5"


def test_golden_fingerprints():
    assert fingerprint(VasType.UTILITY, BODY) == "b6e45089b26d92e16c6650a55e866b79"
    assert (
        fingerprint(VasType.VOUCHER, {"merchantProductId": "a", "amountCents": 5, "reference": "Zoë"}) == "a86c557ec18d96bb2f9e2120984aae60"
    )


def test_golden_fingerprints_of_every_kind_of_request():
    """What older code took stays a request with the fingerprint that it had, whether or not it is still taken."""
    mobile = {"merchantProductId": "a", "amountCents": 500, "mobileNumber": "0821234567", "allowDuplicate": True}
    assert fingerprint(VasType.AIRTIME, mobile) == "200162bb891d6ab5bfcdec0fadc6e2c2"
    assert fingerprint(VasType.DATA, {"merchantProductId": "a", "amountCents": 500, "pinned": True}) == "4c923df0794b152350b802a0aa6ab74f"
    assert (
        fingerprint(VasType.BILL_PAYMENT, {"prevendId": "ed91a449-b989-433d-a93d-acf3c2f46d70", "reference": None})
        == "d3410e7907eaa41c0f9ee7d0838d4197"
    )
    assert (
        fingerprint(VasType.UTILITY, BODY | {"amountCents": "10000", "unknown": [1.5, {"b": 1, "a": None}]})
        == "0aef7ca80f1f785342688e212c2100f9"
    )


def test_fingerprints_of_two_schemes_tell_no_two_requests_apart():
    ours, others = fingerprint(VasType.UTILITY, BODY), "sha1:2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"
    assert comparable(ours, fingerprint(VasType.VOUCHER, BODY)) and comparable(others, f"{others}0")
    assert not comparable(ours, others) and not comparable(others, ours)
    assert not comparable(ours, ours.upper()) and not comparable(ours, ours + ours)


@pytest.mark.parametrize(
    "other",
    [
        (Mode.SIMULATED, CALLER, "key-1"),
        (Mode.LIVE, Caller("https://issuer.example", "user-2"), "key-1"),
        (Mode.LIVE, Caller("https://other.example", "user-1"), "key-1"),
        (Mode.LIVE, CALLER, "key-2"),
        (Mode.LIVE, Caller("https://issuer.exampleu", "ser-1"), "key-1"),
    ],
)
def test_mode_issuer_subject_and_key_each_make_another_sale(other):
    assert transaction_id(*other) != transaction_id(Mode.LIVE, CALLER, "key-1")


def test_lengths_keep_parts_apart():
    assert hashed("ab", "c") != hashed("a", "bc") != hashed("abc")


def test_field_order_does_not_change_a_request_but_any_value_does():
    assert fingerprint(VasType.UTILITY, dict(reversed(BODY.items()))) == fingerprint(VasType.UTILITY, BODY)
    assert fingerprint(VasType.UTILITY, BODY | {"amountCents": 10_001}) != fingerprint(VasType.UTILITY, BODY)
    assert fingerprint(VasType.UTILITY, BODY | {"reference": "r"}) != fingerprint(VasType.UTILITY, BODY)
    assert fingerprint(VasType.BILL_PAYMENT, BODY) != fingerprint(VasType.UTILITY, BODY)


def test_pins_have_no_recipient_to_be_a_duplicate_of():
    assert account_key(Mode.LIVE, CALLER, Order(vas_type=VasType.VOUCHER, amount=Money(100), merchant_product_id="p")) is None


GUID = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"


def test_supplier_guids_compare_in_any_case_and_other_ids_to_the_letter():
    assert same_supplier_id(GUID, GUID.upper()) and same_supplier_id(GUID.upper(), GUID)
    assert same_supplier_id("T-1", "T-1") and not same_supplier_id("T-1", "t-1")
    assert not same_supplier_id(GUID, f"{GUID[:-1]}1") and not same_supplier_id(f"{GUID}-A", f"{GUID}-a")
    assert not same_supplier_id(None, None) and not same_supplier_id(GUID, None) and not same_supplier_id(None, GUID)


def test_the_one_spelling_of_a_guid_is_in_lower_case_as_on_record():
    assert one_spelling(GUID.upper()) == one_spelling(GUID) == GUID
    assert one_spelling(GUID.replace("-", "")) == one_spelling(f"{{{GUID.upper()}}}") == GUID
    assert one_spelling("Receipt 7") == "Receipt 7"

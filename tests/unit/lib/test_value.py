"""Values: frozen, silent about what no `repr` may show, and records that are the same whichever version of them was read."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Consumer, Prevended, RawAnswer, Receipt
from shared.domain.prevend import Prevend
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.unread import Unread
from shared.domain.vas import Mode, Order, VasType
from shared.lib.value import Record, Value
from shared.mobilemart.access_token import AccessToken
from shared.mobilemart.requests import Call
from shared.mobilemart.responses import Reply
from shared.ports.credentials import Credentials


class Slip(Value, frozen=True):
    _hidden = frozenset({"token"})

    meter: str
    token: str | None = None


class Kept(Record, frozen=True, kw_only=True):
    id: str
    body: object


class Other(Record, frozen=True, kw_only=True):
    id: str
    body: object


def test_a_value_never_changes():
    with pytest.raises(AttributeError):
        Slip("1").meter = "2"


def test_a_copy_differs_in_the_named_fields_only():
    assert structs.replace(Slip("1", "2"), meter="3") == Slip("3", "2")


def test_no_view_of_a_value_shows_a_hidden_field():
    slip = Slip("1", "0000 1234")
    assert repr(slip) == str(slip) == f"{slip}" == "Slip(meter='1')"
    assert not hasattr(Slip, "__rich_repr__") or Slip.__rich_repr__ is None


def test_no_repr_shows_our_client_secret_or_access_token():
    token = AccessToken("eyJhbGciOi", datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, 1, tzinfo=UTC))
    assert repr(Credentials("our id", "our secret")) == "Credentials(client_id='our id')"
    assert "eyJ" not in f"{token} {[token]}" and "2026" in repr(token)


WHOM = Consumer("Jane-said", "Road-said", "Message-said")
ORDER = Order(vas_type=VasType.VOUCHER, amount=Money(5_000), merchant_product_id="v")
AT = datetime(2026, 5, 1, tzinfo=UTC)
PRIVATE = [
    WHOM,
    Receipt(
        supplier_transaction_id="id",
        tokens=(StsToken(TokenKind.CREDIT, "0" * 20),),
        pin="pin-said",
        serial_number="serial-said",
        consumer=WHOM,
        instructions="dial-said",
    ),
    RawAnswer.of("vend", AT, 200, None, b"body-said"),
    Prevended("id", consumer=WHOM),
    Prevend(
        id="id",
        mode=Mode.LIVE,
        caller=Caller("issuer", "subject"),
        order=ORDER,
        supplier_prevend_id="id",
        minimum_amount=None,
        amount_due=None,
        consumer=WHOM,
        created_at=AT,
        expires_at=AT,
        revision="revision-said",
    ),
    Reply.of(200, {"content-type": "application/json"}, b'{"a": "json-said"}'),
    Unread(id="id", caller=Caller("issuer", "subject-said"), record={"meter": "record-said"}),
    Call("GET", "/path", (("meterNumber", "query-said"),), b"body-said"),
]


@pytest.mark.parametrize("value", PRIVATE, ids=lambda value: type(value).__name__)
def test_private_and_bearer_fields_are_not_even_named(value):
    assert "said" not in f"{value!r}{value}{[value]}"
    for name in ("tokens", "pin", "serial_number", "consumer", "instructions", "body", "json", "query", "revision", "record"):
        assert f"{name}=" not in repr(value)


def test_no_view_and_no_hash_of_a_value_contains_fields_of_newer_code():
    newer = structs.replace(ORDER, beyond={"email": "said"})
    assert "said" not in f"{newer!r}{newer}{[newer]}" and repr(newer) == repr(ORDER)
    assert repr(structs.replace(WHOM, beyond={"email": "said"})) == "Consumer()"
    assert (hash(newer), newer == ORDER) == (hash(ORDER), False)
    assert len({hash(structs.replace(ORDER, reference=str(number))) for number in range(9)}) == 9


def test_records_of_two_revisions_are_equal_and_show_no_revision():
    read, again = Kept(id="1", body={}, revision="r1"), Kept(id="1", body={}, revision="r2")
    assert read == again
    assert read != structs.replace(again, body={"n": 1})
    assert [read == other for other in (Slip("1"), Other(id="1", body={}), "1", None)] == [False] * 4
    assert "r1" not in repr(read)

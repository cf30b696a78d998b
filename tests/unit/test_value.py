"""Values: frozen, silent about what no `repr` may show, and records that are the same whichever version of them was read."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from shared.mobilemart.access import AccessToken, Credentials
from shared.value import Record, Value


class Slip(Value, frozen=True):
    _hidden = frozenset({"token"})

    meter: str
    token: str | None = None


class Kept(Record, frozen=True, kw_only=True):
    id: str
    body: object


def test_a_value_never_changes():
    with pytest.raises(AttributeError):
        Slip("1").meter = "2"


def test_a_copy_differs_in_what_was_named_only():
    assert structs.replace(Slip("1", "2"), meter="3") == Slip("3", "2")


def test_what_is_hidden_is_shown_by_nothing_that_shows_a_value():
    slip = Slip("1", "0000 1234")
    assert repr(slip) == str(slip) == f"{slip}" == "Slip(meter='1')"
    assert not hasattr(Slip, "__rich_repr__") or Slip.__rich_repr__ is None


def test_no_secret_of_ours_is_shown_with_what_holds_it():
    token = AccessToken("eyJhbGciOi", datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, 1, tzinfo=UTC))
    assert repr(Credentials("our id", "our secret")) == "Credentials(client_id='our id')"
    assert "eyJ" not in f"{token} {[token]}" and "2026" in repr(token)


def test_a_record_is_the_same_whichever_version_was_read_and_shows_none():
    read, again = Kept(id="1", body={}, revision="r1"), Kept(id="1", body={}, revision="r2")
    assert read == again
    assert read != structs.replace(again, body={"n": 1})
    assert read != Slip("1")
    assert "r1" not in repr(read)

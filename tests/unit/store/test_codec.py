"""How each kind of value is stored and read: what says nothing is not stored, and what newer code wrote is written back as it was."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

import pytest

from shared.domain.money import Money
from shared.lib.times import MALFORMED
from shared.lib.value import Kept, Value, is_new_word
from shared.store.codec import codec, field_codecs, record_codec, required_fields, unknown


class Colour(StrEnum):
    RED = "red"


class Part(Kept, frozen=True, kw_only=True):
    name: str
    size: int | None = None
    count: int = 0
    words: tuple[str, ...] = ()


class Strict(Value, frozen=True):
    name: str
    size: int | None
    items: tuple[int, ...] = ()
    lots: tuple[int, ...] = (1,)
    least: int | None = 5
    colour: Colour = Colour.RED


class Whole(Value, frozen=True, kw_only=True):
    first: int = 1
    second: str
    third: str | None = None
    fourth: Part | Strict
    fifth: tuple[Part, ...]
    revision: str | None = None


PART, STRICT = record_codec(Part), record_codec(Strict)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Part(name="n"), {"name": "n", "count": 0}),
        (Part(name="", size=0, words=("a",)), {"name": "", "size": 0, "count": 0, "words": ["a"]}),
        (Part(name="n", beyond={"new": None, "count": 9}), {"name": "n", "count": 0, "new": None}),
    ],
)
def test_a_value_is_stored_as_its_nonempty_fields(value, stored):
    assert PART.encode(value) == stored


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ({"name": "n"}, Part(name="n")),
        ({"name": "n", "size": None, "words": None}, Part(name="n")),
        ({"name": "n", "new": None, "size": None}, Part(name="n", beyond={"new": None})),
        ({"name": "n", "new": 5, "newer": [1]}, Part(name="n", beyond={"new": 5, "newer": [1]})),
    ],
)
def test_newer_codes_field_stays_with_its_value_even_if_null(stored, value):
    unknown()
    read = PART.decode(stored)
    assert read == value
    assert unknown() == tuple(sorted(value.beyond or {}))
    assert {**stored, **PART.encode(read)} == {**stored, **PART.encode(value)} and (value.beyond or {}).items() <= PART.encode(read).items()


@pytest.mark.parametrize(
    "stored", [{}, {"name": None}, {"name": 5}, {"name": "n", "count": None}, {"name": "n", "words": "w"}, None, "name", []]
)
def test_a_value_with_a_required_field_absent_or_null_is_damaged(stored):
    with pytest.raises(MALFORMED):
        PART.decode(stored)


def test_an_absent_field_is_none_or_empty_before_its_default():
    assert STRICT.decode({"name": "n"}) == Strict("n", None, (), (), None, Colour.RED)
    assert STRICT.decode({"name": "n", "least": None, "lots": None, "size": None}) == Strict("n", None, (), (), None, Colour.RED)
    assert STRICT.decode({"name": "n", "lots": [2], "least": 3, "size": 4}) == Strict("n", 4, (), (2,), 3, Colour.RED)


def test_a_value_that_is_never_written_drops_and_names_unknown_fields():
    unknown()
    assert STRICT.decode({"name": "n", "new": 5, "colour": "blue"}) == Strict(
        "n", None, (), (), None, STRICT.decode({"name": "", "colour": "blue"}).colour
    )
    assert unknown() == ("Colour blue", "new")


def test_a_word_of_newer_code_is_text_of_its_kind_and_written_back():
    words = codec(Colour)
    assert words.decode("red") is Colour.RED and words.encode(Colour.RED) == "red" and unknown() == ()
    blue = words.decode("blue")
    assert isinstance(blue, Colour) and is_new_word(Colour, blue) and words.encode(blue) == "blue"
    assert unknown() == ("Colour blue",)


def test_the_class_of_a_value_names_its_required_fields():
    assert required_fields(Part) == {"name"}
    assert required_fields(Strict) == {"name"}
    assert required_fields(Whole) == {"second", "fourth"}
    assert list(field_codecs(Whole, frozenset({"revision"}))) == ["first", "second", "third", "fourth", "fifth"]
    assert list(field_codecs(Part, frozenset())) == ["name", "size", "count", "words"]


def test_the_stored_type_names_one_of_several_kinds():
    either = codec(Part | Strict)
    for value in (Part(name="n", size=1), Strict("n", 2, (3,), (4, 5), 6, Colour.RED)):
        stored = either.encode(value)
        assert stored["type"] == type(value).__name__.lower() and either.decode(stored) == value
        assert codec(type(value) | None).decode({name: item for name, item in stored.items() if name != "type"}) == value
    for stored in ({"type": "third", "name": "n"}, {"name": "n"}):
        with pytest.raises(MALFORMED):
            either.decode(stored)


def test_a_nested_value_is_stored_and_read_whole_without_the_excluded_fields():
    whole = Whole(second="s", fourth=Strict("n", None), fifth=(Part(name="a"), Part(name="b", size=2)), revision="r")
    kept = record_codec(Whole, without=frozenset({"revision"}))
    stored = kept.encode(whole)
    assert stored == {
        "first": 1,
        "second": "s",
        "fourth": {"type": "strict", "name": "n", "lots": [1], "least": 5, "colour": "red"},
        "fifth": [{"name": "a", "count": 0}, {"name": "b", "size": 2, "count": 0}],
    }
    assert kept.decode(stored) == Whole(second="s", fourth=Strict("n", None), fifth=whole.fifth)
    assert isinstance(stored, Mapping) and codec(Money).decode(codec(Money).encode(Money(5))) == Money(5)


@pytest.mark.parametrize(("day", "is_one"), [("2000-01-01", True), ("1999-12-31", False), ("2999-12-31", True), ("3000-01-01", False)])
def test_a_day_is_one_of_these_thousand_years(day, is_one):
    assert codec(date).encode(date.fromisoformat(day)) == day
    if is_one:
        assert codec(date).decode(day) == date.fromisoformat(day)
    else:
        with pytest.raises(MALFORMED):
            codec(date).decode(day)

"""The mark of a difference, and what a closure covers by it: every part of what was seen, and nothing else."""

import pytest

from shared.domain.closures import CLOSED, OPEN, SEEN, is_covered, mark, reopened, shown

OURS = {"state": "vended", "amountCents": 10_000, "alsoHeldBy": "b" * 32, "requestId": "r-1", "day": "2026-05-01"}
THEIRS = {
    "supplierTransactionId": "s-1",
    "status": "Successful",
    "amountCents": 10_001,
    "recipient": "*8901",
    "rows": 2,
    "source": "reprint",
    "said": "vend",
    "line": 3,
    "units": "29.7",
}
SEEN_OF = [("ours", "state"), ("ours", "amountCents"), ("ours", "alsoHeldBy")] + [
    ("theirs", name) for name in ("supplierTransactionId", "status", "amountCents", "recipient", "rows", "source", "said")
]
NOT_SEEN = [("ours", "requestId"), ("ours", "day"), ("theirs", "line"), ("theirs", "units")]
WHOM = "12345678901"


def difference(**changes):
    sides = {"ours": dict(OURS), "theirs": dict(THEIRS)}
    for place, value in changes.items():
        side, _, name = place.partition("_")
        sides[side][name] = value
    return sides


def marked(sides, whom=WHOM):
    return {**sides, SEEN: mark(sides["ours"], sides["theirs"], whom)}


def test_the_mark_of_a_discrepancy_never_changes():
    assert mark(OURS, THEIRS, WHOM) == "007ecfa84e67cbf8e7a457e4f3043325"
    assert mark(None, None, None) == mark({}, {}, "") == "c87b92c17dcec305520b398b3cc0dc35"
    assert (SEEN, OPEN, CLOSED) == ("seen", "open", "closed")


@pytest.mark.parametrize(("side", "name"), SEEN_OF)
@pytest.mark.parametrize("other", ["other", 7, None])
def test_a_closure_covers_each_shown_field_only_with_its_value(side, name, other):
    held, fresh = difference(), difference(**{f"{side}_{name}": other})
    assert mark(**fresh, recipient=WHOM) != mark(**held, recipient=WHOM)
    assert not is_covered(marked(held), marked(fresh)) and not is_covered(held, fresh)
    assert is_covered(marked(fresh), marked(fresh)) and is_covered(fresh, fresh)


@pytest.mark.parametrize(("side", "name"), NOT_SEEN)
def test_a_closure_covers_a_line_that_moves_in_a_resent_file(side, name):
    held, fresh = difference(), difference(**{f"{side}_{name}": "other"})
    assert is_covered(marked(held), marked(fresh)) and is_covered(held, fresh)


@pytest.mark.parametrize("name", ["supplierTransactionId", "status", "recipient", "source", "said"])
def test_capital_letters_make_no_difference(name):
    fresh = difference(**{f"theirs_{name}": THEIRS[name].upper()})
    assert is_covered(marked(difference()), marked(fresh)) and is_covered(difference(), fresh)


def test_a_recipient_counts_whole_by_mark_and_by_four_digits_without():
    held, other = marked(difference()), marked(difference(), "11111118901")
    assert not is_covered(held, other) and is_covered(difference(), other) and is_covered(held, difference())
    assert not is_covered(difference(), marked(difference(theirs_rows=9))) and not is_covered(
        marked(difference(theirs_rows=9)), difference()
    )
    assert not is_covered(held, marked(difference(), None))


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_side_that_is_not_there_is_no_side_of_any_kind(side):
    bare = {**difference(), side: None}
    assert is_covered(bare, bare) and is_covered(bare, {**bare, side: {}})
    assert not is_covered(bare, difference()) and not is_covered(difference(), bare)


def test_a_reopened_discrepancy_keeps_each_earlier_closure_and_its_sides():
    closure = {"decision": "accepted", "note": "one cent", "by": "ann"}
    held = {**marked(difference()), "id": "d-1", "status": "accepted", "closure": closure, "shown": "before"}
    fresh = {**marked(difference(theirs_amountCents=910_000)), "id": "d-1", "status": "accepted", "closure": None, "shown": "now"}
    first = {**closure, "ours": OURS, "theirs": THEIRS}
    once = {**fresh, "status": "open", "closure": None, "earlierClosures": [first]}
    assert reopened(held, fresh) == once
    again = {"decision": "raised", "note": "again", "by": "ben"}
    second = {**again, "ours": fresh["ours"], "theirs": fresh["theirs"]}
    assert reopened({**once, "status": "raised", "closure": again}, held) == {
        **held,
        "status": "open",
        "closure": None,
        "earlierClosures": [first, second],
    }


def test_the_mark_is_left_out_of_what_is_shown():
    assert shown({SEEN: "m", "id": "d-1", "status": "open"}) == {"id": "d-1", "status": "open"}

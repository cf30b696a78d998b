"""The order of days in a run of settling: days with new files, then days never settled, then days that wait."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from shared.ports.documents import Document
from shared.ports.settlement_files import Refusal, StoredFile, broke_off
from shared.settlement.repository import Runs
from shared.settlement.turns import Standing, Turn, around_asked, earlier_files, in_turn, is_foreign

DAY, ONE_DAY = date(2026, 5, 1), timedelta(days=1)
NEXT, YESTERDAY = DAY + ONE_DAY, DAY + 9 * ONE_DAY


def stored(name="one", mark="m", *earlier):
    return StoredFile(name, mark, list, tuple(earlier))


def settled(status="balanced", **runs):
    return Standing(DAY, Document("live-2026-05-01", {"status": status}), Runs(**runs))


def test_only_another_merchants_file_is_foreign():
    assert is_foreign(Refusal("a", "m", "another merchant's", foreign=True))
    assert not any(map(is_foreign, (Refusal("a", "m", "broken"), Refusal("a", "m", "", anyones=True), stored())))


KNOWN = settled(files={DAY.isoformat(): "one/m"})
BROKE_OFF = settled(files={DAY.isoformat(): "one/m"}, earlier=(broke_off("zero/m"),))
FAR = DAY + 5 * ONE_DAY


@pytest.mark.parametrize(
    ("standing", "found", "turn"),
    [
        (KNOWN, {DAY: stored()}, None),
        (KNOWN, {}, None),
        (KNOWN, {DAY: stored("two")}, Turn.NEWS),
        (KNOWN, {DAY: stored(), NEXT: stored("two")}, Turn.NEWS),
        (KNOWN, {DAY: stored(), NEXT: Refusal("two", "m", "another merchant's", foreign=True)}, None),
        (KNOWN, {DAY: stored(), NEXT: Refusal("two", "m", "broken")}, Turn.NEWS),
        (KNOWN, {DAY: stored(), NEXT + ONE_DAY: stored("two")}, None),
        (KNOWN, {DAY: stored("one", "m", stored("zero"))}, Turn.NEWS),
        (settled(files={DAY.isoformat(): "one/m"}, earlier=("zero/m",)), {DAY: stored("one", "m", stored("zero"))}, None),
        (settled(files={DAY.isoformat(): "one/m"}, beyond=(YESTERDAY,)), {YESTERDAY: stored("two")}, Turn.NEWS),
        (settled(files={DAY.isoformat(): "one"}), {DAY: stored()}, Turn.WAITING),
        (settled(refused=("two/m",)), {NEXT: Refusal("two", "m", "broken")}, None),
        (settled("provisional"), {}, Turn.WAITING),
        (settled("file_missing"), {}, Turn.WAITING),
        (settled("discrepancies"), {}, None),
        (settled(refusal=Refusal("two", "m", "broken")), {DAY: Refusal("two", "m", "broken")}, Turn.FRESH),
        (settled(refusal=Refusal("two", "m", "broken")), {DAY: stored("two", "n")}, Turn.NEWS),
        (settled(files={DAY.isoformat(): broke_off("one/m")}), {DAY: stored()}, Turn.WAITING),
        (BROKE_OFF, {DAY: stored()}, None),
        (BROKE_OFF, {DAY: stored("one", "m", stored("zero"))}, Turn.WAITING),
        (BROKE_OFF, {DAY: stored(), FAR: stored("zero")}, Turn.WAITING),
        (BROKE_OFF, {DAY: stored(), FAR: stored("other", "m", stored("zero"))}, Turn.WAITING),
        (BROKE_OFF, {DAY: stored(), FAR: replace(stored("other"), other_names=("zero/m",))}, Turn.WAITING),
        (BROKE_OFF, {DAY: stored(), FAR: Refusal("zero", "m", "broken")}, None),
        (BROKE_OFF, {DAY: stored(), FAR: stored("zero", "n")}, None),
        (BROKE_OFF, {DAY: stored("one", "m", stored("zero"), stored("other"))}, Turn.NEWS),
        (
            settled(files={NEXT.isoformat(): "one/m"}, refusal=Refusal("zero", "m", "broken")),
            {NEXT: stored("one", "m", stored("zero"))},
            Turn.FRESH,
        ),
        (Standing(DAY, None, Runs()), {}, Turn.FRESH),
        (Standing(DAY, None, Runs()), {DAY: stored()}, Turn.NEWS),
        (Standing(YESTERDAY, Document("y", {"status": "balanced"}), Runs()), {}, Turn.FRESH),
    ],
)
def test_when_it_is_a_days_turn(standing, found, turn):
    assert standing.turn(found, YESTERDAY) is turn


def test_days_with_new_files_go_first_then_unsettled_then_waiting_ones_oldest_first():
    days = [DAY + number * ONE_DAY for number in (0, 3, 6, 12, 15)]
    waiting, fresh, older, new, ended = days
    standing = [
        Standing(waiting, Document("a", {"status": "provisional"}), Runs()),
        Standing(fresh, None, Runs()),
        Standing(older, None, Runs()),
        Standing(new, None, Runs()),
        Standing(ended, Document("b", {"status": "balanced"}), Runs()),
    ]
    found = {new: stored()}
    assert in_turn(standing, found, YESTERDAY) == [new, fresh, older, waiting]


def test_beside_the_requested_day_settled_neighbours_with_new_files_are_settled():
    found = {NEXT: stored("two")}
    never, asked = Standing(NEXT, None, Runs()), Standing(DAY, None, Runs())
    later = Standing(NEXT, Document("a", {"status": "provisional"}), Runs())
    assert around_asked([asked, never], found, DAY) == [DAY]
    assert around_asked([asked, later], found, DAY) == [DAY, NEXT]
    assert around_asked([asked, later], {}, DAY) == [DAY]


def test_files_correct_others_and_refusals_do_not():
    assert list(earlier_files([stored("c", "m", stored("a"), stored("b")), Refusal("x", "m", "broken"), stored("d")])) == ["a/m", "b/m"]

"""The progress of the runs of retention: the content of its document, and the reading of a damaged one."""

from datetime import date

import pytest

from shared.domain.transaction import SHARDS
from shared.ports.documents import Document
from shared.retention.progress import FIRST, Progress, Step, Waiting, day_of, is_id, progress_of

TODAY = date(2026, 5, 1)
DAY, NEXT = date(2024, 3, 1), date(2024, 3, 2)
NOTHING = {Step.ERASE: {}, Step.RETIRE: {}}
WHOLE = Progress(
    places={Step.ERASE: {0: (DAY, "a-1"), 15: (NEXT, "b")}, Step.RETIRE: {7: (DAY, FIRST)}},
    waiting={Step.ERASE: {DAY: Waiting(3, 2, 5, "c"), NEXT: Waiting()}, Step.RETIRE: {NEXT: Waiting(1)}},
    held=frozenset({"z", "y"}),
    retired_up_to=DAY,
    revision="7",
    stored={"swept": {"0": 1}},
)
BODY = {
    "swept": {"0": 1},
    "erased": {"0": ["2024-03-01", "a-1"], "15": ["2024-03-02", "b"]},
    "retired": {"7": ["2024-03-01", "0"]},
    "erasedLater": {"2024-03-01": [3, 2, 5, "c"], "2024-03-02": [0, 0, 0, "0"]},
    "retiredLater": {"2024-03-02": [1, 0, 0, "0"]},
    "held": ["y", "z"],
    "retiredUpTo": "2024-03-01",
}


def read(**body):
    return progress_of(Document("live-retention", body), TODAY)


def test_the_form_of_the_document():
    assert WHOLE.body() == BODY
    empty = {"erased": {}, "retired": {}, "erasedLater": {}, "retiredLater": {}, "held": [], "retiredUpTo": None}
    assert Progress().body() == empty and read().places == NOTHING and read() == Progress()


def test_what_is_kept_is_read_back_with_what_newer_code_has_written():
    found = progress_of(Document("live-retention", BODY, revision="7"), TODAY)
    assert (found.places, found.waiting, found.held, found.retired_up_to) == (WHOLE.places, WHOLE.waiting, WHOLE.held, DAY)
    assert (found.revision, found.stored, found.body()) == ("7", BODY, BODY)


@pytest.mark.parametrize(
    ("one", "waits"),
    [
        ([3, 2, 5, "c"], Waiting(3, 2, 5, "c")),
        ([99, 99, 0, "c"], Waiting(99, 99, 0, "c")),
        ([3, 2, SHARDS - 1, "c"], Waiting(3, 2, SHARDS - 1, "c")),
        *[(damaged, Waiting()) for damaged in ([3, 2, SHARDS, "c"], [3, 2, -1, "c"], [3, 2, 5, "x/y"], [3, 2, 5, 7], [3, 2, 5])],
        *[(damaged, Waiting()) for damaged in ([3, 2, "5", "c"], ["3", 2, 5, "c"], [True, 2, 5, "c"], [3, 2, 5, "c", 1], [], 7, None)],
    ],
)
def test_a_waiting_day_is_continued_or_if_damaged_checked_from_its_beginning(one, waits):
    found = read(erasedLater={"2024-03-01": one, "soon": one}, retiredLater={"2024-03-02": one})
    assert found.waiting == {Step.ERASE: {DAY: waits}, Step.RETIRE: {NEXT: waits}} and found.places == NOTHING


@pytest.mark.parametrize(
    ("shard", "place", "kept"),
    [
        ("0", ["2024-03-01", "a"], {0: (DAY, "a")}),
        ("15", ["2026-05-01", "a"], {15: (TODAY, "a")}),
        ("0", ["2026-05-02", "a"], {}),  # ahead of today
        *[("0", damaged, {}) for damaged in (["soon", "a"], ["2024-03-01", "x/y"], ["2024-03-01", ""], ["2024-03-01", None], [1, "a"])],
        *[
            ("0", damaged, {})
            for damaged in (["2024-03-01"], ["2024-03-01", "a", "b"], [], "2024-03-01", 7, None, {"2024-03-01": 1, "a": 2})
        ],
        *[(shard, ["2024-03-01", "a"], {}) for shard in ("16", "-1", "00", "x", "", "٣")],
    ],
)
def test_a_place_counts_that_can_be_one(shard, place, kept):
    found = read(erased={shard: place, "3": ["2024-03-02", "z"]}, retired={shard: place})
    assert found.places == {Step.ERASE: {**kept, 3: (NEXT, "z")}, Step.RETIRE: kept}


@pytest.mark.parametrize("damaged", [7, None, "text", [], ["2024-03-01"]])
def test_what_is_no_map_or_list_is_nothing(damaged):
    found = read(erased=damaged, retired=damaged, erasedLater=damaged, retiredLater=damaged, held=7 if damaged == [] else damaged)
    assert (found.places, found.waiting, found.retired_up_to) == (NOTHING, NOTHING, None)
    assert found.held == (frozenset(damaged) if damaged == ["2024-03-01"] else frozenset())


@pytest.mark.parametrize(("text", "day"), [("2024-03-01", DAY), ("2026-05-01", TODAY), ("2026-05-02", None), ("soon", None), (7, None)])
def test_up_to_which_day_all_is_retired_lies_never_ahead_of_today(text, day):
    assert read(retiredUpTo=text).retired_up_to == day


def test_ids_that_no_sale_can_have_are_forgotten():
    assert read(held=["a", "x/y", "", "a" * 64, "a" * 65, 7, None, "é", "A-9"]).held == {"a", "a" * 64, "A-9"}


@pytest.mark.parametrize("text", ["a", "0", "A-z-9", "a" * 64])
def test_ids_a_store_can_be_asked_for(text):
    assert is_id(text)


@pytest.mark.parametrize("text", ["", "a" * 65, "a b", "a/b", "..", "é", "٣", "a\n", 7, None, b"a", ["a"]])
def test_and_ids_it_cannot(text):
    assert not is_id(text)


@pytest.mark.parametrize(
    ("text", "day"), [("2024-03-01", DAY), ("2024-02-31", None), ("", None), (None, None), (20240301, None), (DAY, None)]
)
def test_a_day_of_a_damaged_document_is_none(text, day):
    assert day_of(text) == day


def test_a_sale_that_waits_for_both_steps_counts_once():
    assert WHOLE.all_held == 2 + 5 + 1  # two ids; the one day by its step, the other by the step that has more
    both = Progress(waiting={Step.ERASE: {DAY: Waiting(3, 1)}, Step.RETIRE: {DAY: Waiting(1, 1), NEXT: Waiting(0, 2)}})
    bare = Progress(waiting={Step.ERASE: {DAY: Waiting()}, Step.RETIRE: {NEXT: Waiting()}})  # nothing of them is known yet
    assert bare.all_held == 0
    assert (both.all_held, Progress().all_held, Progress(held=frozenset("abc")).all_held) == (4 + 2, 0, 3)

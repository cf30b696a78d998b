"""Discrepancies as documents: written and reported once, closed by a file or a person, open again when they return."""

import pytest
from msgspec import structs

from shared.domain.closures import SEEN
from shared.domain.discrepancy import Discrepancy, DiscrepancyKind, OurSide, Severity, TheirSide
from shared.ports.documents import Document
from shared.settlement.settled_day import Status
from tests.step_driver import run
from tests.unit.settlement.stored_days import DAY, DAY_ID, DISCREPANCIES, a_day, kept, papers_of, put

FOUND = Discrepancy(
    id="ab" * 16,
    day=DAY,
    kind=DiscrepancyKind.AMOUNT_DIFFERS,
    severity=Severity.CRITICAL,
    transaction_id="sale",
    ours=OurSide(amount_cents=5, supplier_id="MOBILEMART"),
    theirs=TheirSide(amount_cents=6),
    seen="seen",
)
FOUND_BODY = {
    "id": "ab" * 16,
    "day": "2026-05-01",
    "kind": "amount_differs",
    "severity": "critical",
    "transactionId": "sale",
    "ours": {"amountCents": 5, "supplierId": "MOBILEMART"},
    "theirs": {"amountCents": 6},
    "status": "open",
    "closure": None,
    SEEN: "seen",
}
FOUND_ID = f"live-{'ab' * 16}"
GONE_CLOSURE = {
    "decision": "corrected",
    "note": "the settlement files no longer show it",
    "by": "settlement",
    "at": "2026-05-01T10:00:00Z",
}
BY_ANN = {"decision": "accepted", "note": "a cent", "by": "ann@example.com", "at": "2026-05-04T08:00:00Z"}

FILE = a_day().file


def review(world, *found, file=FILE, before=None):
    return run(papers_of(world).review(a_day(discrepancies=found, file=file, status=Status.BALANCED), before))


def told(caplog):
    return [line.fields for line in caplog.records if line.message == "discrepancy found"]


def test_a_discrepancy_is_put_on_record_and_reported_once(world, caplog):
    for _ in range(2):
        reviewed = review(world, FOUND)
        assert (reviewed.discrepancies, reviewed.status) == ((FOUND,), Status.DISCREPANCIES)
        assert kept(world, DISCREPANCIES) == {FOUND_ID: (FOUND_BODY, "live-open")}
    assert told(caplog) == [{"discrepancy_id": FOUND.id, "kind": "amount_differs", "severity": "critical", "day": DAY}]
    assert (world.store_calls.count("write_paper"), world.store_calls.count("read_paper")) == (1, 1)


def test_an_open_discrepancy_that_changed_is_stored_anew_and_not_reported_again(world, caplog):
    review(world, FOUND)
    changed = structs.replace(FOUND, theirs=TheirSide(amount_cents=9), seen="otherwise")
    assert review(world, changed).discrepancies == (changed,)
    assert kept(world, DISCREPANCIES) == {FOUND_ID: ({**FOUND_BODY, "theirs": {"amountCents": 9}, SEEN: "otherwise"}, "live-open")}
    assert len(told(caplog)) == 1


@pytest.mark.parametrize("has_file", [True, False])
def test_a_discrepancy_that_the_files_no_longer_show_is_closed_where_there_is_a_file(world, has_file):
    review(world, FOUND)
    reviewed = review(world, file=FILE if has_file else None)
    closed = {**FOUND_BODY, "status": "corrected", "closure": GONE_CLOSURE}
    assert kept(world, DISCREPANCIES) == {FOUND_ID: (closed, "live-closed") if has_file else (FOUND_BODY, "live-open")}
    assert reviewed.discrepancies == ()


def test_a_discrepancy_that_is_back_is_open_again_and_reported_again(world, caplog):
    for found in ((FOUND,), (), (FOUND,)):
        reviewed = review(world, *found)
    assert kept(world, DISCREPANCIES) == {FOUND_ID: (FOUND_BODY, "live-open")}
    assert reviewed.discrepancies == (FOUND,) and len(told(caplog)) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"day": "2026-04-30"},
        {"day": "2026-05-02"},
        {"theirs": {"source": "reprint"}},
        {"kind": "brand_new"},
    ],
    ids=str,
)
def test_a_file_closes_no_discrepancy_of_another_day_of_an_answer_or_of_newer_code(world, changed):
    body = {**FOUND_BODY, **changed}
    put(world, DISCREPANCIES, FOUND_ID, body, "live-open")
    put(world, DISCREPANCIES, "live-another", {**FOUND_BODY, "id": "another", "theirs": None}, "live-open")
    reviewed = review(world)
    assert kept(world, DISCREPANCIES)[FOUND_ID] == (body, "live-open")
    assert kept(world, DISCREPANCIES)["live-another"][1] == "live-closed"
    listed = changed.get("day") == "2026-04-30" or "kind" in changed
    assert [found.id for found in reviewed.discrepancies] == [FOUND.id] * listed


def test_a_persons_closure_holds_for_an_equal_discrepancy_and_is_written_if_it_moves(world, caplog):
    closed = {**FOUND_BODY, "status": "accepted", "closure": BY_ANN, "points": 3}
    put(world, DISCREPANCIES, FOUND_ID, closed, "live-closed")
    for found in (FOUND, structs.replace(FOUND, severity=Severity.WARNING)):
        reviewed = review(world, found)
        body = {**closed, "severity": found.severity.value}
        assert kept(world, DISCREPANCIES) == {FOUND_ID: (body, "live-closed")}
        assert (reviewed.discrepancies, reviewed.status) == ((structs.replace(found, status="accepted"),), Status.BALANCED)
    assert told(caplog) == [] and world.store_calls.count("write_paper") == 1


def test_a_changed_discrepancy_is_open_again_with_the_earlier_closure(world, caplog):
    put(world, DISCREPANCIES, FOUND_ID, {**FOUND_BODY, "status": "accepted", "closure": BY_ANN}, "live-closed")
    changed = structs.replace(FOUND, theirs=TheirSide(amount_cents=9), seen="otherwise")
    assert review(world, changed).discrepancies == (changed,)
    earlier = {**BY_ANN, "ours": FOUND_BODY["ours"], "theirs": {"amountCents": 6}}
    body = {**FOUND_BODY, "theirs": {"amountCents": 9}, SEEN: "otherwise", "earlierClosures": [earlier]}
    assert kept(world, DISCREPANCIES) == {FOUND_ID: (body, "live-open")} and len(told(caplog)) == 1


def test_what_a_closure_decides_is_the_status(world):
    put(world, DISCREPANCIES, FOUND_ID, {**FOUND_BODY, "status": "other", "closure": BY_ANN}, "live-closed")
    assert [found.status for found in review(world, FOUND).discrepancies] == ["accepted"]


@pytest.mark.parametrize(("closure", "status"), [({"by": "ann@example.com"}, "settled_by_hand"), (None, "settled_by_hand")])
def test_a_status_that_newer_code_gave_is_the_status(world, closure, status):
    put(world, DISCREPANCIES, FOUND_ID, {**FOUND_BODY, "status": status, "closure": closure}, "live-closed")
    assert [found.status for found in review(world, FOUND).discrepancies] == [status]
    assert kept(world, DISCREPANCIES) == {FOUND_ID: ({**FOUND_BODY, "status": status, "closure": closure}, "live-closed")}


def test_open_discrepancies_of_earlier_days_come_first_and_of_later_days_not_at_all(world):
    earlier = [
        {**FOUND_BODY, "id": name, "day": day}
        for name, day in (("d", "2026-04-30"), ("b", "2026-04-29"), ("c", "2026-04-29"), ("z", "2026-05-02"))
    ]
    for body in earlier:
        put(world, DISCREPANCIES, f"live-{body['id']}", body, "live-open")
    put(world, DISCREPANCIES, "live-closed", {**FOUND_BODY, "id": "closed", "day": "2026-04-29"}, "live-closed")
    assert [found.id for found in review(world, FOUND).discrepancies] == ["b", "c", "d", FOUND.id]


def test_what_people_decided_on_a_days_own_discrepancies_of_newer_code_is_looked_up(world):
    bodies = [
        {**FOUND_BODY, "id": name, "kind": kind, "day": day, "status": "accepted", "closure": BY_ANN}
        for name, kind, day in (
            ("newer", "brand_new", "2026-05-01"),
            ("known", "amount_differs", "2026-05-01"),
            ("other", "brand_new", "2026-04-30"),
            ("gone", "brand_new", "2026-05-01"),
        )
    ]
    for body in bodies[:3]:
        put(world, DISCREPANCIES, f"live-{body['id']}", body, "live-closed")
    before = Document(DAY_ID, {"day": "2026-05-01", "discrepancies": bodies})
    reviewed = review(world, FOUND, before=before)
    assert [(found.id, str(found.kind), found.status) for found in reviewed.discrepancies] == [
        (FOUND.id, "amount_differs", "open"),
        ("newer", "brand_new", "accepted"),
    ]
    assert world.store_calls.count("read_paper") == 3  # of its own one that is found again, and two that are not

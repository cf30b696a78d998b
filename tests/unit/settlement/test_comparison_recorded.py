"""A compared day as it is recorded: its shape, its words, its carried and cut lists."""

import json

import pytest
from msgspec import structs

from shared.domain.discrepancy import DiscrepancyKind, Severity
from shared.domain.statement import Total
from shared.domain.transaction import State
from shared.domain.vas import Mode
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.comparison import compare
from shared.settlement.matching import FileInterpretation
from shared.settlement.settled_day import Status, day_as_read, next_version
from shared.settlement.withdrawn_lines import UNREAD, Lacking, LostLine, ids_of, withdrawn
from tests.unit.settlement.compared import (
    BEFORE,
    CONTROLS,
    DAY,
    GUID,
    METER,
    NEXT,
    NOON,
    ONE_DAY,
    TODAY,
    A,
    B,
    closed,
    doubtful,
    kinds,
    line,
    recorded,
    sale,
    settled,
    with_files,
)


def test_the_same_inputs_again_answer_the_same_day():
    doubts = [doubtful("d1"), doubtful("d2"), doubtful("d3", amount_cents=500)]
    sold = [*CONTROLS.values(), B, *doubts]
    wrong = line(doubts[1], amount="12345")
    files = with_files(day=lambda lines: [*lines, line(B), line(doubts[0]), wrong, wrong])
    result = settled(sold, files)
    assert {healed.state for healed in result.healed} == {State.VENDED, State.REJECTED}
    first = json.loads(json.dumps(next_version(result, None)))
    assert next_version(settled(list(recorded(sold, result)), files), first) is first


def test_the_next_days_file_makes_a_new_version():
    first = next_version(settled([A, B], {DAY: [line(A)]}), None)
    second = next_version(closed([A, B], [line(A)]), first)
    assert (first["version"], first["status"], second["version"], second["status"]) == (1, "provisional", 2, "discrepancies")


def test_a_day_has_the_contracts_shape():
    day = next_version(closed([A, B], [line(A)]), None)
    assert json.loads(json.dumps(day)) == day
    assert list(day) == [
        *("day", "version", "status", "file", "matched", "carriedOut", "carriedIn", "discrepancies", "conservation", "healed", "open"),
        "tokensToRecover",
    ]
    assert day["file"].keys() == {"name", "sha256", "rows", "totalCents"}
    assert {"id", "kind", "severity", "transactionId", "ours", "theirs", "status"} <= day["discrepancies"][0].keys()
    assert METER not in json.dumps(day)


def test_the_words_of_a_day_never_change():
    """Golden: documents with these words are stored for years, and older code reads them."""
    assert [kind.value for kind in DiscrepancyKind] == [
        *("vended_twice", "claimed_twice", "vended_after_rejection", "tokens_differ", "missing_here", "lines_withdrawn", "duplicate_line"),
        *("amount_differs", "account_differs", "missing_at_supplier", "state_differs", "negative_line", "unknown_status", "late_posting"),
    ]
    assert [severity.value for severity in Severity] == ["info", "warning", "critical"]
    assert [status.value for status in Status] == ["provisional", "balanced", "discrepancies", "file_missing"]


def test_decisions_close_discrepancies_and_open_ones_are_carried():
    yesterday = settled([CONTROLS[BEFORE]], {BEFORE: [], DAY: []}, day=BEFORE)
    today = closed([A], [])
    decided = today.reviewed({today.discrepancies[0].id: "accepted"}, yesterday.discrepancies)
    assert [(found.day, found.status) for found in decided.discrepancies] == [(BEFORE, "open"), (DAY, "accepted")]
    assert decided.status is Status.BALANCED
    assert today.reviewed({}, ()).status is Status.DISCREPANCIES


@pytest.mark.parametrize("name", ["carried_out", "carried_in", "healed", "open", "tokens_to_recover", "not_readable", "discrepancies"])
def test_a_cut_list_counts_the_entries_it_lacks_and_a_whole_list_counts_none(name):
    three = tuple(sale(f"{at}") for at in range(3)) if name != "discrepancies" else closed([A, B, sale("c")], []).discrepancies
    day = structs.replace(closed([A], [line(A)]), **{name: three})
    camel = name.split("_")[0] + "".join(map(str.capitalize, name.split("_")[1:]))
    assert (day.listing(2).left_out, len(getattr(day.listing(2), name))) == ({camel: 1}, 2)
    assert day.listing(3) == day
    assert day.listing(2).listing(2) == day.listing(2)  # it still says what it lacks


def test_of_a_list_that_is_cut_the_gravest_discrepancies_stay_in_their_order():
    late = sale("late", created_at=NOON - 3 * ONE_DAY)
    result = closed([late, A], [line(late), line(B)])
    assert kinds(result) == [DiscrepancyKind.MISSING_HERE, DiscrepancyKind.MISSING_AT_SUPPLIER, DiscrepancyKind.LATE_POSTING]
    backwards = structs.replace(result, discrepancies=result.discrepancies[::-1])
    assert kinds(backwards.listing(2)) == [DiscrepancyKind.MISSING_AT_SUPPLIER, DiscrepancyKind.MISSING_HERE]


LOST = LostLine("their id", "our id", 10_000)


@pytest.mark.parametrize(
    ("known", "earlier", "lacks"),
    [
        (Lacking(), Total(), None),
        (Lacking(least=Total(2, 20_000)), Total(), None),
        (Lacking(least=Total(5, 50_000)), Total(), Total(3, 30_000)),
        (Lacking(least=Total(3, 20_000)), Total(), Total(1, 0)),
        (Lacking(least=Total(2, 25_000)), Total(), Total(0, 5_000)),
        (Lacking(least=Total(1, 20_001)), Total(), Total(0, 1)),
        (Lacking(lines=(LOST,)), Total(), Total(1, 10_000)),
        (Lacking(least=Total(3, 90_000), lines=(LOST,)), Total(), Total(1, 10_000)),  # it is known which one
        (Lacking(least=Total(5, 50_000), lines=(LOST,)), Total(), Total(3, 30_000)),
        (Lacking(least=Total(5, 20_001), lines=(LOST,)), Total(), Total(3, 10_000)),
        (Lacking(lines=(LOST,)), Total(2, 9_000), Total(2, 9_000)),
        (Lacking(lines=(LOST, LOST)), Total(1, 90_000), Total(2, 20_000)),
    ],
)
def test_lacking_lines_and_cents_come_from_known_lines_or_else_from_sums(known, earlier, lacks):
    one = structs.replace(UNREAD, total=earlier)
    assert withdrawn(closed([A, B], [line(A), line(B)]), known, [one]) == lacks
    assert withdrawn(settled([A, B], {NEXT: []}), known, [one]) is None  # a day without a file


@pytest.mark.parametrize(
    ("theirs", "ours", "is_held"),
    [
        (A.supplier_transaction_id, "", True),
        (A.supplier_transaction_id.upper(), GUID, True),
        (GUID, A.request_id, True),
        (GUID, A.request_id.upper(), True),
        (GUID, B.request_id, False),
        (GUID, "SHOP 7", False),
        (GUID, "x" * 35, False),
        (GUID, "", False),
    ],
)
def test_a_line_is_known_again_by_the_suppliers_id_or_by_one_of_ours_that_is_whole(theirs, ours, is_held):
    lines = [line(A), line(B, merchant_id="SHOP 7"), line(sale("c"), merchant_id="x" * 35)]
    assert ids_of([SettlementFile(written(DAY, lines))]).hold(theirs, ours) is is_held


@pytest.mark.parametrize(("mode", "supplier"), [(Mode.LIVE, "MOBILEMART"), (Mode.SIMULATED, "SIMULATED")])
def test_rows_stored_without_a_supplier_are_read_with_the_supplier_of_their_mode(mode, supplier):
    old, new = {"transactionId": "t-1"}, {"transactionId": "t-2", "supplierId": "another"}
    named = [old | {"supplierId": supplier}, new]
    lists = ("carriedOut", "carriedIn", "healed", "open", "tokensToRecover")
    differences = [{"id": "d-1", "ours": old}, {"id": "d-2", "ours": new}, {"id": "d-3", "ours": None}]
    body = {"day": "2026-05-04", **{name: [old, new] for name in lists}, "discrepancies": differences}
    read = day_as_read(body, mode)
    assert read == {
        **body,
        **dict.fromkeys(lists, named),
        "discrepancies": [{"id": "d-1", "ours": named[0]}, {"id": "d-2", "ours": new}, {"id": "d-3", "ours": None}],
    }
    assert day_as_read({"day": "2026-05-04"}, mode) == {"day": "2026-05-04"}


def test_modes_never_share_a_discrepancy():
    live, simulated = (
        compare(DAY, [A], [SettlementFile(written(day, [])) for day in (DAY, NEXT)], mode=mode, today=TODAY, readings=FileInterpretation())
        for mode in Mode
    )
    assert live.discrepancies[0].id != simulated.discrepancies[0].id

"""A settled day as stored: every field of its document, in its form, and the types that hide whole numbers."""

import json
from datetime import date, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.discrepancy import Discrepancy, DiscrepancyKind, OurSide, Severity, TheirSide, gravity
from shared.domain.outcome import Receipt, TokensDue
from shared.domain.statement import Note, Total
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.comparison import compare
from shared.settlement.matching import FileInterpretation
from shared.settlement.settled_day import (
    ENDED,
    MAX_LISTED,
    Conservation,
    Proof,
    ResolvedBySettlement,
    Status,
    VendIndication,
    difference_as_read,
    ended_status,
    next_version,
)
from tests.unit.settlement.compared import DAY, NEXT, NOON, ONE_DAY, OTHER_METER, TODAY, A, B, closed, doubtful, line, sale

NOTHING = {"rows": 0, "cents": 0}


def found(name, **changes):
    said = Discrepancy(
        id=name,
        day=DAY,
        kind=DiscrepancyKind.MISSING_HERE,
        severity=Severity.CRITICAL,
        transaction_id=None,
        ours=None,
        theirs=None,
        seen="hash",
    )
    return structs.replace(said, **changes)


def test_the_document_of_a_day_holds_every_list_in_its_form():
    """Golden: documents are stored for years."""
    billed_before = sale("in", created_at=NOON - ONE_DAY, supplier_id="MOBILEMART")
    out = sale("out", supplier_id="MOBILEMART", vas_type=VasType.DATA, recipient="27720012345", amount_cents=500)
    healed = doubtful("healed", supplier_id="MOBILEMART", amount_cents=700)
    doubt = doubtful("doubt", supplier_id="MOBILEMART", state=State.VENDING, created_at=NOON + timedelta(milliseconds=1))
    files = [
        SettlementFile(padded(DAY, [A, billed_before, healed]), name="day.txt"),
        SettlementFile(written(NEXT, [line(out)]), name="next.txt"),
    ]
    unread = [Unread(id="u-2", day=DAY), Unread(id="u-1", request_id="r-1", day=DAY), Unread(id="u-3", day=NEXT)]
    day = compare(
        DAY, [A, billed_before, out, healed, doubt], files, mode=Mode.LIVE, today=TODAY, readings=FileInterpretation(), unread=unread
    )
    day = structs.replace(day, left_out={"open": 3}, discrepancies=(found("d-1", ours=OurSide(amount_cents=10_000)),))
    carried = {"supplierId": "MOBILEMART", "vasType": "utility", "amountCents": 10_000, "soldOn": "2026-05-03", "billedOn": "2026-05-04"}
    data = {"supplierId": "MOBILEMART", "vasType": "data", "amountCents": 500, "soldOn": "2026-05-04", "billedOn": "2026-05-05"}
    terms = ("carriedOut", "carriedIn", "missingHere", "billedThoughRejected", "extraLines", "missingAtSupplier", "differences", "residue")
    empty = dict.fromkeys(("fileSuccessful", "ourVended", *terms), NOTHING)
    theirs = line(healed).transaction_id
    assert next_version(day, None) == {
        "day": "2026-05-04",
        "version": 1,
        "status": "provisional",
        "file": {
            "name": "day.txt",
            "sha256": day.file.sha256,
            "rows": 3,
            "totalCents": 20_700,
            "notes": [{"line": 5, "message": "ends in blanks or control characters behind its last field", "lines": 1}],
        },
        "matched": {"rows": 3, "totalCents": 20_700},
        "carriedOut": [{"transactionId": out.id, "requestId": out.request_id, **data}],
        "carriedIn": [{"transactionId": billed_before.id, "requestId": billed_before.request_id, **carried}],
        "discrepancies": [
            {
                "id": "d-1",
                "day": "2026-05-04",
                "kind": "missing_here",
                "severity": "critical",
                "transactionId": None,
                "ours": {"amountCents": 10_000},
                "theirs": None,
                "status": "open",
            }
        ],
        "conservation": [
            {"vasType": service.value}
            | empty
            | {
                VasType.UTILITY: {
                    "fileSuccessful": {"rows": 3, "cents": 20_700},
                    "ourVended": {"rows": 2, "cents": 10_700},
                    "carriedIn": {"rows": 1, "cents": 10_000},
                },
                VasType.DATA: {"ourVended": {"rows": 1, "cents": 500}, "carriedOut": {"rows": 1, "cents": 500}},
            }.get(service, {})
            for service in VasType
        ],
        "healed": [{"transactionId": healed.id, "state": "vended", "supplierTransactionId": theirs, "supplierId": ""}],
        "open": [
            {
                "transactionId": doubt.id,
                "supplierId": "MOBILEMART",
                "state": "vending",
                "vasType": "utility",
                "amountCents": 10_000,
                "createdAt": "2026-05-04T10:00:00.001000Z",
            }
        ],
        "tokensToRecover": [
            {"transactionId": healed.id, "supplierTransactionId": theirs, "vasType": "utility", "supplierId": "MOBILEMART"}
        ],
        "notReadable": [
            {"transactionId": "u-1", "requestId": "r-1", "vasType": None, "amountCents": None},
            {"transactionId": "u-2", "requestId": None, "vasType": None, "amountCents": None},
        ],
        "leftOut": {"open": 3},
    }


def padded(day, sold):
    """A file whose trailer ends in a blank."""
    return [part.replace(b"T|5", b"T|5 ") for part in written(day, map(line, sold))]


def test_a_day_without_a_file_or_notes_says_nothing_of_them():
    body = next_version(closed([], []), None)
    assert list(body["file"]) == ["name", "sha256", "rows", "totalCents"] and "leftOut" not in body and "notReadable" not in body
    missing = structs.replace(closed([], []), file=None)
    assert next_version(missing, None)["file"] is None
    noted = structs.replace(missing, file=structs.replace(closed([], []).file, notes=(Note(2, "a", 3),)))
    assert next_version(noted, None)["file"]["notes"] == [{"line": 2, "message": "a", "lines": 3}]


# Versions


def test_an_unchanged_day_equals_its_stored_form_and_any_change_makes_a_new_version():
    day = closed([A, B], [line(A)])
    first = next_version(day, None)
    assert next_version(day, first) is first
    second = next_version(structs.replace(day, status=Status.BALANCED), first)
    assert second == first | {"version": 2, "status": "balanced"}
    assert next_version(structs.replace(day, status=Status.BALANCED), second) is second
    assert next_version(day, second | {"version": 7})["version"] == 8


def test_sales_that_earlier_runs_resolved_stay_listed_once_in_order_as_now_recorded():
    day = closed([A], [line(A)])
    healed = [ResolvedBySettlement(name, State.VENDED, "s", "MOBILEMART") for name in ("b", "d")]
    first = next_version(structs.replace(day, healed=tuple(healed)), None)
    now = (
        ResolvedBySettlement("a", State.REJECTED, None),
        ResolvedBySettlement("b", State.REJECTED, None),
        ResolvedBySettlement("c", State.VENDED, "t"),
    )
    second = next_version(structs.replace(day, healed=now), first)
    assert [(one["transactionId"], one["state"]) for one in second["healed"]] == [
        ("a", "rejected"),
        ("b", "rejected"),
        ("c", "vended"),
        ("d", "vended"),
    ]
    assert next_version(day, first) is first


# Words


def test_discrepancies_rank_by_gravity_and_newer_codes_kinds_are_gravest():
    assert [gravity(word) for word in ("info", "warning", "critical", "fatal")] == [0, 1, 2, 3]


def test_a_day_has_ended_balanced_or_with_discrepancies_and_only_open_ones_count():
    assert {Status.BALANCED, Status.DISCREPANCIES} == ENDED and MAX_LISTED == 1_000
    still, over = found("a"), found("b", status="accepted")
    assert [ended_status(some) for some in ((), (over,), (over, still), (still, over))] == [
        *(Status.BALANCED, Status.BALANCED),
        *(Status.DISCREPANCIES, Status.DISCREPANCIES),
    ]


def test_what_is_kept_of_a_discrepancy_without_a_side_of_ours_is_read_as_it_is():
    for body in ({"id": "d"}, {"id": "d", "ours": None}, {"id": "d", "ours": {}}):
        assert difference_as_read(body, Mode.LIVE) == body
    assert difference_as_read({"ours": {"a": 1}}, Mode.LIVE)["ours"] == {"a": 1, "supplierId": "MOBILEMART"}


# Decisions


def test_a_day_carries_open_discrepancies_of_earlier_days_and_of_newer_code_in_order():
    day = structs.replace(closed([A], [line(A)]), discrepancies=(found("own-1"), found("own-2")))
    earlier = [
        found("e-3", day=DAY - ONE_DAY),
        found("later", day=NEXT),
        found("same"),
        found("n-2", kind="newer"),
        found("e-1", day=DAY - ONE_DAY),
        found("n-1", kind="newest", status="accepted"),
        found("e-2", day=DAY - 2 * ONE_DAY),
        found("n-0", kind="newer", day=NEXT),
    ]
    reviewed = day.reviewed({"own-1": "accepted", "own-2": "disputed", "e-1": "accepted"}, earlier)
    assert [(one.id, one.status) for one in reviewed.discrepancies] == [
        ("e-2", "open"),
        ("e-1", "open"),
        ("e-3", "open"),
        ("own-1", "accepted"),
        ("own-2", "disputed"),
        ("n-1", "accepted"),
        ("n-2", "open"),
    ]


@pytest.mark.parametrize(
    ("before", "own", "earlier", "after"),
    [
        (Status.BALANCED, "open", (), Status.DISCREPANCIES),
        (Status.DISCREPANCIES, "accepted", (), Status.BALANCED),
        (Status.DISCREPANCIES, "accepted", (found("e", day=DAY - ONE_DAY),), Status.BALANCED),
        (Status.BALANCED, "accepted", (found("n", kind="newer"),), Status.DISCREPANCIES),
        (Status.PROVISIONAL, "open", (), Status.PROVISIONAL),
        (Status.FILE_MISSING, "accepted", (), Status.FILE_MISSING),
    ],
)
def test_only_an_ended_day_changes_its_status_with_a_decision_on_its_discrepancies(before, own, earlier, after):
    day = structs.replace(closed([A], [line(A)]), status=before, discrepancies=(found("d"),))
    assert day.reviewed({"d": own}, earlier).status is after


def test_of_a_list_that_is_cut_the_first_stay_and_of_discrepancies_the_gravest():
    some = [found(f"{at}", severity=word) for at, word in enumerate(("info", "newer", "warning", "critical", "info", "warning"))]
    day = structs.replace(closed([A], [line(A)]), discrepancies=tuple(some), absent=("x",) * 9, left_out={"lookUps": 2})
    for most, kept in ((1, ["1"]), (2, ["1", "3"]), (3, ["1", "2", "3"]), (4, ["1", "2", "3", "5"]), (5, ["0", "1", "2", "3", "5"])):
        listing = day.listing(most)
        assert [one.id for one in listing.discrepancies] == kept
        assert listing.left_out == {"lookUps": 2, "discrepancies": 6 - most} and listing.absent == day.absent
    healed = tuple(ResolvedBySettlement(name, State.VENDED, None) for name in "cab")
    assert structs.replace(day, healed=healed).listing(2).healed == healed[:2]


# Proofs


def test_a_proof_is_a_receipt_whose_token_is_to_be_recovered_where_one_is_due():
    proof = Proof(transaction_id="t", supplier_transaction_id="s", token_due=True, ends_sale=True, line=line(A, serial_number="SN1"))
    assert proof.receipt == Receipt(supplier_transaction_id="s", tokens_due=TokensDue.PENDING, serial_number="SN1")
    bare = structs.replace(proof, token_due=False, line=line(A))
    assert bare.receipt == Receipt(supplier_transaction_id="s", tokens_due=TokensDue.NONE, serial_number=None)


def test_no_whole_number_is_shown_by_what_holds_a_line():
    said = line(B, msisdn="27720012345")
    proof = Proof(transaction_id="t", supplier_transaction_id="s", token_due=True, ends_sale=True, line=said)
    sign = VendIndication(transaction_id="t", is_of_doubt=True, day=DAY, number=2, line=said)
    day = structs.replace(closed([A], [line(A)]), proofs=(proof,), signs=(sign,), strangers=(said,))
    for shown in (proof, sign, day):
        assert OTHER_METER not in repr(shown) and said.transaction_id not in repr(shown)
    assert "hash" not in repr(found("d")) and "seen" not in repr(found("d"))
    assert Discrepancy.__struct_defaults__ == ("open", "")


# Conservation


def test_the_residue_is_what_each_term_leaves_of_the_file():
    terms = {name: Total() for name in Conservation.__struct_fields__ if name != "vas_type"}
    signs = {"file_successful": 1, "our_vended": -1, "carried_out": 1, "carried_in": -1, "missing_at_supplier": 1}
    for name in terms:
        books = Conservation(vas_type=VasType.DATA, **(terms | {name: Total(2, 30)}))
        sign = signs.get(name, -1)
        assert books.residue == Total(sign * 2, sign * 30)


def test_values_of_every_kind_become_json():
    side = {
        "at": datetime(2026, 5, 4, 10, tzinfo=NOON.tzinfo),
        "day": date(2026, 5, 4),
        "kind": DiscrepancyKind.MISSING_HERE,
        "total": Total(1, 2),
        "n": 5,
    }
    day = structs.replace(closed([A], [line(A)]), discrepancies=(found("d", theirs=TheirSide(beyond={"deep": side})),))
    (body,) = json.loads(json.dumps(next_version(day, None)))["discrepancies"]
    kept = {"at": "2026-05-04T10:00:00Z", "day": "2026-05-04", "kind": "missing_here", "total": {"rows": 1, "cents": 2}, "n": 5}
    assert body["theirs"] == {"deep": kept}
    (plain,) = next_version(day, None)["discrepancies"]
    assert {type(plain[name]) for name in ("id", "day", "kind", "severity")} == {str} == {type(plain["theirs"]["deep"]["kind"])}

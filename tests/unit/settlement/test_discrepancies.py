"""Discrepancies between our sales of a day and its file: each one whole, in order, under a stable id."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain import closures
from shared.domain.discrepancy import DiscrepancyKind, Severity, side_body
from shared.domain.identifiers import hashed
from shared.domain.statement import Total
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.discrepancies import SEVERITY, Differences
from shared.settlement.matching import DayView, Filed, FileInterpretation, match
from shared.settlement.withdrawn_lines import Past
from tests.unit.settlement.compared import BEFORE, DAY, GUID, NEXT, NOON, ONE_DAY, OTHER_METER, TODAY, A, B, doubtful, line, sale

MINUTE = timedelta(minutes=1)


def differences(sold, lines, *, files=None, day=DAY, today=TODAY, past=None, mode=Mode.LIVE, unread=(), **readings):
    filed = {DAY: lines, NEXT: []} if files is None else files
    read = [SettlementFile(written(of, some), name=f"{of}.txt") for of, some in filed.items()]
    view = DayView(day, match(sold, read, FileInterpretation(**readings), [day - ONE_DAY, day, day + ONE_DAY], unread), today)
    return Differences(view, mode, past or Past())


def told(*args, **kwargs):
    """Each discrepancy by kind, severity, sale and line."""
    return [
        (one.kind.value, one.severity.value, one.transaction_id, one.theirs and side_body(one.theirs).get("line"))
        for one in differences(*args, **kwargs).all()
    ]


def test_how_grave_each_kind_is():
    """As the contract lists them."""
    critical = {
        *("vended_twice", "claimed_twice", "vended_after_rejection", "tokens_differ", "missing_here", "lines_withdrawn"),
        *("duplicate_line", "amount_differs", "account_differs"),
    }
    warning = {"missing_at_supplier", "state_differs", "negative_line", "unknown_status"}
    assert {kind.value for kind, severity in SEVERITY.items() if severity is Severity.CRITICAL} == critical
    assert {kind.value for kind, severity in SEVERITY.items() if severity is Severity.WARNING} == warning
    assert {kind.value for kind in DiscrepancyKind} == critical | warning | {"late_posting"} == {kind.value for kind in SEVERITY}


REJECTED = doubtful("r", state=State.REJECTED)
LATER = sale("later", supplier_transaction_id=A.supplier_transaction_id, created_at=NOON + MINUTE)
OLD = sale("old", created_at=NOON - 3 * ONE_DAY)


def test_every_discrepancy_of_a_day_is_reported_once_the_gravest_kinds_first():
    second = line(A, transaction_id=GUID)
    lines = [
        line(A),  # 2
        line(A),
        second,
        line(REJECTED),  # 5
        line(sale("x")),
        line(sale("y")),
        line(B, amount="1", meter_number="99999999999"),  # 8
        line(OLD),
        line(A, amount="-10000"),
        line(sale("z"), status="Binned"),  # 11
        line(sale("binned"), status="Binned"),
        line(sale("odd"), status="Pending"),
        line(REJECTED, status="Binned"),
        line(sale("z"), status="Later"),  # 15
        line(LATER, transaction_id=line(sale("own")).transaction_id),
    ]
    sold = [A, B, REJECTED, OLD, LATER, sale("missing"), sale("binned"), sale("odd"), doubtful("doubt")]
    past = Past(withdrawn=Total(3, 40))
    assert sorted(told(sold, lines, past=past), key=str) == sorted(
        [
            ("vended_twice", "critical", A.id, 4),
            ("claimed_twice", "critical", LATER.id, None),
            ("vended_after_rejection", "critical", REJECTED.id, 5),
            ("missing_here", "critical", None, 6),
            ("missing_here", "critical", None, 7),
            ("missing_here", "warning", None, 11),
            ("lines_withdrawn", "critical", None, None),
            ("duplicate_line", "critical", A.id, 3),
            ("amount_differs", "critical", B.id, 8),
            ("account_differs", "critical", B.id, 8),
            ("missing_at_supplier", "warning", "missing-sale", None),
            ("state_differs", "warning", "binned-sale", 12),
            ("negative_line", "warning", A.id, 10),
            ("unknown_status", "warning", "odd-sale", 13),
            ("unknown_status", "warning", None, 15),
            ("late_posting", "info", OLD.id, 9),
        ],
        key=str,
    )
    order = [kind for kind, *_ in told(sold, lines, past=past)]
    assert order == sorted(order, key=[kind.value for kind in DiscrepancyKind].index)


def test_discrepancies_of_a_kind_sort_by_request_id_then_suppliers_id_then_line():
    strangers = [line(sale(name), merchant_id=ours) for name, ours in (("c", "2"), ("b", "1"), ("a", "1"))]
    twice = line(sale("d"), merchant_id="0")
    lines = [strangers[0], twice, strangers[1], twice, strangers[2], twice]
    by_id = sorted(strangers, key=lambda one: (one.merchant_id, one.transaction_id))
    found = differences([], lines).all()
    assert [one.theirs.supplier_transaction_id for one in found if one.kind is DiscrepancyKind.MISSING_HERE] == [
        one.transaction_id for one in [twice, *by_id]
    ]
    assert [one.theirs.line for one in found if one.kind is DiscrepancyKind.DUPLICATE_LINE] == [5, 7]
    same = differences([], lines[::-1]).all()
    assert [one.id for one in same] == [one.id for one in found]


def test_an_id_derives_from_mode_day_kind_both_ids_and_the_count_of_findings():
    """Golden: decisions of people are kept under these ids."""
    first, second = (one for one in differences([A], [line(A), line(A), line(A)]).all())
    key = A.request_id, A.supplier_transaction_id
    assert first.id == hashed("discrepancy", Mode.LIVE, "2026-05-04", DiscrepancyKind.DUPLICATE_LINE, *key)
    assert second.id == hashed("discrepancy", Mode.LIVE, "2026-05-04", DiscrepancyKind.DUPLICATE_LINE, *key, "2")
    (simulated, _) = differences([A], [line(A), line(A), line(A)], mode=Mode.SIMULATED).all()
    assert simulated.id == hashed("discrepancy", Mode.SIMULATED, "2026-05-04", DiscrepancyKind.DUPLICATE_LINE, *key)
    (missing,) = differences([A], []).all()
    assert missing.id == hashed("discrepancy", Mode.LIVE, "2026-05-04", DiscrepancyKind.MISSING_AT_SUPPLIER, A.request_id, "")
    (stranger,) = differences([], [line(B, merchant_id="SHOP")]).all()
    assert stranger.id == hashed("discrepancy", Mode.LIVE, "2026-05-04", DiscrepancyKind.MISSING_HERE, "SHOP", B.supplier_transaction_id)
    (gone,) = differences([], [], past=Past(withdrawn=Total(1, 2))).all()
    assert gone.id == hashed("discrepancy", Mode.LIVE, "2026-05-04", DiscrepancyKind.LINES_WITHDRAWN, "", "")
    assert (gone.ours, side_body(gone.theirs), gone.transaction_id, gone.day) == (None, {"rows": 1, "amountCents": 2}, None, DAY)


def test_what_a_closure_covers_is_both_sides_and_the_whole_recipient():
    (found,) = differences([B], [line(B, amount="1")]).all()
    assert found.seen == closures.mark(side_body(found.ours), side_body(found.theirs), OTHER_METER)
    (other,) = differences([structs.replace(B, recipient="00000678902")], [line(B, amount="1", meter_number="00000678902")]).all()
    assert other.theirs == found.theirs and other.seen != found.seen
    (missing,) = differences([B], []).all()
    assert missing.seen == closures.mark(side_body(missing.ours), None, None)


def test_both_sides_are_shown_whole_with_four_digits():
    late = sale("late", vas_type=VasType.DATA, recipient="27720012345", supplier_id="MOBILEMART", created_at=NOON - 2 * ONE_DAY)
    (found,) = differences([late], [line(late, product_name="1 GB")]).all()
    assert side_body(found.ours) == {
        "supplierId": "MOBILEMART",
        "requestId": late.request_id,
        "supplierTransactionId": late.supplier_transaction_id,
        "state": "vended",
        "vasType": "data",
        "amountCents": 10_000,
        "recipient": "*2345",
        "day": "2026-05-02",
    }
    assert side_body(found.theirs) == {
        "line": 2,
        "supplierTransactionId": late.supplier_transaction_id,
        "merchantTransactionId": late.request_id,
        "status": "Successful",
        "vasType": "data",
        "amountCents": 10_000,
        "recipient": "*2345",
        "at": "2026-05-02T10:00:00Z",
        "productName": "1 GB",
    }
    (bare,) = differences([], [line(sale("v", vas_type=VasType.VOUCHER, recipient=None))]).all()
    assert bare.theirs.recipient is None


# Bills


@pytest.mark.parametrize(
    ("sold", "changes", "kinds"),
    [
        (A, {"amount": "9999"}, ["amount_differs"]),
        (A, {"meter_number": OTHER_METER}, ["account_differs"]),
        (A, {"vas_type": "Data", "meter_number": ""}, ["account_differs"]),
        (A, {"transaction_id": GUID}, ["vended_twice"]),
        (A, {"transaction_id": B.supplier_transaction_id}, ["claimed_twice"]),
        (A, {"transaction_id": GUID, "merchant_id": A.supplier_transaction_id.upper()}, []),
        (A, {"transaction_id": GUID, "amount": "1", "vas_type": "Data"}, ["vended_twice", "amount_differs", "account_differs"]),
        (A, {"transaction_id": GUID, "merchant_id": A.supplier_transaction_id.upper(), "amount": "1"}, ["amount_differs"]),
        (REJECTED, {"amount": "1"}, ["vended_after_rejection", "amount_differs"]),
        (
            structs.replace(REJECTED, supplier_transaction_id=GUID),
            {"transaction_id": A.supplier_transaction_id},
            ["vended_twice", "vended_after_rejection"],
        ),
        (doubtful("a"), {"transaction_id": GUID}, []),
        (sale("a", created_at=NOON - ONE_DAY), {}, []),
        (sale("a", created_at=NOON - 2 * ONE_DAY), {}, ["late_posting"]),
        (sale("a", created_at=NOON + ONE_DAY), {}, []),
        (sale("a", created_at=NOON + 2 * ONE_DAY), {}, ["late_posting"]),
    ],
)
def test_what_a_line_says_otherwise_than_the_sale_that_it_bills(sold, changes, kinds):
    assert [kind for kind, *_ in told([sold, B], [line(sold, **changes), line(B)])] == kinds


def test_a_claim_names_the_other_sale():
    lines = [line(A, transaction_id=B.supplier_transaction_id), line(B)]
    (found,) = differences([A, B], lines).all()
    assert (found.kind, found.ours.also_held_by) == (DiscrepancyKind.CLAIMED_TWICE, B.id)
    (plain,) = differences([A], [line(A, transaction_id=GUID)]).all()
    assert "alsoHeldBy" not in side_body(plain.ours)


def test_each_later_holder_of_an_id_is_reported_on_its_own_day_beside_the_first():
    third = structs.replace(LATER, id="third-sale", request_id=GUID, created_at=NOON + 2 * MINUTE)
    tomorrow = structs.replace(LATER, id="tomorrow-sale", request_id=GUID[::-1], day=NEXT, created_at=NOON + ONE_DAY)
    rows = [third, tomorrow, LATER, A]
    found = {one.transaction_id: one for one in differences(rows, [line(A)]).all() if one.kind is DiscrepancyKind.CLAIMED_TWICE}
    assert {name: one.ours.also_held_by for name, one in found.items()} == {LATER.id: A.id, third.id: A.id}
    assert {one.severity for one in found.values()} == {Severity.CRITICAL} and {one.theirs for one in found.values()} == {None}
    on_next = differences(rows, [], day=NEXT, today=TODAY + ONE_DAY).all()
    assert [one.transaction_id for one in on_next if one.kind is DiscrepancyKind.CLAIMED_TWICE] == [tomorrow.id]


# Sales that no line bills


@pytest.mark.parametrize(
    ("sold", "files", "today", "expected"),
    [
        (A, {DAY: [], NEXT: []}, TODAY, [("missing_at_supplier", "warning", A.id, None)]),
        (A, {DAY: []}, TODAY, []),
        (A, {DAY: [], NEXT: []}, NEXT, []),
        (A, {DAY: [], NEXT: [line(A)]}, TODAY, []),
        (doubtful("a"), {DAY: [], NEXT: []}, TODAY, []),
        (A, {DAY: [line(A, status="Binned")]}, TODAY, [("state_differs", "warning", A.id, 2)]),
        (A, {DAY: [], NEXT: [line(A, status="Binned")]}, TODAY, [("state_differs", "warning", A.id, 2)]),
        (A, {DAY: [line(A, status="Odd")], NEXT: []}, TODAY, [("unknown_status", "warning", A.id, 2)]),
        (A, {DAY: [], NEXT: [line(A, status="Odd")]}, TODAY, []),
        (
            A,
            {DAY: [line(A, status="Odd"), line(A, status="Binned"), line(A, status="Binned")], NEXT: []},
            TODAY,
            [("state_differs", "warning", A.id, 3), ("unknown_status", "warning", A.id, 2)],
        ),
        (
            A,
            {DAY: [line(A, amount="-10000")], NEXT: []},
            TODAY,
            [("missing_at_supplier", "warning", A.id, None), ("negative_line", "warning", A.id, 2)],
        ),
        (sale("a", created_at=NOON - ONE_DAY), {BEFORE: [], DAY: [], NEXT: []}, TODAY, []),
    ],
)
def test_an_unbilled_vended_sale_is_reported_once_nothing_can_bill_it_any_more(sold, files, today, expected):
    assert told([sold], [], files=files, today=today) == expected


@pytest.mark.parametrize(("setting", "severity"), [({}, "warning"), ({"binned_is_charged": True}, "critical")])
def test_only_a_binned_vend_is_critical_and_only_if_binned_lines_are_charged(setting, severity):
    rows = told([A, B], [line(A, status="Binned"), line(B, amount="-10000"), line(sale("z"), status="Binned")], **setting)
    assert rows == [
        ("missing_here", "warning", None, 4),
        ("missing_at_supplier", "warning", B.id, None),
        ("state_differs", severity, A.id, 2),
        ("negative_line", "warning", B.id, 3),
    ]


@pytest.mark.parametrize(("setting", "severity"), [({}, "warning"), ({"reversals_are_expected": True}, "info")])
def test_a_sales_negative_line_is_information_only_if_reversals_are_expected(setting, severity):
    rows = told([A, B], [line(A), line(A, amount="-10000"), line(B, status="Binned")], **setting)
    assert rows == [("state_differs", "warning", B.id, 4), ("negative_line", severity, A.id, 3)]


def test_a_line_of_a_sale_that_cannot_be_read_is_no_discrepancy():
    unread = Unread(id="u", request_id=B.request_id)
    assert told([A], [line(B), line(A, amount="1"), line(B, status="Odd")], unread=[unread]) == [("amount_differs", "critical", A.id, 3)]


# Earlier files


def past(*lines, day=DAY, **more):
    return Past(lines=tuple(Filed(day, at, one) for at, one in enumerate(lines, 7)), **more)


def test_earlier_lines_that_bill_a_rejected_sale_contradict_it_once_by_the_first():
    other = doubtful("q", state=State.REJECTED)
    lines = [line(REJECTED, status="Binned"), line(REJECTED, amount="-1"), line(REJECTED, amount="0"), line(REJECTED), line(other)]
    assert told([REJECTED, other], [], past=past(line(sale("nobody")), *lines)) == [
        *sorted(
            [
                ("vended_after_rejection", "critical", REJECTED.id, 10),
                ("vended_after_rejection", "critical", other.id, 12),
            ],
            key=lambda one: {REJECTED.id: REJECTED, other.id: other}[one[2]].request_id,
        )
    ]


@pytest.mark.parametrize("day", [BEFORE, NEXT])
def test_earlier_lines_of_another_day_are_that_days(day):
    assert told([REJECTED], [], past=past(line(REJECTED), day=day)) == []


def test_an_earlier_line_of_a_billed_or_unrejected_sale_adds_nothing():
    assert told([REJECTED], [line(REJECTED)], past=past(line(REJECTED))) == [("vended_after_rejection", "critical", REJECTED.id, 2)]
    assert told([doubtful("d"), A], [line(A)], past=past(line(A), line(doubtful("d")))) == []

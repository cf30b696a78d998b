"""A day's comparison whole: each term of the books, and each list of what is to be put on record, looked up or shown."""

from datetime import date, timedelta

import pytest
from msgspec import structs

from shared.domain.money import Money
from shared.domain.statement import Total
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.comparison import OPEN_STATES, around, compare, files_needed
from shared.settlement.matching import Filed, FileInterpretation
from shared.settlement.settled_day import (
    Carried,
    NotReadable,
    Proof,
    ResolvedBySettlement,
    Status,
    StillOpen,
    TokenToRecover,
    VendIndication,
)
from shared.settlement.withdrawn_lines import Past
from tests.unit.settlement.compared import (
    BEFORE,
    CONTROLS,
    DAY,
    GUID,
    METER,
    NEXT,
    NOON,
    ONE_DAY,
    SILENT,
    TODAY,
    A,
    B,
    doubtful,
    line,
    sale,
    with_files,
)

MINUTE = timedelta(minutes=1)
REJECTED = doubtful("r", state=State.REJECTED)


def settled(sold, files, *, day=DAY, today=TODAY, past=None, unread=(), **readings):
    read = [SettlementFile(written(of, lines), name=f"{of}.txt") for of, lines in files.items()]
    return compare(
        day, sold, read, mode=Mode.LIVE, today=today, readings=FileInterpretation(**readings), past=past or Past(), unread=unread
    )


def terms(result):
    """The terms that are not zero, by service."""
    books = {
        one.vas_type: {name: getattr(one, name) for name in one.__struct_fields__ if name != "vas_type"} for one in result.conservation
    }
    assert all(one.residue == Total() for one in result.conservation) and list(books) == list(VasType)
    return {service: some for service, all_of in books.items() if (some := {name: t for name, t in all_of.items() if t != Total()})}


def test_the_days_around_a_day_and_those_of_sales_that_are_looked_up():
    assert around(DAY) == (BEFORE, DAY, NEXT)
    old = sale("old", created_at=NOON - 9 * ONE_DAY)
    assert files_needed(DAY) == {BEFORE, DAY, NEXT}
    assert files_needed(DAY, [A, old]) == {BEFORE, DAY, NEXT, *(DAY - at * ONE_DAY for at in (8, 9, 10))}
    assert set(OPEN_STATES) == {State.VENDING, State.IN_DOUBT}


# The books


def test_each_line_and_sale_goes_into_one_term_of_its_service():
    carried_in = sale("in", created_at=NOON - ONE_DAY, amount_cents=300)
    carried_out = sale("out", amount_cents=40)
    dearer = sale("dear", amount_cents=7)
    misfiled = sale("mis", amount_cents=60)
    rejected = doubtful("r", state=State.REJECTED, amount_cents=900)
    healed = doubtful("h", amount_cents=2_000)
    lines = [
        *map(line, (A, carried_in, healed, rejected)),
        line(dearer, amount="9"),
        line(misfiled, vas_type="Data", meter_number=""),
        line(A),
        line(A, transaction_id=GUID, amount="11"),
        line(A, amount="-500"),
        line(sale("x"), amount="13"),
        line(sale("y"), amount="17"),
        line(sale("x"), amount="13"),
        line(sale("n"), amount="-19"),
        line(sale("z"), status="Binned", amount="23"),
    ]
    sold = [A, carried_in, carried_out, dearer, misfiled, rejected, healed, sale("lost", amount_cents=5), doubtful("open")]
    result = settled(sold, {DAY: lines, NEXT: [line(carried_out)]})
    assert terms(result) == {
        VasType.DATA: {"file_successful": Total(1, 60), "extra_lines": Total(1, 60)},
        VasType.UTILITY: {
            "file_successful": Total(12, 10_000 + 300 + 2_000 + 900 + 9 + 10_000 + 11 - 500 + 13 + 17 + 13 - 19),
            "our_vended": Total(6, 10_000 + 40 + 7 + 60 + 2_000 + 5),
            "carried_out": Total(1, 40),
            "carried_in": Total(1, 300),
            "missing_here": Total(2, 30),
            "billed_though_rejected": Total(1, 900),
            "extra_lines": Total(5, 10_000 + 11 - 500 + 13 - 19),
            "missing_at_supplier": Total(2, 65),
            "differences": Total(0, 2),
        },
    }
    assert result.matched == Total(4, 10_000 + 300 + 2_000 + 9)


def test_a_sale_that_was_carried_in_at_another_amount_is_carried_at_ours():
    carried = sale("in", created_at=NOON - ONE_DAY, amount_cents=300)
    result = settled([carried], {DAY: [line(carried, amount="310")], NEXT: []})
    assert terms(result) == {VasType.UTILITY: {"file_successful": Total(1, 310), "carried_in": Total(1, 300), "differences": Total(0, 10)}}
    assert result.matched == Total(1, 310)


def test_a_line_of_a_sale_that_cannot_be_read_is_an_extra_line():
    unread = [Unread(id="u", request_id=B.request_id, day=NEXT)]
    assert terms(settled([], {DAY: [line(B)], NEXT: []}, unread=unread)) == {
        VasType.UTILITY: {"file_successful": Total(1, 10_000), "extra_lines": Total(1, 10_000)}
    }


def test_without_a_file_our_sales_are_carried_out_until_it_comes():
    assert terms(settled([A, doubtful("d")], {NEXT: []})) == {
        VasType.UTILITY: {"our_vended": Total(1, 10_000), "carried_out": Total(1, 10_000)}
    }


# How it stands


@pytest.mark.parametrize(
    ("files", "today", "unread", "status"),
    [
        ((DAY, NEXT), TODAY, (), Status.BALANCED),
        ((DAY, NEXT), NEXT, (), Status.PROVISIONAL),
        ((DAY,), TODAY, (), Status.PROVISIONAL),
        ((NEXT,), TODAY, (), Status.FILE_MISSING),
        ((DAY, NEXT), TODAY, (DAY,), Status.PROVISIONAL),
        ((DAY, NEXT), TODAY, (BEFORE, NEXT), Status.BALANCED),
        ((NEXT,), TODAY, (DAY,), Status.FILE_MISSING),
    ],
)
def test_a_day_stands_by_its_files_and_by_its_own_sales_that_cannot_be_read(files, today, unread, status):
    rows = [Unread(id=f"{day}", day=day) for day in unread]
    result = settled([], {day: [] for day in files}, today=today, unread=rows)
    assert result.status is status and (result.file is None) is (DAY not in files)
    assert [one.transaction_id for one in result.not_readable] == [f"{day}" for day in unread if day == DAY]


def test_what_can_be_read_of_a_sale_that_cannot_be_compared_is_shown_in_order():
    order = Order(vas_type=VasType.UTILITY, amount=Money(700), merchant_product_id="power", meter_number=METER)
    rows = [Unread(id="b", order=order, request_id="r-1", day=DAY), Unread(id="a", day=DAY), Unread(id="c", day=BEFORE)]
    assert settled([], {DAY: [], NEXT: []}, unread=rows).not_readable == (
        NotReadable(transaction_id="a", request_id=None, vas_type=None, amount_cents=None),
        NotReadable(transaction_id="b", request_id="r-1", vas_type=VasType.UTILITY, amount_cents=700),
    )


# Lists


def test_sales_are_carried_in_and_out_as_vends_alone_in_order():
    out = [sale(name, supplier_id="S") for name in ("o2", "o1")]
    into = [sale(name, created_at=NOON - ONE_DAY, supplier_id="S") for name in ("i2", "i1")]
    misfiled = sale("mis", created_at=NOON - ONE_DAY)
    rejected = doubtful("r", state=State.REJECTED, created_at=NOON - ONE_DAY)
    own = [sale("lost"), sale("binned"), doubtful("d")]
    billed = [*map(line, (*into, rejected)), line(misfiled, vas_type="Data", meter_number="")]
    billed += [line(A, amount="1"), line(own[1], status="Binned")]
    result = settled([*out, *into, *own, misfiled, rejected, A], {BEFORE: [], DAY: billed, NEXT: list(map(line, out))})

    def carried(one, sold_on, billed_on):
        return Carried(
            transaction_id=one.id,
            supplier_id="S",
            request_id=one.request_id,
            vas_type=VasType.UTILITY,
            amount_cents=10_000,
            sold_on=sold_on,
            billed_on=billed_on,
        )

    assert result.carried_out == (carried(out[1], DAY, NEXT), carried(out[0], DAY, NEXT))
    assert result.carried_in == (carried(into[1], BEFORE, DAY), carried(into[0], BEFORE, DAY))
    assert result.reached == frozenset()


def test_the_days_of_long_ago_whose_vended_sales_this_file_bills_are_reached():
    old = [sale(f"old {at}", created_at=NOON - at * ONE_DAY) for at in (1, 2, 5)]
    rejected = doubtful("r", state=State.REJECTED, created_at=NOON - 7 * ONE_DAY)
    doubt, future = doubtful("d", created_at=NOON - 8 * ONE_DAY), sale("f", created_at=NOON + 2 * ONE_DAY)
    elsewhere = sale("e", created_at=NOON - 9 * ONE_DAY)
    files = {DAY: list(map(line, (*old, rejected, doubt, future, A))), NEXT: [line(elsewhere)]}
    result = settled([*old, rejected, doubt, future, elsewhere, A], files)
    assert result.reached == {DAY - at * ONE_DAY for at in (2, 5, 8, -2)}


def test_what_is_resolved_is_in_order_whichever_way_it_ended():
    vended, silent = doubtful("z"), [doubtful(name, recipient="12345678902", amount_cents=4_400) for name in ("x", "b")]
    files = with_files(day=lambda lines: [*lines, line(vended)])
    result = settled([*CONTROLS.values(), vended, *silent], files)
    assert result.absent == ("b-sale", "x-sale")
    assert result.healed == (
        ResolvedBySettlement("b-sale", State.REJECTED, None),
        ResolvedBySettlement("x-sale", State.REJECTED, None),
        ResolvedBySettlement("z-sale", State.VENDED, line(vended).transaction_id),
    )


def test_distrusted_days_and_wanted_files_of_absence():
    other = sale("other", amount_cents=7_700, created_at=NOON + ONE_DAY)
    assert settled([*CONTROLS.values(), SILENT], with_files(), past=Past(distrusted=frozenset({DAY}))).absent == ()
    assert settled([*CONTROLS.values(), SILENT], with_files(), past=Past(distrusted=frozenset({BEFORE}))).absent == (SILENT.id,)
    for doubt, wanted in ((SILENT, {NEXT + ONE_DAY}), (structs.replace(SILENT, sign_of_vend=True), set()), (REJECTED, set())):
        assert settled([*CONTROLS.values(), doubt, other], with_files()).wanted == wanted
    early = structs.replace(SILENT, created_at=NOON - ONE_DAY, day=BEFORE)
    assert settled([*CONTROLS.values(), early, other], with_files()).wanted == frozenset()  # of another day


def test_open_sales_are_shown_except_those_that_a_line_or_absence_ends():
    shown = [doubtful(name, supplier_id="S", sign_of_vend=True) for name in ("d2", "d1")]
    sold = [*CONTROLS.values(), SILENT, *shown, doubtful("billed"), REJECTED, doubtful("other day", created_at=NOON + ONE_DAY)]
    result = settled(sold, with_files(day=lambda lines: [*lines, line(doubtful("billed"))]))
    assert result.open == tuple(
        StillOpen(
            transaction_id=one.id,
            supplier_id="S",
            state=State.IN_DOUBT,
            vas_type=VasType.UTILITY,
            amount_cents=10_000,
            created_at=NOON,
        )
        for one in (shown[1], shown[0])
    ) and result.absent == (SILENT.id,)


def test_tokens_to_recover_are_shown_in_order_with_the_id_that_is_held():
    due = [sale("t2", token_due=True, supplier_id="S"), doubtful("t1", supplier_id="S", recipient="12345678902")]
    result = settled(due, {DAY: [line(due[0]), line(due[1], transaction_id=GUID.upper())], NEXT: []})
    assert result.tokens_to_recover == (
        TokenToRecover("t1-sale", GUID, VasType.UTILITY, "S"),
        TokenToRecover("t2-sale", due[0].supplier_transaction_id, VasType.UTILITY, "S"),
    )


def test_a_token_is_to_be_recovered_on_the_day_of_the_sale_and_on_that_of_its_line():
    due = {name: sale(name, token_due=True) for name in ("next", "nowhere", "here")}
    files = {DAY: [line(due["here"])], NEXT: [line(due["next"])]}
    for day, names in ((DAY, ["here", "next", "nowhere"]), (NEXT, ["next"]), (BEFORE, [])):
        result = settled([*due.values()], files, day=day, today=TODAY + ONE_DAY)
        assert [one.transaction_id for one in result.tokens_to_recover] == [f"{name}-sale" for name in names]


# Proofs


def proofs(sold, files, **more):
    return [(one.transaction_id, one.supplier_transaction_id, one.ends_sale) for one in settled(sold, files, **more).proofs]


@pytest.mark.parametrize(
    ("sold", "changes", "expected"),
    [
        (A, {}, []),
        (A, {"amount": "1"}, []),
        (A, {"transaction_id": GUID.upper()}, [(GUID.upper(), False)]),
        (A, {"transaction_id": B.supplier_transaction_id}, [(B.supplier_transaction_id, False)]),
        (sale("a", supplier_transaction_id=None), {}, [(A.supplier_transaction_id, False)]),
        (doubtful("a"), {"amount": "1"}, [(A.supplier_transaction_id, True)]),
        (doubtful("a", supplier_transaction_id=A.supplier_transaction_id), {}, [(A.supplier_transaction_id, True)]),
        (sale("a", state=State.REJECTED), {}, [(A.supplier_transaction_id, False)]),
        (doubtful("a", state=State.VENDING), {}, [(A.supplier_transaction_id, True)]),
        (doubtful("a", state=State.REJECTED), {}, [(A.supplier_transaction_id, False)]),
        (doubtful("a"), {"status": "Binned"}, []),
    ],
)
def test_a_line_that_bills_a_sale_proves_what_our_record_says_otherwise(sold, changes, expected):
    files = {DAY: [line(B), line(sold, **changes)], NEXT: []}
    assert proofs([sold, B], files) == [(sold.id, *one) for one in expected]


def test_a_proof_holds_the_line_and_whether_a_token_is_due():
    doubt = doubtful("d")
    (proof,) = settled([doubt], {DAY: [line(doubt)], NEXT: []}).proofs
    supplier_id = line(doubt).transaction_id
    assert proof == Proof(transaction_id=doubt.id, supplier_transaction_id=supplier_id, token_due=True, ends_sale=True, line=line(doubt))


def test_a_second_billing_is_a_proof_too_that_ends_nothing_and_proofs_are_in_order():
    doubt, other = doubtful("d"), sale("c", supplier_transaction_id=None)
    second = line(doubt, transaction_id=GUID)
    claimed = line(doubt, transaction_id=B.supplier_transaction_id)
    files = {DAY: [line(doubt), second, claimed, line(doubt), line(B), line(other)], NEXT: []}
    ids = sorted([(GUID, False), (B.supplier_transaction_id, False), (line(doubt).transaction_id, True)])
    assert proofs([doubt, B, other], files) == [(other.id, line(other).transaction_id, False), *((doubt.id, *one) for one in ids)]


def test_a_proof_is_of_the_day_of_the_sale_or_of_the_line_and_of_no_other():
    doubt = doubtful("d", created_at=NOON - ONE_DAY)
    files = {BEFORE: [], DAY: [line(doubt)], NEXT: []}
    (expected,) = [(doubt.id, line(doubt).transaction_id, True)]
    for day, found in ((BEFORE, [expected]), (DAY, [expected]), (NEXT, [])):
        assert proofs([doubt], files, day=day, today=TODAY + ONE_DAY) == found


# Signs


def sign(sold, day, number, filed, is_of_doubt=True):
    return VendIndication(transaction_id=sold.id, is_of_doubt=is_of_doubt, day=day, number=number, line=filed)


def test_a_doubts_indication_is_the_first_line_that_names_it_current_files_first():
    doubts = [doubtful(name) for name in ("d3", "d2", "d1")]
    binned = [line(one, status="Binned") for one in doubts]
    files = {DAY: [line(A), binned[0], binned[0]], NEXT: [binned[1]]}
    past = Past(lines=(Filed(BEFORE, 7, line(doubts[0])), Filed(DAY, 8, line(doubts[2])), Filed(DAY, 9, binned[2]), Filed(DAY, 3, line(B))))
    assert settled([A, *doubts], files, past=past).signs == (
        sign(doubts[2], DAY, 8, line(doubts[2])),
        sign(doubts[1], NEXT, 2, binned[1]),
        sign(doubts[0], DAY, 3, binned[0]),
    )


@pytest.mark.parametrize(
    ("sold", "earlier", "is_sign"),
    [
        (doubtful("d"), {}, True),
        (doubtful("d", sign_of_vend=True), {}, False),
        (doubtful("d", state=State.REJECTED), {}, True),
        (doubtful("d", state=State.REJECTED, sign_of_vend=True), {}, True),
        (doubtful("d", state=State.REJECTED), {"amount": "0"}, True),
        (doubtful("d", state=State.REJECTED), {"amount": "-1"}, False),
        (doubtful("d", state=State.REJECTED), {"status": "Binned"}, False),
        (doubtful("d", state=State.VENDED), {}, False),
    ],
)
def test_an_earlier_line_is_an_indication_of_a_doubt_and_contradicts_a_rejection(sold, earlier, is_sign):
    named = line(sold, **earlier)
    signs = settled([sold], {DAY: [], NEXT: []}, past=Past(lines=(Filed(DAY, 5, named),))).signs
    assert signs == ((sign(sold, DAY, 5, named, is_of_doubt=sold.state is State.IN_DOUBT),) if is_sign else ())
    billed = settled([sold], {DAY: [line(sold)], NEXT: []}, past=Past(lines=(Filed(DAY, 5, named),)))
    assert billed.signs == ()


# Strangers


def test_strangers_are_of_this_days_files_or_may_hide_a_silent_sale_of_it():
    doubt = doubtful("d", amount_cents=300)
    here, hiding = line(sale("here"), amount="1"), line(sale("hiding"), amount="300")
    files = {BEFORE: [hiding], DAY: [line(A), here], NEXT: [line(sale("n"), amount="-300"), line(sale("o"), amount="301"), line(B)]}
    earlier = (line(sale("gone"), amount="2"), line(sale("far"), amount="300"), line(sale("off"), amount="3"), line(A))
    past = Past(lines=tuple(Filed(day, 5, one) for day, one in zip((DAY, NEXT, NEXT, DAY), earlier, strict=True)))
    unread = [Unread(id="u", request_id=B.request_id)]
    result = settled([A, doubt], files, past=past, unread=unread)
    assert result.strangers == (hiding, here, files[NEXT][0], earlier[0], earlier[1])
    other_service = structs.replace(doubt, vas_type=VasType.VOUCHER, recipient=None)
    assert settled([A, other_service], files, past=past, unread=unread).strangers == (here, earlier[0])


def test_a_line_by_a_sale_that_cannot_be_read_is_no_strangers_on_its_own_day_either():
    unread = [Unread(id="u", request_id=B.request_id, day=date(2026, 1, 1))]
    assert settled([], {DAY: [line(B)], NEXT: []}, unread=unread).strangers == ()

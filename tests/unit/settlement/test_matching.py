"""Which line matches which sale, how every other line is judged, and one day's view of both."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.statement import FileRefused
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.matching import DayView, Filed, FileInterpretation, Judged, MerchantId, Verdict, goes_to, match
from tests.unit.settlement.compared import BEFORE, DAY, GUID, METER, NEXT, NOON, ONE_DAY, OTHER_METER, TODAY, A, B, doubtful, line, sale

AFTER = NEXT + ONE_DAY
REJECTED = doubtful("r", state=State.REJECTED)


def matched(sold, files, *, near=None, unread=(), **readings):
    read = [SettlementFile(written(day, lines), name=f"{day}.txt") for day, lines in files.items()]
    return match(sold, read, FileInterpretation(**readings), sorted(files) if near is None else near, unread)


def verdicts(matching):
    """Each kept line's verdict, with the sale that it names."""
    return [(one.filed.day, one.filed.number, one.verdict, one.known and one.known.sale.id) for one in matching.judged]


def billed(matching):
    """By sale: the day whose file bills it, and the number of that line where it was kept."""
    return {one.sale.id: (one.billed_in, one.bill and one.bill.number) for one in matching.known}


def test_the_words_and_defaults_of_settings_never_change():
    """Deployers type the words."""
    assert [one.value for one in MerchantId] == ["request_id", "supplier_id", "unknown"]
    assert FileInterpretation() == FileInterpretation(
        merchant_id=MerchantId.UNKNOWN, binned_is_charged=False, reversals_are_expected=False, fee_is_on_top=False
    )


# Lines that agree


def test_a_line_that_agrees_leaves_a_mark_and_nothing_else():
    matching = matched([A, B], {DAY: [line(A), line(B)]})
    assert billed(matching) == {A.id: (DAY, None), B.id: (DAY, None)}
    assert (matching.judged, matching.unexplained, matching.controls, matching.unread) == ([], {}, {DAY}, frozenset())
    assert list(matching.files) == [DAY] and matching.files[DAY].all.rows == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction_id": A.supplier_transaction_id.upper()},
        {"merchant_id": ""},
        {"merchant_id": "", "transaction_id": A.supplier_transaction_id.upper()},
        {"transaction_id": GUID, "merchant_id": A.supplier_transaction_id.upper()},
        {"meter_number": ""},
        {"amount": "0010000"},
    ],
)
def test_a_line_that_agrees_in_another_form_is_laid_to_its_sale_all_the_same(changes):
    matching = matched([A], {DAY: [line(A, **changes)]})
    assert billed(matching) == {A.id: (DAY, None)} and (matching.judged, matching.unexplained) == ([], {})
    assert matching.controls == (set() if "merchant_id" in changes else {DAY})


@pytest.mark.parametrize(
    ("sold", "day"),
    [
        (doubtful("a"), DAY),
        (sale("a", supplier_transaction_id=None), DAY),
        (A, NEXT),
        (doubtful("a", state=State.VENDING), DAY),
        (doubtful("a", state=State.REJECTED), DAY),
    ],
)
def test_the_line_is_kept_where_there_is_more_to_say_about_it(sold, day):
    matching = matched([sold], {day: [line(B), line(sold)]})
    assert billed(matching) == {sold.id: (day, 3)} and [one.verdict for one in matching.judged] == [Verdict.STRANGER]
    assert matching.controls == (set() if sold.state is State.REJECTED else {day})


def test_a_line_that_agrees_goes_before_one_that_does_not_in_any_order_and_file():
    wrong = line(A, amount="1")
    for files in ({DAY: [wrong, line(A)]}, {DAY: [line(A), wrong]}, {DAY: [wrong], NEXT: [line(A)]}):
        matching = matched([A], files)
        at, number = next((day, lines.index(wrong) + 2) for day, lines in files.items() if wrong in lines)
        assert verdicts(matching) == [(at, number, Verdict.DUPLICATE, A.id)]
        assert matching.unexplained == {at: {(VasType.UTILITY, 1)}}
        assert matching.known[0].named_by == (Filed(at, number, wrong),)


@pytest.mark.parametrize(("amount", "bills"), [("0", True), ("1", True), ("-0", True), ("-1", False)])
def test_a_line_that_differs_bills_its_sale_from_no_cents_on_and_may_hide_another(amount, bills):
    matching = matched([A], {DAY: [line(A, amount=amount)]})
    assert billed(matching) == {A.id: (DAY, 2) if bills else (None, None)}
    assert verdicts(matching) == ([] if bills else [(DAY, 2, Verdict.NEGATIVE, A.id)])
    assert matching.unexplained == {DAY: {(VasType.UTILITY, abs(int(amount)))}} and matching.controls == ({DAY} if bills else set())


def test_files_are_read_the_oldest_first():
    matching = matched([A], {NEXT: [line(A)], DAY: [line(A)]})
    assert list(matching.files) == [DAY, NEXT] and billed(matching) == {A.id: (DAY, None)}
    assert verdicts(matching) == [(NEXT, 2, Verdict.DUPLICATE, A.id)]


def test_two_files_of_a_day_are_no_day_and_a_broken_one_is_none():
    files = [SettlementFile(written(DAY, [])), SettlementFile(written(NEXT, [])), SettlementFile(written(DAY, []))]
    with pytest.raises(ValueError, match="two settlement files of 2026-05-04"):
        match([], files, FileInterpretation())
    with pytest.raises(FileRefused):
        match([], [SettlementFile(written(DAY, [], miscounted_by=1))], FileInterpretation())


def test_a_sale_that_is_given_twice_is_known_once_and_the_last_word_counts():
    again = structs.replace(A, amount_cents=1)
    matching = matched([A, B, again], {})
    assert [one.sale for one in matching.known] == [again, B] and matching.claims() == {}


@pytest.mark.parametrize(("on_top", "cents"), [(False, 10_000), (True, 10_250)])
def test_what_a_line_should_bill_is_the_amount_and_the_fee_where_it_comes_on_top(on_top, cents):
    matching = matched([sale("a", fee_cents=250)], {}, fee_is_on_top=on_top)
    assert matching.known[0].cents == cents


# Lines that do not agree


def test_each_line_that_bills_no_sale_for_the_first_time_has_its_verdict():
    stranger, other = line(sale("x")), line(sale("y"), amount="7")
    second = line(A, transaction_id=GUID)
    claimed = line(A, transaction_id=B.supplier_transaction_id, amount="9")
    lines = [
        line(A),
        line(B),
        *(stranger, other, stranger._replace(transaction_id=stranger.transaction_id.upper()), stranger),
        *(line(A), second, second, claimed),
        line(B, amount="-10000"),
        line(sale("z"), amount="-3"),
        line(B, status="Binned"),
        line(sale("z"), status="Pending", amount="8"),
        line(sale("z"), status="Pending", amount="-8"),
    ]
    matching = matched([A, B], {DAY: lines})
    assert verdicts(matching) == [
        (DAY, 4, Verdict.STRANGER, None),
        (DAY, 5, Verdict.STRANGER, None),
        (DAY, 6, Verdict.DUPLICATE, None),
        (DAY, 7, Verdict.DUPLICATE, None),
        (DAY, 8, Verdict.DUPLICATE, A.id),
        (DAY, 9, Verdict.TWICE, A.id),
        (DAY, 10, Verdict.TWICE, A.id),
        (DAY, 11, Verdict.CLAIMED, A.id),
        (DAY, 12, Verdict.NEGATIVE, B.id),
        (DAY, 13, Verdict.NEGATIVE, None),
        (DAY, 14, Verdict.NOT_BILLED, B.id),
        (DAY, 15, Verdict.NOT_BILLED, None),
        (DAY, 16, Verdict.NEGATIVE, None),
    ]
    assert matching.judged[0] == Judged(Filed(DAY, 4, stranger), Verdict.STRANGER, None)
    assert matching.unexplained == {DAY: {(VasType.UTILITY, cents) for cents in (10_000, 7, 9, 3, 8)}}
    by_id = {one.sale.id: [filed.number for filed in one.named_by] for one in matching.known}
    assert by_id == {A.id: [8, 9, 10, 11], B.id: [12, 14]}
    assert {one.sale.id: [filed.number for filed in one.unbilled_lines] for one in matching.known} == {A.id: [], B.id: [14]}


@pytest.mark.parametrize(
    ("changes", "explained"),
    [
        ({"status": "Binned"}, True),
        ({"status": "Pending"}, True),
        ({"amount": "-10000"}, True),
        ({"status": "Binned", "amount": "-10000"}, True),
        ({"status": "Binned", "amount": "9999"}, False),
        ({"amount": "-9999"}, False),
        ({"amount": "-10000", "meter_number": OTHER_METER}, False),
        ({"status": "Binned", "vas_type": "Airtime"}, False),
        ({"status": "Binned", "transaction_id": GUID}, False),
        ({"status": "Binned", "merchant_id": GUID}, True),
        ({}, False),
    ],
)
def test_a_line_that_bills_nothing_is_explained_if_it_agrees_with_its_sale(changes, explained):
    extra = line(A, **changes)
    matching = matched([A, B], {DAY: [line(A), line(B), extra], NEXT: []})
    assert matching.unexplained == ({} if explained else {DAY: {(extra.service, abs(extra.cents))}})
    for is_nameless in (True, False):
        bare = structs.replace(A, recipient=None, is_nameless=is_nameless)
        same = matched([bare, B], {DAY: [line(B), extra]}).unexplained == {}
        assert same is (not is_nameless and (explained or "meter_number" in changes or changes == {}))


@pytest.mark.parametrize("field", ["merchant_id", "transaction_id"])
@pytest.mark.parametrize("spelt", [str.lower, str.upper])
@pytest.mark.parametrize("known_by", ["request_id", "supplier_transaction_id"])
def test_a_line_that_names_an_unreadable_sale_by_any_id_and_field_is_no_stranger(field, spelt, known_by):
    unread = Unread(id="u", **{known_by: GUID})
    matching = matched([A], {DAY: [line(B, **{field: spelt(GUID)}), line(A)]}, unread=[Unread(id="v"), unread])
    assert verdicts(matching) == [(DAY, 2, Verdict.UNREAD, None)] and matching.unexplained == {}
    assert matching.unread == {GUID}


def test_a_second_billing_under_the_held_id_is_a_second_vend_and_no_claim_of_another():
    matching = matched([A, B], {DAY: [line(A, transaction_id=GUID), line(A, amount="1"), line(B)]})
    assert billed(matching)[A.id] == (DAY, 2) and verdicts(matching) == [(DAY, 3, Verdict.TWICE, A.id)]


def test_a_line_that_names_a_sale_that_can_be_read_is_that_sales():
    other = matched([A], {DAY: [line(A, status="Binned", transaction_id=GUID)]}, unread=[Unread(id="u", supplier_transaction_id=GUID)])
    assert verdicts(other) == [(DAY, 2, Verdict.NOT_BILLED, A.id)]
    unread = Unread(id="u", request_id=A.request_id)
    matching = matched([A], {DAY: [line(A)]}, unread=[unread])
    assert billed(matching) == {A.id: (DAY, None)} and matching.judged == []


@pytest.mark.parametrize("near", [(), (DAY,), (NEXT,), (DAY, NEXT)])
def test_lines_of_other_days_are_kept_where_they_name_a_sale_alone(near):
    files = {DAY: [line(B), line(A, status="Binned")], NEXT: [line(A, amount="-10000"), line(B)]}
    kept = [(one.filed.day, one.filed.number) for one in matched([A], files, near=near).judged]
    expected = {(DAY, 2): DAY in near, (DAY, 3): True, (NEXT, 2): True, (NEXT, 3): NEXT in near}
    assert kept == [place for place, is_kept in expected.items() if is_kept]


# Ids


def test_a_doubt_takes_the_supplier_id_of_its_line_and_a_repeat_of_it_is_a_duplicate():
    doubt = doubtful("d")
    first = line(doubt, transaction_id=GUID.upper())
    matching = matched([doubt], {DAY: [first, line(doubt, transaction_id=GUID, merchant_id=""), line(doubt, transaction_id=A.request_id)]})
    assert billed(matching) == {doubt.id: (DAY, 2)}
    assert [one.verdict for one in matching.judged] == [Verdict.DUPLICATE, Verdict.TWICE]
    (known,) = matching.known
    assert (matching.held_by(known), matching.billed_as(known), matching.spelt(first)) == (GUID, GUID, GUID.upper())


def test_what_is_held_is_our_record_or_else_the_line_of_a_vended_sale():
    for sold, held, billed_as in (
        (sale("a", supplier_transaction_id="ABC"), "abc", GUID),
        (doubtful("a"), GUID, GUID),
        (doubtful("a", state=State.REJECTED), None, GUID),
    ):
        matching = matched([sold], {DAY: [line(sold, transaction_id=GUID.upper(), amount="1")]})
        (known,) = matching.known
        assert (matching.held_by(known), matching.billed_as(known)) == (held, billed_as)
    (unbilled,) = (nobody := matched([doubtful("a")], {})).known
    assert nobody.held_by(unbilled) is None is nobody.billed_as(unbilled)
    (plain,) = (agreed := matched([A], {DAY: [line(A)]})).known
    assert agreed.billed_as(plain) == A.supplier_transaction_id


def test_the_claims_on_an_id_are_all_its_holders_earliest_first_in_any_spelling():
    ours = [
        sale(name, supplier_transaction_id=GUID, created_at=NOON + timedelta(minutes=at)) for name, at in (("f", 0), ("g", 2), ("e", 0))
    ]
    capitals = sale("d", supplier_transaction_id=GUID.upper(), created_at=NOON - timedelta(minutes=1))
    rows = [*ours, A, sale("none", supplier_transaction_id=None), capitals]
    claims = matched(rows, {}).claims()
    assert {held: [one.sale.id for one in holders] for held, holders in claims.items()} == {GUID: ["d-sale", "e-sale", "f-sale", "g-sale"]}
    assert matched([A, B], {DAY: [line(A), line(B)]}).claims() == {}


def test_a_line_with_a_held_id_is_a_claim_for_a_doubt_and_not_for_a_sale_with_an_id():
    doubt = doubtful("d")
    claims = matched([A, doubt], {DAY: [line(A), line(doubt, transaction_id=A.supplier_transaction_id)]}).claims()
    assert {held: sorted(one.sale.id for one in holders) for held, holders in claims.items()} == {
        A.supplier_transaction_id: [A.id, doubt.id]
    }
    assert matched([A, B], {DAY: [line(A), line(B, transaction_id=A.supplier_transaction_id)]}).claims() == {}
    rejected = doubtful("r", state=State.REJECTED)
    assert matched([A, rejected], {DAY: [line(A), line(rejected, transaction_id=A.supplier_transaction_id)]}).claims() == {}


def test_our_request_id_goes_before_the_suppliers():
    both = line(A, transaction_id=B.supplier_transaction_id)
    matching = matched([A, B], {})
    assert matching.named(both).sale == A and matching.holder(both).sale == B
    assert matching.named(line(sale("x"))) is None is matching.holder(line(sale("x")))


@pytest.mark.parametrize("held", [GUID, GUID.upper(), f"{GUID[:-1]}F"])
@pytest.mark.parametrize("said", [GUID, GUID.upper()])
def test_a_sale_is_found_by_the_suppliers_id_however_either_spells_it(held, said):
    matching = matched([sale("a", supplier_transaction_id=held)], {DAY: [line(A, transaction_id=said, merchant_id="")]})
    assert billed(matching) == {A.id: (DAY, None)}


def test_a_line_between_two_sales_alike_bills_the_one_whose_request_id_it_has():
    twin = sale("twin")
    for sold in ([A, twin], [twin, A]):
        matching = matched(sold, {DAY: [line(A, transaction_id=twin.supplier_transaction_id)]})
        assert billed(matching) == {A.id: (DAY, 2), twin.id: (None, None)}


@pytest.mark.parametrize(
    ("sold", "changes", "vended", "misfiled", "billed_vend"),
    [
        (A, {}, True, False, True),
        (A, {"amount": "1"}, True, False, True),
        (A, {"vas_type": "Data"}, True, True, False),
        (A, {"status": "Binned"}, True, False, False),
        (doubtful("a"), {}, True, False, True),
        (doubtful("a"), {"vas_type": "Data"}, True, True, False),
        (doubtful("a"), {"status": "Binned"}, False, False, False),
        (REJECTED, {}, False, False, False),
        (REJECTED, {"vas_type": "Data"}, False, True, False),
    ],
)
def test_a_sale_is_vended_by_record_or_line_and_misfiled_by_another_service(sold, changes, vended, misfiled, billed_vend):
    (known,) = matched([sold], {DAY: [line(sold, **changes)]}).known
    assert (known.is_vended, known.is_misfiled, known.is_billed_vend) == (vended, misfiled, billed_vend)


# Whom a line goes to


@pytest.mark.parametrize(
    ("service", "field", "recipient", "said", "goes"),
    [
        *((service, "msisdn", "27720012345", said, True) for service in ("Airtime", "Data", "Voucher") for said in ("0720012345", "")),
        ("Airtime", "msisdn", "27720012345", "0720012346", False),
        ("Airtime", "msisdn", "0720012345", "27720012345", True),
        ("Utility", "meter_number", METER, METER, True),
        ("Utility", "meter_number", METER, OTHER_METER, False),
        ("Utility", "meter_number", "0720012345", "27720012345", True),
        ("Bill Payment", "account_number", "12345", "12345", True),
        ("Bill Payment", "account_number", "12345", "12346", False),
        ("Bill Payment", "account_number", None, "12346", True),
        ("Bill Payment", "meter_number", "12345", "99999", True),
    ],
)
def test_a_line_goes_to_whom_its_service_names_or_to_anybody_where_it_names_none(service, field, recipient, said, goes):
    bare = line(A, vas_type=service, msisdn="", account_number="", meter_number="")
    assert goes_to(sale("a", recipient=recipient), bare._replace(**{field: said})) is goes


# One day's view


def view(sold, files, *, day=DAY, today=TODAY):
    return DayView(day, matched(sold, files), today)


def ids(knowns):
    return [known.sale.id for known in knowns]


def test_a_day_sees_its_plain_sales_by_cents_alone_and_every_other_one():
    data = sale("data", vas_type=VasType.DATA, recipient="27720012345", amount_cents=500)
    unbilled, late = sale("unbilled"), sale("late")
    early, following = sale("early", created_at=NOON - ONE_DAY), sale("following", created_at=NOON + ONE_DAY)
    files = {DAY: [line(A), line(data), line(B, amount="7"), line(early), line(sale("x"))], NEXT: [line(late), line(following), line(A)]}
    seen = view([A, data, B, unbilled, early, late, following], files)
    assert seen.plain == {service: [] for service in VasType} | {VasType.UTILITY: [10_000], VasType.DATA: [500]}
    assert ids(seen.own) == [B.id, unbilled.id, late.id] and ids(seen.billed) == [B.id, early.id]
    assert ids(seen.rest) == [B.id, unbilled.id, late.id, early.id]
    assert [one.filed.number for one in seen.judged] == [6] and ids(seen.without_token) == []


def test_sales_whose_token_is_due_are_seen_plain_ones_too():
    due = [sale("plain", token_due=True), sale("unbilled", token_due=True)]
    assert ids(view([A, *due], {DAY: [line(A), line(due[0])]}).without_token) == [one.id for one in due]


@pytest.mark.parametrize(
    ("files", "days_later", "waits"),
    [
        ((DAY, NEXT), 2, False),
        ((DAY, NEXT), 1, True),
        ((DAY, NEXT), 0, True),
        ((DAY,), 2, True),
        ((NEXT,), 2, True),
        ((BEFORE, NEXT), 9, True),
        ((), 9, True),
        ((BEFORE, DAY, NEXT, AFTER), 3, False),
    ],
)
def test_a_day_waits_for_its_own_file_and_the_next_ones_and_for_that_day_to_be_over(files, days_later, waits):
    assert view([], {day: [] for day in files}, today=DAY + days_later * ONE_DAY).waits is waits


@pytest.mark.parametrize(
    ("sold", "files", "today", "is_carried"),
    [
        (A, {DAY: [], NEXT: [line(A)]}, TODAY, True),
        (A, {BEFORE: [line(A)], DAY: [], NEXT: []}, TODAY, True),
        (A, {DAY: [line(A, amount="1")], NEXT: []}, TODAY, False),
        (A, {DAY: [], NEXT: []}, TODAY, False),
        (A, {DAY: []}, TODAY, True),
        (A, {DAY: [], NEXT: []}, NEXT, True),
        (A, {DAY: [line(A, status="Binned")]}, TODAY, False),
        (A, {DAY: [line(A, amount="-10000")]}, TODAY, True),
        (doubtful("a"), {DAY: []}, TODAY, False),
        (doubtful("a"), {DAY: [], NEXT: [line(A)]}, TODAY, True),
        (doubtful("a", state=State.REJECTED), {DAY: [], NEXT: [line(A)]}, TODAY, False),
        (A, {DAY: [], NEXT: [line(A, vas_type="Data")]}, TODAY, False),
    ],
)
def test_a_sale_is_carried_out_where_another_days_file_bills_it_or_may_yet_do_so(sold, files, today, is_carried):
    seen = view([sold], files, today=today)
    (known,) = seen.own
    assert seen.is_carried_out(known) is is_carried

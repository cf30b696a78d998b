"""Lines that an earlier file of a day had and the last one lacks: each is identified, counted and stored."""

import uuid
from datetime import UTC, date, datetime

import pytest
from msgspec import structs

from shared.domain.sale_summary import Sold
from shared.domain.statement import Total
from shared.domain.transaction import State
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import detail, written
from shared.settlement.comparison import compare
from shared.settlement.matching import ONE_DAY, Filed, FileInterpretation
from shared.settlement.settled_day import MAX_LISTED, next_version
from shared.settlement.withdrawn_lines import UNREAD, Earlier, Ids, Lacking, LostLine, Past, ids_of, lacking, read_earlier, withdrawn

DAY = date(2026, 5, 4)
NEXT = DAY + ONE_DAY
NOON = datetime(2026, 5, 4, 10, tzinfo=UTC)
METER = "12345678901"
NO_IDS = Ids(frozenset(), frozenset())


def guid(name):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def line(name, cents=10_000, **changes):
    """A sale's truthful line."""
    said = detail(
        service=VasType.UTILITY,
        transaction_id=guid(f"{name} theirs"),
        merchant_id=guid(f"{name} ours"),
        at=NOON,
        cents=cents,
        recipient=METER,
    )
    return said._replace(**changes)


def sale(name, cents=10_000, **changes):
    row = Sold(
        id=f"{name}-sale",
        request_id=guid(f"{name} ours"),
        state=State.VENDED,
        amount_cents=cents,
        vas_type=VasType.UTILITY,
        recipient=METER,
        supplier_transaction_id=guid(f"{name} theirs"),
        day=DAY,
        created_at=NOON,
        sent_by=None,
        sign_of_vend=True,
        token_due=False,
        fee_cents=0,
    )
    return structs.replace(row, **changes)


def file(*lines, **form):
    return SettlementFile(written(DAY, lines, **form), name="day.txt")


def ids(*lines):
    return ids_of([file(*lines)])


def settled(*lines, sold=(), earlier_days=()):
    """DAY with a file of these lines, and with the next day's, which is empty. `earlier_days`: open discrepancies."""
    day = compare(
        DAY,
        sold,
        [file(*lines), SettlementFile(written(NEXT, []), name="next.txt")],
        mode=Mode.LIVE,
        today=NEXT + ONE_DAY,
        readings=FileInterpretation(),
    )
    return day.reviewed({}, earlier_days)


def lost(*lines):
    return tuple(LostLine(one.transaction_id, one.merchant_id, one.cents) for one in lines)


A, B, C = line("a"), line("b", 20_000), line("c", 30_000)


def test_what_is_known_of_the_past_grows_and_shows_no_line():
    past = Past(lines=(Filed(DAY, 2, A),), distrusted=frozenset({DAY}))
    assert (Past().lines, Past().withdrawn, Past().distrusted) == ((), None, frozenset())
    more = past.merged_with(Total(1, 5), [NEXT])
    assert more == Past(lines=past.lines, withdrawn=Total(1, 5), distrusted=frozenset({DAY, NEXT}))
    assert more.merged_with(None, []) == structs.replace(more, withdrawn=None)
    earlier = read_earlier(NO_IDS, {A.merchant_id}, [file(A)])
    for one in (past, more, earlier):
        assert METER not in repr(one) and A.transaction_id not in repr(one) and A.merchant_id not in repr(one)
    assert "rows=1" in repr(earlier)


def test_a_file_is_identified_by_its_lines_ids_in_any_case_except_short_ids_of_ours():
    short, empty = line("b", merchant_id="SHOP 7"), line("c", merchant_id="")
    capitals = A._replace(transaction_id=A.transaction_id.upper(), merchant_id=A.merchant_id.upper())
    theirs = {hash(one.transaction_id) for one in (A, short, empty)}
    assert ids(capitals, short, empty) == Ids(frozenset(theirs), frozenset({hash(A.merchant_id)}))


# One earlier file


def test_an_earlier_file_shows_its_lost_lines_in_place_and_those_that_name_sales():
    negative = line("n", -500)
    asked = {B.merchant_id, C.merchant_id}
    capitals = C._replace(merchant_id=C.merchant_id.upper())
    found = read_earlier(ids(A, B), asked, [file(A, B, capitals, negative)])
    assert found == Earlier(
        sha256=_summary(A, B, capitals, negative).sha256,
        rows=4,
        total=Total(2, 29_500),
        lost=(Filed(DAY, 4, capitals), Filed(DAY, 5, negative)),
        naming=(Filed(DAY, 3, B), Filed(DAY, 4, capitals)),
    )


def _summary(*lines):
    whole = file(*lines)
    list(whole)
    return whole.summary


def test_of_very_many_lost_lines_a_thousand_are_kept_and_all_are_counted():
    lines = [line(f"{at}", at) for at in range(MAX_LISTED + 1)]
    found = read_earlier(NO_IDS, (), [file(*lines)])
    assert [one.number for one in found.lost] == list(range(2, MAX_LISTED + 2))
    assert (found.total, found.rows, found.naming) == (Total(1_001, 500_500), 1_001, ())


def test_an_earlier_file_of_bad_format_loses_nothing_but_still_names_a_sale():
    def broken():
        return [file(A, B, miscounted_by=1)]

    named = Earlier(sha256="", rows=0, total=Total(), lost=(), naming=(Filed(DAY, 3, B),))
    assert read_earlier(NO_IDS, {B.merchant_id}, broken()) == named
    assert read_earlier(NO_IDS, (), broken()) == UNREAD  # one that cannot be read says as little


# Lines that the last file lacks


def an_earlier(*lines, total=None, rows=0):
    """An earlier file whose lines are lost."""
    kept = tuple(Filed(DAY, at, one) for at, one in enumerate(lines, 2))
    said = total or Total(len(lines), sum(one.cents for one in lines))
    return Earlier(sha256="other", rows=rows or said.rows, total=said, lost=kept, naming=())


SHORT = Lacking(least=Total(3, 60_000))
AB = [A, B], [sale("a"), sale("b", 20_000)]


def lacks(lines=AB, known=Lacking(), earlier=(), before=None):  # noqa: B008 - it never changes
    filed, sold = lines
    return lacking(settled(*filed, sold=sold), ids(*filed), known, earlier, before)


def test_a_file_that_has_all_that_was_ever_there_lacks_nothing():
    assert lacks() == Lacking() == Lacking(least=Total(), lines=(), unlisted=False)
    assert lacks(known=Lacking(least=Total(2, 30_000), lines=lost(A, B))) == Lacking()


def test_lines_stay_lacking_until_a_file_holds_one_of_their_ids_each_once_in_order():
    known = Lacking(lines=(*lost(C), *lost(A)), unlisted=True)
    assert lacks(known=known) == Lacking(lines=lost(C), unlisted=True)
    other = line("d", 5)
    found = lacks(known=known, earlier=[an_earlier(C, other), an_earlier(other)])
    assert found == Lacking(lines=lost(C, other), unlisted=True)


@pytest.mark.parametrize(
    ("least", "is_short"),
    [
        (Total(2, 30_000), False),
        (Total(3, 30_000), True),
        (Total(2, 30_001), True),
        (Total(3, 1), True),
        (Total(1, 30_001), True),
        (Total(1, 1), False),
    ],
)
def test_a_file_is_short_from_one_line_or_one_cent_on(least, is_short):
    assert lacks(known=Lacking(least=least)) == Lacking(least=least if is_short else Total())


def test_the_least_that_a_file_bills_is_the_most_ever_known_of_rows_and_of_cents():
    cut = an_earlier(C, total=Total(2, 40_000), rows=5)  # its lost lines are not all kept
    assert lacks(earlier=[cut]) == Lacking(least=Total(5, 0), lines=lost(C))
    assert lacks(earlier=[an_earlier(C, rows=5)]) == Lacking(lines=lost(C))  # all of them are
    assert lacks(known=SHORT, earlier=[cut]) == Lacking(least=Total(5, 60_000), lines=lost(C))
    assert lacks(known=Lacking(least=Total(9, 1)), earlier=[cut]) == Lacking(least=Total(9, 1), lines=lost(C))


def test_lines_that_are_lacking_are_remembered_up_to_a_thousand():
    known = Lacking(lines=lost(*(line(f"{at}", at) for at in range(MAX_LISTED + 1))))
    assert lacks(known=known).lines == known.lines[:MAX_LISTED] != known.lines


# The document of a file whose bytes are gone


def paper(*lines, sold=(), **changes):
    return next_version(settled(*lines, sold=sold), None) | changes


def test_a_document_shows_the_lines_and_cents_of_its_file_and_the_listed_lines():
    before = paper(A, B, C, sold=AB[1])  # nobody knows C: it is listed
    assert lacks(before=before) == Lacking(least=Total(3, 60_000), lines=lost(C))
    plain = paper(A, B, C, sold=[*AB[1], sale("c", 30_000)])
    assert lacks(before=plain) == Lacking(least=Total(3, 60_000))
    assert lacks(([A, B, C], AB[1]), before=before) == Lacking()
    assert lacks(known=Lacking(least=Total(4, 50_000)), before=before) == Lacking(least=Total(4, 60_000), lines=lost(C))


def test_a_line_that_a_document_lists_is_lost_only_where_neither_of_its_ids_is_there():
    before = paper(A, B, C, sold=AB[1])
    other = C._replace(transaction_id=guid("another"))
    assert lacks(([A, B, other], AB[1]), before=before).lines == ()
    assert lacks(([A, B, other._replace(merchant_id=guid("one more"))], AB[1]), before=before).lines == lost(C)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("cut", [False, True])
def test_a_document_with_cut_lists_leaves_the_loss_of_lines_open_for_good(known, cut):
    before = paper(A, B, **({"leftOut": {"discrepancies": 1}} if cut else {}))
    assert lacks(known=Lacking(unlisted=known), before=before).unlisted is (known or cut)
    assert lacks(known=Lacking(unlisted=known)).unlisted is known


def test_differing_amounts_and_negative_lines_reduce_neither_file_nor_document():
    dearer, back, more_back = A._replace(amount="10700"), line("a", -10_000), line("b", -1)
    before = paper(dearer, B, back, more_back, sold=AB[1])
    assert lacks(before=before).least == Total(4, 30_000)
    assert lacks(([dearer, B, back, more_back], AB[1]), before=before) == Lacking()
    assert lacks(([dearer, back, B], AB[1]), known=Lacking(least=Total(3, 30_000))) == Lacking()
    assert lacks(([dearer, back, B], AB[1]), known=Lacking(least=Total(3, 30_001))).least == Total(3, 30_001)


def test_discrepancies_carried_from_earlier_days_are_no_lines_of_the_file():
    stranger = line("x", 900)
    yesterday = settled(stranger, line("y", -77)).discrepancies
    carried = tuple(structs.replace(one, day=DAY - ONE_DAY) for one in yesterday)
    before = next_version(settled(A, B, sold=AB[1], earlier_days=carried), None)
    assert len(before["discrepancies"]) == 2
    assert lacks(before=before) == Lacking()
    lacking_now = lacks(([A], [sale("a")]), before=before)
    assert lacking_now == Lacking(least=Total(2, 30_000))


def test_a_discrepancy_of_no_line_is_no_line_of_the_file():
    """Lacking sales and withdrawn lines have no line of their own in the document."""
    before = paper(A, sold=AB[1])
    (found,) = before["discrepancies"]
    gone = found | {"kind": "lines_withdrawn", "theirs": {"rows": 1, "amountCents": 900}}
    assert lacks(before=before) == Lacking() == lacks(before=before | {"discrepancies": [gone]})


# Reported lines


def test_of_known_lines_and_each_earlier_file_the_one_with_most_lines_is_reported():
    day = settled(A, B, sold=AB[1])
    first, second = an_earlier(total=Total(2, 5)), an_earlier(total=Total(3, 4))
    assert withdrawn(day, Lacking(), []) is None
    assert withdrawn(day, Lacking(), [first, second]) == Total(3, 4) == withdrawn(day, Lacking(), [second, first])
    assert withdrawn(day, Lacking(lines=lost(A, A, A, C)), [first, second]) == Total(4, 60_000)
    assert withdrawn(day, Lacking(least=Total(4, 30_007)), [first]) == Total(2, 5)
    assert withdrawn(day, Lacking(least=Total(5, 30_007)), [first]) == Total(3, 7)
    assert withdrawn(day, Lacking(least=Total(5, 30_003)), [first]) == Total(3, 5)


@pytest.mark.parametrize(
    ("least", "told"),
    [(Total(2, 30_000), None), (Total(3, 30_000), Total(1, 0)), (Total(2, 30_001), Total(0, 1)), (Total(1, 29_999), None)],
)
def test_withdrawn_is_distinguished_from_one_line_or_one_cent_on(least, told):
    assert withdrawn(settled(A, B, sold=AB[1]), Lacking(least=least), []) == told
    negative = settled(A, B, line("a", -10_000), sold=AB[1])
    assert withdrawn(negative, Lacking(least=Total(least.rows + 1, least.cents)), []) == told


def test_a_line_of_no_cents_that_is_gone_is_reported():
    assert withdrawn(settled(A, B, sold=AB[1]), Lacking(), [an_earlier(line("zero", 0))]) == Total(1, 0)

"""Any day: every cent is conserved, a second run finds nothing new, and a changed byte never passes unseen."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.statement import FileRefused
from shared.domain.transaction import State
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import Plant, planted, written
from shared.settlement.comparison import compare
from shared.settlement.matching import FileInterpretation, MerchantId
from shared.settlement.settled_day import Status, next_version
from tests.unit.settlement.compared import (
    BEFORE,
    DAY,
    MIDNIGHT,
    NEXT,
    NOON,
    TODAY,
    A,
    B,
    closed,
    doubtful,
    is_conserved,
    kinds,
    line,
    recorded,
    sale,
    settled,
)


def many(count, chance):
    services = list(VasType)
    for at in range(count):
        service = services[at % len(services)]
        recipient = None if service is VasType.VOUCHER else f"{27_600_000_000 + chance.randrange(10**9)}"
        yield sale(
            str(at),
            vas_type=service,
            recipient=recipient,
            amount_cents=chance.randrange(100, 50_000),
            created_at=NOON + timedelta(seconds=at % 3600),
        )


FOUND = {
    Plant.MISSING: DiscrepancyKind.MISSING_AT_SUPPLIER,
    Plant.EXTRA: DiscrepancyKind.MISSING_HERE,
    Plant.DUPLICATE: DiscrepancyKind.DUPLICATE_LINE,
    Plant.TWICE: DiscrepancyKind.VENDED_TWICE,
    Plant.AMOUNT: DiscrepancyKind.AMOUNT_DIFFERS,
    Plant.BINNED: DiscrepancyKind.STATE_DIFFERS,
    Plant.UNKNOWN_STATUS: DiscrepancyKind.UNKNOWN_STATUS,
    Plant.REVERSED: DiscrepancyKind.NEGATIVE_LINE,
}


def test_sixty_faults_among_twenty_thousand_sales_are_found_and_nothing_else():
    chance = random.Random(60)
    sold = list(many(20_000, chance))
    plants = dict(zip(chance.sample(range(len(sold)), 60), [*FOUND] * 8, strict=False))
    result = closed(sold, planted(map(line, sold), plants))
    expected = sorted((FOUND[plant], sold[at].id) for at, plant in plants.items() if plant is not Plant.EXTRA)
    assert len(result.discrepancies) == len(plants) == 60
    assert sorted((found.kind, found.transaction_id) for found in result.discrepancies if found.transaction_id) == expected
    assert kinds(result).count(DiscrepancyKind.MISSING_HERE) == 60 - len(expected)
    assert is_conserved(result)


STATES = st.sampled_from([State.VENDED, State.VENDED, State.VENDED, State.REJECTED, State.IN_DOUBT, State.VENDING])


@st.composite
def days(draw, *, claims=True):
    """Sales of three days in any state, and files that hold their lines, with faults, in their own or another day's file."""
    sold, files = [], {BEFORE: [], DAY: [], NEXT: []}
    for at in range(draw(st.integers(0, 8))):
        state = draw(STATES)
        made_at = MIDNIGHT + timedelta(minutes=draw(st.integers(-1440, 2879)))
        service = draw(st.sampled_from([VasType.UTILITY, VasType.DATA]))
        fields = {"vas_type": service, "amount_cents": draw(st.sampled_from([100, 200])), "created_at": made_at, "state": state}
        known = sale(str(at), **fields) if state is State.VENDED else doubtful(str(at), **fields)
        if claims and sold and draw(st.integers(0, 9)) == 0:
            known = structs.replace(known, supplier_transaction_id=sold[0].supplier_transaction_id)
        sold.append(known)
        truthful = line(known, **({"vas_type": "Airtime"} if draw(st.integers(0, 9)) == 0 else {}))
        faults = draw(st.dictionaries(st.just(0), st.sampled_from([*Plant]), max_size=1))
        filed = draw(st.sampled_from([known.day, known.day, BEFORE, DAY, NEXT]))
        if state is State.VENDED or draw(st.booleans()):
            files[filed if filed in files else DAY] += planted([truthful], faults)
    for missing in draw(st.sets(st.sampled_from(sorted(files)))):
        del files[missing]
    return sold, files, {"merchant_id": draw(st.sampled_from(list(MerchantId)))}


@settings(max_examples=150, deadline=None)
@given(days())
def test_every_cent_of_any_day_is_conserved(arbitrary):
    sold, files, readings = arbitrary
    for day in (BEFORE, DAY, NEXT):
        assert is_conserved(settled(sold, files, day=day, **readings))


@settings(max_examples=100, deadline=None)
@given(days(claims=False))
def test_a_second_run_of_any_day_finds_nothing_new(arbitrary):
    sold, files, readings = arbitrary
    result = settled(sold, files, **readings)
    first = next_version(result, None)
    assert next_version(settled(list(recorded(sold, result)), files, **readings), first) is first


@settings(max_examples=100, deadline=None)
@given(days())
def test_a_sale_with_a_line_of_its_own_is_never_called_absent(arbitrary):
    sold, files, readings = arbitrary
    named = {one.merchant_id for lines in files.values() for one in lines}
    missing = {one.id for one in sold if one.request_id not in named}
    assert set(settled(sold, files, **readings).absent) <= missing


@settings(max_examples=100, deadline=None)
@given(count=st.integers(0, 30), seed=st.integers(0, 2**32))
def test_a_truthful_file_gives_no_discrepancy(count, seed):
    chance = random.Random(seed)
    sold = list(many(count, chance))
    lines = list(map(line, sold))
    chance.shuffle(lines)
    result = closed(sold, lines)
    assert (result.status, result.discrepancies, result.matched.rows) == (Status.BALANCED, (), count)
    assert is_conserved(result)


TRUTHFUL = b"".join(written(DAY, [line(A), line(B)]))


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, len(TRUTHFUL) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_reported_or_harmless(at, byte):
    corrupted = TRUTHFUL[:at] + bytes([byte]) + TRUTHFUL[at + 1 :]
    files = [SettlementFile(written(NEXT, []))]
    try:
        files.append(SettlementFile([corrupted]))
        result = compare(DAY, [A, B], files, mode=Mode.LIVE, today=TODAY, readings=FileInterpretation())
    except (FileRefused, ValueError):
        return
    truth = closed([A, B], [line(A), line(B)])
    unchanged = structs.replace(result, file=truth.file) == truth
    assert unchanged or result.discrepancies or result.status is Status.FILE_MISSING
    assert is_conserved(result)

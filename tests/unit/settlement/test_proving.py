"""The proofs of a day's files are recorded: in order, in the words of the line, and for no sale that has changed since."""

from datetime import UTC, date, datetime

import pytest
from msgspec import structs

from shared.domain.outcome import Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.transaction import EventName, State
from shared.settlement.settled_day import Proof, VendIndication
from tests.archive import Archive, bill
from tests.step_driver import START, electricity, run
from tests.unit.settlement.compared import closed

MORNING = datetime(2026, 5, 2, 4, tzinfo=UTC)
DAY = date(2026, 5, 1)
LOST = Unknown("ReadTimeout")
REFUSED = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011")
OURS = Vended(Receipt(supplier_transaction_id="ours", tokens_due=TokensDue.NONE))
EMPTY = closed([], [])


def sold(world, answer):
    """A sale as this answer left it."""
    now, world.now, world.answers = world.now, START, [answer]
    sale = run(world.vending.purchase(electricity(f"key-{len(world.sales)}", allow_duplicate=True))).transaction
    world.now = now
    return sale


@pytest.fixture
def world():
    return Archive(now=MORNING)


def healed(world, **found):
    """The sales as the files' word leaves them."""
    return run(world.settling()._proving.record(structs.replace(EMPTY, **found)))


def sign(sale, *, is_of_doubt=True):
    return VendIndication(transaction_id=sale.id, is_of_doubt=is_of_doubt, day=DAY, number=7, line=bill(sale, status="Binned"))


def proof(sale, supplier_id="theirs", *, ends_sale=True):
    line = bill(sale, supplier_id)
    return Proof(transaction_id=sale.id, supplier_transaction_id=supplier_id, token_due=False, ends_sale=ends_sale, line=line)


def events(world, sale):
    return [event for sale_id, event, _ in world.topic if sale_id == sale.id]


def words(sale):
    return [(raw.source, raw.received_at, raw.status, raw.body) for raw in sale.answers if raw.source == "settlement"]


# Signs


def test_an_indication_of_a_doubt_is_noted_with_its_line_and_ends_nothing(world):
    doubt = sold(world, LOST)
    (signed,) = healed(world, signs=(sign(doubt),))
    assert signed == world.sales[doubt.id] and (signed.state, signed.sign_of_vend) == (State.IN_DOUBT, True)
    text = sign(doubt).line.text.encode()
    assert words(signed) == [("settlement", MORNING, None, text)]
    assert "named by line 7 of the settlement file of 2026-05-01" in str(signed.history)


@pytest.mark.parametrize("answer", [REFUSED, OURS])
def test_an_indication_of_a_doubt_that_has_ended_since_says_nothing(world, answer):
    ended = sold(world, answer)
    assert healed(world, signs=(sign(ended),)) == [ended] == [world.sales[ended.id]]


def test_a_doubt_that_shows_an_indication_already_is_left_as_it_is(world):
    shown = sold(world, Unknown("HTTP 200", sign_of_vend=True))
    assert healed(world, signs=(sign(shown),)) == [shown] == [world.sales[shown.id]]


def test_an_indication_contradicts_a_rejection_and_no_sale_that_is_open_again(world):
    ended, doubt = sold(world, REFUSED), sold(world, LOST)
    contradicted, left = healed(world, signs=(sign(ended, is_of_doubt=False), sign(doubt, is_of_doubt=False)))
    assert contradicted.state is State.REJECTED and events(world, ended)[-1] is EventName.CONTRADICTED
    assert left == doubt == world.sales[doubt.id]
    (again,) = healed(world, signs=(sign(ended, is_of_doubt=False),))
    assert again == contradicted and events(world, ended).count(EventName.CONTRADICTED) == 1


# Proofs


def test_the_proof_that_ends_a_sale_goes_first_and_the_other_proofs_contradict_it(world):
    doubts = sold(world, LOST), sold(world, LOST)
    proofs = [proof(one, name, ends_sale=name == "c") for one in doubts for name in ("b", "c", "a")]
    found = healed(world, proofs=tuple(proofs))
    assert [one.id for one in found] == sorted(one.id for one in doubts)
    for one in found:
        assert (one.state, one.receipt.supplier_transaction_id) == (State.VENDED, "c") and one == world.sales[one.id]
        assert [entry.by for entry in one.history][-3:] == ["settlement"] * 3
        assert [body for *_, body in words(one)] == [bill(one, name).text.encode() for name in ("c", "a", "b")]
        assert EventName.CONTRADICTED in events(world, one)


# Absence


def test_absence_rejects_a_doubt_and_says_so(world):
    doubt = sold(world, LOST)
    (ended,) = healed(world, absent=(doubt.id,))
    assert ended.outcome == Rejected(Reason.TEMPORARILY_UNAVAILABLE, "absent from the settlement files")
    assert ended == world.sales[doubt.id] and (ended.state, ended.history[-1].by) == (State.REJECTED, "settlement")
    assert events(world, doubt)[-1] is EventName.REJECTED and not ended.unannounced


@pytest.mark.parametrize("answer", [REFUSED, OURS, Unknown("HTTP 200", sign_of_vend=True)])
def test_absence_says_nothing_of_a_sale_that_has_ended_or_shown_an_indication_since(world, answer):
    other = sold(world, answer)
    assert healed(world, absent=(other.id,)) == [other] == [world.sales[other.id]]


def test_indications_go_before_proofs_and_both_before_absence_which_they_stop(world):
    doubt, proven, silent = (sold(world, LOST) for _ in range(3))
    found = healed(world, signs=(sign(doubt),), proofs=(proof(proven),), absent=(doubt.id, proven.id, silent.id))
    assert [(one.id, one.state) for one in found] == [
        (doubt.id, State.IN_DOUBT),
        (proven.id, State.VENDED),
        (doubt.id, State.IN_DOUBT),
        (proven.id, State.VENDED),
        (silent.id, State.REJECTED),
    ]


def test_an_indication_contradicts_a_rejection_that_had_shown_one_before(world):
    ended = sold(world, REFUSED)
    world.sales[ended.id] = structs.replace(ended, sign_of_vend=True)
    (contradicted,) = healed(world, signs=(sign(ended, is_of_doubt=False),))
    assert contradicted.state is State.REJECTED and events(world, ended)[-1] is EventName.CONTRADICTED


def test_absence_never_contradicts_a_vend_whatever_its_record_says_of_indications(world):
    vended = sold(world, OURS)
    world.sales[vended.id] = vended = structs.replace(vended, sign_of_vend=False)
    assert healed(world, absent=(vended.id,)) == [vended] == [world.sales[vended.id]]

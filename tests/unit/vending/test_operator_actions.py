"""What a person may decide about a sale, and what their decision makes of it."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Answer, Reason, Receipt, Rejected, TokensDue, Vended
from shared.domain.sale_summary import Sold
from shared.domain.transaction import EventName, State, transition
from shared.domain.vas import Mode, Order, VasType
from shared.ports.documents import Document, DocumentKind
from shared.settlement.closing import Closing, DiscrepancyClosed
from shared.store.transaction_documents import transaction_document, transaction_of
from shared.vending.operator_actions import Decision, NothingToDecide, TokensRefused, VersionConflict, decided
from tests.sales import NOON, ORDER, PINNED_ORDER, RECEIPT, TOKEN, in_doubt, vended, vending
from tests.step_driver import World, run

AT = NOON + timedelta(hours=1)
WHO = "thandi@wallet.example"


def decide(sale, state=State.VENDED, tokens=None, *, version=None, at=AT, note="Why."):
    decision = Decision(version=sale.version if version is None else version, state=state, tokens=tokens, note=note)
    return decided(sale, decision, at=at, by=WHO, retry_seconds=60)


def pending(sale):
    """A sale that vended, and whose token is due."""
    receipt = Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING)
    return transition(sale, Answer(Vended(receipt)), at=NOON, by="supplier", retry_seconds=60)


@pytest.mark.parametrize(
    ("order", "tokens", "due"),
    [
        (ORDER, None, TokensDue.PENDING),
        (ORDER, (), TokensDue.NONE),
        (ORDER, (TOKEN,), TokensDue.DELIVERED),
        (PINNED_ORDER, None, TokensDue.PENDING),
        (PINNED_ORDER, ("1234 5678 9012",), TokensDue.DELIVERED),
        (structs.replace(PINNED_ORDER, vas_type=VasType.AIRTIME, pinned=False, mobile_number="27821234567"), None, TokensDue.NONE),
    ],
)
def test_a_sale_decided_as_vended_is_delivered_or_still_due(order, tokens, due):
    sale = decide(in_doubt(order=order), tokens=tokens)
    assert (sale.state, sale.receipt.tokens_due, sale.receipt.supplier_transaction_id) == (State.VENDED, due, None)
    assert EventName.VENDED in sale.unannounced
    assert [entry.what for entry in sale.history[-2:]] == ["decision: vended", "vended"]
    assert (sale.history[-2].by, sale.history[-2].note) == (WHO, "Why.")


def test_an_abandoned_sale_can_be_decided():
    sale = vending()
    with pytest.raises(NothingToDecide):
        decide(sale, at=sale.lease_until - timedelta(seconds=1))
    assert decide(sale, State.REJECTED, at=sale.lease_until).state is State.REJECTED


def test_tokens_are_added_to_what_is_known():
    sale = pending(in_doubt())
    told = decide(sale, None, (TOKEN, TOKEN))
    assert (told.receipt.supplier_transaction_id, len(told.receipt.tokens), told.version) == ("s-1", 2, sale.version + 1)
    assert EventName.TOKENS in told.unannounced


@pytest.mark.parametrize(
    ("sale", "state"),
    [
        (vended(), State.VENDED),
        (vended(), State.REJECTED),
        (vended(), None),
        (in_doubt(), None),
        (pending(in_doubt()), State.REJECTED),
        (pending(in_doubt()), State.VENDED),
    ],
)
def test_an_ended_sale_stays_ended(sale, state):
    with pytest.raises(NothingToDecide):
        decide(sale, state, (TOKEN,))


def test_a_decision_on_another_version_is_refused():
    sale = in_doubt()
    with pytest.raises(VersionConflict) as outdated:
        decide(sale, version=sale.version - 1)
    assert outdated.value.sale is sale


@pytest.mark.parametrize(
    ("order", "tokens", "at"),
    [
        (ORDER, (TOKEN, "1"), 1),
        (ORDER, ("12345678901234567890",), 0),  # a real one, in a simulated sale
        (PINNED_ORDER, ("1234", "5678"), None),
        (Order(vas_type=VasType.BILL_PAYMENT, amount=ORDER.amount, merchant_product_id="b", account_number="12345"), ("1234",), None),
    ],
)
def test_a_text_that_cannot_be_the_sales_token_is_refused_unquoted(order, tokens, at):
    with pytest.raises(TokensRefused) as refused:
        decide(in_doubt(order=order), tokens=tokens)
    assert refused.value.at == at
    assert not any(token in str(refused.value) for token in tokens if len(token) > 2)


@pytest.mark.parametrize(("zeros", "mode"), [(11, Mode.LIVE), (12, Mode.SIMULATED), (13, Mode.SIMULATED), (0, Mode.LIVE)])
def test_twelve_zeros_tell_a_simulated_token_from_a_real_one(zeros, mode):
    token = "0" * zeros + "1" * (20 - zeros)
    for other in Mode:
        sale = structs.replace(in_doubt(), mode=other)
        if other is mode:
            assert decide(sale, tokens=(token,)).receipt.tokens[0].number == token
        else:
            with pytest.raises(TokensRefused):
                decide(sale, tokens=(token,))


def test_a_live_sale_takes_no_simulated_token():
    sale = structs.replace(in_doubt(), mode=Mode.LIVE)
    with pytest.raises(TokensRefused):
        decide(sale, tokens=(TOKEN,))
    assert decide(sale, tokens=("1234-5678-9012-3456-7890",)).receipt.tokens[0].number == "12345678901234567890"


def test_an_operators_vend_agrees_with_any_later_supplier_id():
    sale = decide(in_doubt(), tokens=None)
    told = transition(sale, Answer(Vended(RECEIPT)), at=AT, by="reprint", retry_seconds=60)
    assert (told.receipt, EventName.CONTRADICTED in told.unannounced) == (RECEIPT, False)
    assert Sold.of(sale).supplier_transaction_id is None


def test_an_operators_vend_is_stored_and_is_no_control():
    sale = decide(in_doubt(), tokens=(TOKEN,))
    document = transaction_document(sale)
    assert transaction_of(document, None) == sale
    assert not any("vended" in key or "supplier" in key for key in document["keys"])


def test_a_decision_shows_no_token():
    assert TOKEN not in repr(Decision(version=1, state=None, tokens=(TOKEN,), note="Why."))


@pytest.mark.parametrize("sale", [in_doubt(), vended()], ids=lambda sale: sale.state)
def test_a_sale_without_a_decision_due_is_named_in_the_error(sale):
    with pytest.raises(NothingToDecide) as refused:
        decide(sale, None, (TOKEN,))
    assert refused.value.sale is sale


def test_the_history_names_a_decision_before_its_effect():
    sale = decide(pending(in_doubt()), None, (TOKEN,), note="read 12345678901234567890 out")
    assert [(entry.what, entry.by) for entry in sale.history[-2:]] == [("decision: tokens", WHO), ("tokens added", WHO)]
    assert "12345678901234567890" not in sale.history[-2].note and "read" in sale.history[-2].note
    rejected = decide(in_doubt(), State.REJECTED)
    assert [entry.what for entry in rejected.history[-2:]] == ["decision: rejected", "rejected"]
    assert rejected.outcome == Rejected(Reason.TEMPORARILY_UNAVAILABLE, "decided by a person")


@pytest.mark.parametrize(("tokens", "kinds"), [((TOKEN,), ["credit"]), ((TOKEN, f"{TOKEN[:-1]}9"), ["other", "other"])])
def test_one_token_is_the_credit_and_several_are_other(tokens, kinds):
    receipt = decide(in_doubt(), tokens=tokens).receipt
    assert [(token.number, token.kind) for token in receipt.tokens] == list(zip(tokens, kinds, strict=True)) and receipt.pin is None


def test_a_pin_is_stored_as_typed_and_is_no_token():
    receipt = decide(in_doubt(order=PINNED_ORDER), tokens=("1234 5678 9012",)).receipt
    assert (receipt.pin, receipt.tokens, receipt.tokens_due) == ("1234 5678 9012", (), TokensDue.DELIVERED)


def test_an_old_discrepancy_gets_its_supplier_id_at_its_closure():
    world = World(now=AT)
    body = {"id": "ab", "status": "open", "closure": None, "ours": {"amountCents": 5}, "theirs": None, "seen": "mark"}
    world.papers[DocumentKind.DISCREPANCIES, "live-ab"] = Document("live-ab", body, "live-open", revision="r")
    closing = Closing(store=world, mode=Mode.LIVE, now=lambda: world.now)
    closure = {"decision": "accepted", "note": "a cent", "by": WHO, "at": "2026-05-01T11:00:00.000000Z"}
    shown = {"id": "ab", "status": "accepted", "closure": closure, "ours": {"amountCents": 5, "supplierId": "MOBILEMART"}, "theirs": None}
    for _ in range(2):
        assert run(closing.close("ab", "accepted", "a cent", WHO)) == shown
    paper = world.papers[DocumentKind.DISCREPANCIES, "live-ab"]
    assert (paper.body, paper.mark) == ({**shown, "seen": "mark"}, "live-closed")
    for other in (("corrected", "a cent", WHO), ("accepted", "two cents", WHO), ("accepted", "a cent", "ann@example.com")):
        with pytest.raises(DiscrepancyClosed) as closed:
            run(closing.close("ab", *other))
        assert closed.value.body["closure"] == closure

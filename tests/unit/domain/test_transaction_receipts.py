"""A receipt takes more from each later answer of the same sale, and loses nothing that it has."""

from decimal import Decimal

import pytest
from msgspec import structs

from shared.domain.outcome import Charge, Consumer, Receipt, TokensDue, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import EventName
from tests.unit.domain.answered_sales import DELIVERED, LOST, OTHER, PENDING, TOKEN, learned, sale

FIRST_KEY = StsToken(TokenKind.KEY_CHANGE, "00000000000000000001")
SECOND_KEY = StsToken(TokenKind.KEY_CHANGE, "00000000000000000002")
CONSUMER = Consumer("J DOE", None, "Arrears are due")
DUE, DONE = TokensDue.PENDING, TokensDue.DELIVERED


def printed(due, *tokens, issued=None, **fields):
    return Vended(Receipt(supplier_transaction_id="s-1", tokens_due=due, tokens=tokens, tokens_issued=issued, **fields))


@pytest.mark.parametrize(
    ("known", "reprint", "due", "tokens"),
    [
        (printed(DUE, FIRST_KEY), printed(DONE, TOKEN), DONE, (FIRST_KEY, TOKEN)),
        (printed(DUE, TOKEN, issued=2), printed(DONE, FIRST_KEY), DONE, (FIRST_KEY, TOKEN)),
        (printed(DUE, TOKEN, issued=3), printed(DONE, FIRST_KEY), DUE, (FIRST_KEY, TOKEN)),  # one is missing still
        (printed(DUE, TOKEN, issued=2), printed(DONE, TOKEN), DUE, (TOKEN,)),
        (printed(DUE, FIRST_KEY, TOKEN, issued=3), printed(DONE, FIRST_KEY, SECOND_KEY, TOKEN), DONE, (FIRST_KEY, SECOND_KEY, TOKEN)),
        (printed(DUE, SECOND_KEY, FIRST_KEY, issued=3), printed(DONE, FIRST_KEY, SECOND_KEY, TOKEN), DONE, (FIRST_KEY, SECOND_KEY, TOKEN)),
        (printed(DUE, TOKEN), printed(TokensDue.NONE), DUE, (TOKEN,)),
        (printed(DUE), printed(TokensDue.NONE), TokensDue.NONE, ()),
        (printed(DUE, issued=1), printed(TokensDue.NONE), DUE, ()),
        (printed(DUE), printed(DUE, TOKEN, issued=2), DUE, (TOKEN,)),
        (printed(DUE, FIRST_KEY, issued=3), printed(DUE, TOKEN, issued=3), DUE, (FIRST_KEY, TOKEN)),
    ],
)
def test_a_recovery_adds_tokens_and_the_whole_receipt_decides_what_is_due(known, reprint, due, tokens):
    whole = learned(sale(known), reprint, by="reprint")
    assert (whole.receipt.tokens_due, whole.receipt.tokens) == (due, tokens)
    assert (EventName.TOKENS in whole.unannounced) is (due is not DUE)  # once, when nothing more is due
    assert (whole.version, whole.tokens_pending) == (2 if whole.receipt == known.receipt else 3, due is DUE)


def test_tokens_that_could_be_read_bit_by_bit_are_delivered_when_a_list_has_them_all():
    known = sale(printed(DUE, FIRST_KEY, issued=2))
    for part in (printed(DUE, TOKEN, issued=2), printed(DONE, FIRST_KEY, TOKEN)):
        known = learned(known, part, by="reprint")
    assert (known.receipt.tokens_due, known.receipt.tokens, known.receipt.tokens_issued) == (DONE, (FIRST_KEY, TOKEN), None)
    assert [entry.what for entry in known.history] == ["vended", "more of the receipt read", "tokens added"]


def test_fields_that_a_recovery_lacks_stay_on_the_receipt():
    first = printed(DUE, receipt_number="R-1", consumer=CONSUMER, charges=(Charge("arrears", None),), instructions="type it")
    reprint = printed(DONE, TOKEN, receipt_number="R-2", consumer=Consumer("J DOE", "1 ROAD"), units=TOKEN.units)
    receipt = learned(sale(first), reprint, by="reprint").receipt
    assert receipt.consumer == Consumer("J DOE", "1 ROAD", "Arrears are due")
    assert (receipt.receipt_number, receipt.charges, receipt.instructions) == ("R-2", (Charge("arrears", None),), "type it")
    assert receipt.units == TOKEN.units


def test_no_answer_takes_back_anothers_words_while_tokens_are_due():
    known = sale(printed(DUE, receipt_number="R-1"))
    assert learned(known, printed(DUE, receipt_number="R-2"), by="reprint") is known
    assert learned(known, printed(DUE, serial_number="S-1"), by="settlement").receipt.receipt_number == "R-1"


def test_units_of_a_part_of_the_tokens_are_not_those_of_the_whole():
    free = StsToken(TokenKind.FREE, "00000000000000000003", Decimal(50))
    whole = learned(sale(printed(DUE, free, issued=2)), printed(DONE, TOKEN, units=TOKEN.units), by="reprint").receipt
    assert (whole.tokens, whole.units) == ((free, TOKEN), None)


def test_an_operators_tokens_complete_the_receipt_and_remove_none():
    known = sale(printed(DUE, FIRST_KEY, issued=3))
    whole = learned(known, printed(DONE, TOKEN, issued=3), by="ann@example.com").receipt
    assert (whole.tokens_due, whole.tokens, whole.tokens_issued) == (DONE, (FIRST_KEY, TOKEN), None)
    nothing = learned(known, printed(TokensDue.NONE, FIRST_KEY, issued=3), by="ann@example.com").receipt
    assert (nothing.tokens_due, nothing.tokens) == (TokensDue.NONE, (FIRST_KEY,))


GUID = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"


def named(outcome, supplier_id):
    return Vended(structs.replace(outcome.receipt, supplier_transaction_id=supplier_id))


@pytest.mark.parametrize(("on_record", "said"), [(GUID, GUID.upper()), (GUID.upper(), GUID)])
def test_an_id_in_another_case_is_no_second_vend_and_brings_its_tokens(on_record, said):
    whole = learned(sale(named(PENDING, on_record)), named(DELIVERED, said))
    assert whole.receipt.tokens == (TOKEN,) and whole.unannounced == (EventName.VENDED, EventName.TOKENS)
    assert whole.receipt.supplier_transaction_id == on_record


def test_an_id_that_is_no_guid_is_another_one_in_another_case():
    assert learned(sale(named(PENDING, "T-1")), named(DELIVERED, "t-1")).history[-1].note == "vended_twice: t-1"


def test_an_id_unknown_to_the_operator_is_added_and_another_id_contradicts():
    decided = structs.replace(DELIVERED, receipt=structs.replace(DELIVERED.receipt, supplier_transaction_id=None))
    known = sale(LOST, decided)
    named = learned(known, PENDING)
    assert named.receipt.supplier_transaction_id == "s-1" and named.receipt.tokens == (TOKEN,) and named.version == known.version + 1
    assert EventName.TOKENS not in named.unannounced
    assert learned(named, OTHER).history[-1].what == "contradicted"


def test_an_id_unknown_to_the_operator_is_added_while_its_token_is_due():
    decided = structs.replace(PENDING, receipt=structs.replace(PENDING.receipt, supplier_transaction_id=None))
    named = learned(sale(LOST, decided), PENDING)
    assert (named.receipt.supplier_transaction_id, named.tokens_pending) == ("s-1", True)
    assert [entry.what for entry in named.history] == ["in_doubt", "vended", "supplier's id learned"]


PIN = Receipt(supplier_transaction_id="s-1", pin="1234 5678")


@pytest.mark.parametrize(
    ("known", "more", "lacks"),
    [
        (PIN, PIN, False),
        (PIN, structs.replace(PIN, pin="1234-5678"), False),
        (PIN, structs.replace(PIN, pin="12345679"), True),
        (PIN, structs.replace(PIN, pin="****5679"), False),
        (PIN, structs.replace(PIN, pin=None), False),
        (structs.replace(PIN, pin=None), PIN, True),
        (DELIVERED.receipt, DELIVERED.receipt, False),
        (DELIVERED.receipt, PENDING.receipt, False),
        (PENDING.receipt, DELIVERED.receipt, True),
        (DELIVERED.receipt, structs.replace(PENDING.receipt, tokens_issued=1), False),
        (DELIVERED.receipt, structs.replace(PENDING.receipt, tokens_issued=2), True),
    ],
)
def test_a_receipt_lacks_the_tokens_that_only_another_answer_has(known, more, lacks):
    assert known.lacks(more) is lacks


WITH_BOTH = structs.replace(DELIVERED.receipt, pin="9999-9999")


@pytest.mark.parametrize(
    ("receipt", "said", "is_quoted"),
    [
        *((DELIVERED.receipt, said, True) for said in (b"0000 0000 0000 1234 5678", b"\xff0000-0000-0000-1234-5678.")),
        *((DELIVERED.receipt, said, False) for said in (b"0000 0000 0000 1234 567", b"")),
        *((PIN, said, said == b"pin: 12345678") for said in (b"pin: 12345678", b"1234 567")),
        (WITH_BOTH, b"00000000000012345678, 99999999", True),
        *((WITH_BOTH, said, False) for said in (b"00000000000012345678", b"9999 9999")),
    ],
)
def test_an_answer_quotes_a_receipt_where_each_token_and_the_pin_is_in_it(receipt, said, is_quoted):
    assert receipt.is_quoted_in(said) is is_quoted

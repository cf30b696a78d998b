"""What must hold of every reading of an answer, whatever came. Judged by a reading of the body that shares nothing with ours.

Each promise has two sides: nothing is believed that the answer does not say, and nothing is lost that it says plainly.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from shared.domain.catalogue import Product
from shared.domain.identifiers import same_supplier_id
from shared.domain.outcome import (
    NoAnswer,
    NoSuchTransaction,
    Outcome,
    Prevended,
    Reason,
    Receipt,
    Rejected,
    Reprinted,
    TokensDue,
    Unknown,
    Vended,
)
from shared.domain.policy import AmountCheck, ConsumerDetails
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.access_token import Access
from shared.mobilemart.requests import Call
from shared.mobilemart.responses import SAYS_SIMULATED, Reply, read_prevend, read_products, read_reprint, read_vend
from shared.ports.credentials import Credentials
from shared.schemas.responses import encoded, transaction_body
from shared.store.sqlite import _json
from shared.store.transaction_documents import transaction_document, transaction_of
from tests.hostile import against
from tests.hostile.answer import REQUEST_ID, HostileAnswer, members
from tests.sales import NOON, ended, vending

DEFINITIVE: Final = frozenset({1000, 1001, 1002, 1006, 1008, 1010, 1011, 1013, 1016})
MAX_TOKENS: Final = 20  # of one sale

_OURS: Final = re.compile(r"HTTP [0-9]+( code -?[0-9]{1,6})?( [A-Z][A-Za-z]+)?(, [A-Za-z0-9 ]+)?(, but it[a-z ]+)?")
_ID: Final = re.compile(r"[!-~]{1,100}")


def keep(answer: HostileAnswer) -> None:
    """Read an answer as a vend's, a prevend's, a reprint's and a list's.

    Raises:
        AssertionError: a promise is broken. Anything else that is raised breaks one, too.
    """
    reply = answer.reply
    assert _OURS.fullmatch(reply.description), reply.description
    assert 1 <= reply.wait_seconds <= 3600
    for amount_check in AmountCheck:
        vend(answer, read_vend(reply, answer.order, answer.mode, REQUEST_ID, amount_check).outcome, amount_check)
    prevend(answer, read_prevend(reply, answer.order, answer.mode))
    reprint(answer, read_reprint(reply, answer.order, answer.mode, answer.asked_for, REQUEST_ID))
    products(answer, read_products(reply, answer.order.vas_type, answer.mode))


def vend(answer: HostileAnswer, outcome: Outcome, amount_check: AmountCheck = AmountCheck.ALERT) -> None:
    said = answer.said
    match outcome:
        case Vended(receipt):
            assert answer.is_success and _is_believed(answer)
            assert not against.speaks_against(answer.order, said), "it says no, or speaks of another sale"
            assert amount_check is AmountCheck.ALERT or _is_plain_amount(answer), "another amount is believed"
            _delivered(answer, receipt)
        case Rejected(reason, cause):
            assert not answer.is_success and _is_believed(answer)
            assert answer.status in {401, 429} or _plainly_refused(answer)
            assert outcome.not_taken is (answer.status == 401 or (answer.status != 429 and said.get("fulcrumErrorCode") == 1006))
            assert (outcome.retry_after_seconds is not None) is (reason is Reason.SUPPLIER_BUSY) is (answer.status == 429)
            _told(cause)
        case Unknown(cause, sign_of_vend):
            assert sign_of_vend is answer.is_success
            assert not (_plainly_sold(answer) and (amount_check is AmountCheck.ALERT or _plainly_ours(answer))), "a sale is lost"
            assert not (_is_believed(answer) and (answer.status in {401, 429} or _plainly_refused(answer))), "a refusal is lost"
            _told(cause)
    if not isinstance(outcome, Vended) or len(answer.body) < 2000:
        _storable(answer.order, outcome)


def prevend(answer: HostileAnswer, result: Prevended | Rejected) -> None:
    match result:
        case Prevended(prevend_id):
            said = answer.said
            assert answer.is_success and _is_believed(answer)
            assert prevend_id in {_stripped(said.get(key)) for key in ("transactionId", "prevendTransactionId")}
            assert _names_something(prevend_id)
            for amount, key in ((result.minimum_amount, "minimumPurchaseAmount"), (result.amount_due, "amountDue")):
                assert amount is None or amount.rand == _decimal(said.get(key))
        case Rejected(reason, cause):
            assert (result.retry_after_seconds is not None) is (reason is Reason.SUPPLIER_BUSY)
            assert not _plainly_sold(answer)
            _told(cause)


def _amounts(said: Mapping[str, Any]) -> list[Decimal | None]:
    return [_decimal(holder.get(key)) for holder in (members(said.get("additionalDetails")), said) for key in ("productAmount", "amount")]


def _is_plain_amount(answer: HostileAnswer) -> bool:
    """Whether it names the amount that was asked for, or none."""
    stated = [amount for amount in _amounts(answer.said) if amount is not None]
    return not stated or answer.order.amount.rand in stated


def reprint(answer: HostileAnswer, result: Reprinted) -> None:
    said = answer.said
    match result:
        case Vended(receipt):
            assert answer.is_success and _is_believed(answer)
            assert answer.asked_for is None or same_supplier_id(answer.asked_for, receipt.supplier_transaction_id)
            assert answer.order.amount.rand in set(_amounts(said))
            assert not against.speaks_against(answer.order, said), "it says no, or speaks of another sale"
            _delivered(answer, receipt)
        case NoSuchTransaction():
            assert 400 <= answer.status < 500 and answer.status not in {401, 429} and _is_believed(answer)
            assert said.get("fulcrumErrorCode") == 1003
        case Unknown(cause, sign_of_vend):
            assert answer.is_success and sign_of_vend and answer.asked_for is None and _is_believed(answer)
            assert not _plainly_ours(answer), "a proof is lost"
            _told(cause)
        case NoAnswer(cause):
            assert not _plainly_ours(answer), "a proof is lost"
            _told(cause)


def products(answer: HostileAnswer, result: tuple[Product, ...] | Rejected) -> None:
    if isinstance(result, Rejected):
        _told(result.cause)
        return
    assert answer.is_success and _is_believed(answer)
    assert len({product.merchant_product_id for product in result}) == len(result)
    for product in result:
        assert 1 <= len(product.merchant_product_id) <= 100 and product.name
        assert not product.fixed_amount or product.amount is not None
        assert all(each is None or each.cents > 0 for each in (product.amount, product.minimum_amount, product.maximum_amount))
        encoded([product.merchant_product_id, product.name, product.content_creator])


def _delivered(answer: HostileAnswer, receipt: Receipt) -> None:
    """Everything of value on the receipt stands in the answer; what could not be read whole is still due."""
    said = answer.said
    texts = frozenset(_texts(said))
    digits = {re.sub(r"[\s|,;/-]", "", text) for text in texts}
    assert receipt.supplier_transaction_id == _stripped(said.get("transactionId")) and _names_something(receipt.supplier_transaction_id)
    for token in receipt.tokens:
        assert re.fullmatch("[0-9]{20}", token.number) and any(token.number in text for text in digits)
        assert token.units is None or token.units >= 0
    assert receipt.pin is None or receipt.pin in {text.strip() for text in texts}
    order = answer.order
    if order.vas_type is VasType.UTILITY:
        listed = members(said.get("additionalDetails")).get("tokens")
        count = len(listed) if isinstance(listed, list) else int(listed is not None)
        plain = [_plain_token(one) for one in listed] if isinstance(listed, list) else []
        assert None in plain or count > MAX_TOKENS or not plain or [token.number for token in receipt.tokens] == plain
        whole = against.whole_tokens(listed) if count else None
        assert receipt.tokens_due is not TokensDue.DELIVERED or 0 < len(receipt.tokens) == whole
        assert not plain or None in plain or len(plain) > MAX_TOKENS or receipt.tokens_due is TokensDue.DELIVERED
        assert receipt.tokens_due is not TokensDue.NONE or (count == 0 and against.nothing_is_due(order, said))
    elif order.pinned or order.vas_type is VasType.VOUCHER:
        assert receipt.tokens_due is (TokensDue.DELIVERED if receipt.pin or _by_serial(order, receipt, said) else TokensDue.PENDING)
    else:
        assert receipt.tokens_due is TokensDue.NONE and not receipt.tokens and receipt.pin is None


def _by_serial(order: Order, receipt: Receipt, said: Mapping[str, Any]) -> bool:
    return (
        order.vas_type is VasType.VOUCHER
        and receipt.serial_number is not None
        and members(said.get("additionalDetails")).get("pin") in (None, "")
    )


def _is_believed(answer: HostileAnswer) -> bool:
    """A live answer that is marked as simulated is not."""
    marked = answer.headers.get("x-simulated", "").strip().lower() == "true" or answer.said.get("simulated") is True
    return answer.mode is Mode.SIMULATED or not marked


def _plainly_sold(answer: HostileAnswer) -> bool:
    supplier_id = answer.said.get("transactionId")
    named = isinstance(supplier_id, str) and _ID.fullmatch(supplier_id) is not None and _names_something(supplier_id)
    bare = answer.status == 202 or "problem" in answer.headers.get("content-type", "").lower()
    return answer.is_success and _is_believed(answer) and named and not bare and against.says_nothing_else(answer.order, answer.said)


def _names_something(supplier_id: str | None) -> bool:
    """The empty GUID, and other ways to write nothing with zeros, do not."""
    return not set(supplier_id or "") <= {*"0-{}"}


def _plainly_ours(answer: HostileAnswer) -> bool:
    """A sale of that id and amount, to nobody else, in the documented form."""
    details = members(answer.said.get("additionalDetails"))
    stated = details.get("productAmount", answer.said.get("amount"))
    return (
        _plainly_sold(answer)
        and answer.asked_for in {None, answer.said["transactionId"]}
        and isinstance(stated, str)
        and stated == f"{answer.order.amount.rand:f}"
    )


def _plain_token(one: object) -> str | None:
    """The digits of a token in one of its documented forms, if nothing in it could be taken otherwise."""
    digits = one.get("token") if isinstance(one, dict) and not {"value", "tokenValue", "pin"} & one.keys() else one
    return digits if isinstance(digits, str) and re.fullmatch("[0-9]{20}", digits) else None


def _plainly_refused(answer: HostileAnswer) -> bool:
    code = answer.said.get("fulcrumErrorCode")
    return 400 <= answer.status < 500 and answer.status not in {404, 405} and type(code) is int and code in DEFINITIVE


def _storable(order: Order, outcome: Outcome) -> None:
    """What is read can be recorded, read back, and shown: nothing that the supplier says makes the commit fail."""
    sale = ended(outcome, vending(order=order))
    assert transaction_of(json.loads(_json(transaction_document(sale))), None) == sale
    json.loads(encoded(transaction_body(sale, sale.state, ConsumerDetails.FULL)))


def _told(cause: str) -> None:
    """A cause is in our own words: it is logged."""
    assert cause == SAYS_SIMULATED or _OURS.fullmatch(cause), cause


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def _stripped(value: object) -> str | None:
    return value.strip() if isinstance(value, str) else None


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


async def token(answer: HostileAnswer) -> None:
    """Read an answer as the token endpoint's."""

    async def ask(_call: Call) -> Reply:
        return answer.reply

    async def credentials(_refused: bool) -> Credentials:
        return Credentials("id", "secret")

    access = Access(ask, credentials, lambda: NOON, answer.mode)
    given = await access.token()
    if isinstance(given, Rejected):
        assert access.cached() is None
        assert (given.retry_after_seconds is not None) is (given.reason is Reason.SUPPLIER_BUSY)
        _told(given.cause)
        return
    said = answer.said
    assert answer.is_success and _is_believed(answer)
    assert given == said["access_token"] and re.fullmatch("[!-~]{1,8000}", given)  # what a header can carry
    assert type(said["expires_in"]) is int and said["expires_in"] > 0
    assert access.cached() == given
    access.drop(given)
    assert access.cached() is None

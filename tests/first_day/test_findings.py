"""The proof in answers that the simulator never gives: those of an unlikely supplier."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from local.probe import findings
from local.probe.findings import KEPT, Finding
from shared.domain.catalogue import Product
from shared.domain.money import Money
from shared.domain.outcome import Receipt, TokensDue, Unknown
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.vas import Order, VasType
from shared.mobilemart.responses import NoReply, Reply

ORDER = Order(vas_type=VasType.UTILITY, amount=Money(2_000), merchant_product_id="product", meter_number="12345678901")
TOKEN = "00000000000012345678"
OTHER_TOKEN = "00000000000087654321"


def reply(said: object, status: int = 200) -> Reply:
    return Reply.of(status, {"content-type": "application/json"}, json.dumps(said).encode())


def sale(**details: object) -> Reply:
    return reply({"transactionId": "an-id", "additionalDetails": details})


def one(found: Iterable[Finding], question: str) -> Finding:
    [finding] = [finding for finding in found if finding.question == question]
    return finding


def names(found: Iterable[Finding]) -> list[str]:
    return [finding.question for finding in found]


@pytest.mark.parametrize(
    ("detail", "change"),
    [
        ("RequestId is required", KEPT),
        ("TransactionId is required RequestId is required", KEPT),
        ("OriginalRequestId is required", "send OriginalRequestId in reprint_call"),
    ],
)
def test_a_bare_reprint_tells_its_parameters(detail: str, change: str) -> None:
    answer = reply({"fulcrumErrorCode": 1010, "detail": detail}, 400)

    assert one(findings.of_bare_reprint(answer), "reprint-parameters").change == change


@pytest.mark.parametrize("heard", [NoReply("ConnectTimeout"), reply({"detail": "No."}, 400), Reply(200, "text/html", b"<html>")])
def test_a_refusal_without_a_parameter_proves_nothing_about_parameters(heard: Any) -> None:
    assert names(findings.of_bare_reprint(heard)) == []


def test_another_code_for_a_sale_that_never_was_is_not_believed_by_itself() -> None:
    by_request, by_transaction = reply({"fulcrumErrorCode": 1042}, 400), reply({"fulcrumErrorCode": 1003}, 400)
    found = one(findings.of_absent_reprints(by_request, by_transaction), "reprint-absence")

    assert "1042" in found.proven and "only on the supplier's word" in found.change


def test_an_invalid_reprint_proves_nothing_about_absence() -> None:
    invalid, absent = reply({"fulcrumErrorCode": 1010}, 400), reply({"fulcrumErrorCode": 1003}, 400)

    assert names(findings.of_absent_reprints(invalid, invalid)) == []
    assert one(findings.of_absent_reprints(invalid, absent), "reprint-absence").change == KEPT


@pytest.mark.parametrize("heard", [NoReply("TimeoutError"), reply({}, 429), Reply(502, "text/html"), Reply(401)])
def test_services_are_not_judged_while_one_of_them_does_not_answer(heard: Any) -> None:
    there = reply({"fulcrumErrorCode": 1003}, 400)

    assert names(findings.of_reprint_services({**dict.fromkeys(VasType, there), VasType.DATA: heard})) == []
    assert names(findings.of_reprint_services(dict.fromkeys(VasType, there))) == ["reprint-services"]


@pytest.mark.parametrize(
    ("heard", "change"),
    [
        (Reply(401), KEPT),
        (reply({"fulcrumErrorCode": 1006}, 400), KEPT),
        (Reply(403), "if it says nothing else, add 403 to STATUSES"),
        (Reply(200, "text/html", b"<html>"), "ask the supplier how an expired token is refused"),
    ],
)
def test_how_a_bad_access_token_is_refused(heard: Reply, change: str) -> None:
    assert one(findings.of_refused_token(heard), "access-token-refusal").change == change


@pytest.mark.parametrize("heard", [NoReply("TimeoutError"), Reply(429), Reply(503)])
def test_a_switch_that_is_busy_proves_nothing_of_access_tokens(heard: Any) -> None:
    assert names(findings.of_refused_token(heard)) == []


@pytest.mark.parametrize(
    ("stated", "proven", "check"),
    [
        ("20.00", "rand, as it was sent", "doubt"),
        ("2000", "cents", "alert"),
        ("17.50", "another amount than was asked for: with or without charges?", "alert"),
        ("R20", "an amount that cannot be read", "alert"),
        (None, "no amount at all", "alert"),
    ],
)
def test_how_an_amount_is_written_says_how_it_can_be_checked(stated: str | None, proven: str, check: str) -> None:
    found = one(findings.of_vend(sale(productAmount=stated), ORDER), "amount-unit")

    assert found.proven == proven and f"MOBILEMART_AMOUNT_CHECK={check}" in found.change


def test_a_sale_that_was_not_made_proves_nothing_about_amounts() -> None:
    assert "amount-unit" not in names(findings.of_vend(reply({"title": "No.", "status": 400}, 400), ORDER))


def test_units_under_an_unknown_key() -> None:
    found = one(findings.of_vend(sale(tokens=[{"token": TOKEN, "numberOfUnits": "5.9", "unitType": "kWh"}]), ORDER), "units-key")

    assert (found.proven, found.change) == ("additionalDetails.tokens[].numberOfUnits", "add numberOfUnits to UNIT_KEYS")


@pytest.mark.parametrize(
    ("costs", "kept"), [([{"description": "Arrears", "amount": 8}], True), ([{"what": "Arrears", "howMuch": 8}], False)]
)
def test_charges(costs: object, kept: bool) -> None:
    found = one(findings.of_vend(sale(fixedCosts=costs), ORDER), "fixed-costs")

    assert (found.change == KEPT) is kept


def test_a_token_outside_the_tokens_is_pointed_at() -> None:
    found = one(findings.of_vend(sale(slip={"sts": TOKEN}), ORDER), "token-keys")

    assert "additionalDetails.slip.sts" in found.proven and TOKEN not in found.proven and "read_tokens" in found.change


@pytest.mark.parametrize(
    ("again", "sold", "proven"),
    [
        ((TOKEN,), (TOKEN,), "the same tokens or PIN, in their order"),
        ((), (TOKEN,), "the sale without any that we can read"),
        ((TOKEN,), (), "what the sale's own answer did not"),
        ((OTHER_TOKEN,), (TOKEN,), "OTHER ones than were sold"),
    ],
)
def test_a_reprint_shows_the_goods_or_does_not(again: tuple[str, ...], sold: tuple[str, ...], proven: str) -> None:
    shown, first = (
        Receipt(supplier_transaction_id="an-id", tokens=tuple(StsToken(TokenKind.CREDIT, number) for number in numbers))
        for numbers in (again, sold)
    )

    assert one(findings.of_reprinted_goods(shown, first), "reprint-tokens").proven == proven


def test_nothing_readable_on_either_side_proves_nothing_of_a_reprint() -> None:
    unread = Receipt(supplier_transaction_id="an-id", tokens_due=TokensDue.PENDING)

    assert names(findings.of_reprinted_goods(unread, unread)) == []


def test_a_doubtful_repeat_after_a_doubt_proves_nothing() -> None:
    assert names(findings.of_repeat(Unknown("lost"), Unknown("lost"), NoReply("lost"))) == []


def test_several_electricity_products_have_to_be_chosen_from() -> None:
    rows = [Product(VasType.UTILITY, "one", "Electricity"), Product(VasType.UTILITY, "two", "Another municipality")]

    assert "MOBILEMART_UTILITY_PRODUCT_ID" in one(findings.of_products(rows, None), "electricity-product").change
    assert one(findings.of_products(rows, "two"), "electricity-product").change == KEPT
    assert names(findings.of_products([], None)) == []


def test_a_configured_product_is_looked_for_in_a_list_of_one_row_too() -> None:
    rows = [Product(VasType.UTILITY, "one", "Electricity")]

    assert one(findings.of_products(rows, "one"), "product-id").change == KEPT
    assert one(findings.of_products(rows, "gone"), "product-id").change == "set MOBILEMART_UTILITY_PRODUCT_ID to one of them"
    assert names(findings.of_products(rows, None)) == ["electricity-product"]


@pytest.mark.parametrize(
    ("status", "more", "proven"),
    [
        (200, {}, "HTTP 200, and no word about a status"),
        (200, {"status": "Successful"}, "HTTP 200, status Successful"),
        (200, {"success": False}, "HTTP 200, success False"),
        (202, {}, "HTTP 202, no word about a status"),
        (202, {"status": "PROCESSING"}, "HTTP 202, status PROCESSING"),
    ],
)
def test_the_status_and_the_words_of_an_answer_show_whether_it_is_final(status: int, more: dict[str, object], proven: str) -> None:
    found = one(findings.of_vend(reply({"transactionId": "an-id", **more}, status), ORDER), "answer-final")

    assert (found.proven, found.change == KEPT) == (proven, proven.endswith("and no word about a status"))


@pytest.mark.parametrize(("status", "body"), [(400, {"transactionId": "an-id"}), (200, {"status": "Successful"}), (200, [])])
def test_without_a_2xx_and_an_id_nothing_is_proven_about_finality(status: int, body: object) -> None:
    assert "answer-final" not in names(findings.of_vend(reply(body, status), ORDER))


def test_an_unread_field_of_a_prevend_is_named() -> None:
    found = one(findings.of_prevend(reply({"transactionId": "an-id", "maximumPurchaseAmount": 500}), ORDER), "prevend-fields")

    assert "maximumPurchaseAmount" in found.change and "read_prevend" in found.change

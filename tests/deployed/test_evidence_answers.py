"""An answer of the supplier proves a vend only if nothing in it speaks against it, and every word of the field is understood."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.domain.vas import VasType
from tests.deployed.shop import Sale, Shop
from tests.deployed.switchboard import Deal, Play, Switchboard, answers, details, vends
from tests.stand_ins.switch_on_a_socket import http

UTILITY, AIRTIME, BILL = VasType.UTILITY, VasType.AIRTIME, VasType.BILL_PAYMENT
MISMATCH, AMOUNT, CLAIMED = "vend answer does not match", "vend amount differs", "vend claimed twice"


def messages(said: list[dict[str, Any]]) -> list[str]:
    return [str(line["message"]) for line in said]


def charged(**members: object) -> Play:
    """An electricity sale without tokens that says these things besides."""
    return details(**{"tokens": None, **members})


def cost(description: str, amount: object, **more: object) -> dict[str, object]:
    return {"description": description, "amount": amount, **more}


DEBT = [cost("Debt recovery", 100)]
ENERGY = {"units": 29.7, "fixedCosts": [cost("Energy", 86.96), cost("VAT", 13.04)]}

# Nothing is due only where the supplier says so.


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(charged(**ENERGY), id="the energy that was bought, and its VAT"),
        pytest.param(charged(fixedCosts=[cost("Energy", 86.96), cost("VAT", 13.04)]), id="without its units"),
        pytest.param(charged(fixedCosts=[cost("Energy charge", 100)]), id="an energy charge"),
        pytest.param(charged(fixedCosts=[cost("VAT", 100)]), id="VAT alone"),
        pytest.param(charged(fixedCosts=[cost("Electricity", 100)]), id="electricity"),
        pytest.param(charged(fixedCosts=[cost("Free units", 100)]), id="free units"),
        pytest.param(charged(fixedCosts=[cost("FBE", 100)]), id="free basic electricity"),
        pytest.param(charged(fixedCosts=[cost("Balance outstanding", 100)]), id="a balance outstanding"),
        pytest.param(charged(fixedCosts=[cost("Outstanding debt balance", 100)]), id="the balance of a debt"),
        pytest.param(charged(fixedCosts=[cost("Arrears balance", 5000)]), id="the balance of arrears"),
        pytest.param(charged(fixedCosts=[cost("Debt recovery", 86.96), cost("VAT", 13.04)]), id="debt and VAT"),
        pytest.param(charged(fixedCosts=[cost("Debt recovery", 40), cost("Energy", 60)]), id="debt and energy"),
        pytest.param(charged(fixedCosts=[cost("Debt recovery", 50), cost("Service charge", 50)]), id="debt and a service charge"),
        pytest.param(charged(fixedCosts=[cost("Debt recovery", 99.99)]), id="a cent less than all"),
        pytest.param(charged(fixedCosts=[cost("Units 29.7 kWh", 100)]), id="units for a name"),
        pytest.param(charged(fixedCosts=[cost("", 100)]), id="no name"),
        pytest.param(charged(fixedCosts=[{"amount": 100}]), id="no description"),
        pytest.param(charged(fixedCosts=DEBT, units=29.7), id="debt, and units"),
        pytest.param(charged(fixedCosts=DEBT, units="29.7 kWh"), id="debt, and units as text"),
        pytest.param(charged(fixedCosts=DEBT, freeUnits=50), id="debt, and free units"),
        pytest.param(charged(fixedCosts=[cost("Debt recovery", 100, units=29.7)]), id="debt, and units on its row"),
        pytest.param(charged(fixedCosts=DEBT, municipalityDetails={"kWh": 29.7}), id="debt, and units further down"),
        pytest.param(charged(fixedCosts=DEBT, accountStatus={"totalUnits": "29.7"}), id="debt, and units of the account"),
        pytest.param(charged(fixedCosts=DEBT, tokens=[{"units": 29.7}]), id="debt, and a token that has only units"),
        pytest.param(charged(onlineMeter=False, fixedCosts=[]), id="no online meter"),
    ],
)
def test_a_token_stays_due_unless_the_supplier_says_that_none_is(shop: Shop, play: Play) -> None:
    shop.fresh_day()
    sale = shop.buy(play)
    assert (sale.status, sale.answer.json()["receipt"]["tokensDue"]) == (201, "pending")
    assert sale.dossier["nextTryAt"] is not None


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(charged(onlineMeter=True), id="an online meter"),
        pytest.param(charged(fixedCosts=DEBT), id="a debt that takes all"),
        pytest.param(charged(fixedCosts=[cost("Arrears", 60), cost("Debt recovery", 40)]), id="two debts that take all"),
    ],
)
def test_no_token_is_due_where_the_supplier_says_so(shop: Shop, play: Play) -> None:
    shop.fresh_day()
    sale = shop.buy(play)
    assert (sale.status, sale.answer.json()["receipt"]["tokensDue"]) == (201, "none")


# A 2xx that says no, or not yet.

NO = [
    *[
        pytest.param(status, {"status": word}, id=f"{status} {word}")
        for status, word in (
            (200, "Failed"),
            (200, "Pending"),
            (200, "Binned"),
            (202, "Failed"),
            (202, "Pending"),
            (202, "Binned"),
            (200, "FAILED"),
            (200, "PROCESSING"),
            (202, "PROCESSING"),
            (200, "In Progress"),
            (200, "in_progress"),
            (200, "Declined"),
            (200, "Rejected"),
            (200, "Cancelled"),
            (200, "Reversed"),
            (200, "Error"),
            (200, "Unsuccessful"),
            (200, "Not Successful"),
            (200, "Timeout"),
            (200, "Queued"),
            (201, " failed "),
        )
    ],
    pytest.param(200, {"success": False}, id="success false"),
    pytest.param(200, {"success": "false"}, id="success false as text"),
    pytest.param(200, {"isSuccess": False}, id="isSuccess false"),
    pytest.param(200, {"isSuccessful": False}, id="isSuccessful false"),
    pytest.param(200, {"transactionStatus": "Failed"}, id="transactionStatus"),
    pytest.param(200, {"Status": "Failed"}, id="Status"),
    pytest.param(200, {"state": "failed"}, id="state"),
    pytest.param(200, {"additionalDetails": {"status": "Failed"}}, id="a status further down"),
    pytest.param(200, {"title": "Product cannot be sourced.", "status": 400}, id="a problem without a code"),
    pytest.param(200, {"title": "Cannot source product.", "status": "400"}, id="a problem, its status as text"),
    pytest.param(200, {"type": "https://fulcrumswitch.com/error-codes#1002", "title": "Cannot source product."}, id="a problem's type"),
    pytest.param(200, {"status": 500}, id="status 500"),
    pytest.param(200, {"errorCode": 1}, id="errorCode 1"),
    pytest.param(200, {"errorCode": True}, id="errorCode true"),
    pytest.param(200, {"errorCode": "1002"}, id="errorCode as text"),
    pytest.param(200, {"fulcrumErrorCode": 1002}, id="fulcrumErrorCode"),
    pytest.param(200, {"errorMessage": "Cannot source product"}, id="errorMessage"),
    pytest.param(200, {"error": "Cannot source product"}, id="error"),
    pytest.param(200, {"errors": [{"code": 7}]}, id="errors"),
]


@pytest.mark.parametrize(("status", "members"), NO)
def test_a_2xx_that_says_no_or_not_yet_is_a_doubt_with_a_sign_of_a_vend(shop: Shop, status: int, members: Mapping[str, Any]) -> None:
    shop.fresh_day()
    with shop.listening() as said:
        sale = shop.buy(answers(status, **members), service=AIRTIME)
    dossier = sale.dossier
    assert (sale.status, dossier["state"], dossier["signOfVend"]) == (202, "in_doubt", True)
    assert MISMATCH in messages(said)
    assert dossier["answers"], "the words are kept"


@pytest.mark.parametrize("status", ["Failed", "Pending", "PROCESSING"])
def test_a_token_beside_words_that_say_no_is_a_doubt(shop: Shop, status: str) -> None:
    shop.fresh_day()
    sale = shop.buy(answers(status=status))
    assert (sale.status, sale.dossier["signOfVend"]) == (202, True)


@pytest.mark.parametrize("status", ["Successful", "SUCCESS", "Completed", "Vended", "Frobnicated"])
def test_a_status_that_does_not_say_no_beside_a_token_is_a_vend(shop: Shop, status: str) -> None:
    shop.fresh_day()
    with shop.listening() as said:
        sale = shop.buy(lambda board, deal: http(200, board.vend(deal).body | {"status": status}))
    assert (sale.status, sale.answer.json()["receipt"]["tokensDue"]) == (201, "delivered")
    if status == "Frobnicated":  # that nobody knows
        assert [line for line in said if status in str(line) or "status" in str(line["message"])]


# An answer of another sale.


def of(**changes: Any) -> Play:
    """An ordinary answer in which members are what these make of the sale."""

    def play(board: Switchboard, deal: Deal) -> bytes:
        return http(200, board.vend(deal).body | {name: change(deal) for name, change in changes.items()})

    return play


def in_details(**changes: Any) -> Play:
    def play(board: Switchboard, deal: Deal) -> bytes:
        body = board.vend(deal).body
        return http(200, body | {"additionalDetails": body["additionalDetails"] | {name: change(deal) for name, change in changes.items()}})

    return play


def masked(text: str, shown: int = 4, with_what: str = "*") -> str:
    return with_what * (len(text) - shown) + text[-shown:]


OTHER_ID = "9e107d9d-372b-4b68-9a54-0f9a2d5c1a11"
ANOTHERS = [
    pytest.param(UTILITY, of(meterNumber=lambda _: "98765432109"), id="another meter"),
    pytest.param(UTILITY, in_details(meterNumber=lambda _: "98765432109"), id="another meter in the details"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: int(deal.recipient) + 1), id="another meter as a number"),
    pytest.param(UTILITY, of(MeterNumber=lambda _: "98765432109"), id="another meter in capitals"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: f"98{'*' * 5}{deal.recipient[-4:]}"), id="another meter with the same last digits"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: f"1{deal.recipient}"), id="a meter that ends like it"),
    pytest.param(UTILITY, of(requestId=lambda _: OTHER_ID), id="another request"),
    pytest.param(UTILITY, in_details(requestId=lambda _: OTHER_ID), id="another request in the details"),
    pytest.param(AIRTIME, of(requestId=lambda _: OTHER_ID), id="airtime of another request"),
    pytest.param(AIRTIME, of(mobileNumber=lambda _: "0831112222"), id="another number"),
    pytest.param(AIRTIME, of(mobileNumber=lambda _: "083***2222"), id="another number, masked"),
    pytest.param(AIRTIME, of(msisdn=lambda _: "27831112222"), id="another number as an MSISDN"),
    pytest.param(BILL, of(accountNumber=lambda _: "11347901450000300"), id="another account"),
]


@pytest.mark.parametrize(("service", "play"), ANOTHERS)
def test_an_answer_of_another_sale_is_a_doubt_with_a_sign_of_a_vend(shop: Shop, service: VasType, play: Play) -> None:
    shop.fresh_day()
    with shop.listening() as said:
        sale = shop.buy(play, service=service)
    assert (sale.status, sale.dossier["signOfVend"], MISMATCH in messages(said)) == (202, True, True)


SAME = [
    pytest.param(UTILITY, of(meterNumber=lambda deal: f"00{deal.recipient}"), id="leading zeros"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: f" {deal.recipient} "), id="blanks around it"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: f"{deal.recipient[:4]} {deal.recipient[4:]}"), id="in groups"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: int(deal.recipient)), id="a number"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: masked(deal.recipient)), id="masked with stars"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: masked(deal.recipient, 4, "X")), id="masked with an X"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: masked(deal.recipient, 3, "x")), id="masked but for three digits"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: f"{deal.recipient[:2]}*****{deal.recipient[-4:]}"), id="masked in the middle"),
    pytest.param(UTILITY, of(meterNumber=lambda deal: f"****{deal.recipient[-4:]}"), id="masked and cut"),
    pytest.param(UTILITY, of(meterNumber=lambda _: ""), id="empty"),
    pytest.param(UTILITY, of(meterNumber=lambda _: None), id="null"),
    pytest.param(UTILITY, of(requestId=lambda deal: deal.request_id.upper()), id="the request in capitals"),
    pytest.param(UTILITY, of(requestId=lambda deal: f"{{{deal.request_id}}}"), id="the request in braces"),
    pytest.param(UTILITY, of(requestId=lambda deal: deal.request_id.replace("-", "")), id="the request without hyphens"),
    pytest.param(AIRTIME, of(mobileNumber=lambda deal: f"0{deal.recipient[2:]}"), id="0 for 27"),
    pytest.param(AIRTIME, of(mobileNumber=lambda deal: f"+{deal.recipient}"), id="+27"),
    pytest.param(
        AIRTIME, of(mobileNumber=lambda deal: f"0{deal.recipient[2:4]} {deal.recipient[4:7]} {deal.recipient[7:]}"), id="in groups of 0"
    ),
    pytest.param(AIRTIME, of(mobileNumber=lambda deal: f"0027{deal.recipient[2:]}"), id="0027"),
    pytest.param(AIRTIME, of(mobileNumber=lambda deal: f"0{deal.recipient[2:4]}*****{deal.recipient[-2:]}"), id="0 for 27, masked"),
    pytest.param(AIRTIME, of(msisdn=lambda deal: deal.recipient), id="as an MSISDN"),
    pytest.param(BILL, of(accountNumber=lambda deal: f"000{deal.recipient}"), id="an account with leading zeros"),
    pytest.param(BILL, of(accountNumber=lambda deal: masked(deal.recipient)), id="a masked account"),
]


@pytest.mark.parametrize(("service", "play"), SAME)
def test_a_field_that_repeats_the_request_in_another_form_matches(shop: Shop, service: VasType, play: Play) -> None:
    shop.fresh_day()
    with shop.listening() as said:
        sale = shop.buy(play, service=service)
    assert (sale.status, MISMATCH in messages(said)) == (201, False)


HALF = [
    pytest.param(details(productAmount="50.00"), id="half"),
    pytest.param(details(productAmount="1000.00"), id="ten times as much"),
    pytest.param(details(productAmount="99.99"), id="a cent less"),
]


@pytest.mark.parametrize("play", HALF)
def test_another_amount_is_vended_and_wakes_somebody(shop: Shop, play: Play) -> None:
    shop.fresh_day()
    with shop.listening() as said:
        sale = shop.buy(play)
    assert (sale.status, sale.answer.json()["receipt"]["tokensDue"]) == (201, "delivered")
    assert [line["severity"] for line in said if line["message"] == AMOUNT] in (["ERROR"], ["CRITICAL"])


def test_another_amount_is_a_doubt_where_it_is_known_how_it_is_written(shop: Shop) -> None:
    shop.fresh_day()
    strict = shop.another("purchase", MOBILEMART_AMOUNT_CHECK="doubt")
    try:
        for play in (details(productAmount="50.00"), details(productAmount="10000")):
            recipient = shop.recipient()
            shop.switch.plays[recipient] = play
            body = {"meterNumber": recipient, "amountCents": 10_000}
            answer = shop.ask(strict, UTILITY, body, recipient)
            assert answer.status_code == 202
            dossier = Sale(shop, UTILITY, recipient, body, recipient, answer).dossier
            assert (dossier["state"], dossier["signOfVend"]) == ("in_doubt", True)
        for play in (vends, details(productAmount=100), details(productAmount=None)):
            recipient = shop.recipient()
            shop.switch.plays[recipient] = play
            assert shop.ask(strict, UTILITY, {"meterNumber": recipient, "amountCents": 10_000}, recipient).status_code == 201
    finally:
        strict.process.kill()


@pytest.mark.parametrize(
    "spelt",
    [str, str.upper, lambda guid: guid.replace("-", ""), lambda guid: f"{{{guid}}}"],
    ids=["as it was", "in capitals", "without hyphens", "in braces"],
)
@pytest.mark.parametrize("service", [UTILITY, AIRTIME])
def test_a_vend_that_another_sale_holds_is_a_doubt_and_wakes_somebody_at_the_sale(shop: Shop, spelt: Any, service: VasType) -> None:
    shop.fresh_day()
    first = shop.buy()

    def again(board: Switchboard, deal: Deal) -> bytes:
        body = board.vend(deal).body
        return http(200, body | {"transactionId": spelt(first.vend.supplier_id)})

    with shop.listening() as said:
        second = shop.buy(again, service=service)
    assert (second.status, second.dossier["signOfVend"], first.state) == (202, True, "vended")
    assert [line["severity"] for line in said if line["message"] == CLAIMED] == ["CRITICAL"]


def test_a_pin_or_a_key_change_token_that_comes_again_is_no_claim(shop: Shop) -> None:
    shop.fresh_day()
    tokens = [{"token": "11112222333344445555", "type": "KCT1"}, {"token": "11112222333344446666", "type": "STD"}]
    for _ in range(2):
        assert shop.buy(details(tokens=tokens)).status == 201


# Words of the field.

A, B, C = "00001111222233334444", "55556666777788889999", "12345678901234567890"


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("STD", "credit"),
        ("BSST", "free"),
        ("KC", "key_change"),
        ("KCT1", "key_change"),
        ("KCT2", "key_change"),
        ("REFUND", "refund"),
        ("std", "credit"),
        ("Bsst", "free"),
        ("kc", "key_change"),
        ("Refund", "refund"),
        ("REFUND_TOKEN", "refund"),
        ("STD Token", "credit"),
        ("KCT3", "key_change"),
        ("Credit refund", "refund"),
        ("PWRLMT", "other"),
        ("KCAL", "other"),
        ("STDX", "other"),
    ],
)
@pytest.mark.parametrize("name", ["type", "description"])
def test_the_fields_words_for_kinds_of_token_are_understood(shop: Shop, word: str, kind: str, name: str) -> None:
    shop.fresh_day()
    sale = shop.buy(details(tokens=[{"token": A, name: word}, {"token": B, name: "Credit"}]))
    assert [token["kind"] for token in sale.answer.json()["receipt"]["tokens"]] == [kind, "credit"]


@pytest.mark.parametrize(
    "said",
    [
        f"{A}|{B}|{C}",
        f"{A},{B},{C}",
        f"{A} {B} {C}",
        f"{A} | {B} | {C}",
        f"{A}, {B}, {C}",
        f"{A}\n{B}\r\n{C}",
        f"{A}\t{B}\t{C}",
        f"{A}|{B}|{C}|",
        "|".join(" ".join(one[at : at + 4] for at in range(0, 20, 4)) for one in (A, B, C)),
        ", ".join("-".join(one[at : at + 4] for at in range(0, 20, 4)) for one in (A, B, C)),
    ],
)
@pytest.mark.parametrize("as_", [lambda said: [{"token": said}], lambda said: [said], lambda said: said])
def test_tokens_joined_in_one_field_are_all_read(shop: Shop, said: str, as_: Any) -> None:
    shop.fresh_day()
    sale = shop.buy(details(tokens=as_(said)))
    receipt = sale.answer.json()["receipt"]
    assert (receipt["tokensDue"], [token["number"] for token in receipt["tokens"]]) == ("delivered", [A, B, C])


@pytest.mark.parametrize("said", [f"{A}|{B[:-1]}|{C}", f"{A}|{B}|x{C}", f"{A}{B}|{C}1", f"{A[:10]}|{A[10:]}"])
def test_a_joined_field_with_a_part_that_is_no_token_stays_due(shop: Shop, said: str) -> None:
    shop.fresh_day()
    sale = shop.buy(details(tokens=[{"token": said}]))
    assert (sale.status, sale.answer.json()["receipt"]["tokensDue"]) == (201, "pending")

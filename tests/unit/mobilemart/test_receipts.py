"""The delivery: every form in which the supplier may write a token, a PIN, a charge or a text."""

from decimal import Decimal

import pytest

from shared.domain.money import Money
from shared.domain.outcome import Charge, Consumer, TokensDue
from shared.domain.sts_tokens import TokenKind, grouped
from shared.domain.vas import Order, VasType
from tests.unit.mobilemart.deliveries import BILL, ELECTRICITY, FIRST, MAX_CHARGES, MAX_TOKENS, SECOND, THIRD, VOUCHER, receipt, tokens

AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
DATA_PIN = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATAPIN", pinned=True)


@pytest.mark.parametrize(
    "said",
    [
        [{"token": FIRST}],
        [{"value": FIRST}],
        [{"tokenValue": FIRST}],
        [{"pin": FIRST}],
        [{"token": None, "value": "29.70", "tokenValue": "", "pin": FIRST}],
        [{"token": FIRST, "value": "29.70"}],
        [FIRST],
        ["0000 0000 0000 1111 0001"],
        ["0000-0000-0000-1111-0001"],
        [{"token": " 0000 0000 0000 1111 0001\n"}],
        {"token": FIRST},
        FIRST,
    ],
    ids=repr,
)
def test_a_lone_token_is_read_in_every_shape_and_is_the_credit_token(said: object) -> None:
    assert tokens(said) == (TokensDue.DELIVERED, [(TokenKind.CREDIT, FIRST, None)])


def test_several_tokens_keep_their_order_their_kinds_and_their_units() -> None:
    said = [
        {"token": FIRST, "type": "KeyChange"},
        {"token": SECOND, "description": "Free Basic Electricity", "kWh": 50},
        {"token": THIRD, "tokenType": "Credit", "units": "29.7"},
    ]

    assert tokens(said) == (
        TokensDue.DELIVERED,
        [
            (TokenKind.KEY_CHANGE, FIRST, None),
            (TokenKind.FREE, SECOND, Decimal(50)),
            (TokenKind.CREDIT, THIRD, Decimal("29.7")),
        ],
    )


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        ("KCT1", TokenKind.KEY_CHANGE),
        ("key change token 2", TokenKind.KEY_CHANGE),
        ("STS_KCT_2", TokenKind.KEY_CHANGE),
        ("Electricity key-change", TokenKind.KEY_CHANGE),
        ("Set1stSectionDecoderKey", TokenKind.KEY_CHANGE),
        ("FBE", TokenKind.FREE),
        ("Free", TokenKind.FREE),
        ("Free basic electricity", TokenKind.FREE),
        ("FreeBasicElectricity", TokenKind.FREE),
        ("Free units", TokenKind.FREE),
        ("Free issue token", TokenKind.FREE),
        ("CREDIT", TokenKind.CREDIT),
        ("Electricity", TokenKind.CREDIT),
        ("STS keypad credit", TokenKind.CREDIT),
        ("VAT free credit", TokenKind.CREDIT),
        ("VAT-free electricity", TokenKind.CREDIT),
        ("Keypad token", TokenKind.OTHER),
        ("Tax free", TokenKind.OTHER),
        ("STD", TokenKind.CREDIT),
        ("std", TokenKind.CREDIT),
        ("StdTok", TokenKind.CREDIT),
        ("BSST", TokenKind.FREE),
        ("EBSST token", TokenKind.FREE),
        ("KC", TokenKind.KEY_CHANGE),
        ("KC2", TokenKind.KEY_CHANGE),
        ("KCT2", TokenKind.KEY_CHANGE),
        ("REFUND", TokenKind.REFUND),
        ("Electricity refund", TokenKind.REFUND),
        *((name, TokenKind.CREDIT) for name in ("energy", "normal", "standard", "STD tok", "Sale", "A sale of 29 kWh")),
        *(
            (name, TokenKind.OTHER)
            for name in ("wholesale", "gold stdx", "clr credit", "clear-credit", "Freezer", "carefree units", "kcx9")
        ),
        *(
            (name, TokenKind.FREE)
            for name in ("free kWh", "free energy", "free-token", "free electricity", "my free basic", "EBSST", "free")
        ),
        *((name, TokenKind.KEY_CHANGE) for name in ("decoder key", "decoderkey", "key change", "keychange", "my KC")),
        *((name, TokenKind.OTHER) for name in ("nonrefund", "non-refund", "norefund", "no refund", "not refund", "refundable")),
        ("Non-refundable electricity", TokenKind.CREDIT),
        ("No refund electricity", TokenKind.CREDIT),
        ("PWRLMT", TokenKind.OTHER),
        ("PACKCODE", TokenKind.OTHER),
        ("CLRCREDIT", TokenKind.OTHER),
        ("Clear credit", TokenKind.OTHER),
        ("ClearCredit", TokenKind.OTHER),
        ("Clear tamper", TokenKind.OTHER),
        ("", TokenKind.CREDIT),
        (7, TokenKind.CREDIT),
    ],
)
def test_a_kind_is_read_from_its_name_and_a_new_name_is_another_kind(named: object, kind: TokenKind) -> None:
    assert tokens([{"token": FIRST, "type": named}]) == (TokensDue.DELIVERED, [(kind, FIRST, None)])


def test_a_kind_is_looked_for_in_every_name_that_a_token_has() -> None:
    named = [{"token": FIRST, "type": "STS", "description": "KCT 1 of 2"}, {"token": SECOND, "kind": "STD"}]

    assert [kind for kind, _, _ in tokens(named)[1]] == [TokenKind.KEY_CHANGE, TokenKind.CREDIT]


@pytest.mark.parametrize("between", ["|", ",", ";", "/", " ", "\n", "\r\n", " | ", ", ", "  ", "\t"], ids=repr)
def test_tokens_joined_in_one_field_are_as_many_as_they_are_and_of_unknown_kinds(between: str) -> None:
    whole = [(TokenKind.OTHER, number, None) for number in (FIRST, SECOND, THIRD)]
    for spelt in (str, grouped, lambda number: grouped(number).replace(" ", "-")):
        joined = between.join(map(spelt, (FIRST, SECOND, THIRD)))
        assert tokens([joined]) == tokens(joined) == (TokensDue.DELIVERED, whole)
        assert tokens([{"token": joined, "type": "Credit"}]) == (TokensDue.DELIVERED, whole)
    read = receipt(ELECTRICITY, {"tokens": [{"token": between.join((FIRST, SECOND)), "units": "29.7"}]})
    assert read.units == Decimal("29.7")


@pytest.mark.parametrize(
    ("said", "numbers", "issued"),
    [
        (f"{FIRST}|{SECOND}|", [FIRST, SECOND], None),
        (f"{FIRST}|12 34", [FIRST], 2),
        (f"{FIRST}, 29.7, {SECOND}", [FIRST, SECOND], 3),
        (f"{FIRST}{SECOND}", [], 1),
        (f"{FIRST} 12 34", [FIRST], 2),
        (f"{grouped(FIRST)} {grouped(SECOND)[5:]} {grouped(THIRD)}", [], 1),
        ("29,70", [], 1),
        ("0000,0000,0000,1111,0001", [], 1),
        ("0000 0000 0000\n1111 0001", [FIRST], None),
        ({"token": f"{FIRST}|{SECOND}", "value": THIRD}, [], 1),
        ({"token": f"{FIRST}|{SECOND}", "value": "29.7"}, [FIRST, SECOND], None),
        ("|".join([FIRST] * 21), [FIRST] * 20, 21),
        ("|".join([FIRST] * 100), [], 1),
    ],
    ids=repr,
)
def test_no_joined_token_is_lost_and_none_is_invented(said: object, numbers: list[str], issued: int | None) -> None:
    read = receipt(ELECTRICITY, {"tokens": [said]})

    assert [token.number for token in read.tokens] == numbers
    assert read.tokens_issued == issued
    assert (read.tokens_due is TokensDue.DELIVERED) is (issued is None)


@pytest.mark.parametrize("name", ["type", "tokenType", "kind", "description"])
def test_a_kind_is_read_under_each_of_its_names(name: str) -> None:
    assert tokens([{"token": FIRST, name: "KCT"}]) == (TokensDue.DELIVERED, [(TokenKind.KEY_CHANGE, FIRST, None)])


@pytest.mark.parametrize(
    ("said", "read_of_them", "issued"),
    [
        ([FIRST] * 20, 20, None),
        ([FIRST] * 21, 20, 21),
        ([FIRST] * 25, 20, 25),
        ([*[FIRST] * 19, f"{SECOND}|{THIRD}"], 20, 21),
        ([*[FIRST] * 20, f"{SECOND}|{THIRD}"], 20, 21),
        ([*[FIRST] * 19, "12 34", SECOND], 19, 21),
    ],
    ids=["20", "21", "25", "19 and two in one", "20 and two in one", "one unread and one too many"],
)
def test_each_token_that_was_sent_is_counted_beyond_those_that_are_kept(said: object, read_of_them: int, issued: int | None) -> None:
    read = receipt(ELECTRICITY, {"tokens": said})

    assert (len(read.tokens), read.tokens_issued, read.tokens_due is TokensDue.DELIVERED) == (read_of_them, issued, issued is None)


def test_tokens_stay_in_the_suppliers_order_under_any_names_of_their_kinds() -> None:
    said = [{"token": FIRST, "type": "Credit"}, {"token": SECOND, "type": "Keypad token"}, {"token": THIRD, "type": "KCT"}]

    assert [number for _, number, _ in tokens(said)[1]] == [FIRST, SECOND, THIRD]


def test_the_single_unnamed_one_of_several_tokens_is_the_credit_token() -> None:
    key_changes = [{"token": FIRST, "type": "KCT"}, {"token": SECOND, "type": "KCT"}]

    assert [kind for kind, _, _ in tokens([*key_changes, THIRD])[1]] == [TokenKind.KEY_CHANGE, TokenKind.KEY_CHANGE, TokenKind.CREDIT]
    assert [kind for kind, _, _ in tokens([FIRST, SECOND, THIRD])[1]] == [TokenKind.OTHER] * 3


@pytest.mark.parametrize(
    "malformed",
    [
        FIRST[:19],
        FIRST + "0",
        "RCP0001",
        "TOKEN_PENDING",
        "",
        None,
        int(FIRST),
        12345678901234567890,
        {},
        {"token": FIRST[:19]},
        {"receiptNumber": FIRST},
        {"token": FIRST, "value": SECOND},
        [FIRST],
        "٠" * 20,
    ],
    ids=repr,
)
def test_one_unreadable_token_leaves_the_sale_undelivered_and_the_others_readable(malformed: object) -> None:
    assert tokens([malformed]) == (TokensDue.PENDING, [])
    due, read = tokens([{"token": THIRD, "type": "Credit"}, malformed])
    assert (due, [number for _, number, _ in read]) == (TokensDue.PENDING, [THIRD])
    assert tokens([malformed], onlineMeter=True)[0] is TokensDue.PENDING


@pytest.mark.parametrize("said", [None, [], "absent"])
def test_without_tokens_they_are_pending_and_nothing_stands_in_for_them(said: object) -> None:
    details: dict[str, object] = {"receiptNumber": FIRST, "reference": SECOND} | ({} if said == "absent" else {"tokens": said})

    read = receipt(ELECTRICITY, details)

    assert (read.tokens_due, read.tokens) == (TokensDue.PENDING, ())
    assert (read.receipt_number, read.reference) == (FIRST, SECOND)


def test_an_online_meter_is_owed_no_token() -> None:
    assert tokens([], onlineMeter=True) == (TokensDue.NONE, [])
    assert tokens([FIRST], onlineMeter=True)[0] is TokensDue.DELIVERED
    assert tokens([], onlineMeter="true")[0] is TokensDue.PENDING


@pytest.mark.parametrize("order", [DATA_PIN, VOUCHER], ids=["data PIN", "voucher"])
def test_a_pin_delivers_what_is_pinned(order: Order) -> None:
    details = {"pin": "12345678901234", "serialNumber": "S-1", "referenceNumber": "R-1", "productInstructions": "Dial *100#."}

    read = receipt(order, details, expiryDate="2027-05-01T00:00:00+02:00")

    assert (read.tokens_due, read.pin, read.serial_number, read.reference) == (TokensDue.DELIVERED, "12345678901234", "S-1", "R-1")
    assert (read.expiry_date, read.instructions) == ("2027-05-01T00:00:00+02:00", "Dial *100#.")


@pytest.mark.parametrize("pin", [None, "", "absent"])
def test_without_a_pin_a_voucher_is_its_serial_number_and_anything_else_is_pending(pin: object) -> None:
    details: dict[str, object] = {"serialNumber": "S-1", "referenceNumber": "R-1"} | ({} if pin == "absent" else {"pin": pin})

    assert (receipt(VOUCHER, details).tokens_due, receipt(VOUCHER, details).pin) == (TokensDue.DELIVERED, None)
    assert receipt(DATA_PIN, details).tokens_due is TokensDue.PENDING
    assert receipt(VOUCHER, {"referenceNumber": "R-1"}).tokens_due is TokensDue.PENDING


@pytest.mark.parametrize("pin", [12345678901234, "1" * 101, "1234\x00", "1234\ud800", {}, False])
def test_a_pin_that_cannot_be_read_is_pending_and_never_cut_or_guessed(pin: object) -> None:
    for order in (DATA_PIN, VOUCHER):
        read = receipt(order, {"pin": pin, "serialNumber": "S-1"})
        assert (read.tokens_due, read.pin) == (TokensDue.PENDING, None)


def test_a_bill_payment_names_its_holder_and_its_fee_and_owes_nothing_to_type() -> None:
    read = receipt(BILL, accountHolder="A HOLDER", convenienceFee=Decimal("5.50"), reference="R-9")

    assert (read.tokens_due, read.consumer, read.reference) == (TokensDue.NONE, Consumer("A HOLDER"), "R-9")
    assert read.charges == (Charge("convenience fee", Money(550)),)
    assert receipt(BILL, convenienceFee=0).charges == ()


def test_a_top_up_owes_nothing_to_type() -> None:
    read = receipt(AIRTIME, referenceNumber="R-2", mobileNumber="27821234567")

    assert (read.tokens_due, read.reference, read.pin, read.tokens) == (TokensDue.NONE, "R-2", None, ())


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", "", "   ", 7, None, [], {}])
def test_a_text_that_no_store_could_hold_is_left_out(value: object) -> None:
    read = receipt(
        ELECTRICITY, {"receiptNumber": value, "instructions": value, "consumerDetails": {"name": value}, "supplierGroupCode": value}
    )

    assert (read.receipt_number, read.instructions, read.consumer, read.meter) == (None, None, None, None)


def test_a_receipt_stays_small_for_any_answer() -> None:
    many = {"tokens": [FIRST] * 5000, "fixedCosts": [{"description": "d" * 5000, "amount": 1}] * 5000, "instructions": "é" * 50_000}

    read = receipt(ELECTRICITY, many)

    assert (len(read.tokens), read.tokens_due) == (MAX_TOKENS, TokensDue.PENDING)
    assert len(read.charges) == MAX_CHARGES
    assert len(repr(read.charges)) + len(read.instructions or "") < 20_000
    assert read.instructions == "é" * 2000

"""What was delivered: every shape in which the supplier may write a token, a PIN, a charge or a text."""

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.money import Money
from shared.domain.outcome import Charge, Consumer, MeterDetails, Receipt, TokensDue
from shared.domain.sts_tokens import TokenKind, grouped
from shared.domain.vas import Order, VasType
from shared.mobilemart.charges import quotes_units
from shared.mobilemart.receipts import amount_said, names_amount, other_amounts, read_receipt

MAX_CHARGES = MAX_TOKENS = 20

ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="12345678901")
BILL = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(45_050), merchant_product_id="BILL", account_number="135609708")
AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
DATA_PIN = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATAPIN", pinned=True)
VOUCHER = Order(vas_type=VasType.VOUCHER, amount=Money(5_000), merchant_product_id="VOUCHER")

FIRST, SECOND, THIRD = "00000000000011110001", "00000000000022220002", "00000000000033330003"


def receipt(order: Order, details: object = None, **sold: object) -> Receipt:
    read = read_receipt({"transactionId": "T-1", "additionalDetails": details} | sold, order)
    assert read is not None
    return read


def tokens(said: object, **details: object) -> tuple[TokensDue, list[tuple[TokenKind, str, Decimal | None]]]:
    read = receipt(ELECTRICITY, {"tokens": said} | details)
    return read.tokens_due, [(token.kind, token.number, token.units) for token in read.tokens]


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
def test_of_joined_tokens_none_is_lost_and_none_is_made_up(said: object, numbers: list[str], issued: int | None) -> None:
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


def test_tokens_stay_in_the_suppliers_order_whatever_their_kinds_are_called() -> None:
    said = [{"token": FIRST, "type": "Credit"}, {"token": SECOND, "type": "Keypad token"}, {"token": THIRD, "type": "KCT"}]

    assert [number for _, number, _ in tokens(said)[1]] == [FIRST, SECOND, THIRD]


def test_of_several_tokens_only_the_single_unnamed_one_is_taken_for_the_credit_token() -> None:
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
def test_one_token_that_cannot_be_read_leaves_the_sale_undelivered_and_the_others_readable(malformed: object) -> None:
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


@pytest.mark.parametrize(
    ("costs", "due"),
    [
        ([{"description": "Arrears", "amount": 100}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": "60.50"}, {"name": "Rates debt", "value": Decimal("39.5")}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": "60.50"}, {"name": "Service", "value": Decimal("39.5")}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "Service charge", "amount": 0}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": 100}, {"description": "Balance outstanding", "amount": "239.26"}], TokensDue.NONE),
        ([{"description": "Debt recovery", "amount": 100}, {"description": "VAT", "amount": 0}], TokensDue.NONE),
        ([{"type": "AUX", "name": "Old debt", "amount": 100}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": "99.99"}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": "100.01"}], TokensDue.PENDING),
        ([{"description": "Energy", "amount": "86.96"}, {"description": "VAT", "amount": "13.04"}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": "86.96"}, {"description": "VAT", "amount": "13.04"}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "Energy", "amount": 1}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "Something else", "amount": 1}], TokensDue.PENDING),
        ([{"description": "Balance outstanding", "amount": 100}], TokensDue.PENDING),
        ([{"description": "Debt balance", "amount": 100}], TokensDue.PENDING),
        *(([{"description": f"Debt {word}", "amount": 100}], TokensDue.PENDING) for word in ("bal", "owing", "b/f", "c/f", "relief")),
        ([{"description": "Municipal debt repayment", "amount": 60}, {"name": "WaterArrears", "amount": 40}], TokensDue.NONE),
        ([{"description": "Arrears remaining", "amount": 100}], TokensDue.PENDING),
        ([{"description": "Service charge", "amount": 100}], TokensDue.PENDING),
        ([{"description": "Convenience fee", "amount": 100}], TokensDue.PENDING),
        ([{"amount": 100}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "Free units", "amount": 0}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "BSST", "amount": 0}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100, "units": "29.7"}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100, "units": 0}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": 120}, {"description": "Arrears", "amount": -20}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 5}] * 21, TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "unreadable"}], TokensDue.PENDING),
        ([], TokensDue.PENDING),
        ("100.00", TokensDue.PENDING),
    ],
)
def test_no_token_is_due_where_charges_are_known_to_use_up_the_amount(costs: object, due: TokensDue) -> None:
    assert tokens([], fixedCosts=costs)[0] is due


ALL_TAKEN = [{"description": "Arrears", "amount": 100}]


@pytest.mark.parametrize(
    "quoted",
    [
        {"units": "29.7"},
        {"additionalDetails": {"kWh": 29.7}},
        {"additionalDetails": {"unitsIssued": "29,7 kWh"}},
        {"additionalDetails": {"freeUnits": 50}},
        {"unitsPurchased": 29.7},
        {"additionalDetails": {"kwhTotal": "29.7"}},
        {"additionalDetails": {"freeBasicElectricity": "50"}},
        {"additionalDetails": {"tokens": [], "fbe": {"units": "50.0"}}},
        {"additionalDetails": {"slip": ["TOKEN", "29.7 kWh"]}},
        {"additionalDetails": {"instructions": "Units: 29.70"}},
        {"additionalDetails": {"municipalityDetails": {"total_units": 29.7}}},
    ],
    ids=repr,
)
def test_units_that_are_quoted_anywhere_leave_a_token_due(quoted: dict[str, Any]) -> None:
    details = {"fixedCosts": ALL_TAKEN} | quoted.pop("additionalDetails", {})

    read = receipt(ELECTRICITY, details, **quoted)

    assert (read.tokens_due, read.tokens_issued) == (TokensDue.PENDING, 1)
    nothing_left = receipt(ELECTRICITY, {"fixedCosts": ALL_TAKEN})
    assert nothing_left.tokens_due is TokensDue.NONE
    assert read.merged_with(nothing_left).tokens_due is TokensDue.PENDING


def test_a_token_that_could_not_be_read_stays_due_whatever_a_later_answer_says_of_debts() -> None:
    unread = receipt(ELECTRICITY, {"tokens": ["12 34"]})
    nothing_left = receipt(ELECTRICITY, {"fixedCosts": ALL_TAKEN})

    assert receipt(ELECTRICITY, {"tokens": ["12 34"], "fixedCosts": ALL_TAKEN}).tokens_due is TokensDue.PENDING
    assert unread.merged_with(nothing_left).tokens_due is TokensDue.PENDING
    assert receipt(ELECTRICITY, {"tokens": []}).merged_with(nothing_left).tokens_due is TokensDue.NONE


def charged(*named: str, amounts: tuple[int, ...] = (100,)) -> TokensDue:
    """Whether a token is due where the charges of these names take these amounts of R100.00."""
    costs = [{"description": name, "amount": amount} for name, amount in zip(named, amounts, strict=True)]
    return tokens([], fixedCosts=costs)[0]


RECOVERIES = """arrear,arrears,debt,debts,aux,auxiliary,recovery,recoveries,recovered,DEBT,AUX,MunicipalDebt
    debt payment,debt payments,debt repayment,debt paid,debt instalment,debt installments,debt collection,debt collected,debt deduction
    debt deducted,debt settlement,debt charge,debt charges,debt amount,water debt,sewer debt,sewerage debt,sanitation debt,refuse debt
    rate debt,rates debt,property debt,rent debt,rental debt,loan debt,fine debt,fines debt,penalty debt,interest debt,sundry debt
    other debt,old debt,historic debt,municipal debt,municipality debt,city debt,council debt,local debt,authority debt,account debt
    accounts debt,acc debt,debt type,debt of,debt on,debt for the water,debt in,debt to,debt and,debt from,debt against,debt towards"""
NO_RECOVERIES = """balance,remain,outstanding,owed,due,unpaid,opening,closing,brought,carried,before,after,total,limit,VAT,tax,levy,energy
    electricity,unit,kWh,free,FBE,BSST,EBSST,token,fee,refund,credit,rebate,discount,reversal,RELIEF,Relief,write-off"""


def rows_of(table: str) -> list[str]:
    return [word.strip() for word in table.replace("\n", ",").split(",")]


def test_each_name_of_a_recovery_is_known_and_one_strange_word_beside_it_leaves_a_token_due() -> None:
    known, strange = rows_of(RECOVERIES), rows_of(NO_RECOVERIES)
    assert {name: charged(name) for name in known} == dict.fromkeys(known, TokensDue.NONE)
    assert {name: charged(f"{name.upper()} 12/2026") for name in known} == dict.fromkeys(known, TokensDue.NONE) | {
        "MunicipalDebt": TokensDue.PENDING
    }
    assert {word: charged(f"Debt {word}") for word in strange} == dict.fromkeys(strange, TokensDue.PENDING)


def test_what_stands_beside_a_recovery_is_a_balance_or_nothing() -> None:
    for balance in ("Balance", "Outstanding", "Still outstanding", "Remaining"):
        assert charged("Arrears", balance, amounts=(100, 250)) is TokensDue.NONE
    for other in ("Withstanding", "Service charge", "Interest"):
        assert charged("Arrears", other, amounts=(100, 250)) is TokensDue.PENDING
    for energy in ("free", "FBE", "BSST", "EBSST", "unit", "units", "kWh", "kl", "token", "tokens"):
        assert charged("Arrears", energy, amounts=(100, 0)) is TokensDue.PENDING
    assert charged("Arrears", "carefree", amounts=(100, 0)) is TokensDue.NONE


def test_as_many_charges_are_added_up_as_a_slip_has() -> None:
    assert charged(*["Arrears"] * MAX_CHARGES, amounts=(5,) * MAX_CHARGES) is TokensDue.NONE
    assert charged(*["Arrears"] * (MAX_CHARGES + 1), amounts=(*(5,) * MAX_CHARGES, 0)) is TokensDue.PENDING


@pytest.mark.parametrize("key", ["amount", "value"])
@pytest.mark.parametrize("name", ["description", "name", "type"])
def test_a_charge_is_read_under_each_name_of_its_members(name: str, key: str) -> None:
    read = receipt(ELECTRICITY, {"fixedCosts": [{name: "Arrears", key: 100}]})
    assert (read.charges, read.tokens_due) == ((Charge("Arrears", Money(10_000)),), TokensDue.NONE)


@pytest.mark.parametrize(
    ("name", "value", "is_quoted"),
    [
        *((name, value, True) for name in ("units", "kWh", "total_kwh", "kilolitres", "free-issue", "kl") for value in (1, "1.5", "9 of")),
        *((name, 7, True) for name in ("quantity", "volume", "energy", "consumption")),
        *((name, value, False) for name in ("units", "consumption") for value in (0, "0.00", "none", None, True, "")),
        *((name, 7, False) for name in ("klm", "price", "energyPrice")),
        *(("slip", text, True) for text in ("9 kWh", "1.0 UNIT", "29,7units", "kWh 29.7", "units = 1", "Units:9", "0 kWh, 9 units")),
        *(("slip", text, False) for text in ("0.00 kWh", "kWh 0", "9 kwhs", "9 kg", "unit", "9 megaunits", "skwh 9")),
    ],
)
def test_a_quantity_is_quoted_under_its_names_or_in_words_and_nought_is_none(name: str, value: object, is_quoted: bool) -> None:
    assert quotes_units({"additionalDetails": {"slip": [{name: value}]}}) is is_quoted


def test_charges_are_on_the_receipt() -> None:
    costs = [{"description": "Arrears", "amount": Decimal("40.00")}, {"name": "Fee"}, 7]

    assert receipt(ELECTRICITY, {"fixedCosts": costs}).charges == (Charge("Arrears", Money(4000)), Charge("Fee", None), Charge(None, None))


def test_an_electricity_receipt_carries_all_that_the_slip_needs() -> None:
    details = {
        "reference": "REF0001",
        "receiptNumber": "RCP0001",
        "tokens": [{"token": FIRST, "units": "29.7"}],
        "consumerDetails": {"name": "TEST CONSUMER", "address": "1 TEST ROAD", "message": "Pay your rates."},
        "supplierGroupCode": "000001",
        "keyRevisionNumber": "2",
        "tariffIndex": "01",
        "tokenTechCode": "02",
        "algorithmCode": "07",
        "onlineMeter": False,
        "unitType": "KWH",
        "instructions": "Type it in.",
    }

    read = receipt(ELECTRICITY, details)

    assert (read.receipt_number, read.reference, read.units, read.unit_type) == ("RCP0001", "REF0001", Decimal("29.7"), "KWH")
    assert read.consumer == Consumer("TEST CONSUMER", "1 TEST ROAD", "Pay your rates.")
    assert read.meter == MeterDetails("000001", "2", "01", "02", "07")
    assert read.instructions == "Type it in."


def test_where_all_tokens_are_there_their_number_is_not_noted() -> None:
    whole = receipt(ELECTRICITY, {"tokens": [{"token": FIRST, "units": "29.7"}], "units": "29.7"})
    assert (whole.tokens_due, whole.tokens_issued) == (TokensDue.DELIVERED, None)
    online = receipt(ELECTRICITY, {"tokens": [], "onlineMeter": True, "units": "29.7"})
    assert (online.tokens_due, online.tokens_issued) == (TokensDue.NONE, None)


def test_units_of_the_only_token_with_some_are_the_sales_unless_it_states_its_own() -> None:
    one_of_two = [{"token": FIRST, "type": "KCT"}, {"token": SECOND, "units": "29.7"}]

    for said in (one_of_two, one_of_two[::-1], [*one_of_two, {"token": THIRD, "units": "much"}]):
        assert receipt(ELECTRICITY, {"tokens": said}).units == Decimal("29.7")
    assert receipt(ELECTRICITY, {"tokens": one_of_two, "units": 30}).units == Decimal(30)
    assert receipt(ELECTRICITY, {"tokens": one_of_two}, units=0).units == Decimal(0)


def test_units_are_quoted_and_never_added_up() -> None:
    two = [{"token": FIRST, "units": 1}, {"token": SECOND, "units": 2}]

    assert receipt(ELECTRICITY, {"tokens": two}).units is None
    assert receipt(ELECTRICITY, {"tokens": two, "units": "3.1"}).units == Decimal("3.1")


@pytest.mark.parametrize("key", ["units", "kWh", "kwh"])
def test_units_are_read_under_each_of_their_names_and_nought_is_a_quantity_too(key: str) -> None:
    for quoted in (Decimal("29.7"), Decimal(0)):
        assert receipt(ELECTRICITY, {"tokens": [{"token": FIRST, key: quoted}]}).units == quoted
        assert receipt(ELECTRICITY, {"tokens": [FIRST], key: quoted}, units="9").units == quoted
        assert receipt(ELECTRICITY, {"tokens": [FIRST]}, **{key: quoted}).units == quoted


def test_units_of_a_token_that_cannot_be_read_are_not_the_sales() -> None:
    assert receipt(ELECTRICITY, {"tokens": [{"token": "12 34", "units": "29.7"}]}).units is None


AMOUNTS: list[dict[str, object]] = [
    *({"additionalDetails": {"productAmount": "50"}}, {"amount": "50"}),
    *({"additionalDetails": {"amount": "50"}}, {"productAmount": "50"}),
]


@pytest.mark.parametrize("sold", AMOUNTS, ids=str)
def test_an_amount_is_read_in_whichever_field_it_stands(sold: dict[str, object]) -> None:
    assert (amount_said(sold), names_amount(sold)) == (Money(5_000), True)
    assert (other_amounts(sold, Money(5_000)), other_amounts(sold, Money(5_001))) == ((), (Money(5_000),))


def test_of_several_amounts_the_products_own_counts_first_and_each_that_differs_is_told() -> None:
    sold = {"additionalDetails": {"productAmount": "R1", "amount": 3}, "amount": 2, "productAmount": 4}
    assert amount_said(sold) == Money(200)
    assert other_amounts(sold, Money(300)) == (None, Money(200), Money(400))
    assert not names_amount({"amount": "", "productAmount": None}) and names_amount({"amount": "R1"})


def test_what_a_slip_has_may_stand_in_the_sale_or_in_its_details() -> None:
    everywhere = receipt(
        VOUCHER,
        {"reference": "D-1", "referenceNumber": "D-2", "expiryDate": "D-3", "instructions": "D-4", "productInstructions": "D-5"},
        reference="S-1",
        referenceNumber="S-2",
        expiryDate="S-3",
    )
    assert (everywhere.reference, everywhere.expiry_date, everywhere.instructions) == ("D-1", "S-3", "D-4")
    assert (receipt(VOUCHER, {"expiryDate": "D-3"}).expiry_date, receipt(VOUCHER, {}, reference="S-1").reference) == ("D-3", "S-1")
    assert receipt(VOUCHER, {"referenceNumber": "D-2"}, reference="S-1").reference == "D-2"
    assert receipt(BILL, {"consumerDetails": {"name": "In details"}}, accountHolder="In the sale").consumer == Consumer("In details")


def test_one_setting_of_a_meter_is_enough_to_show_it() -> None:
    codes = ("supplierGroupCode", "keyRevisionNumber", "tariffIndex", "tokenTechCode", "algorithmCode")
    for at, code in enumerate(codes):
        assert receipt(ELECTRICITY, {code: "07"}).meter == MeterDetails(*("07" if at == other else None for other in range(5)))


def test_where_a_token_could_not_be_read_the_others_units_are_not_the_sales_and_their_number_is_kept() -> None:
    read = receipt(ELECTRICITY, {"tokens": [{"token": FIRST, "type": "FBE", "units": 50}, {"token": "12 34"}]})

    assert (read.units, read.tokens_issued) == (None, 2)
    assert receipt(ELECTRICITY, {"tokens": [FIRST]}).tokens_issued is None


@pytest.mark.parametrize("units", [-1, "-1", "NaN", "1e5", True, "29,7", 10**40, Decimal("1E+400"), Decimal("1E-400"), [], "1_000"])
def test_units_that_are_no_quantity_are_left_out(units: object) -> None:
    assert tokens([{"token": FIRST, "units": units}]) == (TokensDue.DELIVERED, [(TokenKind.CREDIT, FIRST, None)])


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


def test_a_receipt_stays_small_whatever_is_answered() -> None:
    many = {"tokens": [FIRST] * 5000, "fixedCosts": [{"description": "d" * 5000, "amount": 1}] * 5000, "instructions": "é" * 50_000}

    read = receipt(ELECTRICITY, many)

    assert (len(read.tokens), read.tokens_due) == (MAX_TOKENS, TokensDue.PENDING)
    assert len(read.charges) == MAX_CHARGES
    assert len(repr(read.charges)) + len(read.instructions or "") < 20_000
    assert read.instructions == "é" * 2000

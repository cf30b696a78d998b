"""A caller's body is accepted unconverted or refused, and one answer names every field at fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.identifiers import Caller, fingerprint
from shared.domain.money import Money
from shared.domain.vas import Order, VasType
from shared.schemas.operator_requests import resolution
from shared.schemas.problems import Problem
from shared.schemas.requests import PURCHASES, Body, Limits, VoucherOrder, invalid, prevend_order, purchase_request, valid

LIMITS = Limits(Money(100), Money(500_000))
CALLER = Caller("https://issuer.example", "user-1")
METER = {"meterNumber": "12345678901", "amountCents": 10_000}
ACCOUNT = {"accountNumber": "135609708", "amountCents": 10_000, "merchantProductId": "SimBiller00000000000"}
MOBILE = {"merchantProductId": "SimAirtime0000000000", "amountCents": 500, "mobileNumber": "0821234567"}
PINNED = {"merchantProductId": "SimAirtimePin0000000", "amountCents": 500, "pinned": True}
VOUCHER = {"merchantProductId": "SimVoucher0000000000", "amountCents": 500}
GOOD = [
    (VasType.UTILITY, METER),
    (VasType.BILL_PAYMENT, ACCOUNT),
    (VasType.AIRTIME, MOBILE),
    (VasType.AIRTIME, PINNED),
    (VasType.DATA, MOBILE),
    (VasType.DATA, PINNED),
    (VasType.VOUCHER, VOUCHER),
    (VasType.UTILITY, {"prevendId": "7e0c"}),
    (VasType.BILL_PAYMENT, {"prevendId": "7e0c"}),
]
WRONG_AMOUNTS = [0, -1, -10_000, 99, 500_001, 10**30, 100.0, 150.5, "100", "10000", True, None, [], {}, [100]]
WRONG_METERS = [
    "1234567890",
    "123456789012",
    "12345678901234",
    "1234567890a",
    "12345678901\n",
    " 12345678901",
    "١٢٣٤٥٦٧٨٩٠١",
    "１２３４５６７８９０１",
    "",
    12345678901,
    None,
    ["12345678901"],
]


def asked(vas_type, body):
    return purchase_request(vas_type, body, LIMITS, caller=CALLER, idempotency_key="key-1")


def faults(read, *arguments):
    """The fields at fault, in the order in which they are named, with what is said of each."""
    with pytest.raises(Problem) as refused:
        read(*arguments)
    assert refused.value.name == "body-invalid"
    return {error["field"]: error["message"] for error in refused.value.members["errors"]}


@pytest.mark.parametrize(("vas_type", "body"), GOOD)
def test_every_shape_of_the_contract_is_taken(vas_type, body):
    request = asked(vas_type, body)
    assert (request.caller, request.idempotency_key, request.vas_type) == (CALLER, "key-1", vas_type)
    assert request.prevend_id == body.get("prevendId")
    assert (request.order is None) == ("prevendId" in body)
    assert (request.reference, request.allow_duplicate) == (None, False)


def test_an_order_says_what_the_body_said():
    body = {**METER, "merchantProductId": "electricity", "reference": "Basket 7 – été", "allowDuplicate": True}
    request = asked(VasType.UTILITY, body)

    assert request.order == Order(
        vas_type=VasType.UTILITY,
        amount=Money(10_000),
        merchant_product_id="electricity",
        meter_number="12345678901",
        reference="Basket 7 – été",
    )
    assert (request.reference, request.allow_duplicate) == ("Basket 7 – été", True)


def test_a_prevend_order_says_what_the_body_said():
    assert prevend_order(VasType.BILL_PAYMENT, ACCOUNT, LIMITS) == Order(
        vas_type=VasType.BILL_PAYMENT,
        amount=Money(10_000),
        merchant_product_id="SimBiller00000000000",
        account_number="135609708",
    )


@pytest.mark.parametrize("number", ["0821234567", "27821234567", "+27821234567"])
def test_a_mobile_number_is_held_as_the_network_has_it(number):
    assert asked(VasType.AIRTIME, {**MOBILE, "mobileNumber": number}).order.mobile_number == "27821234567"


@pytest.mark.parametrize(
    "number", ["082123456", "08212345678", "0521234567", "00821234567", "+270821234567", "०८२१२३४५६७", "082 123 4567", 821234567]
)
def test_what_no_network_has_is_no_mobile_number(number):
    assert set(faults(asked, VasType.AIRTIME, {**MOBILE, "mobileNumber": number})) == {"mobileNumber"}


@pytest.mark.parametrize("amount", WRONG_AMOUNTS)
@pytest.mark.parametrize(("vas_type", "body"), [good for good in GOOD if "prevendId" not in good[1]])
def test_an_amount_is_whole_cents_within_the_limits_and_nothing_else(vas_type, body, amount):
    assert set(faults(asked, vas_type, {**body, "amountCents": amount})) == {"amountCents"}


@pytest.mark.parametrize("amount", [100, 500_000])
def test_the_limits_themselves_are_allowed(amount):
    assert asked(VasType.UTILITY, {**METER, "amountCents": amount}).order.amount == Money(amount)


def test_the_limits_are_reported():
    assert faults(asked, VasType.UTILITY, {**METER, "amountCents": 99}) == {"amountCents": "must be from 100 to 500000 cents"}


@pytest.mark.parametrize("meter", WRONG_METERS)
@pytest.mark.parametrize("read", [asked, lambda vas_type, body: prevend_order(vas_type, body, LIMITS)])
def test_a_meter_is_11_or_13_ascii_digits_as_text(read, meter):
    assert set(faults(read, VasType.UTILITY, {**METER, "meterNumber": meter})) == {"meterNumber"}


@pytest.mark.parametrize("account", ["1234", "1" * 21, "12a45", "１２３４５", 12345])
def test_an_account_is_5_to_20_ascii_digits_as_text(account):
    assert set(faults(asked, VasType.BILL_PAYMENT, {**ACCOUNT, "accountNumber": account})) == {"accountNumber"}


@pytest.mark.parametrize("reference", ["x" * 65, "two\nlines", "nul\0", "\x9f", "half \ud800", 7, True])
def test_a_reference_is_short_and_storable_text(reference):
    assert set(faults(asked, VasType.VOUCHER, {**VOUCHER, "reference": reference})) == {"reference"}


@pytest.mark.parametrize("reference", ["", "x" * 64, "👩‍👩‍👧", "ünïcödé", None])
def test_any_other_text_of_64_characters_is_a_reference(reference):
    assert asked(VasType.VOUCHER, {**VOUCHER, "reference": reference}).reference == reference


@pytest.mark.parametrize("prevend_id", ["", "a/b", "..", "__x__", "a b", "x" * 65, "é", 7, None])
def test_a_prevend_id_is_a_plain_word(prevend_id):
    assert set(faults(asked, VasType.UTILITY, {"prevendId": prevend_id})) == {"prevendId"}


@pytest.mark.parametrize("pinned", [False, 1, "true", None])
def test_pinned_is_true_or_left_out(pinned):
    assert set(faults(asked, VasType.AIRTIME, {**PINNED, "pinned": pinned})) == {"pinned"}


@pytest.mark.parametrize("allow", [0, 1, "true", None])
def test_allowing_a_duplicate_is_said_with_true(allow):
    assert set(faults(asked, VasType.VOUCHER, {**VOUCHER, "allowDuplicate": allow})) == {"allowDuplicate"}


@pytest.mark.parametrize(
    ("vas_type", "body", "unexpected"),
    [
        (VasType.UTILITY, {**METER, "prevendId": "7e0c"}, {"meterNumber", "amountCents"}),
        (VasType.UTILITY, {"prevendId": "7e0c", "amountCents": 10_000}, {"amountCents"}),
        (VasType.AIRTIME, {**MOBILE, "pinned": True}, {"mobileNumber"}),
        (VasType.VOUCHER, {**VOUCHER, "mobileNumber": "0821234567"}, {"mobileNumber"}),
        (VasType.VOUCHER, {**VOUCHER, "pinned": True}, {"pinned"}),
        (VasType.UTILITY, {**METER, "amount": 100}, {"amount"}),
        (VasType.UTILITY, {**METER, "meter_number": "12345678901"}, {"meter_number"}),
        (VasType.UTILITY, {**METER, "amount_cents": 10_000}, {"amount_cents"}),
    ],
)
def test_a_field_that_does_not_belong_is_a_fault(vas_type, body, unexpected):
    assert faults(asked, vas_type, body) == dict.fromkeys(unexpected, "is not expected in this request")


@pytest.mark.parametrize(
    ("vas_type", "needed"), [(VasType.AIRTIME, set(MOBILE)), (VasType.DATA, set(MOBILE)), (VasType.VOUCHER, set(VOUCHER))]
)
def test_what_has_no_prevend_cannot_be_bought_by_one(vas_type, needed):
    unexpected = {"prevendId": "is not expected in this request"}
    assert faults(asked, vas_type, {"prevendId": "7e0c"}) == unexpected | dict.fromkeys(needed, "is required")


def test_an_amount_is_never_read_without_limits():
    with pytest.raises(TypeError, match="within limits"):
        valid(VoucherOrder, VOUCHER)


def test_a_name_that_no_answer_could_hold_is_spelt_out_or_stands_for_the_body():
    told = invalid([("half \ud800", "is wrong"), ("été", "too")]).members["errors"]
    assert told == [{"field": "half \\ud800", "message": "is wrong"}, {"field": "été", "message": "too"}]
    assert set(faults(asked, VasType.VOUCHER, {**VOUCHER, "half \ud800": 1})) == {""}


def test_a_fault_within_a_list_is_named_by_its_place():
    body = {"version": 1, "note": "n", "tokens": ["1234", 5, "6-7", "é"]}
    assert set(faults(resolution, body)) == {"tokens.1", "tokens.3"}


def test_what_is_no_list_or_none_of_some_words_is_reported_so():
    assert faults(resolution, {"version": 1, "note": "n", "tokens": "1234"}) == {"tokens": "must be a list"}
    assert faults(resolution, {"version": 1, "note": "n", "state": "sold"}) == {"state": "must be 'vended' or 'rejected'"}


def test_a_prevend_knows_no_reference():
    assert set(faults(prevend_order, VasType.UTILITY, {**METER, "reference": "x"}, LIMITS)) == {"reference"}


@pytest.mark.parametrize(("vas_type", "needed"), [(VasType.UTILITY, {"meterNumber", "amountCents"}), (VasType.DATA, set(MOBILE))])
def test_every_field_that_is_missing_is_named(vas_type, needed):
    assert faults(asked, vas_type, {}) == dict.fromkeys(needed, "is required")


def test_every_field_at_fault_is_named_in_one_answer_and_no_value_is_quoted():
    told = faults(
        asked,
        VasType.AIRTIME,
        {"amountCents": "4711", "mobileNumber": "secret", "merchantProductId": 4711, "reference": "\0", "x4": "secret"},
    )
    assert set(told) == {"amountCents", "mobileNumber", "merchantProductId", "reference", "x4"}
    assert not any("4711" in message or "secret" in message for message in told.values())


def test_an_answer_names_at_most_a_hundred_fields_by_short_names():
    told = faults(asked, VasType.VOUCHER, {**VOUCHER, **{f"{'x' * 1000}{number}": 1 for number in range(3)}})
    assert set(told) == {"x" * 64}
    with pytest.raises(Problem) as refused:
        asked(VasType.VOUCHER, {**VOUCHER, **{f"x{number}": 1 for number in range(200)}})
    assert len(refused.value.members["errors"]) == 100


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("amountCents", "500", "must be a whole number, without quotes or a fraction"),
        ("amountCents", 5.5, "must be a whole number, without quotes or a fraction"),
        ("merchantProductId", 5, "must be text in quotes"),
        ("merchantProductId", "two words", "must be 1 to 64 visible ASCII characters"),
        ("merchantProductId", "x" * 65, "must be 1 to 64 visible ASCII characters"),
        ("allowDuplicate", "true", "must be true or false"),
        ("reference", 7, "must be text in quotes"),
        ("pinned", False, "must be true, or left out"),
    ],
)
def test_a_fault_is_reported_in_words_of_json(field, value, message):
    assert faults(asked, VasType.AIRTIME, {**PINNED, field: value}) == {field: message}


@pytest.mark.parametrize("product_id", ["!", "~" * 64])
def test_a_product_id_is_visible_ascii(product_id):
    assert asked(VasType.VOUCHER, {**VOUCHER, "merchantProductId": product_id}).order.merchant_product_id == product_id


@pytest.mark.parametrize("prevend_id", ["0", "Z_-9", "a" * 64])
def test_a_prevend_id_may_be_of_any_length_up_to_64(prevend_id):
    assert asked(VasType.UTILITY, {"prevendId": prevend_id}).prevend_id == prevend_id


@pytest.mark.parametrize("vas_type", [VasType.AIRTIME, VasType.DATA, VasType.VOUCHER])
def test_what_has_no_prevend_cannot_be_prevended(vas_type):
    with pytest.raises(Problem) as refused:
        prevend_order(vas_type, METER, LIMITS)
    assert refused.value.name == "not-found"


def test_the_fingerprint_is_of_the_request_as_it_was_sent():
    local, international = {**MOBILE, "mobileNumber": "0821234567"}, {**MOBILE, "mobileNumber": "+27821234567"}
    assert asked(VasType.AIRTIME, local).fingerprint == fingerprint(VasType.AIRTIME, local)
    assert asked(VasType.AIRTIME, local).fingerprint != asked(VasType.AIRTIME, international).fingerprint
    assert asked(VasType.AIRTIME, local).fingerprint == asked(VasType.AIRTIME, dict(reversed(local.items()))).fingerprint


REFERENCE = {"maxLength": 64, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$", "type": "string"}
PRODUCT = {"pattern": "^(?:[!-~]{1,64})$", "type": "string"}
DESCRIBED = {
    "reference": {"anyOf": [REFERENCE, {"type": "null"}], "default": None, "description": "The caller's own words; echoed everywhere."},
    "allowDuplicate": {
        "default": False,
        "description": "Sell although an unfinished sale has the same recipient and amount.",
        "type": "boolean",
    },
    "meterNumber": {"pattern": "^(?:[0-9]{11}(?:[0-9]{2})?)$", "type": "string"},
    "accountNumber": {"pattern": "^(?:[0-9]{5,20})$", "type": "string"},
    "mobileNumber": {"pattern": r"^(?:(?:\+?27|0)([6-8][0-9]{8}))$", "type": "string"},
    "amountCents": {"description": "Cents of a rand.", "minimum": 1, "type": "integer"},
    "merchantProductId": PRODUCT,
    "pinned": {"const": True, "type": "boolean"},
    "prevendId": {"pattern": "^(?:[0-9A-Za-z][0-9A-Za-z_-]{0,63})$", "type": "string"},
}


@pytest.mark.parametrize(("vas_type", "body"), GOOD)
def test_each_field_is_described_to_callers_as_it_is_checked(vas_type, body):
    asked(vas_type, body)
    (model,) = [model for model in PURCHASES[vas_type] if set(model.model_json_schema()["required"]) == set(body)]
    schema = model.model_json_schema()
    described = {name: {key: said for key, said in field.items() if key != "title"} for name, field in schema["properties"].items()}
    known = (
        {**DESCRIBED, "merchantProductId": {"anyOf": [PRODUCT, {"type": "null"}], "default": None}} if "meterNumber" in body else DESCRIBED
    )
    assert schema["additionalProperties"] is False and set(body) <= set(described)
    assert described == {name: known[name] for name in described}


def test_a_body_stays_as_it_was_sent_and_an_error_quotes_none_of_it():
    said = valid(VoucherOrder, VOUCHER, LIMITS)
    with pytest.raises(ValidationError):
        said.amount_cents = 1
    with pytest.raises(ValidationError) as refused:
        VoucherOrder.model_validate({**VOUCHER, "merchantProductId": "very secret"}, context=LIMITS)
    assert "very secret" not in str(refused.value)


def test_a_start_makes_no_model_that_is_not_asked_for():
    class Asked(Body):
        amount: int

    assert not Asked.__pydantic_complete__
    assert valid(Asked, {"amount": 5}).amount == 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(sorted({name for _, body in GOOD for name in body} | {"reference", "allowDuplicate", "x"}))


@given(st.sampled_from(list(PURCHASES)), st.dictionaries(FIELDS, JSON))
def test_whatever_json_is_sent_it_becomes_a_request_or_names_its_faults(vas_type, body):
    request = refused = None
    try:
        request = asked(vas_type, body)
    except Problem as problem:
        refused = problem
    if refused is not None:
        assert refused.name == "body-invalid" and refused.members["errors"]
    else:
        assert request is not None and (request.order is None) != (request.prevend_id is None)

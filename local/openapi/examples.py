"""Examples of whole bodies: of any form from its fields' examples, and sales and problems as they are answered."""

from collections.abc import Mapping
from typing import Any, Final, assert_never

from local.openapi.words import OTHER_SALE_ID, SALE_ID, WORDS
from shared.domain.money import Money
from shared.domain.outcome import Reason, Rejected
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.schemas.problems import KINDS, Name, Problem, RequestFault, of_refusal
from shared.web.problem_pages import explained_body

Json = dict[str, Any]

_INSTANCE: Final = f"/transactions/{SALE_ID}"
_RUNNING: Final[Json] = {"transactionId": SALE_ID, "instance": _INSTANCE}
_AS_IT_IS: Final[Json] = {"state": "vended", "version": 3, **_RUNNING}
_NAMES_ANOTHER: Final = frozenset({Reason.POSSIBLE_DUPLICATE, Reason.PREVEND_USED})
_MEMBERS: Final[Mapping[Name, Json]] = {
    RequestFault.BODY_INVALID: {"errors": [{"field": "meterNumber", "message": "must be 11 or 13 digits"}]},
    RequestFault.IDEMPOTENCY_KEY_REUSED: {"instance": f"/transactions/{OTHER_SALE_ID}"},
    RequestFault.NOTHING_TO_DECIDE: _AS_IT_IS,
    RequestFault.OUTDATED: _AS_IT_IS,
    RequestFault.REQUEST_IN_PROGRESS: _RUNNING,
    RequestFault.SETTLEMENT_FILE_REFUSED: {
        "file": WORDS["file"].example,
        "reason": "the file breaks the format",
        "faults": [{"line": 2, "field": 5, "name": "amount", "message": "is not an amount"}],
    },
}

_ASKED: Final = {  # the service that a form's own example is for
    "AccountOrder": VasType.BILL_PAYMENT,
    "AccountPurchase": VasType.BILL_PAYMENT,
    "MobilePurchase": VasType.AIRTIME,
    "PinnedPurchase": VasType.AIRTIME,
    "VoucherPurchase": VasType.VOUCHER,
}
_MINIMUM: Final = Money(33_926)
_RECIPIENTS: Final = {
    VasType.UTILITY: {"meterNumber": "12345678901"},
    VasType.BILL_PAYMENT: {"accountNumber": "135609708"},
    VasType.AIRTIME: {"mobileNumber": "27821234567"},
    VasType.DATA: {"mobileNumber": "27821234567"},
    VasType.VOUCHER: {},
}
_PRODUCTS: Final = {
    VasType.UTILITY: "SimUtility0000000000",
    VasType.BILL_PAYMENT: "SimBiller00000000000",
    VasType.AIRTIME: "SimAirtime0000000000",
    VasType.DATA: "SimData0000000000000",
    VasType.VOUCHER: "SimVoucher0000000000",
}
_PINS: Final = {VasType.AIRTIME: "SimAirtimePin0000000", VasType.DATA: "SimDataPin0000000000"}
_METERLESS: Final[Json] = {
    "receiptNumber": None,
    "units": None,
    "unitType": None,
    "meter": None,
    "instructions": None,
    "charges": [],
    "tokens": [],
}
_DELIVERED: Final[Mapping[VasType, Mapping[str, object]]] = {
    VasType.UTILITY: {"charges": []},
    VasType.BILL_PAYMENT: {**_METERLESS, "tokensDue": "none", "consumer": {"name": "S** C**", "address": None, "message": None}},
    VasType.AIRTIME: {**_METERLESS, "tokensDue": "none", "consumer": None},
    VasType.DATA: {**_METERLESS, "tokensDue": "none", "consumer": None},
    VasType.VOUCHER: {
        **_METERLESS,
        "consumer": None,
        "pin": "0000000050063377",
        "serialNumber": "00000000000052687418",
        "expiryDate": "2029-04-30T12:00:00+02:00",
        "instructions": "Simulated: this PIN buys nothing.",
    },
}


def composed(schemas: Mapping[str, Json], form: str) -> Any:
    """The example of a form from those of its fields: all that are always there, one entry in each list."""
    schema = schemas[form]
    if "properties" not in schema:
        return schema["enum"][0]
    return {name: _value(schemas, schema["properties"][name]) for name in schema.get("required", [])}


def request(schemas: Mapping[str, Json], vas_type: VasType, form: str) -> Json:
    """A request of that form for that service, which the simulated system grants, but for a prevend of its own."""
    body: Json = composed(schemas, form)
    if "merchantProductId" in body:
        body["merchantProductId"] = _PINS[vas_type] if "pinned" in body else _PRODUCTS[vas_type]
    return body


def prevend(schemas: Mapping[str, Json], vas_type: VasType) -> Json:
    """A prevend of that service, as it is answered."""
    body: Json = {**composed(schemas, "PrevendBody"), "vasType": vas_type.value, "merchantProductId": _PRODUCTS[vas_type]}
    match vas_type:
        case VasType.UTILITY:
            body["amountDueCents"] = None
        case VasType.BILL_PAYMENT:
            body |= {"minimumAmountCents": None, "consumer": {"name": "S** C**", "address": None}}
        case VasType.AIRTIME | VasType.DATA | VasType.VOUCHER:
            raise ValueError(f"sold without a prevend: {vas_type}")
        case _:
            assert_never(vas_type)
    return body | _RECIPIENTS[vas_type]


def sale(schemas: Mapping[str, Json], vas_type: VasType, state: State, *, pinned: bool = False) -> Json:
    """A sale of that service, as it is answered in that state."""
    body: Json = {**composed(schemas, "TransactionBody"), "vasType": vas_type.value, "state": state.value, "receipt": None, "problem": None}
    body["merchantProductId"] = (_PINS if pinned else _PRODUCTS)[vas_type]
    if state is State.VENDED:
        body["receipt"] = {**composed(schemas, "ReceiptBody"), **_DELIVERED[VasType.VOUCHER if pinned else vas_type]}
    if state is State.REJECTED:
        body["problem"] = {name: value for name, value in of_refusal(_rejected(Reason.METER_UNKNOWN)).body().items() if name != "status"}
    return body if pinned else body | _RECIPIENTS[vas_type]


def problem(name: Name, *, of_sale: bool = False) -> Json:
    """The body of a problem; `of_sale`: as a purchase answers it, whose key it has bound."""
    if not isinstance(name, Reason):
        return Problem(name, **_MEMBERS.get(name, {})).body()
    if not of_sale:
        return of_refusal(_rejected(name)).body()
    other = OTHER_SALE_ID if name in _NAMES_ANOTHER else SALE_ID
    return of_refusal(_rejected(name), state="rejected", transactionId=other, instance=_INSTANCE).body()


def of_problems() -> dict[str, Json]:
    """Every problem as it is answered, with when it happens and what to do; those of sales also with their `state`."""
    plain = {name.value: _explained(name, problem(name)) for name in KINDS}
    return plain | {f"rejected-{name}": _explained(name, problem(name, of_sale=True)) for name in Reason}


def special(schemas: Mapping[str, Json]) -> dict[str, list[Any]]:
    """The examples of forms that the examples of their fields cannot make."""
    sales = [sale(schemas, VasType.UTILITY, state) for state in (State.VENDED, State.IN_DOUBT, State.REJECTED)]
    hidden = {**composed(schemas, "ReceiptBody"), "tokens": [{"kind": "credit", "number": "*" * 20, "units": "29.7"}], "charges": []}
    explained = [dict(explained_body(name)) for name in (Reason.METER_UNKNOWN, Reason.SUPPLIER_BUSY)]
    return {
        "TransactionBody": sales,
        "DayBody": [{"transactions": [sales[0], sale(schemas, VasType.VOUCHER, State.VENDED), sales[2]], "cursor": None}],
        "EventBody": [{**sales[0], "eventId": f"{SALE_ID}:vended", "event": "vended"}],
        "DossierBody": [{**composed(schemas, "DossierBody"), **_masked(sales[0]), "receipt": hidden}],
        "PrevendBody": [prevend(schemas, VasType.UTILITY), prevend(schemas, VasType.BILL_PAYMENT)],
        **{form: [request(schemas, vas_type, form)] for form, vas_type in _ASKED.items()},
        "ReceiptBody": [sale(schemas, vas_type, State.VENDED)["receipt"] for vas_type in VasType],
        "ProblemBody": [problem(RequestFault.BODY_INVALID), problem(Reason.AMOUNT_BELOW_MINIMUM, of_sale=True)],
        "ExplainedBody": explained,
        "ExplainedListBody": [{"problems": explained}],
        "TheirsBody": [_line(schemas), {name: WORDS[word].example for name, word in (("source", "TheirsBody.source"), ("said", "said"))}],
        **{form: [_difference(schemas, form)] for form in ("AgedDifferenceBody", "DifferenceBody")},
        "DiscrepancyBody": [{**_difference(schemas, "DiscrepancyBody"), "status": WORDS["decision"].example}],
        "ResolutionBody": [
            {"version": 3, "state": "rejected", "note": "Not in the supplier's portal"},
            {"version": 3, "state": "vended", "tokens": WORDS["ResolutionBody.tokens"].example, "note": WORDS["note"].example},
        ],
        "SettledDayBody": [_settled(schemas, "SettledDayBody")],
        "ReportBody": [_settled(schemas, "ReportBody")],
    }


def _explained(name: Name, body: Json) -> Json:
    kind = KINDS[name]
    return {"summary": kind.title, "description": f"{kind.when}\n\n**What to do:** {kind.what_to_do}", "value": body}


def _rejected(reason: Reason) -> Rejected:
    return Rejected(reason, "", minimum_amount=_MINIMUM if reason is Reason.AMOUNT_BELOW_MINIMUM else None)


def _masked(body: Json) -> Json:
    return body | {"meterNumber": "*8901"}


def _line(schemas: Mapping[str, Json]) -> Json:
    """The supplier's side of a difference, where it is a line of the file that bills a cent too much."""
    fields = {name: field for name, field in schemas["TheirsBody"]["properties"].items() if name not in ("source", "said")}
    return {name: _value(schemas, field) for name, field in fields.items()} | {"amountCents": WORDS["amountCents"].example + 1}


def _difference(schemas: Mapping[str, Json], form: str) -> Json:
    body: Json = composed(schemas, form)
    return body | {"theirs": _line(schemas)}


_OF_TROUBLE: Final = ("refused", "notTaken", "moreNotTaken")  # fields that such a day lacks


def _settled(schemas: Mapping[str, Json], form: str) -> Json:
    """A day with one open discrepancy."""
    difference = (
        _difference(schemas, "AgedDifferenceBody") | {"closure": None} if form == "ReportBody" else _difference(schemas, "DifferenceBody")
    )
    whole = {name: value for name, value in composed(schemas, form).items() if name not in _OF_TROUBLE}
    return {**whole, "status": "discrepancies", "discrepancies": [difference]}


def _value(schemas: Mapping[str, Json], schema: Json) -> Any:
    """The example of a value: its own, else one of the form that it refers to."""
    match schema:
        case {"examples": [example, *_]}:
            return example
        case {"$ref": str(reference)}:
            return composed(schemas, reference.rpartition("/")[2])
        case {"anyOf": [first, *_]}:
            return _value(schemas, first)
        case {"items": items}:
            return [_value(schemas, items)]
        case _:
            raise LookupError(f"no example of {schema}")

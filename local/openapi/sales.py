"""prevend and purchase in the API description: what apps and their back ends call."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.openapi.examples import Json, prevend, request, sale
from local.openapi.parts import DATE, ID, OF_BODIES, OF_CALLERS, answer, body, in_path, parameter, problems
from local.openapi.words import DAY, SALE_ID, WORDS
from shared.domain.outcome import Reason
from shared.domain.transaction import State
from shared.domain.vas import ALIASES, PREVENDED, WITHOUT_RECIPIENT, VasType
from shared.mobilemart.error_codes import CODES, STATUSES
from shared.schemas.problems import Name, RequestFault
from shared.schemas.requests import PREVENDS, PURCHASES

_OF_KEYS: Final = (
    RequestFault.IDEMPOTENCY_KEY_MISSING,
    RequestFault.IDEMPOTENCY_KEY_MALFORMED,
    RequestFault.IDEMPOTENCY_KEY_REUSED,
    RequestFault.KEY_RETIRED,
    RequestFault.REQUEST_IN_PROGRESS,
)
_OF_THE_CATALOGUE: Final = (Reason.AMOUNT_ABOVE_MAXIMUM, Reason.AMOUNT_BELOW_MINIMUM, Reason.PRICE_CHANGED, Reason.PRODUCT_UNAVAILABLE)
_OF_NAMED_PREVENDS: Final = (RequestFault.PREVEND_UNKNOWN, Reason.PREVEND_EXPIRED, Reason.PREVEND_USED)
_KEY: Final = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
_WORDS_OF_KEYS: Final = (
    "Your name for this purchase: 1 to 255 visible ASCII characters, given once. Make it when the customer decides to buy, keep it before "
    "the first request, and send it with every repeat of that same request. It is bound to that request for ever."
)
_MEANINGS: Final = (*CODES.values(), *STATUSES.values())


def paths(forms: Mapping[str, Json]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations, by path and method."""
    for vas_type, model in PREVENDS.items():
        yield f"/prevend/{vas_type}", {"post": _prevend(forms, vas_type, model.__name__), "get": _prevend_by_query(forms, vas_type, model)}
    for vas_type in VasType:
        yield f"/prevend/{vas_type}/products", {"get": _products(vas_type)}
    for vas_type, models in PURCHASES.items():
        yield f"/purchase/{vas_type}", {"post": _purchase(forms, vas_type, [model.__name__ for model in models])}
    yield "/purchase/transactions", {"get": _sales()}
    yield "/purchase/transactions/{transactionId}", {"get": _sale(forms)}


def reasons_of_purchases(vas_type: VasType) -> set[Name]:
    """The reasons to refuse a sale of a service: by the supplier's codes, by its catalogue, and by our own rules."""
    said: set[Name] = {reason for meaning in _MEANINGS if (reason := meaning.reason(vas_type)) is not None}
    said |= {meaning.prevend_reason(vas_type) for meaning in _MEANINGS}
    if vas_type in PREVENDED:
        said |= {*_OF_NAMED_PREVENDS}
    if vas_type not in WITHOUT_RECIPIENT:  # without a recipient there is no duplicate
        said.add(Reason.POSSIBLE_DUPLICATE)
    return {*said, *_OF_THE_CATALOGUE}


def _reasons_of_prevends(vas_type: VasType) -> set[Name]:
    """The reasons to refuse a prevend. A temporary reason is a supplier that does not answer."""
    said = {meaning.prevend_reason(vas_type) for meaning in _MEANINGS} - {Reason.TEMPORARILY_UNAVAILABLE}
    return {*said, *_OF_THE_CATALOGUE, RequestFault.SUPPLIER_UNAVAILABLE}


def _prevend(forms: Mapping[str, Json], vas_type: VasType, model: str) -> dict[str, Any]:
    return {
        "tags": ["prevend"],
        "operationId": f"prevend-{vas_type}",
        "summary": "Confirm a recipient and an amount with the supplier. No money moves.",
        "description": f"{_aliases(vas_type)} It may be asked for again at any time, also after a 5xx.",
        "requestBody": body([model]),
        "responses": {
            "200": answer("PrevendBody", "Confirmed, for one purchase.", examples=_confirmed(forms, vas_type)),
            **problems(*_reasons_of_prevends(vas_type), *OF_BODIES, *OF_CALLERS),
        },
    }


def _prevend_by_query(forms: Mapping[str, Json], vas_type: VasType, model: type[Any]) -> dict[str, Any]:
    required = {field.alias for field in model.model_fields.values() if field.is_required()}
    names = [field.alias for field in model.model_fields.values()]
    example = request(forms, vas_type, model.__name__)
    return {
        "tags": ["prevend"],
        "operationId": f"prevend-{vas_type}-by-query",
        "summary": "The same from query parameters, for apps that ask so today.",
        "description": "Deprecated, because addresses are logged.",
        "deprecated": True,
        "parameters": [
            parameter(
                name, _queried(model, name), WORDS[name].description, example.get(name, WORDS[name].example), required=name in required
            )
            for name in names
        ],
        "responses": {
            "200": answer("PrevendBody", "Confirmed, for one purchase.", examples=_confirmed(forms, vas_type)),
            **problems(*_reasons_of_prevends(vas_type), RequestFault.BODY_INVALID, *OF_CALLERS),
        },
    }


def _confirmed(forms: Mapping[str, Json], vas_type: VasType) -> Json:
    return {"confirmed": {"summary": "Confirmed", "value": prevend(forms, vas_type)}}


def _queried(model: type[Any], name: str) -> Json:
    """A field as a query parameter, which cannot be `null`."""
    schema: Json = model.model_json_schema()["properties"][name]
    one: Json = schema["anyOf"][0] if "anyOf" in schema else schema
    return {key: value for key, value in one.items() if key in ("type", "pattern", "minimum")}


def _products(vas_type: VasType) -> dict[str, Any]:
    refusals = {meaning.prevend_reason(vas_type) for meaning in _MEANINGS} - {Reason.TEMPORARILY_UNAVAILABLE}
    return {
        "tags": ["prevend"],
        "operationId": f"products-{vas_type}",
        "summary": "What can be bought. At most 15 minutes old.",
        "description": _aliases(vas_type),
        "responses": {
            "200": answer("ProductsBody", "The catalogue."),
            **problems(*refusals, RequestFault.SUPPLIER_UNAVAILABLE, *OF_CALLERS),
        },
    }


def _purchase(forms: Mapping[str, Json], vas_type: VasType, models: list[str]) -> dict[str, Any]:
    vended = answer(
        "TransactionBody",
        "Vended: capture the money. A repeat of the key gets the same status and bytes, with `Idempotent-Replayed`; tokens that were "
        "recovered later are in it.",
        "Location",
        "Idempotent-Replayed",
        examples=_vended(forms, vas_type, pinned="PinnedPurchase" in models),
    )
    unknown = answer(
        "TransactionBody",
        "In doubt: it may have vended. Hold the money. After `Retry-After` repeat the same request under the same key, or read the sale; "
        "it ends by itself, on evidence.",
        *("Location", "Idempotent-Replayed", "Retry-After"),
        examples={"in-doubt": {"summary": "In doubt", "value": sale(forms, vas_type, State.IN_DOUBT)}},
    )
    return {
        "tags": ["purchase"],
        "operationId": f"purchase-{vas_type}",
        "summary": "Buy: at most one vend for the key.",
        "description": f"{_aliases(vas_type)} A client that goes away does not end its sale: it is finished, and found by its key.",
        "parameters": [parameter("Idempotency-Key", _KEY, _WORDS_OF_KEYS, "order-7", place="header", required=True)],
        "requestBody": body(
            models, {model: {"summary": forms[model]["description"], "value": request(forms, vas_type, model)} for model in models}
        ),
        "responses": {
            "201": vended,
            "202": unknown,
            **problems(*reasons_of_purchases(vas_type), *_OF_KEYS, *OF_BODIES, *OF_CALLERS, of_sale=True),
        },
    }


def _vended(forms: Mapping[str, Json], vas_type: VasType, *, pinned: bool) -> Json:
    vended = {"vended": {"summary": "Vended", "value": sale(forms, vas_type, State.VENDED)}}
    if pinned:
        vended["vended-pin"] = {"summary": "Vended as a PIN", "value": sale(forms, vas_type, State.VENDED, pinned=True)}
    return vended


def _sales() -> dict[str, Any]:
    return {
        "tags": ["purchase"],
        "operationId": "transactions",
        "summary": "The caller's sale under an idempotency key, or a page of the caller's sales of a business day.",
        "description": "Either `idempotencyKey`, or `day` with or without `cursor`.",
        "parameters": [
            parameter("idempotencyKey", _KEY, "The key under which it was bought.", "order-7"),
            parameter("day", DATE, "The business day in South Africa, whose sales come a hundred at a time, each once.", DAY),
            parameter("cursor", ID, "The `cursor` of the page before.", SALE_ID),
        ],
        "responses": {
            "200": answer(["TransactionBody", "DayBody"], "The sale, whatever its state; or the page."),
            **problems(RequestFault.BODY_INVALID, RequestFault.NOT_FOUND, RequestFault.KEY_RETIRED, *OF_CALLERS),
        },
    }


def _sale(forms: Mapping[str, Json]) -> dict[str, Any]:
    states = {state.value: {"summary": state.value, "value": sale(forms, VasType.UTILITY, state)} for state in State}
    return {
        "tags": ["purchase"],
        "operationId": "transaction",
        "summary": "A sale of the caller's, whatever its state.",
        "parameters": [in_path("transactionId", ID, WORDS["transactionId"].description, SALE_ID)],
        "responses": {
            "200": answer("TransactionBody", "The sale.", examples=states),
            **problems(RequestFault.NOT_FOUND, RequestFault.KEY_RETIRED, *OF_CALLERS),
        },
    }


def _aliases(vas_type: VasType) -> str:
    names = [alias for alias, meant in ALIASES.items() if meant is vas_type]
    return f"Also under {', '.join(f'`{name}`' for name in names)}." if names else "Under this name only."

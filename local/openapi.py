"""The API description, `docs/openapi.json`: OpenAPI 3.1 from the models that read requests and the types that answers have."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from local import openapi_operators
from local.openapi_parts import EVERYWHERE, ID, OF_BODIES, OF_CALLERS, answer, body, parameter, problems
from shared.bodies import PREVENDS, PURCHASES
from shared.outcome import Reason
from shared.problem import Fault
from shared.shown import DayBody, EventBody, HealthBody, PrevendBody, ProblemBody, ProductsBody, TransactionBody
from shared.vas import ALIASES, VasType

PATH: Final = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"

_DESCRIPTION: Final = """\
Prepaid electricity, airtime, data, bills and vouchers. One request vends at most once, and no vend is ever lost.

Each function has an address of its own when deployed; locally everything is on one port, and the first segment of the paths
here is the function's name. Amounts are integer cents of a rand, times are RFC 3339 in UTC. Money moves only on a body's
`state`. A 5xx never carries an outcome: repeat with the same key."""

_OF_KEYS: Final = (
    Fault.IDEMPOTENCY_KEY_MISSING,
    Fault.IDEMPOTENCY_KEY_MALFORMED,
    Fault.IDEMPOTENCY_KEY_REUSED,
    Fault.REQUEST_IN_PROGRESS,
    Fault.PREVEND_UNKNOWN,
)
_OF_PREVENDS: Final = (
    Reason.ACCOUNT_REFUSED,
    Reason.AMOUNT_ABOVE_MAXIMUM,
    Reason.AMOUNT_BELOW_MINIMUM,
    Reason.AMOUNT_REFUSED,
    Reason.METER_UNKNOWN,
    Reason.PREVEND_REFUSED,
    Reason.PRICE_CHANGED,
    Reason.PRODUCT_UNAVAILABLE,
    Reason.SUPPLIER_BUSY,
    Fault.SUPPLIER_UNAVAILABLE,
)
_KEY: Final = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}

_REPLAYED: Final = {"Idempotent-Replayed": {"description": "`true` on a repeat of the key.", "schema": {"type": "string", "const": "true"}}}
_LOCATION: Final = {"Location": {"description": "Where the sale can be read.", "schema": {"type": "string", "format": "uri-reference"}}}
_RETRY_AFTER: Final = {"Retry-After": {"description": "Seconds until the next attempt to end it.", "schema": {"type": "integer"}}}

_ANSWERS: Final = (DayBody, EventBody, HealthBody, PrevendBody, ProblemBody, ProductsBody, TransactionBody, *openapi_operators.ANSWERS)
_OF_PURCHASES: Final = tuple(model for models in PURCHASES.values() for model in models)
_REQUESTS: Final = tuple(dict.fromkeys([*openapi_operators.REQUESTS, *PREVENDS.values(), *_OF_PURCHASES]))


class _Untitled(GenerateJsonSchema):
    """Fields without titles: theirs would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def document() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Prepaid services", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "http://127.0.0.1:8080", "description": "make run"}],
        "security": [{"bearer": []}],
        "paths": dict(_paths()),
        "webhooks": {"transaction": {"post": _event()}},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "operator": {"type": "http", "scheme": "bearer", "description": "A Google identity token of who may invoke reconcile."},
            },
            "schemas": _schemas(),
        },
    }


def text() -> str:
    """The description as it is kept."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write it."""
    argparse.ArgumentParser(prog="python -m local.openapi", description=__doc__).parse_args(arguments)
    PATH.write_text(text())
    print(f"{PATH.name} written: {len(document()['paths'])} paths")


def _schemas() -> dict[str, Any]:
    inputs = [(model, "validation", TypeAdapter(model)) for model in _REQUESTS]
    outputs = [(model, "serialization", TypeAdapter(model)) for model in _ANSWERS]
    _, schemas = TypeAdapter.json_schemas(
        [*inputs, *outputs],  # type: ignore[list-item]
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    return dict(sorted({**schemas["$defs"], **openapi_operators.SCHEMAS}.items()))


def _paths() -> Iterator[tuple[str, dict[str, Any]]]:
    for vas_type, model in PREVENDS.items():
        yield f"/prevend/{vas_type}", {"post": _prevend(vas_type, model.__name__), "get": _prevend_by_query(vas_type, model)}
    for vas_type in VasType:
        yield f"/prevend/{vas_type}/products", {"get": _products(vas_type)}
    for vas_type, models in PURCHASES.items():
        yield f"/purchase/{vas_type}", {"post": _purchase(vas_type, [model.__name__ for model in models])}
    yield "/purchase/transactions", {"get": _sales()}
    yield "/purchase/transactions/{transactionId}", {"get": _sale()}
    yield from openapi_operators.paths()
    for function in ("prevend", "purchase", "reconcile"):
        yield f"/{function}/health", {"get": _health(function)}


def _prevend(vas_type: VasType, model: str) -> dict[str, Any]:
    return {
        "operationId": f"prevend-{vas_type}",
        "summary": "Confirm a recipient and an amount with the supplier. No money moves.",
        "description": _aliases(vas_type),
        "requestBody": body([model]),
        "responses": {"200": answer("PrevendBody", "Confirmed, for one purchase."), **problems(*_OF_PREVENDS, *OF_BODIES, *OF_CALLERS)},
    }


def _prevend_by_query(vas_type: VasType, model: type[Any]) -> dict[str, Any]:
    fields = [field.alias for field in model.model_fields.values()]
    required = {field.alias for field in model.model_fields.values() if field.is_required()}
    schemas = {"amountCents": {"type": "integer", "minimum": 1}}
    return {
        "operationId": f"prevend-{vas_type}-by-query",
        "summary": "The same from query parameters, for apps that ask so today.",
        "description": "Deprecated, because addresses are logged.",
        "deprecated": True,
        "parameters": [parameter(name, schemas.get(name, {"type": "string"}), required=name in required) for name in fields],
        "responses": {"200": answer("PrevendBody", "Confirmed."), **problems(*_OF_PREVENDS, Fault.BODY_INVALID, *OF_CALLERS)},
    }


def _products(vas_type: VasType) -> dict[str, Any]:
    refusals = (Reason.SUPPLIER_BUSY, Fault.SUPPLIER_UNAVAILABLE)
    return {
        "operationId": f"products-{vas_type}",
        "summary": "What can be bought. At most 15 minutes old.",
        "responses": {"200": answer("ProductsBody", "The catalogue."), **problems(*refusals, *OF_CALLERS)},
    }


def _purchase(vas_type: VasType, models: list[str]) -> dict[str, Any]:
    vended = answer("TransactionBody", "Vended. A repeat of the key gives the same bytes.", _LOCATION | _REPLAYED)
    unknown = answer(
        "TransactionBody", "In doubt: it may have vended. Repeat the request, or read the sale.", _LOCATION | _REPLAYED | _RETRY_AFTER
    )
    return {
        "operationId": f"purchase-{vas_type}",
        "summary": "Buy: at most one vend for the key.",
        "description": _aliases(vas_type),
        "parameters": [parameter("Idempotency-Key", _KEY, place="header", required=True)],
        "requestBody": body(models),
        "responses": {"201": vended, "202": unknown, **problems(*Reason, *_OF_KEYS, *OF_BODIES, *OF_CALLERS)},
    }


def _sales() -> dict[str, Any]:
    day = {"type": "string", "format": "date"}
    return {
        "operationId": "transactions",
        "summary": "The caller's sale under an idempotency key, or a page of the caller's sales of a business day.",
        "parameters": [parameter("idempotencyKey", _KEY), parameter("day", day), parameter("cursor", ID)],
        "responses": {
            "200": answer(["TransactionBody", "DayBody"], "The sale, or the page."),
            **problems(Fault.BODY_INVALID, Fault.NOT_FOUND, *OF_CALLERS),
        },
    }


def _sale() -> dict[str, Any]:
    return {
        "operationId": "transaction",
        "summary": "A sale of the caller's, whatever its state.",
        "parameters": [parameter("transactionId", ID, place="path", required=True)],
        "responses": {"200": answer("TransactionBody", "The sale."), **problems(Fault.NOT_FOUND, *OF_CALLERS)},
    }


def _health(function: str) -> dict[str, Any]:
    responses = {"200": answer("HealthBody", "It runs."), **problems(*EVERYWHERE)}
    return {"operationId": f"{function}-health", "summary": "That it runs, and where sales go.", "security": [], "responses": responses}


def _event() -> dict[str, Any]:
    return {
        "summary": "A message of the topic. At least once: drop repeats by `eventId`, and ignore lower `version`s.",
        "requestBody": body(["EventBody"]),
        "responses": {"200": {"description": "Acknowledged, as the subscription does it."}},
    }


def _aliases(vas_type: VasType) -> str:
    names = [alias for alias, meant in ALIASES.items() if meant is vas_type]
    return f"Also under {', '.join(f'`{name}`' for name in names)}." if names else "Under this name only."


if __name__ == "__main__":
    main()

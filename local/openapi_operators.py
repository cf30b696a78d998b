"""reconcile in the API description: what Cloud Scheduler calls, and where operators look and decide."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.openapi_parts import EVERYWHERE, ID, OF_BODIES, answer, body, parameter, problems
from shared.decisions import ClosureBody, ResolutionBody, SellingBody
from shared.desk import LOOKUPS, DiscrepancyBody, PausedBody, SweptBody
from shared.dossier import DossierBody, FoundBody
from shared.problem import Fault
from shared.settled_day import Status

ANSWERS: Final = (DiscrepancyBody, DossierBody, FoundBody, PausedBody, SweptBody)
REQUESTS: Final = (ClosureBody, ResolutionBody, SellingBody)

_FAULTS: Final = (Fault.STORE_UNAVAILABLE, *EVERYWHERE)
_OF_DECISIONS: Final = (Fault.FORBIDDEN, Fault.NOT_FOUND, *OF_BODIES, *_FAULTS)
_DAY: Final = {"type": "string", "format": "date"}
_AMOUNTS: Final = {"rows": {"type": "integer"}, "totalCents": {"type": "integer"}}
_LISTS: Final = ("carriedOut", "carriedIn", "discrepancies", "conservation", "healed", "open", "tokensToRecover")


def _object(properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": dict(properties), **more}


_SETTLED: Final = {
    "day": _DAY,
    "version": {"type": "integer", "minimum": 1},
    "status": {"type": "string", "enum": [status.value for status in Status]},
    "file": {"anyOf": [_object({"name": {"type": "string"}, "sha256": {"type": "string"}, **_AMOUNTS}), {"type": "null"}]},
    "matched": _object(_AMOUNTS),
    **{name: {"type": "array", "items": {"type": "object"}} for name in _LISTS},
    "discrepancies": {"type": "array", "items": {"type": "object"}, "description": "Each with `id`, `kind`, `severity` and both sides."},
}
SCHEMAS: Final[Mapping[str, Any]] = {
    "SettledDay": _object(_SETTLED, description="A business day as its last run left it."),
    "SettledDays": _object(
        {
            "days": {"type": "array", "items": {"$ref": "#/components/schemas/SettledDay"}},
            "refused": {"type": "array", "items": {"type": "object"}, "description": "Days of which nothing was changed, and why."},
            "left": {"type": "array", "items": _DAY, "description": "Days for which there was no time."},
        },
        description="What became of every day that was not settled.",
    ),
    "Report": _object(
        {
            **_SETTLED,
            "totals": {"type": "array", "items": {"type": "object"}, "description": "By service: sold, billed, matched, and what is not."},
            "now": {"type": "object", "description": "What is in doubt, and which tokens are due, of any day, as of now."},
            "lastDays": {"type": "array", "items": {"type": "object"}},
            "simulated": {"type": "boolean"},
        },
        description="A settled day with people's decisions, and what is still open of any day.",
    ),
    "Days": _object({"days": {"type": "array", "items": {"type": "object"}}}, description="The days that were settled, newest first."),
}


def paths() -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations, by path and method."""
    for path, operations in _operations().items():
        yield f"/reconcile{path}", {method: {"security": [{"operator": []}], **operation} for method, operation in operations.items()}


def _operations() -> dict[str, dict[str, Any]]:
    sale = parameter("transactionId", ID, place="path", required=True)
    return {
        "/sweep": {"post": _operation("sweep", "End what is due.", "SweptBody", Fault.BODY_INVALID)},
        "/settle": {"post": _settle()},
        "/reports": {"get": _operation("reports", "The days that were settled.", "Days", Fault.BODY_INVALID)},
        "/reports/{day}": {"get": _report()},
        "/transactions": {"get": _search()},
        "/transactions/{transactionId}": {"get": _dossier(sale)},
        "/transactions/{transactionId}/resolution": {
            "post": {
                **_operation("resolution", "Decide on a sale in doubt, or add tokens that are due.", "DossierBody", *_OF_DECISIONS),
                "parameters": [sale],
                "requestBody": body(["ResolutionBody"]),
                "responses": {
                    "200": answer("DossierBody", "The sale as it is now."),
                    **problems(Fault.OUTDATED, Fault.NOTHING_TO_DECIDE, *_OF_DECISIONS),
                },
            }
        },
        "/discrepancies/{discrepancyId}/closure": {
            "post": {
                **_operation("closure", "Decide on a discrepancy, once.", "DiscrepancyBody", Fault.DISCREPANCY_CLOSED, *_OF_DECISIONS),
                "parameters": [parameter("discrepancyId", ID, place="path", required=True)],
                "requestBody": body(["ClosureBody"]),
            }
        },
        "/selling": {
            "get": _operation("selling", "What is not sold at present.", "PausedBody"),
            "post": {
                **_operation("pause", "Replace every pause.", "PausedBody", Fault.FORBIDDEN, Fault.OUTDATED, *OF_BODIES),
                "requestBody": body(["SellingBody"]),
            },
        },
    }


def _operation(name: str, summary: str, model: str, *faults: Fault) -> dict[str, Any]:
    responses = {"200": answer(model, summary), **problems(*dict.fromkeys((*faults, *_FAULTS)))}
    return {"operationId": name, "summary": summary, "responses": responses}


def _settle() -> dict[str, Any]:
    faults = (Fault.BODY_INVALID, Fault.SETTLEMENT_FILE_REFUSED, Fault.SETTLEMENT_FILES_UNAVAILABLE, *_FAULTS)
    return {
        "operationId": "settle",
        "summary": "Compare a day with the supplier's file; without `day`, every day that is not settled.",
        "parameters": [parameter("day", _DAY)],
        "responses": {"200": answer(["SettledDay", "SettledDays"], "The day, or all of them."), **problems(*faults)},
    }


def _report() -> dict[str, Any]:
    found = answer("Report", "The day.")
    text = {"schema": {"type": "string"}}
    found["content"] |= {"text/html": text, "text/csv": text}
    return {
        "operationId": "report",
        "summary": "A day, by `Accept` or by the ending `.json`, `.csv` or `.html`.",
        "parameters": [parameter("day", {"type": "string"}, place="path", required=True)],
        "responses": {"200": found, **problems(Fault.BODY_INVALID, Fault.NOT_FOUND, *_FAULTS)},
    }


def _search() -> dict[str, Any]:
    return {
        **_operation("search", "Sales of any caller, by exactly one of these.", "FoundBody", Fault.BODY_INVALID),
        "parameters": [parameter(name, {"type": "string"}) for name in LOOKUPS],
    }


def _dossier(sale: Mapping[str, Any]) -> dict[str, Any]:
    reveal = parameter("reveal", {"type": "string", "const": "tokens"})
    faults = (Fault.BODY_INVALID, Fault.FORBIDDEN, Fault.NOT_FOUND)
    return {
        **_operation("dossier", "All that is on record about a sale, masked. Revealing is put on record.", "DossierBody", *faults),
        "parameters": [sale, reveal],
    }

"""The parts that every operation of the API description is made of."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from local.openapi.words import DAY, SALE_ID
from shared.domain.identifiers import COMPUTED_ID
from shared.domain.outcome import Reason
from shared.schemas.problems import KINDS, Name, RequestFault

EVERYWHERE: Final = (RequestFault.METHOD_NOT_ALLOWED, RequestFault.INTERNAL)
OF_CALLERS: Final = (
    *(
        RequestFault.UNAUTHENTICATED,
        RequestFault.FORBIDDEN,
        RequestFault.IDENTITY_UNAVAILABLE,
        RequestFault.RECORD_NOT_READABLE,
        RequestFault.STORE_UNAVAILABLE,
    ),
    *EVERYWHERE,
)
OF_BODIES: Final = (RequestFault.BODY_INVALID, RequestFault.TOO_LARGE, RequestFault.NOT_JSON)

ID: Final = {"type": "string", "pattern": f"^{COMPUTED_ID.pattern}$"}
DATE: Final = {"type": "string", "format": "date"}

HEADERS: Final[Mapping[str, Any]] = {
    "Cache-Control": {
        "description": "No answer is to be kept: it may hold tokens.",
        "required": True,
        "schema": {"type": "string", "const": "no-store"},
        "example": "no-store",
    },
    "Location": {
        "description": "Where the sale can be read.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": f"/purchase/transactions/{SALE_ID}",
    },
    "Retry-After": {
        "description": "Seconds to wait: for the next attempt to end the sale, or before the request is sent again.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 30,
    },
    "Idempotent-Replayed": {
        "description": "`true` on a repeat of the key: the answer is the first request's.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "WWW-Authenticate": {
        "description": "What is wrong with the token; `Bearer` alone: there is none.",
        "schema": {"type": "string"},
        "example": 'Bearer error="invalid_token"',
    },
    "Allow": {"description": "The methods that the path has.", "schema": {"type": "string"}, "example": "GET, HEAD"},
    "Content-Disposition": {
        "description": "On CSV: the name to save it under.",
        "schema": {"type": "string"},
        "example": f'attachment; filename="settlement-{DAY}.csv"',
    },
}


def parameter(
    name: str, schema: Mapping[str, Any], description: str, example: object, *, place: str = "query", required: bool = False
) -> dict[str, Any]:
    """One parameter, in the query unless another place is named."""
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema, "example": example}


def in_path(name: str, schema: Mapping[str, Any], description: str, example: object) -> dict[str, Any]:
    """One parameter of the path."""
    return parameter(name, schema, description, example, place="path", required=True)


def body(models: list[str], examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A request's body, in the form of one of the models."""
    content = {"schema": one_of(models), **({"examples": dict(examples)} if examples else {})}
    return {"required": True, "content": {"application/json": content}}


def answer(model: str | list[str], description: str, *headers: str, examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An answer in JSON, in the form of one of the models, with these headers."""
    content = {"schema": one_of([model] if isinstance(model, str) else model), **({"examples": dict(examples)} if examples else {})}
    return {"description": description, "headers": with_headers(headers), "content": {"application/json": content}}


def with_headers(names: Iterable[str]) -> dict[str, Any]:
    """References to these headers, and to the one that every answer has."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("Cache-Control", *names)}


def one_of(models: list[str]) -> dict[str, Any]:
    """The schema of a body that fits exactly one of the models."""
    references = [{"$ref": f"#/components/schemas/{model}"} for model in models]
    return references[0] if len(references) == 1 else {"oneOf": references}


def problems(*names: Name, of_sale: bool = False) -> dict[str, Any]:
    """The refusals of an operation, by status, with the problems of each. `of_sale`: reasons carry the `state`."""
    rows = sorted(set(names), key=lambda name: (KINDS[name].status, name.value))
    by_status = groupby(rows, key=lambda name: KINDS[name].status)
    return {str(status): _refusals(status, list(group), of_sale=of_sale) for status, group in by_status}


def _refusals(status: int, names: list[Name], *, of_sale: bool) -> dict[str, Any]:
    rejections = {name for name in names if of_sale and isinstance(name, Reason)}
    narrowed = {
        "properties": {
            "type": {
                "enum": [f"/problems/{name}" for name in names],
                "description": "Which problem it is.",
                "examples": [f"/problems/{names[0]}"],
            },
            "status": {"const": status, "description": "The HTTP status of this answer.", "examples": [status]},
        }
    }
    content = {
        "schema": {"allOf": [{"$ref": "#/components/schemas/ProblemBody"}, narrowed]},
        "examples": {name.value: {"$ref": f"#/components/examples/{'rejected-' if name in rejections else ''}{name}"} for name in names},
    }
    return {
        "description": "\n".join(
            f"- `{name}`: {KINDS[name].title}{_rejection(name in rejections)}. {KINDS[name].detail}" for name in names
        ),
        "headers": with_headers(_headers_of(names, rejected=bool(rejections))),
        "content": {"application/problem+json": content},
    }


def _rejection(is_one: bool) -> str:
    return ", `state: rejected`" if is_one else ""


def _headers_of(names: list[Name], *, rejected: bool) -> list[str]:
    """The headers that answers with these problems may have."""
    headers = ["Retry-After"] if any(KINDS[name].retry_after_seconds is not None for name in names) else []
    if rejected:
        headers.append("Idempotent-Replayed")
    if RequestFault.REQUEST_IN_PROGRESS in names:
        headers.append("Location")
    if {RequestFault.UNAUTHENTICATED, RequestFault.FORBIDDEN} & set(names):
        headers.append("WWW-Authenticate")
    if RequestFault.METHOD_NOT_ALLOWED in names:
        headers.append("Allow")
    return headers

"""The parts that every operation of the API description is made of."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from shared.problem import KINDS, Fault, Name

EVERYWHERE: Final = (Fault.METHOD_NOT_ALLOWED, Fault.INTERNAL)
OF_CALLERS: Final = (Fault.UNAUTHENTICATED, Fault.FORBIDDEN, Fault.IDENTITY_UNAVAILABLE, Fault.STORE_UNAVAILABLE, *EVERYWHERE)
OF_BODIES: Final = (Fault.BODY_INVALID, Fault.TOO_LARGE, Fault.NOT_JSON)

ID: Final = {"type": "string", "pattern": "^[0-9a-f]{32}$"}


def parameter(name: str, schema: Mapping[str, Any], *, place: str = "query", required: bool = False) -> dict[str, Any]:
    """One parameter, in the query unless another place is named."""
    return {"name": name, "in": place, "required": required, "schema": schema}


def body(models: list[str]) -> dict[str, Any]:
    """A request's body, in the form of one of the models."""
    return {"required": True, "content": {"application/json": {"schema": one_of(models)}}}


def answer(model: str | list[str], description: str, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An answer in JSON, in the form of one of the models."""
    content = {"application/json": {"schema": one_of([model] if isinstance(model, str) else model)}}
    return {"description": description, **({"headers": headers} if headers else {}), "content": content}


def one_of(models: list[str]) -> dict[str, Any]:
    """The schema of whatever fits exactly one of the models."""
    references = [{"$ref": f"#/components/schemas/{model}"} for model in models]
    return references[0] if len(references) == 1 else {"oneOf": references}


def problems(*names: Name) -> dict[str, Any]:
    """The refusals of an operation, by status: each says which problems it may be."""
    content = {"application/problem+json": {"schema": one_of(["ProblemBody"])}}
    by_status = groupby(sorted(names, key=lambda name: (KINDS[name].status, name.value)), key=lambda name: KINDS[name].status)
    return {str(status): {"description": ", ".join(f"`{name}`" for name in group), "content": content} for status, group in by_status}

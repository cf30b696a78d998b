"""The API description, `docs/openapi.json`: OpenAPI 3.1 from the models that read requests and the types that answers have."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from local import problem_docs
from local.openapi import operators, sales
from local.openapi.examples import of_problems
from local.openapi.parts import EVERYWHERE, HEADERS, answer, body, in_path, problems
from local.openapi.schemas import schemas
from shared.schemas.problems import RequestFault

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
FUNCTIONS: Final = ("prevend", "purchase", "reconcile")

_DESCRIPTION: Final = """\
Prepaid electricity, airtime, data, bills and vouchers. One request vends at most once, and no vend is ever lost.

**Addresses.** Each function has an address of its own when deployed; locally everything is on one port, and the first segment of the
paths here is the function's name.

**Units.** Amounts are integer cents of a rand (`...Cents`), waits are whole seconds (`...Seconds`), times are RFC 3339 in UTC, quantities
such as kWh are decimal text, exactly as the supplier quoted them.

**Money moves only on a body's `state`**: reserve before a purchase, capture on `vended`, release on `rejected`, hold on anything else.

| status of a purchase | means | the wallet |
|---|---|---|
| 201 | vended: the receipt is in the body | captures |
| 202 | in doubt: it may have vended. Repeat the request under the same key, or read the sale, after `Retry-After` | holds |
| 409 or 422 with `state: "rejected"` | nothing was or will be vended under this key | releases |
| 409 `request-in-progress` | the first request with this key is still running | holds |
| 422 `idempotency-key-reused` | the key belongs to another request; nothing is said about that one | leaves that one alone |
| 400, 401, 403, 404, 405, 413, 415 | nothing is on record, and the key is free | corrects the request |
| 5xx | carries no outcome: the same request again, under the same key | holds |

**Problems.** Every refusal is `application/problem+json` (RFC 9457). Its `type` leads to a page that says when it happens and what to do;
`retry` says what may be sent next. What is no HTTP at all is refused by the server itself, with 400 and no body of ours.

`HEAD` is `GET` without the body. Where `CORS_ORIGINS` names a page's origin, `OPTIONS` tells its browser that the page may ask."""


def document() -> dict[str, Any]:
    """The whole description."""
    forms = schemas()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Prepaid services", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "http://127.0.0.1:8080", "description": "make run"}],
        "security": [{"bearer": []}, {"caller": []}],
        "tags": [
            {"name": "prevend", "description": "Confirms a recipient and an amount. No money moves."},
            {"name": "purchase", "description": "Buys, at most once for a key, and shows what was bought."},
            {"name": "reconcile", "description": "For Cloud Scheduler and operators: ends doubts, balances days, decides."},
            {"name": "problems", "description": "Where the `type` of a problem leads."},
        ],
        "paths": dict([*sales.paths(forms), *operators.paths(), *_of_all_functions()]),
        "webhooks": {"transaction": {"post": _event()}},
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An OIDC token of the configured issuer, for our audience, and with the scope where one is required.",
                },
                "caller": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Caller",
                    "description": "With `ENVIRONMENT=local` only: the caller's name, by default `local`.",
                },
                "operator": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A Google identity token of who may invoke it. Cloud Run checks that, and answers 401 or 403 itself.",
                },
            },
            "headers": dict(HEADERS),
            "examples": of_problems(),
            "schemas": forms,
        },
    }


def text() -> str:
    """The description as `docs/openapi.json` holds it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the description and the page of problems."""
    argparse.ArgumentParser(prog="python -m local.openapi", description=__doc__).parse_args(arguments)
    PATH.write_text(text())
    print(f"{PATH.name} written: {len(document()['paths'])} paths")
    problem_docs.PATH.write_text(problem_docs.text())
    print(f"{problem_docs.PATH.name} written")


def _of_all_functions() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _explanations("", "problems")
    for function in FUNCTIONS:
        yield f"/{function}/health", {"get": _health(function)}
        yield from _explanations(f"/{function}", f"{function}-problems")


def _health(function: str) -> dict[str, Any]:
    return {
        "tags": [function],
        "operationId": f"{function}-health",
        "summary": "That it runs, and where sales go. For everybody who may reach the function.",
        "security": [],
        "responses": {"200": answer("HealthBody", "It runs."), **problems(*EVERYWHERE)},
    }


def _explanations(root: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    where = "at the root, which is where `type` points" if not root else "at this function"
    common = {"tags": ["problems"], "security": []}
    yield (
        f"{root}/problems",
        {
            "get": {
                **common,
                "operationId": name,
                "summary": f"Every problem, {where}: as a page for browsers, else as JSON. For everybody.",
                "responses": {"200": _explained("ExplainedListBody", "Every problem."), **problems(*EVERYWHERE)},
            }
        },
    )
    yield (
        f"{root}/problems/{{name}}",
        {
            "get": {
                **common,
                "operationId": f"{name}-one",
                "summary": f"What a problem means, {where}: as a page for browsers, else as JSON. For everybody.",
                "parameters": [in_path("name", {"type": "string"}, "The problem's name: the last part of its `type`.", "meter-unknown")],
                "responses": {"200": _explained("ExplainedBody", "What it means."), **problems(RequestFault.NOT_FOUND, *EVERYWHERE)},
            }
        },
    )


def _explained(model: str, description: str) -> dict[str, Any]:
    found = answer(model, description)
    found["content"] |= {"text/html": {"schema": {"type": "string"}}}
    return found


def _event() -> dict[str, Any]:
    return {
        "summary": "A message of the topic. At least once: drop repeats by `eventId`, and ignore lower `version`s.",
        "description": (
            "JSON in the message's data. Its attributes are `event`, `vasType` and `simulated` (`true` or `false`), its ordering key is "
            "the transaction id. It carries tokens and PINs: whoever may subscribe may spend them."
        ),
        "requestBody": body(["EventBody"]),
        "responses": {"200": {"description": "Acknowledged, as the subscription does it."}},
    }

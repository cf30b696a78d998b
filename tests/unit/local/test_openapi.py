"""The API description: valid, current, and complete.

It holds every route, field and problem, in words and with an example that fits.
"""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from local import problem_docs
from local.openapi import description as openapi
from local.openapi.schemas import refers, word_of
from local.openapi.words import WORDS
from shared.domain.outcome import Reason
from shared.domain.vas import PREVENDED, VasType
from shared.schemas.problems import KINDS, RequestFault
from shared.web import middleware

DOCUMENT = openapi.document()
COMPONENTS = DOCUMENT["components"]
FORMS: dict[str, Any] = COMPONENTS["schemas"]
MAINS = Path(openapi.__file__).parents[2] / "functions"
METHODS = {"get", "post"}
OPERATIONS = {f"{method} {path}": item for path, methods in DOCUMENT["paths"].items() for method, item in methods.items()}
UNITS = {
    "Cents": "cents of a rand",
    "cents": "cents of a rand",
    "Seconds": "seconds",
    "Hours": "hours",
    "Days": "days",
    "Bytes": "bytes",
    "units": "as the supplier quoted",
}


def walk(node: object, at: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of the description with its place, without the insides of examples."""
    if isinstance(node, dict):
        yield at, node
        for name, value in node.items():
            if name not in ("example", "examples", "value") or at.endswith("/components"):
                yield from walk(value, f"{at}/{name}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{at}/{index}")


def resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the target of a reference."""
    while "$ref" in node:
        kind, name = node["$ref"].removeprefix("#/components/").split("/")
        node = COMPONENTS[kind][name]
    return node


def faults(schema: Mapping[str, Any], value: object) -> list[str]:
    checked = Draft202012Validator({**schema, "components": COMPONENTS}, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{fault.json_path}: {fault.message}" for fault in checked.iter_errors(value)]


def routes_of(function: str) -> set[str]:
    """Return the paths that a function answers, from each `match` in its code and in the code of all functions."""
    trees = map(ast.parse, ((MAINS / function / "main.py").read_text(), inspect.getsource(middleware._common)))
    cases = [case for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Match) for case in node.cases]
    return {route for case in cases if isinstance(case.pattern, ast.MatchSequence) for route in spelt(case.pattern.patterns)}


def spelt(patterns: list[ast.pattern]) -> Iterator[str]:
    """Return the paths of a case. A rest is nothing or one more segment."""
    parts = [ast.literal_eval(part.value) if isinstance(part, ast.MatchValue) else "{}" for part in patterns]
    if isinstance(patterns[-1], ast.MatchStar):
        yield "/".join(parts[:-1])
    yield "/".join(parts)


def described(function: str) -> set[str]:
    """Return the described paths of a function, with services and parameters as `{}`."""
    paths = [path.removeprefix(f"/{function}/") for path in DOCUMENT["paths"] if path.startswith(f"/{function}/")]
    return {"/".join("{}" if part.startswith("{") or part in set(VasType) else part for part in path.split("/")) for path in paths}


def test_it_is_valid_openapi():
    validate(DOCUMENT)


def test_the_kept_files_are_current():
    assert openapi.PATH.read_text() == openapi.text(), "make openapi"
    assert problem_docs.PATH.read_text() == problem_docs.text(), "make openapi"


@pytest.mark.parametrize("function", openapi.FUNCTIONS)
def test_every_route_of_a_function_is_described_and_no_other(function):
    assert described(function) == routes_of(function)


def test_every_service_is_described():
    assert {f"/purchase/{vas_type}" for vas_type in VasType} | {f"/prevend/{vas_type}" for vas_type in PREVENDED} <= set(DOCUMENT["paths"])
    assert {f"/prevend/{vas_type}/products" for vas_type in VasType} <= set(DOCUMENT["paths"])


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does():
    assert len({item["operationId"] for item in OPERATIONS.values()}) == len(OPERATIONS)
    assert [name for name, item in OPERATIONS.items() if not item["summary"].endswith(".") or not item["tags"]] == []


def test_every_field_has_its_meaning_and_an_example():
    fields = [(f"{at}/{name}", field) for at, node in walk(DOCUMENT) for name, field in node.get("properties", {}).items()]
    assert len(fields) > 250
    assert [at for at, field in fields if not field.get("description", "").endswith(".")] == []
    assert [at for at, field in fields if "examples" not in field and not refers(field)] == []


def test_every_form_has_its_meaning_and_an_example():
    assert [name for name, form in FORMS.items() if not form["description"] or not form["examples"]] == []


def test_every_amount_and_duration_says_its_unit():
    said = {
        (form, name): field["description"]
        for form in FORMS
        for name, field in FORMS[form].get("properties", {}).items()
        if not refers(field)
    }
    measured = {key: words for key, words in said.items() if key[1].endswith(tuple(UNITS))}
    unsaid = {key for key, words in measured.items() if not any(unit in words for end, unit in UNITS.items() if key[1].endswith(end))}
    assert len(measured) > 20
    assert unsaid == set()


def test_no_word_is_about_a_field_that_there_is_not():
    fields = [(form, name) for form in FORMS for name in FORMS[form].get("properties", {})]
    assert {id(word_of(form, name)) for form, name in fields} == {id(word) for word in WORDS.values()}


def test_every_parameter_and_header_has_its_meaning_and_an_example_that_fits():
    named = [node for _, node in walk(DOCUMENT) if {"in", "schema"} <= node.keys()] + list(COMPONENTS["headers"].values())
    assert len(named) > 30
    assert [node for node in named if not node["description"].endswith(".") or faults(node["schema"], node["example"])] == []


def test_the_example_of_every_field_and_form_fits():
    schemas = [(at, node) for at, node in walk(DOCUMENT) if isinstance(node.get("examples"), list)]
    assert len(schemas) > 250
    assert {at: found for at, node in schemas if (found := [fault for one in node["examples"] for fault in faults(node, one)])} == {}


def test_the_example_of_every_body_fits():
    bodies = [(at, node) for at, node in walk(DOCUMENT) if "schema" in node and isinstance(node.get("examples"), dict)]
    assert len(bodies) > 100
    for at, node in bodies:
        for name, example in node["examples"].items():
            assert faults(node["schema"], resolved(example)["value"]) == [], f"{at}: {name}"


def test_every_problem_is_named_where_it_happens_and_has_an_example_that_says_what_to_do():
    answers = [(at, node) for at, node in walk(DOCUMENT["paths"]) if "application/problem+json" in node.get("content", {})]
    named = set()
    for at, node in answers:
        content = node["content"]["application/problem+json"]
        types = content["schema"]["allOf"][1]["properties"]["type"]["enum"]
        assert [f"/problems/{name}" for name in content["examples"]] == types, at
        assert [resolved(example)["value"]["type"] for example in content["examples"].values()] == types, at
        assert all(f"`{name}`" in node["description"] for name in content["examples"]), at
        assert all(str(resolved(example)["value"]["status"]) == at.rpartition("/")[2] for example in content["examples"].values()), at
        named |= set(content["examples"])
    assert named == {name.value for name in KINDS}
    for name, kind in KINDS.items():
        assert (
            kind.when in COMPONENTS["examples"][name.value]["description"]
            and kind.what_to_do in COMPONENTS["examples"][name.value]["description"]
        )


@pytest.mark.parametrize("vas_type", VasType)
def test_a_purchase_says_of_every_rejection_that_it_is_one(vas_type):
    answers = OPERATIONS[f"post /purchase/{vas_type}"]["responses"]
    assert {"201", "202", "400", "401", "403", "409", "422", "500", "503"} <= set(answers)
    for status in ("409", "422"):
        for name, example in answers[status]["content"]["application/problem+json"]["examples"].items():
            is_rejection = name in set(Reason)
            assert (resolved(example)["value"].get("state") == "rejected") == is_rejection, name


def test_only_a_purchase_rejects():
    for name, item in OPERATIONS.items():
        if name.startswith("post /purchase/"):
            continue
        examples = [
            one for answer in item["responses"].values() for body in answer["content"].values() for one in body.get("examples", {}).values()
        ]
        assert not any(resolved(one)["value"].get("state") == "rejected" and "type" in resolved(one)["value"] for one in examples), name


def test_every_answer_names_the_headers_that_it_has():
    for name, item in OPERATIONS.items():
        for status, answer in item["responses"].items():
            headers, problems = set(answer["headers"]), answer["content"].get("application/problem+json", {}).get("examples", {})
            assert "Cache-Control" in headers, (name, status)
            assert ("Retry-After" in headers) == (status == "202" or any(KINDS[one].retry_after_seconds for one in map(name_of, problems)))
            assert ("Allow" in headers) == (status == "405")
            assert status != "401" or "WWW-Authenticate" in headers
            assert status not in ("201", "202") or {"Location", "Idempotent-Replayed"} <= headers


def name_of(name: str) -> RequestFault | Reason:
    return RequestFault(name) if name in set(RequestFault) else Reason(name)


def test_every_operation_says_who_may_call_it():
    schemes = set(COMPONENTS["securitySchemes"])
    for name, item in OPERATIONS.items():
        asked = item.get("security", DOCUMENT["security"])
        assert {scheme for choice in asked for scheme in choice} <= schemes
        assert (asked == []) == name.endswith(("/health", "/problems", "/problems/{name}")), name
        assert ("/reconcile/" in name and asked != []) == (asked == [{"operator": []}]), name


def test_a_request_says_what_it_takes_and_that_it_takes_nothing_else():
    schema = FORMS["MeterPurchase"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"meterNumber", "amountCents"}
    assert set(schema["properties"]) == {"meterNumber", "amountCents", "merchantProductId", "reference", "allowDuplicate"}


def test_a_sale_always_has_its_receipt_and_its_problem_though_they_may_be_null():
    schema = FORMS["TransactionBody"]
    assert {"receipt", "problem", "state", "reference"} <= set(schema["required"])
    assert not {"meterNumber", "accountNumber", "mobileNumber"} & set(schema["required"])


def test_writing_it_twice_writes_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(openapi, "PATH", tmp_path / "openapi.json")
    monkeypatch.setattr(problem_docs, "PATH", tmp_path / "problems.md")
    openapi.main([])
    assert openapi.PATH.read_text() == openapi.text()
    assert problem_docs.PATH.read_text() == problem_docs.text()
    assert f"{len(DOCUMENT['paths'])} paths" in capsys.readouterr().out


def test_the_page_of_problems_says_of_each_when_it_happens_and_what_to_do():
    page = problem_docs.text()
    for name, kind in KINDS.items():
        [about] = [part for part in page.split("\n### ") if part.startswith(f"`{name}`\n")]
        assert kind.when in about and kind.what_to_do in about and f"{kind.status}" in about and f"`retry: {kind.retry}`" in about


def test_the_description_is_json_that_every_reader_takes():
    assert json.loads(openapi.text()) == DOCUMENT

"""The API description: valid, current, and about the routes and problems that there are."""

import json

from openapi_spec_validator import validate

from local import openapi
from shared.problem import KINDS
from shared.vas import VasType

DOCUMENT = openapi.document()


def test_it_is_valid_openapi():
    validate(DOCUMENT)


def test_the_kept_file_is_current():
    assert openapi.PATH.read_text() == openapi.text(), "make openapi"


def test_every_service_can_be_bought_and_every_problem_is_named_somewhere():
    assert {f"/purchase/{vas_type}" for vas_type in VasType} <= set(DOCUMENT["paths"])
    described = json.dumps(DOCUMENT["paths"])
    assert {name.value for name in KINDS if f"`{name.value}`" not in described} == set()


def test_a_request_says_what_it_takes_and_that_it_takes_nothing_else():
    schema = DOCUMENT["components"]["schemas"]["MeterPurchase"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"meterNumber", "amountCents"}
    assert set(schema["properties"]) == {"meterNumber", "amountCents", "merchantProductId", "reference", "allowDuplicate"}


def test_a_sale_always_has_its_receipt_and_its_problem_though_they_may_be_null():
    schema = DOCUMENT["components"]["schemas"]["TransactionBody"]
    assert {"receipt", "problem", "state", "reference"} <= set(schema["required"])
    assert not {"meterNumber", "accountNumber", "mobileNumber"} & set(schema["required"])


def test_writing_it_twice_writes_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(openapi, "PATH", tmp_path / "openapi.json")
    openapi.main([])
    assert openapi.PATH.read_text() == openapi.text()
    assert f"{len(DOCUMENT['paths'])} paths" in capsys.readouterr().out

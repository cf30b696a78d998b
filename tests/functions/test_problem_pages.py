"""Where the `type` of a problem leads: at every function, for everybody, in words for browsers and in JSON for programs."""

import html
import subprocess
import sys

import httpx
import pytest
from pydantic import TypeAdapter

from shared.schemas.problems import KINDS
from shared.web.problem_pages import ExplainedBody, ExplainedListBody
from tests.functions.running import SIMULATED
from tests.functions.wallet import METER, new_key, problem
from tests.root import ROOT

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(params=["prevend", "purchase"])
def function(request, prevend, purchase) -> httpx.Client:
    return {"prevend": prevend, "purchase": purchase}[request.param]


def test_the_type_of_a_refusal_leads_to_what_it_means(purchase):
    refused = problem(
        purchase.post("/utility", json={**METER, "amountCents": 0}, headers={"Idempotency-Key": new_key()}), 400, "body-invalid"
    )
    explained = purchase.get(purchase.base_url.join(refused["type"]))

    assert (explained.status_code, explained.headers["content-type"]) == (200, "application/json")
    assert explained.headers["cache-control"] == "no-store"
    assert explained.json() == TypeAdapter(ExplainedBody).validate_python(explained.json())
    assert {name: explained.json()[name] for name in ("type", "title", "status", "retry")} == {
        name: refused[name] for name in ("type", "title", "status", "retry")
    }


def test_every_function_explains_every_problem(function):
    listed = function.get("/problems")
    assert listed.json() == TypeAdapter(ExplainedListBody).validate_python(listed.json())
    assert {one["type"] for one in listed.json()["problems"]} == {f"/problems/{name.value}" for name in KINDS}
    assert all(function.get(one["type"]).json() == one for one in listed.json()["problems"])


def test_a_browser_gets_a_page_that_fetches_and_runs_nothing(function):
    for path in ("/problems", "/problems/meter-unknown"):
        page = function.get(path, headers=BROWSER)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert page.headers["cache-control"] == "no-store"
        assert "Meter unknown" in page.text and "<script" not in page.text


def test_an_answer_in_the_form_that_was_wanted_says_that_another_may_want_another(function):
    assert {function.get("/problems", headers=headers).headers["vary"] for headers in (BROWSER, {"Accept": "*/*"})} == {"Accept"}


def test_the_page_of_all_says_of_each_when_it_happens_and_leads_to_its_own(function):
    page = function.get("/problems", headers=BROWSER).text
    for name, kind in KINDS.items():
        assert f'href="problems/{name.value}"' in page
        assert html.escape(kind.when.split("`")[0], quote=False).replace("'", "&#39;") in page


@pytest.mark.parametrize("path", ["/problems/", "/problems/nothing", "/problems/meter-unknown/", "/problems/meter-unknown/x"])
def test_what_is_no_problem_has_no_page(function, path):
    problem(function.get(path), 404, "not-found")


def test_problems_are_only_read(function):
    assert problem(function.post("/problems/internal"), 405, "method-not-allowed") and function.head("/problems/internal").is_success


def test_what_explains_is_loaded_for_the_first_who_asks():
    load = "import runpy, sys; runpy.run_path(sys.argv[1]); sys.exit('shared.web.problem_pages' in sys.modules)"
    environment = {**SIMULATED, "TRANSACTION_STORE": "sqlite:///none", "PYTHONPATH": str(ROOT)}
    assert (
        subprocess.run([sys.executable, "-c", load, ROOT / "functions" / "purchase" / "main.py"], env=environment, check=False).returncode
        == 0
    )

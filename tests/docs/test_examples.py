"""What the pages show is what the system on one's own machine does: their commands run, and answer as they say."""

import pytest

from tests.days import long_today
from tests.docs.examples import answers, difference, examples, read_http
from tests.docs.pages import Page
from tests.docs.running import system

PAGES = ("README.md", "docs/api.md", "docs/operations.md")


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_of_a_page_answer_as_it_says(name, tmp_path):
    shown = examples(Page.read(name))
    assert shown
    long_today()
    with system(tmp_path) as url:
        printed = answers(shown, url, tmp_path)

    for example, answer in zip(shown, printed, strict=True):
        assert (example.command, difference(example.answer, example.read(answer))) == (example.command, None)


@pytest.mark.parametrize(
    ("shown", "answered"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {"a": 0}),
        ({"a": []}, {"a": [1]}),
        ({"a": [{"b": "x…"}]}, {"a": [{"b": "yx"}]}),
        ({"a": [1, 2]}, {"a": [1]}),
    ],
)
def test_an_answer_that_is_not_as_shown_is_seen(shown, answered):
    assert difference(shown, answered) is not None


@pytest.mark.parametrize(
    ("shown", "answered"),
    [
        ("ccdef68f0f7e138ed4b3261c95436275", "8f5f04e48e92846ec3d63441cb1cdc87"),
        ("/transactions/ccdef68f0f7e138ed4b3261c95436275", "/transactions/8f5f04e48e92846ec3d63441cb1cdc87"),
        ("d61f9836-322f-5cbd-9b3a-9f759ab95573", "a25aa734-274c-5fc5-adf8-cc31d7bc28e2"),
        ("2026-05-01T10:00:00.006252Z", "2026-11-23T01:06:44.613315Z"),
        ("2026-05-01", "2026-11-23"),
        ("00000000000037962551", "00000000000014054106"),
        ("SIM-RCP-d61f9836", "SIM-RCP-a25aa734"),
    ],
)
def test_what_differs_from_run_to_run_need_only_be_of_the_form_that_is_shown(shown, answered):
    assert difference(shown, answered) is None
    assert difference(shown, answered[:-1]) is not None


def test_an_answer_with_its_head_is_compared_with_its_head():
    shown = 'HTTP/1.1 202 Accepted\nRetry-After: …\n\n{"state": "in_doubt"}\n'
    said = 'HTTP/1.1 {}\r\ndate: now\r\nretry-after: 57\r\n\r\n{{"state":"{}","more":1}}'
    assert difference(read_http(shown), read_http(said.format("202 Accepted", "in_doubt"))) is None
    assert difference(read_http(shown), read_http(said.format("201 Created", "in_doubt"))) is not None
    assert difference(read_http(shown), read_http(said.format("202 Accepted", "vended"))) is not None
    assert difference(read_http(shown), read_http(said.replace("retry-after", "x").format("202 Accepted", "in_doubt"))) is not None


def test_an_answer_may_hold_more_than_is_shown():
    assert difference({"a": [{"b": "x…z"}], "c": None}, {"a": [{"b": "xyz", "d": 1}, {}], "c": None, "e": 2}) is None

"""What the pages show is what the system on one's own machine does: their commands run, and answer as they say."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.days import long_today
from tests.docs.examples import answers, difference, examples
from tests.docs.pages import ROOT, Page
from tests.emulators import free_port

PAGES = ("README.md", "docs/operations.md")
START_SECONDS = 30.0


@contextmanager
def system(folder: Path) -> Iterator[str]:
    """The address of a `make run` with nothing on its books but the demonstration."""
    port, said = free_port(), folder / "said"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "--port", str(port)], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while "Serving on" not in said.read_text(errors="replace"):
            assert process.poll() is None and time.monotonic() < give_up_at, said.read_text(errors="replace")[-3000:]
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_of_a_page_answer_as_it_says(name, tmp_path):
    shown = examples(Page.read(name))
    assert shown
    long_today()
    with system(tmp_path) as url:
        printed = answers(shown, url, tmp_path)

    for example, answer in zip(shown, printed, strict=True):
        assert (example.command, difference(example.answer, json.loads(answer))) == (example.command, None)


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


def test_an_answer_may_hold_more_than_is_shown():
    assert difference({"a": [{"b": "x…z"}], "c": None}, {"a": [{"b": "xyz", "d": 1}, {}], "c": None, "e": 2}) is None

"""The page of open questions follows the code: its questions, its settings and its commands are the code's own."""

import ast
import importlib
import re
import shlex

import pytest

from local import smoke
from local.probe import __main__ as probe
from local.probe.questions import CONFIG, QUESTIONS, Question
from tests.root import ROOT

PAGE = (ROOT / "docs" / "supplier-questions.md").read_text()
NAMES = [question.name for question in QUESTIONS]
PARTS = ("Held by: ", "Find out: ", "Then: ")


def section(name: str) -> str:
    return PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def held_by(name: str) -> set[tuple[str, str]]:
    """Return the settings of a section, each with the file that the section names."""
    [line] = [line for line in section(name).splitlines() if line.startswith("Held by: ")]
    found = re.findall(r"((?:`[\w.]+`(?:, )?)+) in `([\w./]+)`", line)
    return {(setting, where) for names, where in found for setting in re.findall(r"`([\w.]+)`", names)}


def test_the_page_has_each_question_of_the_probe_once_in_order_in_both_places() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    rows = re.findall(r"^\| \[([\w-]+)\]\(#([\w-]+)\) \|", PAGE, re.MULTILINE)

    assert headings == ["The first day live", *NAMES]
    assert rows == [(name, name) for name in NAMES]


@pytest.mark.parametrize("question", QUESTIONS, ids=NAMES)
def test_a_section_asks_answers_and_says_what_to_do(question: Question) -> None:
    said = section(question.name)

    assert f"**{question.text}**" in said.replace("`", "")
    assert [line.partition(": ")[0] + ": " for line in said.splitlines() if line.startswith(PARTS)] == list(PARTS)


@pytest.mark.parametrize("question", QUESTIONS, ids=NAMES)
def test_the_settings_on_the_page_are_the_probes_and_stand_in_the_row_too(question: Question) -> None:
    [row] = re.findall(rf"^\| \[{question.name}\].*$", PAGE, re.MULTILINE)

    assert held_by(question.name) == {(setting.name, setting.where) for setting in question.settings}
    assert re.findall(r"`([\w.]+)`", row.split("|")[3]) == [setting.name for setting in question.settings]


@pytest.mark.parametrize(
    "setting", sorted({(one.name, one.where) for question in QUESTIONS for one in question.settings}), ids=lambda one: one[0]
)
def test_every_setting_exists_at_its_place(setting: tuple[str, str]) -> None:
    name, where = setting
    if where == CONFIG:
        assert name in variables_read()
    else:
        value: object = importlib.import_module(where.removesuffix(".py").replace("/", "."))
        for part in name.split("."):
            assert hasattr(value, part)
            value = getattr(value, part)


def variables_read() -> set[str]:
    """Return the environment variables that the configuration reads by name."""
    tree = ast.parse((ROOT / CONFIG).read_text())
    named = ("load", "_timeouts", "_amounts", "_settlement_files")
    reading = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in named]
    assert len(reading) == len(named)
    return {node.value for part in reading for node in ast.walk(part) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("page", ["supplier-questions.md", "deploying.md"])
def test_every_command_on_the_pages_is_one_that_the_tool_takes(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    commands = re.findall(r"\.venv/bin/python -m local\.(smoke|probe)\b([^`\n]*)", text)

    assert commands
    for tool, arguments in commands:
        words = shlex.split(re.sub(r"\$\(.*?\)", "https://function.example", arguments), comments=True)
        (smoke if tool == "smoke" else probe).read_options(words)

"""A member that is added to an enum fails the type check, or a table here, wherever docs/architecture.md lists a step for it."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

import pytest

from local import deployment, page
from local.openapi import examples
from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.outcome import Reason
from shared.domain.sts_tokens import _SUREST_FIRST, TokenKind
from shared.domain.transaction import NEXT, State
from shared.domain.vas import SUPPLIER_IDS, Mode, VasType
from shared.mobilemart.settlement_file import FILE_VAS_TYPES, RECIPIENT_FIELD
from shared.mobilemart.settlement_writer import Plant
from shared.mobilemart.simulator import Service
from shared.mobilemart.simulator.deliverables import _ABBREVIATIONS, _TYPE_NAMES, DeliverableKind
from shared.mobilemart.simulator.scenarios import PRODUCT_PREFIXES
from shared.schemas.problems import KINDS, RequestFault
from shared.schemas.refusals import REFUSALS, Retry
from shared.settlement.discrepancies import SEVERITY
from shared.settlement.settled_day import Status
from shared.web import problem_pages, report_html
from tests.root import ROOT

MEMBER = "PLANTED"
FALLEN_THROUGH = re.compile(rf'^(\S+\.py):\d+: error: Argument 1 to "assert_never" has .*?(\w+)\.{MEMBER}\b', re.MULTILINE)
WHERE = {
    "VasType": "shared/domain/vas.py",
    "State": "shared/domain/transaction.py",
    "Service": "shared/mobilemart/simulator/services.py",
    "Plant": "shared/mobilemart/settlement_writer.py",
    "Status": "shared/settlement/settled_day.py",
    "ReprintBy": "shared/domain/policy.py",
    "Concern": "shared/mobilemart/responses.py",
    "Step": "shared/retention/progress.py",
}
PLACES = {
    "VasType": {
        *("shared/domain/vas.py", "shared/domain/sale_summary.py", "shared/schemas/requests.py", "shared/settlement/absence.py"),
        *(f"shared/mobilemart/{name}.py" for name in ("requests", "receipts", "error_codes", "settlement_writer")),
        *(f"shared/mobilemart/simulator/{name}.py" for name in ("services", "catalogue")),
        *("local/openapi/examples.py", "local/probe/__main__.py"),
    },
    "State": {"shared/domain/transaction.py", "shared/vending/operator_actions.py", "shared/web/sales.py"},
    "Service": {
        *(f"shared/mobilemart/simulator/{name}.py" for name in ("services", "switch", "scenarios", "response_bodies")),
        "local/page.py",
    },
    "Plant": {"shared/mobilemart/settlement_writer.py"},
    "Status": {"shared/web/report_html.py"},
    "ReprintBy": {"shared/mobilemart/requests.py"},
    "Concern": {"shared/mobilemart/client.py"},
    "Step": {"shared/retention/run.py"},
}
TABLES: list[tuple[str, type[Enum], object]] = [
    ("suppliers", Mode, SUPPLIER_IDS),
    ("next states", State, NEXT),
    ("refusals", Reason, REFUSALS),
    ("problems of requests", RequestFault, [name for name in KINDS if isinstance(name, RequestFault)]),
    ("problems of sales", Reason, [name for name in KINDS if isinstance(name, Reason)]),
    ("advice on a page", Retry, problem_pages.RETRY_WORDS),
    ("advice at a terminal", Retry, [name for name in deployment.ADVICE if isinstance(name, Retry)]),
    ("severities", DiscrepancyKind, SEVERITY),
    ("words of discrepancies", DiscrepancyKind, report_html.KIND_WORDS),
    ("words of services", VasType, report_html.SERVICE_WORDS),
    ("words of days", Status, [status for status in report_html.STATUS_WORDS if status is not None]),
    ("services of a file", VasType, FILE_VAS_TYPES.values()),
    ("services of the simulator", VasType, {service.vas_type for service in Service}),
    ("products of the simulator", Service, PRODUCT_PREFIXES),
    ("token types of the simulator", DeliverableKind, _TYPE_NAMES),
    ("token abbreviations of the simulator", DeliverableKind, _ABBREVIATIONS),
    ("kinds of tokens", TokenKind, _SUREST_FIRST),
    ("services of the page", Service, page.SERVICE_NAMES),
    ("planted faults of the page", Plant, page.PLANT_WORDS),
    ("recipients of examples", VasType, examples._RECIPIENTS),
    ("products of examples", VasType, examples._PRODUCTS),
    ("deliveries of examples", VasType, examples._DELIVERED),
]
OPEN_BY_DESIGN = {"faults.py", "app.py"}  # of the simulator: an answer that no effect spoils or delays is sent as it is


@pytest.fixture(scope="module")
def fallen_through(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """The files in which mypy finds that a new member of each enum falls through, in a copy that has them all."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("shared", "functions", "local"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for name, file in WHERE.items():
        plant(copy / file, name)
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", str(copy / "cache")]
    checked = subprocess.run(command, cwd=copy, check=False, capture_output=True, text=True)
    assert checked.returncode == 1, checked.stderr
    found: dict[str, set[str]] = {name: set() for name in WHERE}
    for file, name in FALLEN_THROUGH.findall(checked.stdout):
        found[name].add(file)
    return found


def plant(path: Path, enum: str) -> None:
    """Add a member to the enum of that name, behind those that it has."""
    text = path.read_text()
    (defined,) = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == enum)
    last = [node for node in defined.body if isinstance(node, ast.Assign)][-1]
    lines = text.splitlines(keepends=True)
    path.write_text("".join((*lines[: last.end_lineno], f'    {MEMBER} = "planted"\n', *lines[last.end_lineno :])))


@pytest.mark.parametrize("enum", PLACES)
def test_a_new_member_fails_the_type_check_at_every_place_that_names_them_all(fallen_through, enum):
    assert PLACES[enum] - fallen_through[enum] == set()


@pytest.mark.parametrize(("enum", "table"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_a_table_names_every_member_of_its_enum(enum, table):
    assert set(table) == set(enum)


def test_every_service_of_a_file_has_the_column_of_its_recipient():
    assert RECIPIENT_FIELD.keys() == FILE_VAS_TYPES.keys()


def test_no_match_over_an_enum_has_a_last_case_for_all_the_rest():
    assert [place for root in ("shared", "functions", "local") for place in open_matches(root)] == []


def open_matches(root: str) -> Iterator[str]:
    """The matches that name members of enums and end in a case for anything, without `assert_never`."""
    for path in sorted((ROOT / root).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Match) and names_members(node) and is_open(node) and path.name not in OPEN_BY_DESIGN:
                yield f"{path.relative_to(ROOT)}:{node.lineno}"


def names_members(match: ast.Match) -> bool:
    """Whether a case is a member of an enum, by itself or among others. Inside the pattern of a class it is no case."""
    return any(is_member(pattern) for case in match.cases for pattern in alternatives(case.pattern))


def alternatives(pattern: ast.pattern) -> list[ast.pattern]:
    inside = pattern.patterns if isinstance(pattern, ast.MatchOr | ast.MatchSequence) else []
    return [pattern, *(one for each in inside for one in alternatives(each))]


def is_member(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchValue) and isinstance(pattern.value, ast.Attribute) and pattern.value.attr.isupper()


def is_open(match: ast.Match) -> bool:
    last = match.cases[-1]
    is_rest = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
    return not is_rest or "assert_never" not in ast.dump(last)


def test_a_match_without_assert_never_is_found():
    (match,) = ast.parse("match x:\n case A.B:\n  pass\n case _:\n  pass").body
    assert isinstance(match, ast.Match) and names_members(match) and is_open(match)

"""docs/cost.md adds up: every count from its arithmetic, every amount from count and price, and what it takes from the code."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Final

import pytest

from shared.domain.transaction import SHARDS
from shared.vending.circuit_breaker import CACHE_TTL
from tests.infra.plan import Plan
from tests.infra.workspace import EXAMPLE
from tests.root import ROOT

PAGE: Final = ROOT / "docs" / "cost.md"
MONTH_SECONDS: Final = 30 * 86_400
OPERATORS: Final[Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class Item:
    """A line of the bill, or of what changes it: then `service` says when."""

    service: str
    what: str
    arithmetic: str
    count: Decimal
    price: str
    usd: Decimal


@cache
def tables() -> list[list[dict[str, str]]]:
    """Every table of the page, as rows by column."""
    found: list[list[dict[str, str]]] = []
    columns: list[str] = []
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            columns = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not columns:
            columns = cells
            found.append([])
        elif set(line) - set("|-: "):
            found[-1].append(dict(zip(columns, cells, strict=True)))
    return found


def table(*columns: str) -> list[dict[str, str]]:
    (only,) = (rows for rows in tables() if tuple(rows[0])[: len(columns)] == columns)
    return only


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("*", ""))


def items(first: str = "service") -> Iterator[Item]:
    """The lines of the bill; of the table `if`, lines that take the place of those of their name, or come to the bill."""
    for row in table(first, "what"):
        if row["arithmetic"]:
            yield Item(row[first], row["what"], row["arithmetic"], number(row["count"]), row["price"], number(row["USD"]))


def prices() -> dict[str, tuple[Decimal, Decimal]]:
    """What so many of a thing cost, by the price's name."""
    return {row["price"]: (number(row["USD"]), number(row["for"])) for row in table("price", "USD", "for")}


def worked_out(arithmetic: str) -> Decimal:
    """The value of sums and products; `busy(t)`: how long an instance has a request, when calls at random last for t in all.

    `busy(t, w)`: when they all come within w seconds of the month.
    """

    def value(node: ast.expr) -> Decimal:
        match node:
            case ast.Constant(int() | float() as constant):
                return Decimal(str(constant))
            case ast.BinOp(left, sign, right):
                return OPERATORS[type(sign)](value(left), value(right))
            case ast.Call(ast.Name("busy"), [total, *window]):
                within = value(window[0]) if window else Decimal(MONTH_SECONDS)
                return within * (1 - (-value(total) / within).exp())
            case _:
                raise ValueError(ast.dump(node))

    return value(ast.parse(re.sub(r",(?=\d{3})", "", arithmetic.replace("×", "*")), mode="eval").body)


def cents(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize("item", [*items(), *items("if")], ids=lambda item: f"{item.service}: {item.what}")
def test_a_line_of_the_bill_is_its_arithmetic_times_its_price(item: Item) -> None:
    shown_to = item.count.as_tuple().exponent
    assert isinstance(shown_to, int)
    assert worked_out(item.arithmetic).quantize(Decimal(1).scaleb(shown_to), ROUND_HALF_UP) == item.count
    usd, amount = prices()[item.price]
    assert item.usd == cents(item.count * usd / amount)


def test_the_bill_adds_up() -> None:
    total = sum(item.usd for item in items())
    assert total == number(table("service", "what")[-1]["USD"])
    assert f"**A month with a million sales costs {total} USD**" in PAGE.read_text()
    shares = table("service", "USD", "share")
    assert {row["service"]: number(row["USD"]) for row in shares} == {
        service: sum(item.usd for item in items() if item.service == service) for service in dict.fromkeys(item.service for item in items())
    }
    assert [int(row["share"].strip("%")) for row in shares] == [round(100 * number(row["USD"]) / total) for row in shares]


@pytest.mark.parametrize("case", dict.fromkeys(item.service for item in items("if")))
def test_what_changes_the_bill_changes_it_by_its_lines(case: str) -> None:
    changed = {item.what: item.usd for item in items("if") if item.service == case}
    rest = sum(item.usd for item in items() if item.what not in changed)
    (said,) = (row for row in table("if", "what") if row["if"] == case and not row["arithmetic"])
    assert number(said["USD"]) == rest + sum(changed.values())


def test_every_price_is_used_and_says_where_it_comes_from() -> None:
    assert {item.price for item in (*items(), *items("if"))} == set(prices())
    for row in table("price", "USD", "for"):
        assert row["source"]
        assert row["copy of"] in {"undated", "unverified"} or date.fromisoformat(row["copy of"]) < date.max


def test_what_the_bill_takes_from_the_code_is_so(planned_with: Callable[..., Plan]) -> None:
    said = {f"{item.service}: {item.what}": item.arithmetic for item in items()}
    minutes = MONTH_SECONDS // 60
    plan = planned_with("production", *EXAMPLE)
    memory = {each["name"]: each["service_config.0.available_memory"] for each in plan.of("cloudfunctions2_function")}

    assert said["Firestore: reads, sweeps"] == f"{SHARDS} × {minutes:,}"
    assert said["Firestore: reads, the brake"] == f"{minutes * 60:,} / {CACHE_TTL.seconds}"
    checks = len(list(plan.of("monitoring_uptime_check_config")))
    references = 0
    for policy in plan.of("monitoring_alert_policy"):
        for condition in policy["conditions"]:
            ratio = condition["condition_threshold"] and condition["condition_threshold"][0]["denominator_filter"]
            references += 2 if ratio else 1
    assert said["Monitoring: uptime checks"] == f"{checks} × 6 × {minutes * 60:,} / 900"
    to_come = {item.what: item.arithmetic for item in items("if")}
    assert to_come["metric references of alerts"] == str(references)
    assert to_come["points that they return"] == f"{references} × {minutes * 2:,}"

    assert said["Scheduler: jobs"] == str(len(list(plan.of("cloud_scheduler_job"))))
    assert said["Secret Manager: versions"] == str(len(list(plan.of("secret_manager_secret"))))
    assert memory == {"prevend": "512Mi", "purchase": "512Mi", "reconcile": "1Gi"}  # a quarter more memory is a quarter more of that line

"""A report as one HTML page that loads nothing: for phones, desktops, dark mode and print. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, assert_never

from markupsafe import Markup

from shared.domain.clock import BUSINESS_TIME
from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.money import Money
from shared.domain.vas import VasType
from shared.settlement.reporting import DaySummary, Report
from shared.settlement.settled_day import Status
from shared.web.templating import template

STATUS_WORDS: Final[Mapping[str | None, str]] = MappingProxyType(
    {
        Status.BALANCED: "Balanced",
        Status.DISCREPANCIES: "Differences",
        Status.PROVISIONAL: "Provisional",
        Status.FILE_MISSING: "No file",
        None: "Not settled",
    }
)
KIND_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        DiscrepancyKind.VENDED_TWICE: ("Vended twice", "One purchase of ours, two sales of theirs."),
        DiscrepancyKind.CLAIMED_TWICE: ("Claimed twice", "One sale of theirs, two purchases of ours."),
        DiscrepancyKind.VENDED_AFTER_REJECTION: ("Billed though rejected", "We told the customer that nothing was sold."),
        DiscrepancyKind.TOKENS_DIFFER: ("Other tokens", "They show a token or PIN that is not on our receipt."),
        DiscrepancyKind.MISSING_HERE: ("Not ours", "A line that names no sale of ours."),
        DiscrepancyKind.LINES_WITHDRAWN: ("Lines withdrawn", "An earlier file of the day had lines that the last one has not."),
        DiscrepancyKind.DUPLICATE_LINE: ("Line repeated", "The same sale is billed again."),
        DiscrepancyKind.AMOUNT_DIFFERS: ("Other amount", "They bill another amount than we sold for."),
        DiscrepancyKind.ACCOUNT_DIFFERS: ("Other recipient", "They sold to another meter, account or number, or another service."),
        DiscrepancyKind.MISSING_AT_SUPPLIER: ("Not billed", "We sold it, and no file bills it."),
        DiscrepancyKind.STATE_DIFFERS: ("Binned", "Vended with us, binned with them."),
        DiscrepancyKind.NEGATIVE_LINE: ("Negative line", "Perhaps a reversal."),
        DiscrepancyKind.UNKNOWN_STATUS: ("Unknown status", "Neither billed nor binned."),
        DiscrepancyKind.LATE_POSTING: ("Posted late", "By more than a business day."),
    }
)
SERVICE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        VasType.UTILITY: "Electricity",
        VasType.BILL_PAYMENT: "Bill payment",
        VasType.AIRTIME: "Airtime",
        VasType.DATA: "Data",
        VasType.VOUCHER: "Voucher",
    }
)
TERMS: Final = (  # of the conservation equation, in its order: its sign, its name, its words
    ("", "ourVended", "Sold by us"),
    ("\u2212", "carriedOut", "Billed on another day, or not yet"),
    ("+", "carriedIn", "Sold on another day"),
    ("+", "missingHere", "Lines that are not ours"),
    ("+", "billedThoughRejected", "Billed though rejected"),
    ("+", "extraLines", "Lines too many"),
    ("\u2212", "missingAtSupplier", "Sold, and not billed"),
    ("+", "differences", "Differences of amount"),
    ("=", "fileSuccessful", "Billed by the file"),
    ("", "residue", "Unexplained"),
)
SIDE_WORDS: Final = (  # the fields of a discrepancy's side that the page shows, and their labels
    *(("recipient", "To"), ("status", "Status"), ("state", "State"), ("productName", "Product"), ("line", "Line"), ("rows", "Lines")),
    *(("supplierId", "Sold by"), ("supplierTransactionId", "Supplier"), ("requestId", "Request"), ("merchantTransactionId", "Merchant")),
    *(("source", "By"), ("said", "Said")),
)

CHART_HEIGHT: Final = 100
_LOWEST: Final = 6  # a day with sales has a visible bar


def html_of(report: Report) -> bytes:
    """The page."""
    body = report.body
    day = date.fromisoformat(body["day"])
    is_open = [found for found in body["discrepancies"] if found["status"] == "open"]
    page = template("report.html", rand=_rand, count_of=_count, long_day=_long_day, short_day=_short_day, moment=_moment, age=_age)
    return page.render(
        report=report,
        body=body,
        day=day,
        headline=_headline(report, len(is_open)),
        open_count=len(is_open),
        carried_over=sum(found["day"] != body["day"] for found in is_open),
        terms=TERMS,
        kinds=KIND_WORDS,
        services=SERVICE_WORDS,
        statuses=_status_words(report),
        sides=SIDE_WORDS,
        bars=_bars(report.last_days),
        chart_height=CHART_HEIGHT,
        left_out=sum(body.get("leftOut", {}).values()),
    ).encode()


def _status_words(report: Report) -> dict[str | None, str]:
    """The words of every status. A status that only newer code knows stands as it is."""
    seen = [report.body["status"], *(glance.status for glance in report.last_days)]
    return {**{status: str(status) for status in seen}, **STATUS_WORDS}


def _headline(report: Report, open_count: int) -> str:
    """The first sentence of the page: whether the day is done, and otherwise what is open."""
    if report.refusal is not None:
        return (
            "Not settled: a file that it needs was refused."
            if report.body["version"] == 0
            else "As it was before: a file that it needs was refused."
        )
    status = report.body["status"]
    if status not in list(Status):
        return f"A newer version calls this day {status}."
    match Status(status):
        case Status.BALANCED:
            return "Balanced to the cent."
        case Status.DISCREPANCIES:
            return "One difference needs a decision." if open_count == 1 else f"{open_count} differences need decisions."
        case Status.PROVISIONAL if report.body.get("notReadable"):
            return "Not closed: a sale of this day cannot be read by the version that runs."
        case Status.PROVISIONAL:
            return "Not closed yet: the next day\u2019s file may still bill what this one does not."
        case Status.FILE_MISSING:
            return "The settlement file has not come."
        case never:
            assert_never(never)


def _bars(last_days: tuple[DaySummary, ...]) -> list[dict[str, Any]]:
    """The bars of the chart: their heights in proportion to what the files billed."""
    most = max((glance.total.cents for glance in last_days), default=0)
    return [
        {
            "glance": glance,
            "height": max(_LOWEST, round(CHART_HEIGHT * glance.total.cents / most)) if most and glance.total.cents > 0 else 0,
            "kind": "none" if glance.status is None else glance.status.value,
        }
        for glance in last_days
    ]


def _rand(cents: int) -> Markup:
    """`R1 234.50`, with spaces that do not break."""
    rand, sign = Money(abs(cents)).rand, "\u2212" if cents < 0 else ""
    return Markup("{}R{}").format(sign, f"{rand:,}".replace(",", "\u202f"))


def _count(rows: int) -> str:
    """`13 123`, likewise."""
    return f"{rows:,}".replace(",", "\u202f")


def _long_day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _short_day(day: date | str) -> str:
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{day.day} {day:%b}"


def _moment(at: datetime | str) -> str:
    """A time in the zone of business days, South Africa's."""
    local = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(BUSINESS_TIME)
    return f"{_short_day(local.date())} {local:%H:%M}"


def _age(age: timedelta) -> str:
    """`3 d 4 h`, `4 h 10 min` or `10 min`."""
    minutes = int(age.total_seconds()) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes % 60} min"

"""A report as CSV: one row for each figure, so that a spreadsheet can filter and add. Pure.

RFC 4180 in UTF-8. A cell that a spreadsheet would take for a formula becomes text: a supplier may have written it.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.domain.statement import Total
from shared.lib.times import rfc3339
from shared.settlement.document_forms import TERMS
from shared.settlement.reporting import Report

COLUMNS: Final = (
    *("section", "item", "day", "vasType", "rows", "cents", "ageDays", "ageHours", "severity", "status", "transactionId"),
    *("supplierTransactionId", "oursCents", "theirsCents", "ours", "theirs", "id", "note", "supplierId"),
)
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Cell = str | int | None


def csv_of(report: Report) -> bytes:
    """The report's rows, under their columns."""
    written = io.StringIO()
    table = csv.DictWriter(written, COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in row.items()} for row in _rows(report))
    return written.getvalue().encode()


def _cell(value: Cell) -> Cell:
    """A cell that no spreadsheet evaluates. Numbers are ours; a text may be the supplier's."""
    if not isinstance(value, str):
        return value
    plain = "".join(character if character.isprintable() else " " for character in value)
    return f"'{plain}" if plain.lstrip().startswith(FORMULA_STARTS) else plain


def _rows(report: Report) -> Iterator[dict[str, Cell]]:
    body = report.body
    file = body["file"] or {"name": None, "sha256": None, "rows": None, "totalCents": None}
    yield {"section": "day", "item": "version", "day": body["day"], "status": body["status"], "rows": body["version"]}
    yield {"section": "day", "item": "file", "rows": file["rows"], "cents": file["totalCents"], "id": file["sha256"], "note": file["name"]}
    for note in file.get("notes", ()):
        yield {"section": "file", "item": "note", "rows": note["lines"], "id": note["line"], "note": note["message"]}
    if report.refusal is not None:
        yield {"section": "file", "item": "refused", "id": report.refusal.file, "note": report.refusal.reason}
    yield {"section": "day", "item": "matched", "rows": body["matched"]["rows"], "cents": body["matched"]["totalCents"]}
    yield {"section": "day", "item": "as of", "note": rfc3339(report.at)}
    for one in report.totals:
        totals = {"sold": one.sold, "billed": one.billed, "matched": one.matched, "carried": one.carried}
        for item, total in {**totals, "only ours": one.only_ours, "only theirs": one.only_theirs}.items():
            yield {"section": "total", "item": item, "vasType": one.vas_type, **_total(total)}
    for books in body["conservation"]:
        for item in TERMS:
            rows, cents = books[item]["rows"], books[item]["cents"]
            yield {"section": "conservation", "item": item, "vasType": books["vasType"], "rows": rows, "cents": cents}
    for found in body["discrepancies"]:
        yield _discrepancy(found)
    for sale in body.get("notReadable", ()):
        yield {
            "section": "not readable",
            "vasType": sale["vasType"],
            "rows": 1,
            "cents": sale["amountCents"],
            "transactionId": sale["transactionId"],
            "note": sale["requestId"],
        }
    for aged in report.by_age:
        yield {"section": "in doubt", "item": aged.age, **_total(aged.total)}
    for section, sales in (("in doubt sale", report.in_doubt), ("token to recover", report.tokens)):
        for sale in sales:
            yield {
                "section": section,
                "vasType": sale.vas_type,
                "rows": 1,
                "cents": sale.cents,
                "ageHours": int(sale.age.total_seconds() // 3600),
                "transactionId": sale.transaction_id,
                "supplierTransactionId": sale.supplier_transaction_id,
                "note": rfc3339(sale.created_at),
                "supplierId": sale.supplier_id,
            }
    for glance in report.last_days:
        status = "not settled" if glance.status is None else glance.status.value
        yield {"section": "last days", "day": glance.day.isoformat(), "status": status, **_total(glance.total)}


def _discrepancy(found: Mapping[str, Any]) -> dict[str, Cell]:
    ours, theirs = found["ours"] or {}, found["theirs"] or {}
    closure = found["closure"] or {}
    return {
        "section": "discrepancy",
        "item": found["kind"],
        "day": found["day"],
        "vasType": ours.get("vasType") or theirs.get("vasType"),
        "rows": 1,
        "ageDays": found["ageDays"],
        "severity": found["severity"],
        "status": found["status"],
        "transactionId": found["transactionId"],
        "supplierTransactionId": theirs.get("supplierTransactionId") or ours.get("supplierTransactionId"),
        "oursCents": ours.get("amountCents"),
        "theirsCents": theirs.get("amountCents"),
        "ours": _said(ours),
        "theirs": _said(theirs),
        "id": found["id"],
        "note": closure.get("note"),
        "supplierId": ours.get("supplierId"),
    }


def _said(side: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in side.items() if value is not None)


def _total(total: Total) -> dict[str, Cell]:
    return {"rows": total.rows, "cents": total.cents}

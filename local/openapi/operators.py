"""reconcile in the API description: what Cloud Scheduler calls, and where operators look and decide."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.openapi.parts import DATE, EVERYWHERE, ID, OF_BODIES, answer, body, in_path, parameter, problems
from local.openapi.words import DAY, DISCREPANCY_ID, SALE_ID, SUPPLIERS_ID, WORDS
from shared.schemas.problems import RequestFault

_FAULTS: Final = (RequestFault.RECORD_NOT_READABLE, RequestFault.STORE_UNAVAILABLE, *EVERYWHERE)
_OF_DECISIONS: Final = (RequestFault.FORBIDDEN, *OF_BODIES, *_FAULTS)
_SALE: Final = in_path("transactionId", ID, WORDS["transactionId"].description, SALE_ID)
_NUMBERS: Final = {
    "accountNumber": ("The account: all of its digits.", "0012349708"),
    "meterNumber": ("The meter: all of its digits.", "12345678901"),
    "mobileNumber": ("The mobile number, in any of its forms.", "27821234567"),
}
_LOOKUPS: Final = {
    **_NUMBERS,
    "requestId": ("The id under which we asked the supplier.", WORDS["requestId"].example),
    "supplierTransactionId": ("The supplier's id of the sale.", SUPPLIERS_ID),
}


def paths() -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations, by path and method."""
    common = {"tags": ["reconcile"], "security": [{"operator": []}]}
    for path, operations in _operations().items():
        yield f"/reconcile{path}", {method: {**common, **operation} for method, operation in operations.items()}


def _operations() -> dict[str, dict[str, Any]]:
    return {
        "/sweep": {
            "post": _operation(
                "sweep",
                "End what is due: resolve doubts, add tokens that are due, announce what was not. Cloud Scheduler asks every minute.",
                answer("SweptBody", "What was done."),
                RequestFault.BODY_INVALID,
                RequestFault.FORBIDDEN,
            )
        },
        "/settle": {"post": _settle()},
        "/retention": {
            "post": _operation(
                "retention",
                "Take personal data out of old sales, and leave a tombstone of those that are kept no longer. Cloud Scheduler asks hourly.",
                answer("RetainedBody", "What was done."),
                RequestFault.BODY_INVALID,
                RequestFault.FORBIDDEN,
            )
        },
        "/erasures": {"get": _erasures(), "post": _erasure()},
        "/reports": {
            "get": _operation(
                "reports", "The days that were settled.", answer("DaysBody", "The days, newest first."), RequestFault.BODY_INVALID
            )
        },
        "/reports/{day}": {"get": _report()},
        "/transactions": {"get": _search()},
        "/transactions/{transactionId}": {"get": _dossier()},
        "/transactions/{transactionId}/resolution": {"post": _resolution()},
        "/discrepancies/{discrepancyId}/closure": {"post": _closure()},
        "/selling": {
            "get": _operation(
                "selling", "What is not sold at present.", answer("PausedBody", "What is paused, and what was decided lately.")
            ),
            "post": {
                **_operation(
                    "pause",
                    "The brake: replace every pause. Purchases of a paused service are rejected as `temporarily-unavailable`, "
                    "10 seconds later at the latest.",
                    answer("PausedBody", "What is paused now."),
                    *(RequestFault.OUTDATED, *_OF_DECISIONS),
                ),
                "requestBody": body(["SellingBody"]),
            },
        },
    }


def _operation(name: str, summary: str, found: Mapping[str, Any], *faults: RequestFault) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": {"200": found, **problems(*faults, *_FAULTS)}}


def _settle() -> dict[str, Any]:
    faults = (
        RequestFault.BODY_INVALID,
        RequestFault.FORBIDDEN,
        RequestFault.SETTLEMENT_FILE_REFUSED,
        RequestFault.SETTLEMENT_FILES_UNAVAILABLE,
    )
    found = answer(["SettledDayBody", "SettledDaysBody"], "The day that was named, or what became of all of them.")
    return {
        **_operation("settle", "Compare a day with the supplier's file; without `day`, every day that is not settled.", found, *faults),
        "description": (
            "Cloud Scheduler asks daily, without `day`. Today is allowed, and provisional. The same inputs again write nothing and "
            "answer the same bytes. A file that is not believed is 422 for the day that was named, and otherwise listed as `refused`."
        ),
        "parameters": [parameter("day", DATE, "The business day in South Africa.", DAY)],
    }


def _erasures() -> dict[str, Any]:
    return _operation(
        "erasures", "Whose data was erased, by whom and why.", answer("ErasuresBody", "The last ones."), RequestFault.BODY_INVALID
    )


def _erasure() -> dict[str, Any]:
    summary = "Erase one person's data, by exactly one number of theirs, from all sales that nothing needs any more."
    return {
        **_operation(
            "erase", summary, answer("ErasedBody", "What was erased, and what had to stay."), RequestFault.OUTDATED, *_OF_DECISIONS
        ),
        "requestBody": body(["ErasureBody"]),
    }


def _report() -> dict[str, Any]:
    found = answer("ReportBody", "The day.", "Content-Disposition")
    text = {"schema": {"type": "string"}}
    found["content"] |= {"text/html": text, "text/csv": text}
    day = in_path("day", {"type": "string"}, f"The day, `YYYY-MM-DD`, with or without an ending: `{DAY}.csv`.", DAY)
    summary = "A day's report, by the ending `.json`, `.csv` or `.html`, else by `Accept`, else as JSON."
    return {**_operation("report", summary, found, RequestFault.BODY_INVALID, RequestFault.NOT_FOUND), "parameters": [day]}


def _search() -> dict[str, Any]:
    return {
        **_operation(
            "search",
            "Sales of any caller, by exactly one of these.",
            answer("FoundBody", "What was found, masked."),
            RequestFault.BODY_INVALID,
        ),
        "parameters": [parameter(name, {"type": "string"}, *words) for name, words in _LOOKUPS.items()],
    }


def _dossier() -> dict[str, Any]:
    reveal = parameter(
        *("reveal", {"type": "string", "const": "tokens"}),
        *("Show its tokens or PIN, and the raw answers as they came, once it is on record who asked.", "tokens"),
    )
    faults = (RequestFault.BODY_INVALID, RequestFault.FORBIDDEN, RequestFault.NOT_FOUND)
    found = answer(
        ["DossierBody", "RetiredBody", "UnreadDossierBody"], "The sale, as far as it is kept and the version that runs can read it."
    )
    return {
        **_operation("dossier", "All that is on record about a sale, masked.", found, *faults),
        "parameters": [_SALE, reveal],
    }


def _resolution() -> dict[str, Any]:
    faults = (RequestFault.OUTDATED, RequestFault.NOTHING_TO_DECIDE, RequestFault.NOT_FOUND, RequestFault.KEY_RETIRED, *_OF_DECISIONS)
    found = answer("DossierBody", "The sale as it is now.")
    return {
        **_operation("resolution", "Decide on a sale in doubt, or add tokens that are due.", found, *faults),
        "description": (
            "A sale that is `in_doubt` takes `state`, and `tokens` where it was vended. One that is `vended`, with `tokensDue: pending`, "
            "takes `tokens` alone. Either `state` or `tokens` is required."
        ),
        "parameters": [_SALE],
        "requestBody": body(["ResolutionBody"]),
    }


def _closure() -> dict[str, Any]:
    faults = (RequestFault.DISCREPANCY_CLOSED, RequestFault.NOT_FOUND, *_OF_DECISIONS)
    discrepancy = in_path("discrepancyId", ID, WORDS["id"].description, DISCREPANCY_ID)
    return {
        **_operation("closure", "Decide on a discrepancy, once.", answer("DiscrepancyBody", "The discrepancy, closed."), *faults),
        "parameters": [discrepancy],
        "requestBody": body(["ClosureBody"]),
    }

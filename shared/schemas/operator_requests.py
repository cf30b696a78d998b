"""Operators' requests: decisions on sales, on discrepancies and on selling, checked as strictly as an order. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.domain.transaction import State
from shared.domain.vas import ALIASES, VasType, vas_type_named
from shared.schemas.requests import Body, invalid, matching, valid
from shared.vending.operator_actions import Decision

MAX_TOKENS: Final = 20

_NOTE: Final = re.compile(r"(?=.*\S)[^\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]{1,500}", re.DOTALL)
_NOTE_SAID: Final = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]+$"  # the limits of a note; the pattern does not check for blanks
_TOKEN: Final = re.compile(r"[0-9A-Za-z]+(?:[ -][0-9A-Za-z]+)*", re.ASCII)
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII)


def _service(name: str) -> str:
    if (vas_type := vas_type_named(name)) is None:
        raise PydanticCustomError("vas_type", "must be a service: utility, bill-payment, airtime, data or voucher")
    return vas_type


def _moment(text: str) -> str:
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("moment", "must be a time with its zone: 2026-05-01T10:00:00Z")


Note = Annotated[
    str,
    matching(_NOTE, "1 to 500 characters that say why"),
    Field(description="Why. Long runs of digits are masked.", json_schema_extra={"minLength": 1, "maxLength": 500, "pattern": _NOTE_SAID}),
]
Token = Annotated[
    str,
    Field(max_length=40, description="An STS token of 20 digits, in groups or not, or the PIN of what is pinned."),
    matching(_TOKEN, "digits, or letters, in groups or not"),
]
Service = Annotated[str, AfterValidator(_service), Field(json_schema_extra={"enum": [*VasType, *ALIASES]})]
Version = Annotated[int, Field(ge=1, description="The version of the sale that was looked at.")]


class ResolutionBody(Body):
    """An operator's decision on a sale in doubt, or the tokens of one that is vended. `[]`: none is due; left out: not known yet."""

    version: Version
    state: Literal["vended", "rejected"] | None = None
    tokens: list[Token] | None = Field(None, max_length=MAX_TOKENS, repr=False)
    note: Note


class ClosureBody(Body):
    """An operator's decision on a discrepancy."""

    decision: Literal["accepted", "written-off", "corrected"]
    note: Note


class SellingBody(Body):
    """Which services are not to be sold, why, and until when; without `until`: until somebody decides otherwise."""

    paused: list[Service] = Field(max_length=len(VasType) * 2)
    reason: Note
    until: Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time"})] | None = None


def resolution(body: Mapping[str, object]) -> Decision:
    """A decision on a sale.

    Raises:
        Problem: `body-invalid`, naming every field at fault.
    """
    said = valid(ResolutionBody, body)
    if said.state == "rejected" and said.tokens is not None:
        raise invalid([("tokens", "is not expected of what was rejected")])
    if said.state is None and said.tokens is None:
        raise invalid([("state", "either this or tokens is required")])
    return Decision(
        version=said.version,
        state=None if said.state is None else State(said.state),
        tokens=None if said.tokens is None else tuple(said.tokens),
        note=said.note,
    )


def closure(body: Mapping[str, object]) -> tuple[str, str]:
    """A decision on a discrepancy, and its note.

    Raises:
        Problem: `body-invalid`, naming every field at fault.
    """
    said = valid(ClosureBody, body)
    return said.decision, said.note


def selling(body: Mapping[str, object], at: datetime) -> tuple[frozenset[VasType], str, datetime | None]:
    """The services that are not to be sold, why, and until when.

    Raises:
        Problem: `body-invalid`, naming every field at fault.
    """
    said = valid(SellingBody, body)
    until = None if said.until is None else datetime.fromisoformat(said.until)
    if until is not None and until <= at:
        raise invalid([("until", "must lie ahead")])
    return frozenset(map(VasType, said.paused)), said.reason, until

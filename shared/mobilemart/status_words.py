"""The meaning of the supplier's statuses for a sale: yes, no, or not yet. Pure.

The supplier's status words are not documented, so the lists hold the words of the field. Any other word is unknown.
"""

import re
from enum import StrEnum
from functools import cache
from typing import Final

from shared.mobilemart.json_fields import leaves, number


class Says(StrEnum):
    """The meaning of a status; the graver meaning comes first."""

    NO = "no"
    NOT_YET = "not yet"
    UNKNOWN = "unknown"
    YES = "yes"


_NO: Final = (
    *("fail", "declin", "reject", "refus", "denied", "deny", "cancel", "revers", "void", "error", "fault", "invalid", "expir", "abort"),
    *("refund", "discard", "dropp", "terminat", "withdr", "revok", "suspend", "block", "barred", "forbid", "disallow", "dishono"),
    *("insufficien", "exceed", "missing", "absent", "lost", "wrong", "exception", "rollback", "rolled back", "chargeback", "incorrect"),
    *("impossib", "mismatch", "conflict", "corrupt", "crash", "offline", "unreach", "disconnect", "halt", "timeout", "timed ?out"),
    *("time out", "unsuccess", "unprocess", "unpaid", "undeliver", "unavail", "unable", "unauthor", "unapprov", "unfulfil", "unsold"),
    *("unissued", "unsupport", "unprov"),
)
_NO_WORDS: Final = ("bin", "binned", "bad", "err", "no", "not", "never", "cannot", "nok", "nak", "nack", "ko", "ng", "false", "n", "f")
_NOT_YET: Final = (
    *("pend", "queu", "submit", "initiat", "start", "await", "wait", "hold", "held", "schedul", "defer", "delay", "unknown", "indetermin"),
    *("undetermin", "uncertain", "unresolv", "unconfirm", "uncomplet", "doubt", "retry", "retri", "review", "partial", "incomplet"),
    *("receiv", "reserv", "progress", "inprogress", "inprocess", "inflight", "in flight", "ongoing", "underway", "under way"),
    *("requested", "later", "soon", "shortly", "yet", "still", "being"),
)
_NOT_YET_WORDS: Final = ("process", "processing", "p")
_EITHER: Final = ("accept", "sent", "creat", "authori", "duplicat")  # these may be about the request or the sale
_YES: Final = (
    *("succe", "complet", "approv", "vended", "deliver", "done", "processed", "fulfil", "confirm", "paid", "issued", "sold"),
    *("settled", "final", "passed", "posted", "captured", "honou?r", "purchased", "executed", "finished", "credited", "recharged"),
    *("topped up", "dispensed", "generated", "printed"),
)
_YES_WORDS: Final = ("ok", "okay", "true", "yes", "good", "valid", "pass", "s", "y")
_REMARKED: Final = (
    r"\b(?:fail(?:ed|ure)|declined|rejected|unsuccessful|binned|timed out|pending|in progress|(?:being|is) process(?:ed|ing))\b"
)


def _any_of(stems: tuple[str, ...], words: tuple[str, ...] = ()) -> re.Pattern[str]:
    whole = [rf"(?:{'|'.join(words)})\b"] if words else []
    return re.compile(rf"\b(?:{'|'.join([*stems, *whole])})")


@cache  # built for the first status that is text: most answers have none, and a start need not wait for it
def _lists() -> tuple[tuple[re.Pattern[str], Says], ...]:
    return (
        (_any_of(_NO, _NO_WORDS), Says.NO),
        (_any_of(_NOT_YET, _NOT_YET_WORDS), Says.NOT_YET),
        (_any_of(_EITHER), Says.UNKNOWN),
        (_any_of(_YES, _YES_WORDS), Says.YES),
    )


_REMARK: Final = re.compile(_REMARKED)
_NO_TROUBLE: Final = re.compile(r"\b(?:no|without|zero|0|nil) (?:error|fault|failure|problem|issue|exception)s?\b")
_NOTHING: Final = frozenset({"", "none", "null", "nil", "n a", "not applicable", "undefined"})
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")  # in any spelling: "InProgress", "IN_PROGRESS", "in progress"
_DASHES: Final = " -\u2013\u2014._/*\t\r\n"  # punctuation without a meaning
_MAX_STATUS_LENGTH: Final = 200
_FLAGS: Final = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
_SUPPLIERS_CODES: Final = range(1000, 1104)


def status_says(value: object, *, is_code: bool = False) -> Says | None:
    """The meaning of a status, in words or as a number; `None` for an empty one. `is_code`: the member is a response code."""
    if isinstance(value, bool):
        return Says.YES if value else Says.NO
    if isinstance(value, str) and number(value) is None:
        return _text_says(value)
    return _number_says(value, is_code)


def remark_says(value: object) -> Says | None:
    """The meaning of a text for people. Only words that plainly name the sale's end count."""
    if not isinstance(value, str):
        return None
    found = _REMARK.search(_plain(value))
    return None if found is None else _text_says(found[0])


def flag_says(value: object, *, good: bool) -> Says | None:
    """The meaning of a true or false member. `good`: true means sold; otherwise true means not sold."""
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is not None:
        return Says.YES if flag and good else Says.NO if flag is not good else None
    said = _text_says(value) if isinstance(value, str) else None
    return said if said in (Says.NO, Says.NOT_YET) else None


def says_no_error(value: object) -> bool:
    """Whether a member about errors reports none: empty, zero, false, or words like "none" and "success"."""
    return all(_is_no_error(leaf) for _, leaf in leaves(value))


def _is_no_error(value: object) -> bool:
    if isinstance(value, str):
        plain = _plain(value)
        return (plain != "" and not plain.strip("0 ")) or _text_says(value) in (None, Says.YES)
    return value is None or value == 0  # `False` equals 0, and `True` does not


def _text_says(text: str) -> Says | None:
    plain = _NO_TROUBLE.sub("ok", _plain(text))
    if plain in _NOTHING:  # letters of another script have a meaning that we cannot read
        return Says.UNKNOWN if not plain and text.strip(_DASHES) else None
    return next((says for words, says in _lists() if words.search(plain)), Says.UNKNOWN)


def _number_says(value: object, is_code: bool) -> Says | None:
    said = number(value)
    if said is None:
        return None if value is None else Says.UNKNOWN
    written = str(value).strip()
    if said == 0:
        return Says.YES if is_code or len(written) > 1 else Says.UNKNOWN
    if said < 0 or 400 <= said < 600 or said in _SUPPLIERS_CODES or (is_code and isinstance(value, str) and len(written) == 2):
        return Says.NO  # two digits: a response code of ISO 8583, of which only 00 approves
    if said == 202:
        return Says.NOT_YET
    return Says.YES if 200 <= said < 300 else Says.UNKNOWN


def _plain(text: str) -> str:
    """Return the words in lower case, joined by one blank."""
    return " ".join(_WORDS.findall(text[:_MAX_STATUS_LENGTH])).lower()

"""Finds contradictions between a 2xx and the sale that it names. Pure.

A status, an error, another recipient or another request contradicts a sale.

The members for this are not documented, so every likely one is read at any depth. Each list of names stands below, once.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, assert_never

from shared.domain.vas import WITHOUT_RECIPIENT, Order
from shared.lib.value import Value
from shared.mobilemart.json_fields import number, text
from shared.mobilemart.recipients import names_another
from shared.mobilemart.status_words import Says, flag_says, remark_says, says_no_error, status_says


class Doubt(StrEnum):
    """Why a sale is not believed, in our own words."""

    PROBLEM = "it is a problem"
    ERROR = "it says an error"
    NO = "its status says no"
    NOT_YET = "its status says not yet"
    UNKNOWN = "its status is not known"
    REQUEST = "it names another request"
    RECIPIENT = "it names another recipient"
    AMOUNT = "its amount differs"
    NO_AMOUNT = "it names no amount"
    SUPPLIER_ID = "its id differs"


class Statement(Value, frozen=True):
    """The statements of an answer about a sale, besides its goods."""

    is_problem: bool = False
    has_error: bool = False
    status: Says | None = None
    other_request: bool = False
    other_recipient: bool = False

    def doubt(self, *, has_goods: bool) -> Doubt | None:
        """The contradiction of the sale, if there is one. An unknown status does, unless a token, PIN or serial number stands beside it."""
        checks = (
            (self.is_problem, Doubt.PROBLEM),
            (self.has_error, Doubt.ERROR),
            (self.status is Says.NO, Doubt.NO),
            (self.other_request, Doubt.REQUEST),
            (self.other_recipient, Doubt.RECIPIENT),
            (self.status is Says.NOT_YET, Doubt.NOT_YET),
            (self.status is Says.UNKNOWN and not has_goods, Doubt.UNKNOWN),
        )
        return next((doubt for speaks, doubt in checks if speaks), None)


class _Role(StrEnum):
    """The subject of a member."""

    STATUS = "status"
    CODE = "response code"
    GOOD = "true where it was sold"
    BAD = "true where it was not"
    ERROR = "error"
    REMARK = "text for people"
    METER = "meter"
    ACCOUNT = "account"
    MOBILE = "mobile number"
    ANYBODY = "recipient of any kind"
    REQUEST = "request id"


class _Within(StrEnum):
    """The subject of the object that holds a member."""

    SALE = "the sale itself"
    PART = "a part of it"
    STATUS = "its status"
    CUSTOMER = "whom it was sold to: its status is not the sale's"
    OTHERS = "something else: none of it is about the sale"


_WHOSE: Final = r"""(?:transaction|txn|trans|tx|response|resp|result|vend|vending|payment|purchase|order|sale|request|delivery|processing
    |operation|provider|upstream|service|api|switch|overall|final|current|reply|answer|dispense|topup|recharge|token)?"""
_TEXT: Final = r"(?:text|message|msg|description|desc|details?|reason|name|value|info)?"
_NAMES: Final = (
    (
        _Role.ERROR,
        r"""(?:is|was|has)?
            (?:fulcrum|mobilemart|supplier|provider|upstream|api|response|resp|vend|transaction|txn|switch|internal|system|business|validation)?
            (?:error|fault|failure|exception|decline|rejection|reject)s?
            (?:code|number|no|message|msg|reason|description|desc|text|details?|id|type|status|info|list|flag|count)?""",
    ),
    (_Role.STATUS, rf"{_WHOSE}(?:status|stat|state|result|outcome){_TEXT}|(?:response|resp|reply){_TEXT}"),
    (_Role.CODE, r"(?:response|resp|result|return|reason|action|outcome|reply|.{0,20}(?:status|state|result|response))code|rc"),
    (
        _Role.GOOD,
        r"""(?:is|was|has)?(?:success|successfull?|successfully|succeeded|approved|ok|okay|accepted|completed?|valid|confirmed|fulfilled
            |delivered|processed|vended|authori[sz]ed|sold|issued)(?:flag|indicator)?""",
    ),
    (
        _Role.BAD,
        r"""(?:is|was|has)?(?:failed|declined|rejected|cancell?ed|reversed|void|voided|binned|pending|refunded|timedout|expired|aborted
            |queued|denied|refused|unsuccessful|inprogress|incomplete|partial)(?:flag|indicator)?""",
    ),
    (_Role.METER, r"meter(?:number|no|num)?"),
    (_Role.ACCOUNT, r"(?:customer|consumer)?account(?:number|no|num)|smartcard(?:number|no)"),
    (
        _Role.MOBILE,
        r"""(?:recipient|subscriber|destination)?msisdn|(?:mobile|cell|cellular|phone|telephone|tel)(?:phone)?(?:number|no|num)?
            |(?:subscriber|destination)(?:number|no|num)|destination""",
    ),
    (_Role.ANYBODY, r"recipient(?:number|id)?"),
    (_Role.REQUEST, r"(?:merchant|client|original)?requestid|merchanttransactionid|requestguid"),
)
_ROLES: Final = tuple((role, re.compile(names, re.VERBOSE)) for role, names in _NAMES)
_STATUS_TEXT: Final = re.compile(_TEXT)
_REMARKS: Final = frozenset(
    {"message", "messages", "msg", "msgs", "reason", "reasons", "remark", "remarks", "narration", "description", "note", "notes", "comment"}
)
_ENVELOPES: Final = frozenset({"additionaldetails", "data", "transaction", "result", "response", "vend", "sale", "details"})
_CUSTOMERS: Final = frozenset({"consumerdetails", "consumer", "customer", "customerdetails", "meter", "meterdetails", "accountstatus"})
_OTHERS: Final = frozenset(
    {"municipalitydetails", "municipality", "fixedcosts", "product", "productdetails", "tariff", "tariffdetails", "merchant", "biller"}
)
_NUMBERS: Final = frozenset({_Role.METER, _Role.ACCOUNT, _Role.MOBILE, _Role.ANYBODY})
_MAX_NAME_LENGTH: Final = 60  # the part of a member's name that is read and cached
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]")


def statement_of(said: Mapping[str, object], order: Order, request_id: str | None, content_type: str | None = None) -> Statement:
    """Read what a JSON object states about the sale of `order`, requested under `request_id` (`None`: unknown)."""
    statements = tuple(_statements(said))
    statuses = {_status(role, value) for role, _, value in statements}
    return Statement(
        is_problem=_is_problem(said, content_type),
        has_error=any(role is _Role.ERROR and not says_no_error(value) for role, _, value in statements),
        status=next((says for says in Says if says in statuses), None),
        other_request=any(role is _Role.REQUEST and _is_another_request(value, request_id) for role, _, value in statements),
        other_recipient=_names_other_recipient(statements, order),
    )


def _names_other_recipient(statements: Sequence[tuple[_Role, _Within, object]], order: Order) -> bool:
    """Whether the answer names a recipient other than the order's.

    A number of the order's own kind decides. Without one, any other number in the sale itself must be the recipient.
    An order without a recipient, for a PIN or a voucher, must name nobody.
    """
    own = _own(order)
    numbers = [(role, within, names_another(value, order)) for role, within, value in statements if role in _NUMBERS]
    own_numbers = [another for role, _, another in numbers if role in own and another is not None]
    if own_numbers:
        return any(own_numbers)
    is_known = order.recipient is not None or order.pinned or order.vas_type in WITHOUT_RECIPIENT
    return is_known and any(another for role, within, another in numbers if role not in own and within is _Within.SALE)


def _statements(said: Mapping[str, object]) -> Iterator[tuple[_Role, _Within, object]]:
    """Yield the members' statements at any depth. An error is one value; of all else, each innermost value counts."""
    left = deque([(said, _Within.SALE)])
    while left:
        holder, within = left.popleft()
        for key, value in holder.items():
            role, beneath = _place(key[:_MAX_NAME_LENGTH], within)
            if isinstance(value, dict) and role is not _Role.ERROR:
                left.append((value, beneath))
            elif isinstance(value, list) and role is not _Role.ERROR:
                for one in _unlisted(value):
                    if isinstance(one, dict):
                        left.append((one, beneath))
                    elif role is not None:
                        yield role, within, one
            elif role is not None:
                yield role, within, value


def _unlisted(listed: list[object]) -> Iterator[object]:
    """Yield the values of a list, and of lists of lists."""
    left = [*listed]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        else:
            yield one


@lru_cache(maxsize=1024)  # caches names: they are the same from one answer to the next
def _place(key: str, within: _Within) -> tuple[_Role | None, _Within]:
    """The subject of a member of that name, and of the objects beneath it."""
    name = _NOT_ALPHANUMERIC.sub("", key.lower())
    role = _role(name, within)
    return role, _beneath(name, role, within)


def _role(name: str, within: _Within) -> _Role | None:
    if within is _Within.OTHERS:
        return None
    role = next((role for role, names in _ROLES if names.fullmatch(name)), None)
    if within is _Within.CUSTOMER:
        return role if role in _NUMBERS else None
    if within is _Within.STATUS and role is None:
        return _Role.CODE if name == "code" else _Role.STATUS if _STATUS_TEXT.fullmatch(name) else None
    if within is _Within.SALE and role is None:
        return _Role.CODE if name == "code" else _Role.REMARK if name in _REMARKS else None
    return role


def _beneath(name: str, role: _Role | None, within: _Within) -> _Within:
    """The subject of an object under this name."""
    if within in (_Within.CUSTOMER, _Within.OTHERS):
        return within
    if name in _CUSTOMERS:
        return _Within.CUSTOMER
    if name in _OTHERS:
        return _Within.OTHERS
    if name in _ENVELOPES and within is _Within.SALE:
        return within
    return _Within.STATUS if role is _Role.STATUS else _Within.PART


def _status(role: _Role, value: object) -> Says | None:
    """Return the status in a member; `None` if it has none, or names somebody."""
    match role:
        case _Role.GOOD | _Role.BAD:
            return flag_says(value, good=role is _Role.GOOD)
        case _Role.REMARK:
            return remark_says(value)
        case _Role.STATUS | _Role.CODE:
            return status_says(value, is_code=role is _Role.CODE)
        case _Role.ERROR | _Role.REQUEST | _Role.METER | _Role.ACCOUNT | _Role.MOBILE | _Role.ANYBODY:
            return None
        case _:
            assert_never(role)


def _own(order: Order) -> frozenset[_Role]:
    """The members that name the recipient of such an order."""
    if order.meter_number is not None:
        return frozenset({_Role.METER, _Role.ANYBODY})
    if order.account_number is not None:
        return frozenset({_Role.ACCOUNT, _Role.ANYBODY})
    return frozenset({_Role.MOBILE, _Role.ANYBODY}) if order.mobile_number is not None else frozenset()


def _is_another_request(named: object, request_id: str | None) -> bool:
    """Whether a value names a request other than ours. Empty values and zeros name none."""
    if request_id is None or isinstance(named, bool) or not isinstance(named, str | int):
        return False
    plain = _NOT_ALPHANUMERIC.sub("", str(named).lower())
    return plain.strip("0") != "" and plain != _NOT_ALPHANUMERIC.sub("", request_id.lower())


def _is_problem(said: Mapping[str, object], content_type: str | None) -> bool:
    """Whether the answer is a problem (RFC 9457): by its content type, or by a title beside another member of a problem."""
    if content_type is not None and content_type.partition(";")[0].strip().lower() == "application/problem+json":
        return True
    kind = text(said.get("type")) or ""
    if "error" in kind or "problem" in kind:
        return True
    has_more = (
        ":" in kind
        or "/" in kind
        or number(said.get("status")) is not None
        or any(text(said.get(key)) is not None for key in ("detail", "traceId", "instance"))
    )
    return has_more and text(said.get("title")) is not None

"""The bodies that hold settled days: the answers of settling, and reports. The rows in them are the structs that settlement stores."""

from typing import NotRequired

from msgspec import UNSET, UnsetType
from typing_extensions import TypedDict

from shared.domain.discrepancy import Discrepancy
from shared.domain.statement import Note
from shared.domain.vas import VasType
from shared.schemas.responses import FileFaultBody, NotTakenBody
from shared.settlement.reporting import ServiceTotals
from shared.settlement.settled_day import (
    Carried,
    Conservation,
    NotReadable,
    ResolvedBySettlement,
    Status,
    StillOpen,
    TokenToRecover,
)
from shared.web.backoffice import ClosedBody, EarlierClosureBody


class MatchedBody(TypedDict):
    """Lines of the file that bill one sale of ours each."""

    rows: int
    totalCents: int


class FileBody(MatchedBody):
    """The settlement file that was believed."""

    name: str
    sha256: str
    notes: NotRequired[list[Note]]


class AgedDifferenceBody(Discrepancy, frozen=True, kw_only=True):
    """A difference as it stands now: with what people have decided, and how old it is."""

    closure: ClosedBody | None
    earlier_closures: list[EarlierClosureBody] | UnsetType = UNSET
    age_days: int


class _Settled(TypedDict):
    day: str
    version: int
    status: Status
    file: FileBody | None
    matched: MatchedBody
    carriedOut: list[Carried]
    carriedIn: list[Carried]
    conservation: list[Conservation]
    healed: list[ResolvedBySettlement]
    open: list[StillOpen]
    tokensToRecover: list[TokenToRecover]
    notReadable: NotRequired[list[NotReadable]]
    leftOut: NotRequired[dict[str, int]]


class SettledDayBody(_Settled):
    """A business day as its last run left it, frozen with that run."""

    discrepancies: list[Discrepancy]
    notTaken: NotRequired[list[NotTakenBody]]
    moreNotTaken: NotRequired[int]


class RefusalBody(TypedDict):
    """Why a file is not believed."""

    file: str
    reason: str
    faults: list[FileFaultBody]


class RefusedDayBody(RefusalBody):
    """A day of which nothing was changed, because its file is not believed."""

    day: str


class SettledDaysBody(TypedDict):
    """What became of every day that was not settled."""

    days: list[SettledDayBody]
    refused: list[RefusedDayBody]
    left: list[str]
    notTaken: NotRequired[list[NotTakenBody]]
    moreNotTaken: NotRequired[int]


class OpenSaleBody(TypedDict):
    """A sale of any day that is not finished: in doubt, or vended without its token."""

    transactionId: str
    supplierId: str
    supplierTransactionId: str | None
    vasType: VasType
    amountCents: int
    createdAt: str
    ageHours: int
    needsReview: bool


class AgeBody(TypedDict):
    """The sales in doubt of one age."""

    rows: int
    cents: int
    age: str


class InDoubtBody(TypedDict):
    """Every sale in doubt."""

    rows: int
    cents: int
    byAge: list[AgeBody]
    sales: list[OpenSaleBody]


class NowBody(TypedDict):
    """What is in doubt and which tokens are due, of any day, at the moment of the report."""

    asOf: str
    atLeast: bool
    inDoubt: InDoubtBody
    tokensToRecover: list[OpenSaleBody]


class GlanceBody(TypedDict):
    """One day at a glance."""

    day: str
    status: Status | None
    rows: int
    totalCents: int
    openDiscrepancies: int


class ListedDayBody(GlanceBody):
    """One day at a glance, with its version: 0 where it was never settled."""

    version: int
    refused: NotRequired[bool]


class DaysBody(TypedDict):
    """The days of the last 400 that were settled or refused, newest first."""

    days: list[ListedDayBody]


class ReportBody(_Settled):
    """A settled day with people's decisions, and what is still open of any day. One that was only refused has version 0, and is empty."""

    refused: NotRequired[RefusalBody]
    discrepancies: list[AgedDifferenceBody]
    totals: list[ServiceTotals]
    now: NowBody
    lastDays: list[GlanceBody]
    simulated: bool

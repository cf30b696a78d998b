"""The forms of settled days and reports, which the functions keep as papers and answer as they are kept."""

from typing import NotRequired

from typing_extensions import TypedDict

from shared.domain.discrepancy import Severity
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.schemas.responses import FileFaultBody, NotTakenBody
from shared.settlement.settled_day import Status
from shared.web.backoffice import ClosedBody, EarlierClosureBody


class TotalBody(TypedDict):
    """How many sales or lines, and their value."""

    rows: int
    cents: int


class MatchedBody(TypedDict):
    """Lines of the file that bill one sale of ours each."""

    rows: int
    totalCents: int


class FileNoteBody(TypedDict):
    """A form of the file that is beside the letter of its format, and changes nothing that is compared."""

    line: int
    message: str
    lines: int


class FileBody(MatchedBody):
    """The settlement file that was believed."""

    name: str
    sha256: str
    notes: NotRequired[list[FileNoteBody]]


class CarriedBody(TypedDict):
    """A vended sale that another day's file bills."""

    transactionId: str
    supplierId: str
    requestId: str
    vasType: VasType
    amountCents: int
    soldOn: str
    billedOn: str | None


class OursBody(TypedDict):
    """What our record says of it. Numbers show four digits."""

    supplierId: str
    requestId: str
    supplierTransactionId: str | None
    state: State
    vasType: VasType
    amountCents: int
    recipient: str | None
    day: str
    alsoHeldBy: NotRequired[str]


class TheirsBody(TypedDict, total=False):
    """What the supplier says of it: a line of its file, or (`source`, `said`) an answer that contradicts a sale that had ended."""

    line: int
    supplierTransactionId: str
    merchantTransactionId: str
    status: str
    vasType: VasType
    amountCents: int
    recipient: str | None
    at: str
    productName: str
    rows: int
    source: str
    said: str


class DifferenceBody(TypedDict):
    """A difference between our sales and the supplier's file, as the run found it."""

    id: str
    day: str
    kind: str
    severity: Severity
    transactionId: str | None
    ours: OursBody | None
    theirs: TheirsBody | None
    status: str


class AgedDifferenceBody(DifferenceBody):
    """A difference as it stands now: with what people have decided, and how old it is."""

    closure: ClosedBody | None
    earlierClosures: NotRequired[list[EarlierClosureBody]]
    ageDays: int


class ConservationBody(TypedDict):
    """One service's books: what the file bills, and every term that explains it. `residue` is what they leave unexplained: 0."""

    vasType: VasType
    fileSuccessful: TotalBody
    ourVended: TotalBody
    carriedOut: TotalBody
    carriedIn: TotalBody
    missingHere: TotalBody
    billedThoughRejected: TotalBody
    extraLines: TotalBody
    missingAtSupplier: TotalBody
    differences: TotalBody
    residue: TotalBody


class HealedBody(TypedDict):
    """A sale in doubt that the files brought to its end."""

    transactionId: str
    supplierId: str
    state: State
    supplierTransactionId: str | None


class StillOpenBody(TypedDict):
    """A sale of the day of which the files prove nothing."""

    transactionId: str
    supplierId: str
    state: State
    vasType: VasType
    amountCents: int
    createdAt: str


class NotReadableBody(TypedDict):
    """A sale of the day that the version that runs cannot read: whether it vended is not known. `null`: that cannot be read either."""

    transactionId: str
    requestId: str | None
    vasType: VasType | None
    amountCents: int | None


class TokenToRecoverBody(TypedDict):
    """A vended sale whose token or PIN never reached us."""

    transactionId: str
    supplierId: str
    supplierTransactionId: str | None
    vasType: VasType


class _Settled(TypedDict):
    day: str
    version: int
    status: Status
    file: FileBody | None
    matched: MatchedBody
    carriedOut: list[CarriedBody]
    carriedIn: list[CarriedBody]
    conservation: list[ConservationBody]
    healed: list[HealedBody]
    open: list[StillOpenBody]
    tokensToRecover: list[TokenToRecoverBody]
    notReadable: NotRequired[list[NotReadableBody]]
    leftOut: NotRequired[dict[str, int]]


class SettledDayBody(_Settled):
    """A business day as its last run left it, frozen with that run."""

    discrepancies: list[DifferenceBody]
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


class ServiceTotalsBody(TypedDict):
    """One service of the day: what we sold, what the file bills, what is the same sale on both sides, and what is not."""

    vasType: VasType
    sold: TotalBody
    billed: TotalBody
    matched: TotalBody
    carried: TotalBody
    onlyOurs: TotalBody
    onlyTheirs: TotalBody


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


class AgeBody(TotalBody):
    """The sales in doubt of one age."""

    age: str


class InDoubtBody(TotalBody):
    """Every sale in doubt."""

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
    totals: list[ServiceTotalsBody]
    now: NowBody
    lastDays: list[GlanceBody]
    simulated: bool

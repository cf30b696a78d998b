"""Operators' searches, decisions and pauses. The operator, the moment and the reason are on record before an action has any effect.

The module awaits its ports and nothing else.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from msgspec import structs

from shared.domain.outcome import Answer, Reason, Receipt, Rejected, TokensDue, Vended
from shared.domain.sale_summary import brings_token
from shared.domain.sts_tokens import SIMULATED_PREFIX, StsToken, TokenKind, token_number
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import REVEALED, HistoryEntry, State, Transaction, append_history, transition
from shared.domain.unread import Unread
from shared.domain.vas import BRINGS_STS_TOKENS, Mode, Order, VasType
from shared.lib import logs
from shared.lib.value import Value
from shared.ports.documents import Document, DocumentKind
from shared.ports.transactions import LookupBy, TransactionIndex
from shared.vending.circuit_breaker import CircuitBreaker, Pause
from shared.vending.recorder import Recorder

MAX_FOUND: Final = 100  # sales of one search
MAX_DECISIONS: Final = 50  # decisions about pauses in one answer
DECISIONS_WITHIN: Final = timedelta(days=400)

log = logs.logger(__name__)


class Decision(Value, frozen=True, kw_only=True):
    """An operator's decision about a sale at `version`.

    `state` is `VENDED` or `REJECTED` for a sale in doubt, and `None` for a decision that only adds tokens.
    `tokens` are STS tokens or one PIN, as the operator typed them. Empty: none is due. `None`: none is known yet.
    """

    _hidden = frozenset({"tokens"})

    version: int
    state: State | None
    tokens: tuple[str, ...] | None
    note: str


class VersionConflict(Exception):
    """The sale has changed since it was read."""

    def __init__(self, sale: Transaction) -> None:
        super().__init__("the sale has changed")
        self.sale = sale


class NothingToDecide(Exception):
    """The sale is not in doubt, or owes no token."""

    def __init__(self, sale: Transaction) -> None:
        super().__init__("the sale awaits no such decision")
        self.sale = sale


class TokensRefused(Exception):
    """The texts cannot be the sale's tokens. The error quotes none of them. `at` is the index of the wrong text; `None`: all of them."""

    def __init__(self, why: str, at: int | None = None) -> None:
        super().__init__(why)
        self.why, self.at = why, at


class Selling(Value, frozen=True):
    """The pauses that hold, and operators' last decisions about pauses, newest first."""

    pauses: Mapping[VasType, Pause]
    decisions: Sequence[Mapping[str, Any]]


class Operating(Value, frozen=True, kw_only=True):
    """The actions of an operator, over the ports. `operator` and `by` are the name for the record."""

    recorder: Recorder
    store: TransactionIndex
    brake: CircuitBreaker

    async def find(self, sale_id: str) -> Transaction | None:
        """The sale of any caller.

        Raises:
            UnreadableRecord: the sale's outcome cannot be read.
            SaleRetired: only the sale's tombstone is left.
        """
        sale = await self.store.find(sale_id)
        return sale if sale is not None and sale.mode is self.recorder.rules.mode else None

    async def search(self, by: LookupBy, value: str) -> tuple[Sequence[Transaction | Unread | Tombstone], bool]:
        """The sales of any caller, newest first, and whether there are more."""
        found = await self.store.lookup(self.recorder.rules.mode, by, value, MAX_FOUND + 1)
        return found[:MAX_FOUND], len(found) > MAX_FOUND

    async def reveal(self, sale: Transaction, operator: str) -> Transaction:
        """The sale, once the operator who will see its tokens is on record.

        Raises:
            StoreUnavailable: the operator is not on record, and no token may be shown.
        """
        log.warning("tokens revealed", transaction_id=sale.id, operator=operator)
        return await self.recorder.update(
            sale, lambda existing: append_history(existing, HistoryEntry(self.recorder.now(), REVEALED, operator))
        )

    async def resolve(self, sale: Transaction, decision: Decision, operator: str) -> Transaction:
        """End a doubt, or add tokens that are due, and publish the event.

        Raises:
            VersionConflict, NothingToDecide, TokensRefused: the sale is unchanged.
            StoreUnavailable: the decision may or may not be on record.
        """
        retry_seconds = self.recorder.rules.retry_seconds
        return await self.recorder.publish_pending_events(
            await self.recorder.update(
                sale, lambda existing: decided(existing, decision, at=self.recorder.now(), by=operator, retry_seconds=retry_seconds)
            )
        )

    async def selling(self) -> Selling:
        """The pauses that hold, and operators' last decisions about pauses."""
        first = self._decision_id(self.recorder.now() - DECISIONS_WITHIN)
        papers = [paper async for paper in self.store.marked_papers(DocumentKind.CONTROLS, self._selling, first)]
        return Selling(await self.brake.held(), [paper.body for paper in reversed(papers[-MAX_DECISIONS:])])

    async def pause(self, vas_types: Collection[VasType], reason: str, until: datetime | None, operator: str) -> Selling:
        """Pause exactly these services. An empty collection ends all pauses.

        Raises:
            Conflict: another operator, or the breaker, wrote the pauses at the same time.
        """
        at = self.recorder.now()
        pause = Pause(logs.masked(reason), until, operator, at)
        decision = {
            "at": at.isoformat(),
            "by": operator,
            "paused": sorted(vas_types),
            "reason": pause.reason,
            "until": None if until is None else until.isoformat(),
        }
        await self.brake.set(dict.fromkeys(vas_types, pause), Document(self._decision_id(at), decision, self._selling))
        return await self.selling()

    def _decision_id(self, at: datetime) -> str:
        return f"{self._selling}-{at:%Y%m%dT%H%M%S%f}"

    @property
    def _selling(self) -> str:
        return f"{self.recorder.rules.mode}-selling"


def decided(sale: Transaction, decision: Decision, *, at: datetime, by: str, retry_seconds: int) -> Transaction:
    """The sale after an operator's decision: first the decision and its note in the history, then the transition. Pure.

    Raises:
        VersionConflict, NothingToDecide, TokensRefused: the decision does not fit the sale.
    """
    if decision.version != sale.version:
        raise VersionConflict(sale)
    outcome = _outcome(sale, decision, at)
    what = "decision: tokens" if decision.state is None else f"decision: {decision.state}"
    noted = append_history(sale, HistoryEntry(at, what, by, logs.masked(decision.note)))
    return transition(noted, Answer(outcome), at=at, by=by, retry_seconds=retry_seconds)


def _outcome(sale: Transaction, decision: Decision, at: datetime) -> Vended | Rejected:
    in_doubt = sale.state is State.IN_DOUBT or sale.is_abandoned(at)
    match decision.state:
        case State.REJECTED if in_doubt:
            return Rejected(Reason.TEMPORARILY_UNAVAILABLE, "decided by a person")
        case State.VENDED if in_doubt:
            return Vended(_delivered(sale, Receipt(supplier_transaction_id=None), decision.tokens))
        case None if sale.receipt is not None and sale.tokens_pending:
            return Vended(_delivered(sale, sale.receipt, decision.tokens))
        case State.VENDED | State.REJECTED | State.VENDING | State.IN_DOUBT | None:
            raise NothingToDecide(sale)
        case _:
            assert_never(decision.state)


def _delivered(sale: Transaction, receipt: Receipt, written: tuple[str, ...] | None) -> Receipt:
    """The receipt with the tokens, or the PIN, that an operator typed."""
    if written is None:
        return structs.replace(receipt, tokens_due=TokensDue.PENDING if brings_token(sale.order) else TokensDue.NONE)
    if not written:
        return structs.replace(receipt, tokens_due=TokensDue.NONE)
    if sale.order.vas_type in BRINGS_STS_TOKENS:
        return structs.replace(receipt, tokens=_tokens(written, sale.mode), tokens_due=TokensDue.DELIVERED)
    return structs.replace(receipt, pin=_pin(written, sale.order), tokens_due=TokensDue.DELIVERED)


def _tokens(written: tuple[str, ...], mode: Mode) -> tuple[StsToken, ...]:
    """The tokens in the operator's order. With several tokens the kinds are unknown, so all are `other`."""
    kind = TokenKind.CREDIT if len(written) == 1 else TokenKind.OTHER
    return tuple(StsToken(kind, _number(text, at, mode)) for at, text in enumerate(written))


def _number(text: str, at: int, mode: Mode) -> str:
    number = token_number(text)
    if number is None:
        raise TokensRefused("must be 20 digits, which spaces or hyphens may group", at)
    if number.startswith(SIMULATED_PREFIX) != (mode is Mode.SIMULATED):
        raise TokensRefused(f"cannot be a token of a {mode} sale", at)
    return number


def _pin(written: tuple[str, ...], order: Order) -> str:
    if not brings_token(order):
        raise TokensRefused("this service brings nothing to type")
    match written:
        case (pin,):
            return pin
        case _:
            raise TokensRefused("this service brings one PIN")

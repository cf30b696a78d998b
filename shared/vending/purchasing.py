"""Prevend and purchase: the order of effects. **Look, prevend, record, send, record, publish.**

The module awaits its ports (`shared/ports/`) and nothing else: no task, lock, sleep or timeout. A test can therefore drive a
purchase step by step, and crash it between any two steps.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from msgspec import field, structs

from shared.domain.catalogue import Product, fitted
from shared.domain.clock import business_day
from shared.domain.identifiers import Caller, account_key, caller_id, comparable, transaction_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, Reason, Rejected, Unknown, Vended
from shared.domain.prevend import Prevend
from shared.domain.transaction import CLAIMED, State, Transaction, reindexed, transition
from shared.domain.unread import Unread
from shared.domain.vas import PREVENDED, SUPPLIER_IDS, Order, VasType
from shared.lib import logs
from shared.lib.clocks import Moment
from shared.lib.value import Value
from shared.ports.circuit_breaker import CircuitBreakerPort
from shared.ports.documents import Conflict, StoreUnavailable, UnreadableRecord
from shared.ports.supplier import Supplier
from shared.ports.transactions import MAX_ALIKE, SaleRetired
from shared.vending.purchase import KeyReused, PrevendRefused, PrevendUnknown, Purchased, PurchaseRequest, RequestInProgress
from shared.vending.recorder import STORE_TRIES, Recorder

NOT_LOOKED_UP: Final = "whether another sale holds its supplier's id is not known"
SENDS: Final = 2  # a request that the supplier provably did not take may be sent once more
MAX_CLAIMS: Final = 1_000  # claims whose moments a process remembers: many more than it sells at once

log = logs.logger(__name__)


class _Draft(Value, frozen=True):
    """A purchase after its checks: ready to claim, or refused."""

    order: Order
    prevend: Prevend | None = None
    supplier_prevend_id: str | None = None
    refusal: Rejected | None = None


class Vending(Value, frozen=True, kw_only=True):
    """Selling, over the ports. `claims` holds the claim's moment of each sale of this process without an outcome on record."""

    recorder: Recorder
    supplier: Supplier
    brake: CircuitBreakerPort
    claims: dict[str, Moment] = field(default_factory=dict)

    async def products(self, vas_type: VasType) -> tuple[Product, ...]:
        """The catalogue of one service.

        Raises:
            PrevendRefused: the supplier did not return the catalogue.
        """
        products = await self.supplier.products(vas_type)
        if isinstance(products, Rejected):
            raise PrevendRefused(products)
        return products

    async def prevend(self, caller: Caller, order: Order) -> Prevend:
        """Confirm a meter or account and an amount with the supplier, and store the prevend for one purchase.

        Raises:
            PrevendRefused: the supplier or its catalogue refused, or the supplier did not answer.
        """
        chosen = await self._fitted(order)
        if isinstance(chosen, Rejected):
            raise PrevendRefused(chosen)
        confirmed = await self.supplier.prevend(chosen, self.recorder.new_id())
        if isinstance(confirmed, Rejected):
            raise PrevendRefused(confirmed)
        at = self.recorder.now()
        prevend = Prevend(
            id=self.recorder.new_id(),
            mode=self.recorder.rules.mode,
            caller=caller,
            order=chosen,
            supplier_prevend_id=confirmed.supplier_prevend_id,
            minimum_amount=confirmed.minimum_amount,
            amount_due=confirmed.amount_due,
            consumer=confirmed.consumer,
            created_at=at,
            expires_at=at + timedelta(seconds=self.recorder.rules.prevend_valid_seconds),
        )
        await self.recorder.store.add_prevend(prevend)
        return prevend

    async def purchase(self, request: PurchaseRequest) -> Purchased:
        """Vend at most once for the caller's key.

        Raises:
            KeyReused: the key belongs to another request.
            RequestInProgress: another request with this key is selling right now.
            PrevendUnknown: this caller has no such prevend.
            StoreUnavailable: nothing was sent; the caller may repeat the key.
            UnreadableRecord: the key is on record, and the outcome of its sale cannot be read here. Nothing is sent.
            SaleRetired: the key belongs to a retired sale. Nothing is sent for any request with this key.
        """
        started = self.recorder.moment()
        sale_id = transaction_id(self.recorder.rules.mode, request.caller, request.idempotency_key)
        if (earlier := await self.recorder.store.find(sale_id)) is not None:
            return await self._repeat(earlier, request)
        draft = await self._draft(sale_id, request, started)
        claimed = self.recorder.moment()
        fresh = self._begin(sale_id, request, draft, claimed.at)
        try:
            sale = await self._create(fresh, draft.prevend)
        except _PrevendTaken as taken:  # by another key, between our look and our claim
            fresh = self._begin(sale_id, request, _Draft(draft.order, refusal=taken.refusal), self.recorder.now())
            sale = await self._create(fresh, None)
        if sale.nonce != fresh.nonce:  # another request with this key was first
            return await self._repeat(sale, request)
        if sale.state is State.REJECTED:
            return Purchased(await self.recorder.publish_pending_events(sale), replayed=False)
        self._remember(sale, claimed)
        if request.prevend_id is None and (refusal := await self._refused_once_claimed(sale, request)) is not None:
            return await self._keep(sale, Answer(refusal), claimed, by="us")
        return await self._sell(sale, claimed)

    def now_for(self, sale: Transaction) -> datetime:
        """The present moment for the lease of a sale. The claiming process takes the later of the readings of its two clocks."""
        claimed = self.claims.get(sale.id)
        return self.recorder.now() if claimed is None else claimed.latest(self.recorder.moment())

    async def find(self, caller: Caller, sale_id: str) -> Transaction | None:
        """The caller's sale of the id; `None` for a sale of another caller or mode.

        Raises:
            UnreadableRecord: the sale's outcome cannot be read, and its caller is this one or unreadable.
            SaleRetired: the sale is the caller's, and is retired.
        """
        try:
            sale = await self.recorder.store.find(sale_id)
        except SaleRetired as retired:
            if retired.tombstone.caller != caller_id(self.recorder.rules.mode, caller):
                return None
            raise
        except UnreadableRecord as unreadable:
            if unreadable.sale is not None and unreadable.sale.caller not in (None, caller):
                return None
            raise
        return sale if sale is not None and (sale.mode, sale.caller) == (self.recorder.rules.mode, caller) else None

    async def find_by_key(self, caller: Caller, idempotency_key: str) -> Transaction | None:
        """The caller's sale under the idempotency key; `None` if the key is free."""
        return await self.recorder.store.find(transaction_id(self.recorder.rules.mode, caller, idempotency_key))

    async def of_day(self, caller: Caller, day: str, cursor: str | None, at_most: int) -> Sequence[Transaction | Unread]:
        """The caller's sales of a business day (`YYYY-MM-DD`), in the order of their ids, after the id `cursor`."""
        return await self.recorder.store.of_caller(self.recorder.rules.mode, caller, day, cursor, at_most)

    async def repeated(self, caller: Caller, idempotency_key: str, fingerprint_in: Callable[[VasType], str]) -> Purchased | None:
        """The sale under the key, for a request that we would not sell today; `None` if the key is free.

        `fingerprint_in` computes the request's fingerprint for a service. A record with a fingerprint of another scheme cannot be
        compared, and counts as the request's sale.

        Raises:
            KeyReused, RequestInProgress: as in `purchase`.
            StoreUnavailable: the store did not answer whether the key is on record.
        """
        sale = await self.find_by_key(caller, idempotency_key)
        if sale is None:
            return None
        own = fingerprint_in(sale.order.vas_type)
        if sale.fingerprint != own and comparable(sale.fingerprint, own):
            raise KeyReused(sale)
        return self._replayed(sale)

    async def _repeat(self, earlier: Transaction, request: PurchaseRequest) -> Purchased:
        if not await self._is_repeat(earlier, request):
            raise KeyReused(earlier)
        return self._replayed(earlier)

    async def _is_repeat(self, earlier: Transaction, request: PurchaseRequest) -> bool:
        """Whether the request is the recorded one. Fingerprints of two schemes cannot be compared: then the orders decide."""
        if earlier.fingerprint == request.fingerprint or comparable(earlier.fingerprint, request.fingerprint):
            return earlier.fingerprint == request.fingerprint
        order, held = request.order, earlier.order
        if request.prevend_id is not None:
            prevend = await self.recorder.store.find_prevend(request.prevend_id)
            order = held if prevend is None else prevend.order  # a missing prevend was bought long ago
        assert order is not None  # a request names a prevend or says what it wants
        product_id = order.merchant_product_id or held.merchant_product_id  # our code may have chosen the product
        wanted = structs.replace(order, merchant_product_id=product_id, reference=request.reference)
        return request.vas_type is held.vas_type and wanted == held

    def _replayed(self, earlier: Transaction) -> Purchased:
        if earlier.state is State.VENDING and not earlier.is_abandoned(self.now_for(earlier)):
            raise RequestInProgress(earlier)
        return Purchased(earlier, replayed=True)

    async def _draft(self, sale_id: str, request: PurchaseRequest, started: Moment) -> _Draft:
        """The checks between the look and the claim. Every refusal here is of a valid request, and goes on record."""
        prevend, order = await self._ordered(request)
        if (refusal := await self._not_selling(order, prevend)) is not None:
            return _Draft(order, refusal=refusal)
        draft = await self._confirmed(order, prevend)
        if draft.refusal is not None:
            return draft
        if prevend is not None:  # before the claim, which would use the prevend up
            refusal = await self._refused_for_an_earlier_sale(
                sale_id, request, account_key(self.recorder.rules.mode, request.caller, order)
            )
            if refusal is not None:
                return _Draft(order, refusal=refusal)
        if started.age(self.recorder.moment()) > self.recorder.rules.latest_claim:
            return _Draft(draft.order, refusal=Rejected(Reason.TEMPORARILY_UNAVAILABLE, "too late to begin"))
        return draft

    async def _ordered(self, request: PurchaseRequest) -> tuple[Prevend | None, Order]:
        """The prevend that the request names, if any, and the order.

        Raises:
            PrevendUnknown: this caller has no such prevend for this service.
        """
        if request.prevend_id is None:
            assert request.order is not None  # a request names a prevend or holds an order
            return None, request.order
        prevend = await self.recorder.store.find_prevend(request.prevend_id)
        wanted = (self.recorder.rules.mode, request.caller, request.vas_type)
        if prevend is None or (prevend.mode, prevend.caller, prevend.order.vas_type) != wanted:
            raise PrevendUnknown
        return prevend, structs.replace(prevend.order, reference=request.reference)

    async def _not_selling(self, order: Order, prevend: Prevend | None) -> Rejected | None:
        """The refusal that needs no exchange with the supplier: the prevend is over, selling is paused, or the client is not ready."""
        if prevend is not None and (fault := self._prevend_fault(prevend)) is not None:
            return fault
        if await self.brake.stops(order.vas_type):
            return Rejected(Reason.TEMPORARILY_UNAVAILABLE, "selling is paused")
        return await self.supplier.ready()

    async def _confirmed(self, order: Order, prevend: Prevend | None) -> _Draft:
        """The order as the supplier confirmed it: with the prevend, else now."""
        if prevend is not None:
            return _at_least(prevend.minimum_amount, _Draft(order, prevend, prevend.supplier_prevend_id))
        chosen = await self._fitted(order)
        if isinstance(chosen, Rejected):
            return _Draft(order, refusal=chosen)
        if chosen.vas_type not in PREVENDED:
            return _Draft(chosen)
        confirmed = await self.supplier.prevend(chosen, self.recorder.new_id())
        if isinstance(confirmed, Rejected):
            return _Draft(chosen, refusal=confirmed)
        return _at_least(confirmed.minimum_amount, _Draft(chosen, None, confirmed.supplier_prevend_id))

    async def _refused_for_an_earlier_sale(self, sale_id: str, request: PurchaseRequest, account: str | None) -> Rejected | None:
        """The refusal of a sale if an earlier sale with its account key is unfinished.

        After a sale's claim the check is exact: the sale finds every sale with its account key that was claimed before.
        If there are more candidates than one read returns, an unfinished sale may be among the rest, and the sale is refused.
        """
        if account is None or request.allow_duplicate:
            return None
        candidates = await self.recorder.store.find_open(account)
        earlier_ids = candidates[: candidates.index(sale_id)] if sale_id in candidates else candidates
        for earlier_id in earlier_ids:
            if await self._is_in_the_way(earlier_id):
                return Rejected(Reason.POSSIBLE_DUPLICATE, "an unfinished sale looks the same", other_transaction_id=earlier_id)
        if len(candidates) < MAX_ALIKE:
            return None
        other = next(other for other in candidates if other != sale_id)
        return Rejected(Reason.POSSIBLE_DUPLICATE, "too many open sales look the same", other_transaction_id=other)

    async def _is_in_the_way(self, earlier_id: str) -> bool:
        """Whether a sale that the index names is unfinished. Older code left finished sales with a pending event in the index."""
        try:
            earlier = await self.recorder.store.find(earlier_id)
        except UnreadableRecord:  # only newer code knows the sale's open work
            return True
        return earlier is None or earlier.is_unfinished

    async def _refused_once_claimed(self, sale: Transaction, request: PurchaseRequest) -> Rejected | None:
        """The refusal of a claimed sale. If the store does not answer, nothing is sent, which proves that nothing was vended."""
        try:
            return await self._refused_for_an_earlier_sale(sale.id, request, None if sale.open is None else sale.open.account)
        except StoreUnavailable:
            return Rejected(Reason.TEMPORARILY_UNAVAILABLE, "never sent: whether it is a second one was not known")

    async def _fitted(self, order: Order) -> Order | Rejected:
        products = await self.supplier.products(order.vas_type)
        return products if isinstance(products, Rejected) else fitted(order, products, self.recorder.rules.utility_product_id)

    def _prevend_fault(self, prevend: Prevend) -> Rejected | None:
        if prevend.used_by is not None:
            return Rejected(Reason.PREVEND_USED, "the prevend was bought", other_transaction_id=prevend.used_by)
        if self.recorder.now() >= prevend.expires_at:
            return Rejected(Reason.PREVEND_EXPIRED, "the prevend has expired")
        return None

    def _begin(self, sale_id: str, request: PurchaseRequest, draft: _Draft, at: datetime) -> Transaction:
        """The record that a claim writes: `vending`, or `rejected` from the start."""
        sale = Transaction(
            id=sale_id,
            version=1,
            mode=self.recorder.rules.mode,
            caller=request.caller,
            idempotency_key=request.idempotency_key,
            fingerprint=request.fingerprint,
            order=draft.order,
            request_id=self.recorder.new_id(),
            supplier_prevend_id=draft.supplier_prevend_id,
            state=State.VENDING,
            created_at=at,
            updated_at=at,
            day=business_day(at),
            send_by=at + timedelta(seconds=self.recorder.rules.send_window_seconds),
            lease_until=at + timedelta(seconds=self.recorder.rules.lease_seconds),
            nonce=self.recorder.new_id(),
            supplier_id=SUPPLIER_IDS[self.recorder.rules.mode],
        )
        if draft.refusal is None:
            return reindexed(sale, sale.lease_until)
        refused = transition(sale, Answer(draft.refusal), at=at, by="us", retry_seconds=self.recorder.rules.retry_seconds)
        return structs.replace(refused, version=1)

    def _remember(self, sale: Transaction, claimed: Moment) -> None:
        """Remember the claim's moment by both clocks of this process. A full memory evicts the oldest claim, which has long ended."""
        if len(self.claims) >= MAX_CLAIMS:
            del self.claims[next(iter(self.claims))]
        self.claims[sale.id] = claimed

    async def _create(self, fresh: Transaction, prevend: Prevend | None) -> Transaction:
        """`fresh` as stored, or the sale that holds its key; the nonce tells which.

        Raises:
            _PrevendTaken: another sale has used the prevend.
            StoreUnavailable: the claim may or may not be on record. Nothing was sent.
        """
        try:
            return await self.recorder.store.create(fresh, prevend)
        except StoreUnavailable:
            if (held := await self.recorder.store.find(fresh.id)) is None:
                raise
            return held
        except Conflict:
            if (held := await self.recorder.store.find(fresh.id)) is not None:
                return held
            if prevend is None or (now := await self.recorder.store.find_prevend(prevend.id)) is None:
                raise StoreUnavailable("a conflicting record was not found") from None
            raise _PrevendTaken(self._prevend_fault(now)) from None

    async def _sell(self, sale: Transaction, claimed: Moment) -> Purchased:
        answer = await self._send(sale, claimed)
        # The minimum age begins here: a clock that steps back must not move the moment into the past.
        ended_at = claimed.latest(self.recorder.moment())
        answer, held = await self._claimed_by_another(sale, answer)
        sold = await self._keep(sale, answer, claimed, by="supplier", send_ended_at=ended_at, held_as=held)
        if sold.on_record:
            await self.brake.notice(sale.order.vas_type, answer.outcome)
        return sold

    async def _claimed_by_another(self, sale: Transaction, answer: Answer) -> tuple[Answer, str | None]:
        """The answer, and its supplier's id if another sale holds the id: two customers must not get one token.

        An id that another sale holds proves nothing for this sale. A store that does not answer proves nothing either. In both cases
        the sale is in doubt with an indication of a vend, and its reprint or its settlement line ends it.
        """
        if not isinstance(answer.outcome, Vended):
            return answer, None
        for _ in range(STORE_TRIES):
            with suppress(StoreUnavailable):
                claimed = await self.recorder.held_by_another(sale, answer.outcome.receipt)
                return answer if claimed is None else Answer(Unknown(CLAIMED, sign_of_vend=True), answer.raw), claimed
        return Answer(Unknown(NOT_LOOKED_UP, sign_of_vend=True), answer.raw), None

    async def _keep(
        self,
        sale: Transaction,
        answer: Answer,
        claimed: Moment,
        *,
        by: str,
        send_ended_at: datetime | None = None,
        held_as: str | None = None,
    ) -> Purchased:
        """Put the outcome of a sale on record, and publish its events. `claimed` is the claim's moment."""
        now = self.recorder.moment()
        until = now.at + self.recorder.rules.latest_record - claimed.age(now)
        try:
            recorded = await self.recorder.apply_answer(sale, answer, by=by, send_ended_at=send_ended_at, until=until, claimed=held_as)
        except StoreUnavailable:
            log.critical("outcome not stored", transaction_id=sale.id, outcome=type(answer.outcome).__name__)
            return Purchased(sale, replayed=False, on_record=False)
        self.claims.pop(sale.id, None)
        return Purchased(await self.recorder.publish_pending_events(recorded), replayed=False)

    async def _send(self, sale: Transaction, claimed: Moment) -> Answer:
        """Send the request until the supplier has taken it, at most `SENDS` times, inside the send window, under one request id.

        The window ends when either clock says so: the wall clock may step, and the monotonic clock may stop.
        """
        answer = Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "never sent"))
        for _ in range(SENDS):
            if await self.supplier.ready() is not None:
                return answer
            left_seconds = (sale.send_by - claimed.latest(self.recorder.moment())).total_seconds()
            if left_seconds <= 0:
                return answer
            answer = await self.supplier.vend(sale.order, sale.supplier_prevend_id, sale.request_id, left_seconds)
            if not (isinstance(answer.outcome, Rejected) and answer.outcome.not_taken):
                return answer
        return answer


def _at_least(minimum: Money | None, draft: _Draft) -> _Draft:
    """The draft, refused if its amount is below the meter's minimum."""
    if minimum is None or draft.order.amount >= minimum:
        return draft
    refusal = Rejected(Reason.AMOUNT_BELOW_MINIMUM, "below the meter's minimum", minimum_amount=minimum)
    return _Draft(draft.order, refusal=refusal)


class _PrevendTaken(Exception):
    def __init__(self, refusal: Rejected | None) -> None:
        super().__init__("the prevend was taken")
        self.refusal = refusal or Rejected(Reason.PREVEND_USED, "the prevend has changed")

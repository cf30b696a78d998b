"""Records what a day's settlement files prove of sales: indications of a vend, vends, and that nothing was vended."""

from collections.abc import Iterable
from itertools import groupby

from shared.domain.outcome import Answer, RawAnswer, Reason, Rejected, Unknown, Vended
from shared.domain.statement import StatementLine
from shared.domain.transaction import Transaction, transition
from shared.lib.value import Value
from shared.ports.concurrency import Each
from shared.settlement.comparison import OPEN_STATES
from shared.settlement.repository import AT_ONCE, BY
from shared.settlement.settled_day import Proof, SettledDay, VendIndication
from shared.vending.recorder import Recorder


class Proving(Value, frozen=True, kw_only=True):
    """Records what files prove, over the ports of selling. The next run finishes a run that was cut short."""

    recorder: Recorder
    each: Each

    async def record(self, settled: SettledDay) -> list[Transaction]:
        """Record what the files prove, and return the sales as recorded. Indications come first: absence must not end such a sale."""
        signed = await self.each(map(self._signed, settled.signs), AT_ONCE)
        by_sale = groupby(sorted(settled.proofs, key=_in_order), key=lambda proof: proof.transaction_id)
        proven = await self.each((self._proven(sale_id, tuple(proofs)) for sale_id, proofs in by_sale), AT_ONCE)
        absent = await self.each((self._absent(sale_id) for sale_id in settled.absent), AT_ONCE)
        return [*signed, *proven, *absent]

    async def _signed(self, sign: VendIndication) -> Transaction:
        """Record that a line named a sale, unless the sale has ended since the comparison."""
        cause = f"named by line {sign.number} of the settlement file of {sign.day}"
        answer = Answer(Unknown(cause, sign_of_vend=True), self._words(sign.line))

        def learned(known: Transaction) -> Transaction:
            is_open = known.state in OPEN_STATES
            if is_open is not sign.is_of_doubt or (is_open and known.sign_of_vend):
                return known
            return transition(known, answer, at=self.recorder.now(), by=BY, retry_seconds=self.recorder.rules.retry_seconds)

        return await self.recorder.publish_pending_events(
            await self.recorder.update(await self.recorder.held(sign.transaction_id), learned)
        )

    async def _proven(self, sale_id: str, proofs: Iterable[Proof]) -> Transaction:
        sale = await self.recorder.held(sale_id)
        for proof in proofs:
            sale = await self.recorder.apply_answer(sale, Answer(Vended(proof.receipt), self._words(proof.line)), by=BY)
        return await self.recorder.publish_pending_events(sale)

    async def _absent(self, sale_id: str) -> Transaction:
        """End a sale that the files prove was never vended, unless the sale has shown an indication of a vend since the comparison."""
        never = Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "absent from the settlement files"))

        def learned(known: Transaction) -> Transaction:
            if known.state not in OPEN_STATES or known.sign_of_vend:
                return known
            return transition(known, never, at=self.recorder.now(), by=BY, retry_seconds=self.recorder.rules.retry_seconds)

        return await self.recorder.publish_pending_events(await self.recorder.update(await self.recorder.held(sale_id), learned))

    def _words(self, line: StatementLine) -> RawAnswer:
        """A line as an answer of the supplier."""
        return RawAnswer.of(BY, self.recorder.now(), None, None, line.text.encode())


def _in_order(proof: Proof) -> tuple[str, bool, str]:
    """Evidence that ends a sale sorts before evidence that contradicts its end."""
    return proof.transaction_id, not proof.ends_sale, proof.supplier_transaction_id

"""Those who end what is open once nothing goes wrong any more: the scheduler, the supplier's files, and an operator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from shared.domain.clock import business_day
from shared.domain.transaction import State, Transaction, absence_counts_from
from shared.mobilemart.requests import REPRINTED
from tests.deployed.processes import Fleet, Supplier
from tests.deployed.records import Records
from tests.stand_ins.storage import Storage


@dataclass(frozen=True, slots=True)
class BackOffice:
    """`operator` is a token that names one; `began_at` the time before the first sale."""

    reconcile: Fleet
    operator: str
    records: Records
    supplier: Supplier
    bucket: Storage
    began_at: datetime
    minimum_age_seconds: int

    @property
    def days(self) -> list[date]:
        """The business days of all sales so far: two of them where midnight has passed."""
        return sorted({business_day(self.began_at), business_day(datetime.now(UTC))})

    def end_what_is_open(self) -> bool:
        """Try to: by a sweep, then by the supplier's files, then by a person who asks the supplier. Whether nothing was left to them."""
        self._post("/sweep")
        opened = self.records.open()
        if any(sale.state is State.IN_DOUBT and sale.order.vas_type not in REPRINTED for sale in opened):
            self.settled()
        vends = {vend["request_id"]: vend for vend in self.supplier.vends()}
        for sale in opened:
            self._decide(sale, vends.get(sale.request_id))
        return not opened

    def settled(self) -> list[Mapping[str, Any]]:
        """Each day, as it is settled against the supplier's true file."""
        for day in self.days:
            self.bucket.deliver(*self.supplier.settlement_file(day))
        return [self._post("/settle", params={"day": day.isoformat()}) for day in self.days]

    def _decide(self, sale: Transaction, vend: Mapping[str, Any] | None) -> None:
        """What is left to a person: a doubt that no reprint or silence can end, and a PIN that no reprint brings."""
        is_reprinted = sale.order.vas_type in REPRINTED
        if sale.state is State.IN_DOUBT and vend is None and (sale.sign_of_vend or not is_reprinted):
            if datetime.now(UTC) >= absence_counts_from(sale, self.minimum_age_seconds):  # before that it may still be sold
                self._say(sale, state="rejected")
        elif sale.tokens_pending and vend is not None and not is_reprinted:
            self._say(sale, tokens=[vend["pin"]])

    def _say(self, sale: Transaction, **decision: str | Sequence[str]) -> None:
        body = {"version": sale.version, "note": "As the supplier says.", **decision}
        answer = self.reconcile.any().http.post(
            f"/transactions/{sale.id}/resolution", json=body, headers={"Authorization": f"Bearer {self.operator}"}
        )
        assert answer.status_code in {200, 409}, answer.json()["type"]  # 409: it has changed since it was looked at

    def _post(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        answer = self.reconcile.any().http.post(path, params=params)
        assert answer.is_success, answer.text
        return answer.json()

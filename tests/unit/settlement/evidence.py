"""Evidence for one day, and a tombstone in it."""

from datetime import timedelta

from shared.domain.outcome import Reason, Rejected
from shared.domain.sale_summary import seen
from shared.domain.tombstone import Tombstone
from shared.settlement.runner import _Evidence
from tests.unit.settlement.settled import LATER

ONE_DAY = timedelta(days=1)
REFUSED = Rejected(Reason.METER_UNKNOWN, "1011")


def evidence(*sold, older=()):
    return _Evidence({sale.id: seen(sale) for sale in sold}, {}, set(), older={sale.id: seen(sale) for sale in older})


def tombstone(sale):
    return Tombstone(
        id=sale.id,
        mode=sale.mode,
        caller="caller",
        fingerprint=sale.fingerprint,
        state=sale.state,
        vas_type=sale.order.vas_type,
        amount=sale.order.amount,
        fee_cents=0,
        request_id=sale.request_id,
        supplier_transaction_id=sale.receipt and sale.receipt.supplier_transaction_id,
        supplier_id=sale.supplier_id,
        day=sale.day,
        created_at=sale.created_at,
        retired_at=LATER,
    )

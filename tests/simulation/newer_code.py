"""A newer version that runs beside this one for a while, as during a deployment or before a roll back: what it writes into records.

It writes a field that this code does not know into every part of a sale, an announcement of its own, or a state of its own. Once the
faults have stopped it is back, announces what is its to announce, and finds its fields where it has left them.
"""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from shared.domain.sale_summary import unsettled
from shared.domain.transaction import EventName, Transaction, announced
from shared.domain.unread import Unread
from shared.lib.value import new_word
from shared.store.transaction_documents import transaction_document, transaction_of, transaction_update, updated
from tests.newer import FIELD, POINTS, WORD, at, places_of
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.store import Store

EVENT: Final = new_word(EventName, WORD)
WAYS: Final = ("fields", "fields", "an event", "a state")


class NewerCode:
    """What newer code has written. `unread` are the sales of which this code cannot tell what became of them, by their ids."""

    def __init__(self, rng: Random, saw: Callable[[str], None]) -> None:
        self.rng = rng
        self.saw = saw
        self.unread: dict[str, Unread] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self._before: dict[str, dict[str, Any]] = {}

    def write(self, store: "Store") -> None:
        """Write into one of the sales that are on record, if there is any."""
        if not store.sales:
            return
        sale = store.sales[self.rng.choice(list(store.sales))]
        way = self.rng.choice(WAYS)
        self.saw(f"newer code: {way}")
        document = deepcopy(self.documents.get(sale.id) or transaction_document(sale))
        for place in places_of(document):
            if place.word is None:
                at(document, place.path)[FIELD] = deepcopy(POINTS)
        if way == "an event" and sale.open is not None:
            document["record"]["unannounced"] = [*document["record"].get("unannounced", ()), WORD]
        self.documents[sale.id] = document
        written = transaction_of(document, None)
        if way == "a state":
            self.unread[sale.id] = unsettled(sale)
        self._before[sale.id] = document
        store.rewrite(written)

    def changed(self, before: Transaction, after: Transaction) -> Transaction:
        """A sale that this code has changed, as it is on record then."""
        if before.id not in self.documents:
            return after
        document = self.documents[before.id] = updated(self.documents[before.id], *transaction_update(before, after))
        return transaction_of(document, None)

    def is_back(self, store: "Store") -> None:
        """It runs again: it reads what this code could not, and announces what it had to.

        Raises:
            Violation: what it had written is no longer there.
        """
        for sale_id in list(self.unread):
            del self.unread[sale_id]
            store.rewrite(store.sales[sale_id])
        for sale_id, document in self.documents.items():
            was = self._before[sale_id]
            if WORD in was["record"].get("unannounced", ()):
                if WORD not in document["record"].get("unannounced", ()) or "open" not in document:
                    raise Violation("what newer code has written stays", f"its announcement of sale {sale_id[:6]} is gone")
                sale = store.sales[sale_id]
                self._before[sale_id] = {**was, "record": {**was["record"], "unannounced": []}}
                store.rewrite(self.changed(sale, structs.replace(announced(sale, frozenset({EVENT})), nonce=f"newer {sale.nonce}")))

    def finds_all_that_it_wrote(self) -> None:
        """Raise `Violation` where it does not: but for a place in the index that has been left since."""
        for sale_id, document in self.documents.items():
            was = self._before[sale_id]
            parts = [(name, part, document["record"].get(name)) for name, part in was["record"].items()]
            parts += [(name, part, document.get(name)) for name, part in was.items() if name != "record"]
            for name, part, now in parts:
                if not (name == "open" and now is None) and _written_in(now) < _written_in(_without_replaced_charges(part, now)):
                    raise Violation("what newer code has written stays", f"of the {name} of sale {sale_id[:6]} something is gone")


def _without_replaced_charges(part: Any, now: Any) -> Any:
    """A part of a document without the charges that a later answer has replaced: another amount makes another charge."""
    if not (isinstance(part, dict) and isinstance(now, dict)):
        return part
    left = {name: _without_replaced_charges(inner, now.get(name)) for name, inner in part.items()}
    if "charges" in part:
        still = {(charge["description"], charge["amount"]) for charge in now.get("charges", ())}
        left["charges"] = [charge for charge in part["charges"] if (charge["description"], charge["amount"]) in still]
    return left


def _written_in(part: Any) -> int:
    """How often newer code's field stands in a part of a document, to the letter."""
    match part:
        case dict():
            return (part.get(FIELD) == POINTS) + (part == POINTS) + sum(map(_written_in, part.values()))
        case list():
            return sum(map(_written_in, part))
        case _:
            return 0

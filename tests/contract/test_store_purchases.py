"""A whole purchase over each store: one vend, however many ask and however often a reply is lost."""

import asyncio
from collections import Counter

import pytest

from shared.domain.outcome import Reason
from shared.domain.transaction import State
from shared.ports.documents import StoreUnavailable
from tests.contract.records import (
    CALLER,
    Switch,
    electricity,
    vending,
)


class LosesReplies:
    """The store, but the reply to one of its writes never arrives."""

    def __init__(self, store, lost):
        self._store = store
        self._lost = lost
        self.writes = 0

    def __getattr__(self, name):
        method = getattr(self._store, name)
        if name not in {"create", "advance"}:
            return method

        async def write(*arguments):
            self.writes += 1
            written = await method(*arguments)
            if self.writes == self._lost:
                raise StoreUnavailable("reply lost")
            return written

        return write


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_sale_whose_commit_loses_its_reply_recognises_its_own_write(store, lost):
    switch = Switch()
    losing = LosesReplies(store, lost)
    purchased = await vending(losing, switch).purchase(electricity())
    assert (purchased.transaction.state, purchased.replayed, purchased.on_record) == (State.VENDED, False, True)
    assert switch.vends == [purchased.transaction.request_id]
    again = await vending(store, switch).purchase(electricity())
    assert again.replayed and again.transaction.state is State.VENDED and len(switch.vends) == 1
    assert losing.writes >= lost


async def test_sixteen_requests_with_one_key_vend_once(store):
    switch = Switch()
    results = await asyncio.gather(*(vending(store, switch).purchase(electricity()) for _ in range(16)), return_exceptions=True)
    assert len(switch.vends) == 1
    told = Counter("first" if not isinstance(each, Exception) and not each.replayed else "repeat" for each in results)
    assert told == {"first": 1, "repeat": 15}
    assert {type(each).__name__ for each in results} <= {"Purchased", "RequestInProgress"}


async def test_sixteen_requests_with_one_prevend_vend_once(store):
    switch = Switch()
    named = await vending(store, switch).prevend(CALLER, electricity().order)
    requests = [electricity(f"key-{number}", prevend_id=named.id, allow_duplicate=True) for number in range(16)]
    results = await asyncio.gather(*(vending(store, switch).purchase(each) for each in requests))
    assert len(switch.vends) == 1
    (sold,) = [each.transaction for each in results if each.transaction.state is State.VENDED]
    refusals = [each.transaction.outcome for each in results if each.transaction is not sold]
    assert {(refusal.reason, refusal.other_transaction_id) for refusal in refusals} == {(Reason.PREVEND_USED, sold.id)}

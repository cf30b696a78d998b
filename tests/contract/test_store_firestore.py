"""Firestore alone: replies that its transport loses, and times when it is away."""

import asyncio
import json
import logging
import socket
import time
from contextlib import asynccontextmanager

import grpc
import pytest
from msgspec import structs

from shared.domain.transaction import State
from shared.domain.vas import Mode
from shared.gcp.grpc import CHANNEL_OPTIONS
from shared.lib import logs
from shared.ports.documents import Conflict, StoreUnavailable
from shared.store.database import Database
from shared.store.firestore import FirestoreStore
from tests.contract.records import (
    CALLER,
    NOON,
    SHORT_SECONDS,
    TIMEOUT_SECONDS,
    Longest,
    Switch,
    electricity,
    prevend,
    project,
    sale,
    vending,
)


class LosesCommitReplies(grpc.aio.UnaryUnaryClientInterceptor):
    """Lets every commit happen, and answers one of them with a failure."""

    def __init__(self, lost, code):
        self._lost = lost
        self._code = code
        self.commits = 0

    async def intercept_unary_unary(self, continuation, details, request):
        self.commits += 1
        number = self.commits
        call = await continuation(details, request)
        await call
        if number == self._lost:
            raise grpc.aio.AioRpcError(self._code, grpc.aio.Metadata(), grpc.aio.Metadata())
        return call


@asynccontextmanager
async def over(address, *interceptors, timeout_seconds=TIMEOUT_SECONDS):
    """A store on Firestore whose calls pass the interceptors."""
    channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS, interceptors=interceptors)
    opened = FirestoreStore(Database(channel, project(), "(default)", timeout_seconds))
    yield opened
    await opened.close()


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED])
@pytest.mark.parametrize("lost", [2, 3, 4])
async def test_a_commit_that_firestore_made_but_did_not_confirm_is_recognised(firestore_emulator, lost, code):
    losing = LosesCommitReplies(lost, code)
    async with over(firestore_emulator, losing) as store:
        switch = Switch()
        named = await vending(store, switch).prevend(CALLER, electricity().order)  # the first commit
        purchased = await vending(store, switch).purchase(electricity(prevend_id=named.id))
        assert losing.commits > lost
        assert (purchased.transaction.state, purchased.replayed, purchased.on_record) == (State.VENDED, False, True)
        assert switch.vends == [purchased.transaction.request_id]
        assert (await store.find_prevend(named.id)).used_by == purchased.transaction.id


async def test_a_prevend_whose_commit_was_not_confirmed_is_kept(firestore_emulator):
    async with over(firestore_emulator, LosesCommitReplies(1, grpc.StatusCode.UNAVAILABLE)) as store:
        kept = prevend()
        await store.add_prevend(kept)
        assert await store.find_prevend(kept.id) == kept


async def test_an_addition_to_the_ledger_that_was_not_confirmed_is_not_taken_for_anothers(firestore_emulator):
    async with over(firestore_emulator, LosesCommitReplies(1, grpc.StatusCode.UNAVAILABLE)) as store:
        with pytest.raises(StoreUnavailable):
            await store.ledger.add("vend:1", {})
        assert await store.ledger.get("vend:1") == {}


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION])
async def test_a_missing_database_is_not_taken_for_a_document_that_is_there(firestore_emulator, code):
    async with over(firestore_emulator, LosesCommitReplies(1, code)) as store:
        with pytest.raises(StoreUnavailable, match=code.name):
            await store.add_prevend(prevend())
    async with over(firestore_emulator, LosesCommitReplies(1, code)) as store:
        with pytest.raises(StoreUnavailable, match=code.name):
            await store.ledger.add("vend:1", {})


async def test_a_revision_is_exact_to_the_microsecond(firestore_emulator):
    async with over(firestore_emulator) as store:
        created = await store.create(sale())
        seconds, _, nanos = created.revision.partition(".")
        assert int(nanos) % 1000 == 0  # Firestore has no finer ones, and accepts none
        earlier = divmod(int(seconds) * 10**9 + int(nanos) - 1000, 10**9)
        with pytest.raises(Conflict):
            await store.advance(structs.replace(created, revision="{}.{:09d}".format(*earlier)), structs.replace(created, version=2))
        assert (await store.advance(created, structs.replace(created, version=2))).version == 2


@pytest.fixture(params=["refused", "silent"])
def unreachable(request):
    """An address without a listener, or one that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def test_an_unreachable_firestore_fails_within_the_bound_and_blocks_nobody(unreachable):
    store = await FirestoreStore.open(project(), "(default)", timeout_seconds=SHORT_SECONDS, emulator_host=unreachable)
    longest = Longest()
    started = time.monotonic()
    async with longest.watching():
        results = await asyncio.gather(*calls(store), return_exceptions=True)
    assert time.monotonic() - started < SHORT_SECONDS + 0.5
    assert {type(result) for result in results} == {StoreUnavailable}
    assert longest.pause_seconds < 0.25
    await store.close()


class Exhausted(grpc.aio.UnaryUnaryClientInterceptor):
    """Answers every commit with an exhausted quota. Nobody may see its words."""

    async def intercept_unary_unary(self, continuation, details, request):
        raise grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata(), details="of demo")


async def test_the_log_names_the_code_with_which_firestore_failed_until_the_time_was_up(firestore_emulator):
    async with over(firestore_emulator, Exhausted(), timeout_seconds=SHORT_SECONDS) as store:
        with pytest.raises(StoreUnavailable) as failed:
            await store.create(sale())
    record = logging.makeLogRecord({"name": "tests", "msg": "store unavailable", "fields": {"cause": failed.value}})
    causes = json.loads(logs.JsonFormatter().format(record))["cause"]
    assert [cause.partition(" at ")[0] for cause in causes][-1] == "AioRpcError RESOURCE_EXHAUSTED"
    assert not any("of demo" in cause for cause in causes)


def calls(store):
    """One call of every kind."""
    read = structs.replace(sale(), revision="1.000000000")
    yield store.find(read.id)
    yield store.find_prevend("some-prevend")
    yield store.find_open("account")
    yield store.create(sale())
    yield store.advance(read, read)
    yield store.add_prevend(prevend())
    yield store.due(Mode.LIVE, 0, NOON, 1)
    yield store.ledger.add("key", {})

"""Old sales, and runs that erase and retire them."""

import json
from datetime import UTC, datetime, timedelta

from msgspec import structs

from shared.domain.outcome import Answer, RawAnswer, Reason, Rejected
from shared.domain.policy import VendingPolicy
from shared.domain.transaction import announced, reindexed, transition
from shared.domain.vas import Mode
from shared.lib.concurrency import each
from shared.ports.documents import Document, DocumentKind, StoreUnavailable
from shared.ports.transactions import SaleRetired
from shared.retention.erasure import Erasing
from shared.retention.rules import Retention
from shared.vending.recorder import Recorder
from tests.contract.records import METER, new_id, vended
from tests.newer import on_record

MODE = Mode.LIVE
SOLD_AT = datetime(2024, 3, 1, 10, tzinfo=UTC)
ANSWER = RawAnswer.of("vend", SOLD_AT, 200, "application/json", b'{"name": "Jane Doe"}')
UNTIL = timedelta(hours=1)


class Clock:
    def __init__(self):
        self.now = SOLD_AT + timedelta(days=401)

    def __call__(self):
        return self.now


def keeper_of(store, clock, **days):
    retention = Retention(**{"days": 1826, "personal_data_days": 400} | days)
    recorder = Recorder(store=store, events=None, rules=VendingPolicy(mode=MODE), now=clock, new_id=new_id)
    return Erasing(recorder=recorder, store=store, each=each, retention=retention)


async def run(keeper):
    return await keeper.retaining.retain(keeper.recorder.now() + UNTIL)


def sold(key="key-1", at=SOLD_AT, **fields):
    return structs.replace(vended(key, at=at, answers=(ANSWER,), **fields), open=None)


async def is_bare(store, sale_id):
    return METER not in json.dumps(await on_record(store, sale_id), default=str) and (await store.find(sale_id)).erased_at is not None


def day_paper(day, status="balanced", **body):
    mark = "live-ended" if status in ("balanced", "discrepancies") else "live"
    return Document(f"live-{day}", {"day": day, "version": 1, "status": status, "open": [], "discrepancies": [], **body}, mark)


def open_discrepancy(sale_id, day="2024-03-01", **ours):
    body = {"id": "d-1", "day": day, "transactionId": sale_id, "ours": {"day": day, **ours}, "status": "open"}
    return Document("live-d-1", body, "live-open")


async def close(store, paper):
    body = {**paper.body, "status": "accepted"}
    return await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(paper, body=body, mark=None))


async def end(store, paper):
    ended = structs.replace(paper, body={**paper.body, "status": "balanced", "open": []}, mark="live-ended")
    return await store.write_paper(DocumentKind.SETTLEMENTS, ended)


async def is_gone(store, sale_id):
    try:
        return await store.find(sale_id) is None
    except SaleRetired:
        return True


def contradicted(key="key-1"):
    known = reindexed(vended(key, at=SOLD_AT), SOLD_AT)
    said = transition(known, Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "decided")), at=SOLD_AT, by="thandi", retry_seconds=60)
    return announced(said, frozenset(said.unannounced))


class Failing:
    """A store whose call of that number fails, before its effect or after it."""

    def __init__(self, store, at, *, is_made):
        self.store, self.at, self.is_made, self.calls = store, at, is_made, 0

    def __getattr__(self, name):
        method = getattr(self.store, name)
        if name == "marked_papers":
            return method

        async def called(*args, **named):
            self.calls += 1
            if self.calls == self.at and not self.is_made:
                raise StoreUnavailable(name)
            answer = await method(*args, **named)
            if self.calls == self.at:
                raise StoreUnavailable(name)
            return answer

        return called


async def damage(store, sale_id):
    await store._connection.commit(lambda sqlite: sqlite.execute("UPDATE transactions SET document = '{}' WHERE id = ?", (sale_id,)))

"""One person's sales: found, erased, or left with the reason."""

import json
from datetime import timedelta

import pytest
from msgspec import structs
from starlette.requests import Request

from shared.domain.outcome import Unknown
from shared.domain.transaction import State
from shared.ports.documents import Document, DocumentKind, StoreUnavailable
from shared.ports.transactions import LookupBy
from shared.retention import erasure
from shared.retention.erasure import Person
from shared.retention.rules import Hold
from shared.web.erasures import erasures
from tests.contract.records import METER, sale
from tests.unit.retention.retained import (
    SOLD_AT,
    Failing,
    damage,
    day_paper,
    is_bare,
    keeper_of,
    open_discrepancy,
    run,
    sold,
)


async def test_more_sales_than_one_request_takes_are_erased_by_the_next(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 3)
    made = [await store.create(sold(f"key-{number}")) for number in range(5)]
    runs = []
    for _ in range(2):
        runs.append(await erased_by(keeper))
        clock.now += timedelta(seconds=1)
    assert [(len(one.erased), one.more) for one in runs] == [(3, True), (2, False)]
    assert all([await is_bare(store, one.id) for one in made])


async def erased_by(keeper, by=LookupBy.METER_NUMBER, number=METER):
    return await keeper.erase_person(Person(by, number), "The customer asked, ticket 4711; 12345678901.", "thandi@example.com")


async def test_a_persons_sales_are_found_and_erased_and_what_stays_says_why(store, keeper, clock):
    ended, doubt, named, settling = [
        await store.create(one)
        for one in (
            sold("ended", at=SOLD_AT + timedelta(days=200)),
            sale("doubt", at=SOLD_AT + timedelta(days=210), state=State.IN_DOUBT, outcome=Unknown("lost")),
            sold("named", at=SOLD_AT + timedelta(days=220)),
            sold("today", at=clock.now),
        )
    ]
    await store.write_paper(DocumentKind.DISCREPANCIES, open_discrepancy(named.id))
    done = await erased_by(keeper)
    assert done.erased == (ended.id,) and not done.more
    assert {one.sale_id: one.why for one in done.stayed} == {doubt.id: Hold.OPEN, named.id: Hold.DISCREPANCY, settling.id: Hold.SETTLING}
    assert await is_bare(store, ended.id) and [await store.find(one.id) for one in (doubt, named, settling)] == [doubt, named, settling]
    assert (await store.find(ended.id)).history[-1].by == "thandi@example.com"


@pytest.mark.parametrize(("back", "why"), [(28, Hold.SETTLING), (29, None)])
async def test_of_a_day_that_was_never_settled_the_sales_of_four_weeks_are_still_needed(store, keeper, clock, back, why):
    made = await store.create(sold(at=clock.now - timedelta(days=back)))
    done = await erased_by(keeper)
    assert (done.erased, [one.why for one in done.stayed]) == (((), [why]) if why else ((made.id,), []))


async def test_a_sale_stays_that_cannot_be_read_or_whose_day_cannot(store, keeper, clock):
    at = clock.now - timedelta(days=10)
    made, other = [await store.create(sold(key, at=moment)) for key, moment in (("unread", SOLD_AT), ("of that day", at))]
    for day in (at.date(), at.date() + timedelta(days=1)):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day.isoformat()))
    await damage(store, made.id)
    await store._connection.commit(lambda sqlite: sqlite.execute("UPDATE papers SET body = '' WHERE id = ?", (f"live-{at.date()}",)))
    stayed = {one.sale_id: one.why for one in (await erased_by(keeper)).stayed}
    assert stayed == {made.id: Hold.NOT_READABLE, other.id: Hold.SETTLING}


async def test_sales_beyond_the_limit_of_one_request_are_left_for_the_next_and_reported(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 2)
    monkeypatch.setattr(erasure, "MAX_LISTED", 2)
    made = [await store.create(sold(f"key-{number}", at=SOLD_AT + timedelta(hours=number))) for number in range(5)]
    asked = []
    for _ in range(3):
        clock.now += timedelta(seconds=1)
        asked.append(await erased_by(keeper))
    assert [(set(one.erased), one.more) for one in asked] == [
        ({made[4].id, made[3].id}, True),
        ({made[2].id, made[1].id}, True),
        ({made[0].id}, False),
    ]
    assert [len(paper["erased"]) for paper in await keeper.erasures()] == [1, 2]  # the last ones, newest first


async def test_sales_that_must_stay_hide_no_older_ones_of_the_same_person(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 3)
    old = [await store.create(sold(f"old-{number}", at=SOLD_AT + timedelta(hours=number))) for number in range(4)]
    new = [await store.create(sold(f"new-{number}", at=clock.now - timedelta(days=3, minutes=number))) for number in range(8)]
    done = await erased_by(keeper)
    assert ({one.sale_id for one in done.stayed}, set(done.erased), done.more) == (
        {one.id for one in new},
        {one.id for one in old[1:]},
        True,
    )
    clock.now += timedelta(seconds=1)
    assert ((await erased_by(keeper)).erased, await is_bare(store, old[0].id)) == ((old[0].id,), True)


async def test_a_request_ends_that_finds_very_many_sales_that_must_stay(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 2)
    monkeypatch.setattr(erasure, "MAX_STAYED", 4)
    for number in range(7):
        await store.create(sold(f"new-{number}", at=clock.now - timedelta(days=3, minutes=number)))
    done = await erased_by(keeper)
    assert (len(done.stayed), done.erased, done.more) == (4, (), True)


async def test_a_sale_with_what_newer_code_has_written_is_left_whole_to_newer_code(store, keeper, clock):
    whole = sold()
    made = await store.create(structs.replace(whole, order=structs.replace(whole.order, beyond={"emailAddress": "jane@example.com"})))
    assert (await run(keeper)).held == 1
    assert (await erased_by(keeper)).stayed[0].why is Hold.NOT_READABLE
    clock.now = SOLD_AT + timedelta(days=1827)
    assert (await run(keeper)).held == 1 and (await store.find(made.id)).erased_at is None


@pytest.mark.parametrize(
    "damaged",
    [
        {"at": "2026-05-01T10:00:00Z", "by": "a", "reason": "r", "of": "email_address", "recipient": "*1", "erased": [], "stayed": []},
        {"at": "x"},
        {"at": "noon", "by": "a", "reason": "r", "of": "meter_number", "recipient": "*1", "erased": [], "stayed": []},
        {"at": "2026-05-01T10:00:00Z", "by": 7, "reason": "r", "of": "meter_number", "recipient": "*1", "erased": [], "stayed": []},
        {"at": "2026-05-01T10:00:00Z", "by": "a", "reason": "r", "of": "meter_number", "recipient": "*1", "erased": 7, "stayed": []},
        {"at": "2026-05-01T10:00:00Z", "by": "a", "reason": "r", "of": [], "recipient": "*1", "erased": [], "stayed": []},
    ],
)
async def test_an_erasure_that_cannot_be_read_hides_no_other(store, keeper, clock, caplog, damaged):
    await store.create(sold())
    await erased_by(keeper)
    await store.write_paper(DocumentKind.CONTROLS, Document("live-erasure-x", damaged, "live-erasures"))
    request = Request({"type": "http", "method": "GET", "path": "/erasures", "query_string": b"", "headers": []})
    listed = json.loads((await erasures(request, keeper, "")).body)["erasures"]
    assert [(one["by"], one["of"], one["erased"]) for one in listed] == [("thandi@example.com", "meterNumber", 1)]
    assert "record not readable" in [line.message for line in caplog.records]


async def test_exactly_as_many_sales_as_one_request_takes_are_all(store, keeper, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 2)
    for number in range(2):
        await store.create(sold(f"key-{number}"))
    done = await erased_by(keeper)
    assert (len(done.erased), done.more) == (2, False)


async def test_who_erased_what_and_why_is_on_record_without_the_number(store, keeper, caplog):
    await store.create(sold())
    await store.create(sale("doubt", at=SOLD_AT, state=State.IN_DOUBT, outcome=Unknown("lost")))
    await erased_by(keeper)
    (said,) = [line.fields for line in caplog.records if line.message == "personal data erased"]
    assert said == {"operator": "thandi@example.com", "of": "meter_number", "erased": 1, "stayed": 1}
    (paper,) = await keeper.erasures()
    assert (paper["by"], paper["of"], paper["recipient"], len(paper["erased"])) == ("thandi@example.com", "meter_number", "*8901", 1)
    assert METER not in json.dumps(paper) and "ticket" in paper["reason"]


async def test_nothing_is_erased_that_is_not_on_record_before(store, keeper, clock):
    made = await store.create(sold())
    with pytest.raises(StoreUnavailable):
        await erased_by(keeper_of(Failing(store, 1, is_made=False), clock))
    assert await store.find(made.id) == made
    with pytest.raises(StoreUnavailable):
        await erased_by(keeper_of(Failing(store, 2, is_made=False), clock))
    assert (await keeper.erasures())[0]["erased"] is None


async def test_a_recent_sale_is_erased_once_its_day_and_those_beside_it_are_settled(store, keeper, clock):
    at = clock.now - timedelta(days=10)
    made = await store.create(sold(at=at))
    assert (await erased_by(keeper)).stayed[0].why is Hold.SETTLING
    for day in (at.date() + timedelta(days=number) for number in (0, 1)):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day.isoformat()))
    clock.now += timedelta(seconds=1)
    assert (await erased_by(keeper)).erased == (made.id,)

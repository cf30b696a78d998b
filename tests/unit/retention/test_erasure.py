"""One customer's data: what an erasure puts on record, how far one request goes, and what it answers over HTTP."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs
from starlette.requests import Request

from shared.domain.outcome import Unknown
from shared.domain.transaction import State
from shared.ports.documents import Conflict, Document, DocumentKind
from shared.ports.transactions import LookupBy
from shared.retention import erasure
from shared.retention.erasure import Erased, Person, Stayed
from shared.retention.rules import Hold, tombstone_of
from shared.retention.run import Retaining
from shared.schemas.problems import Problem
from shared.web.erasures import erasures, retention
from tests.contract.records import METER, sale
from tests.unit.retention.retained import SOLD_AT, day_paper, is_bare, sold
from tests.unit.retention.steps import asked as asked_of

REASON = "The customer asked, ticket 4711; 12345678901."
MASKED = "The customer asked, ticket 4711; *8901."
BY = "thandi@example.com"
ONE = timedelta(days=1)
AT = "2025-04-06T10:00:00.000000Z"


async def erase(keeper, by=LookupBy.METER_NUMBER, number=METER):
    return await keeper.erase_person(Person(by, number), REASON, BY)


async def named(store, made, number=1):
    """An open discrepancy names the sale, which stays."""
    body = {"id": f"d-{number}", "day": made.day.isoformat(), "transactionId": made.id, "ours": None, "status": "open"}
    await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", body, "live-open"))


async def sell(store, count, **fields):
    """Sales of one meter, newest first, as a request finds them."""
    return [await store.create(sold(f"{number}", at=SOLD_AT - number * timedelta(hours=1), **fields)) for number in range(count)]


async def test_an_erasure_is_recorded_before_its_effect_and_afterwards_with_its_result(store, keeper, clock, monkeypatch):
    made, doubt = await store.create(sold()), await store.create(sale("doubt", at=SOLD_AT, state=State.IN_DOUBT, outcome=Unknown("lost")))
    body = {"at": AT, "by": BY, "reason": MASKED, "of": "meter_number", "recipient": "*8901"}
    calls, real = [], store.write_paper

    async def written(kind, paper, beside=None):
        calls.append((kind, paper.id, paper.mark, dict(paper.body), await is_bare(store, made.id)))
        return await real(kind, paper, beside)

    monkeypatch.setattr(store, "write_paper", written)
    done = {**body, "erased": [made.id], "stayed": [[doubt.id, "open"]]}
    assert await erase(keeper) == Erased(paper=done, erased=(made.id,), stayed=(Stayed(doubt.id, Hold.OPEN),), more=False)
    name = ("live-erasure-20250406T100000000000", "live-erasures")
    assert calls == [
        (DocumentKind.CONTROLS, *name, {**body, "erased": None, "stayed": None}, False),
        (DocumentKind.CONTROLS, *name, done, True),
    ]
    assert await keeper.erasures() == [done]


def test_whose_data_it_is_is_shown_nowhere():
    assert METER not in repr(Person(LookupBy.METER_NUMBER, METER)) and "METER_NUMBER" in repr(Person(LookupBy.METER_NUMBER, METER))


@pytest.mark.parametrize(
    ("sales", "stay", "asked", "erased", "stayed", "more"),
    [
        (0, [], [4], [], [], False),
        (3, [], [4], [0, 1, 2], [], False),
        (4, [], [4], [0, 1, 2], [], True),
        (4, [1], [4, 7], [0, 2, 3], [1], False),
        (6, [1, 3], [4, 7, 8], [0, 2, 4], [1, 3], True),
        (5, [0, 1, 2, 3], [4, 7], [4], [0, 1, 2, 3], False),
        (9, [0, 1, 2, 3, 4, 5, 6], [4, 7], [], [0, 1, 2, 3, 4, 5], True),
        (6, [0, 1, 2, 3, 4, 5], [4, 7], [], [0, 1, 2, 3, 4, 5], False),
        (7, [0, 1, 3, 4, 5], [4, 7, 9], [2, 6], [0, 1, 3, 4, 5], False),
    ],
)
async def test_how_far_one_request_goes(store, keeper, monkeypatch, sales, stay, asked, erased, stayed, more):
    monkeypatch.setattr(erasure, "MAX_SALES", 3)
    monkeypatch.setattr(erasure, "MAX_STAYED", 6)
    made = await sell(store, sales)
    for number in stay:
        await named(store, made[number], number)
    calls = asked_of(store, monkeypatch, "lookup")
    done = await erase(keeper)
    assert [args[-1] for args in calls] == asked and {args[:-1] for args in calls} == {
        (keeper.recorder.rules.mode, LookupBy.METER_NUMBER, METER)
    }
    assert (done.erased, [one.sale_id for one in done.stayed], done.more) == (
        tuple(made[number].id for number in erased),
        [made[number].id for number in stayed],
        more,
    )


async def test_a_sale_with_nothing_personal_left_is_neither_erased_nor_stays(store, keeper, clock):
    await sell(store, 2)
    assert len((await erase(keeper)).erased) == 2
    clock.now += timedelta(seconds=1)
    done = await erase(keeper)
    assert (done.erased, done.stayed, done.more) == ((), (), False)


async def test_of_very_many_erasures_the_last_are_listed_newest_first(store, keeper, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_LISTED", 3)
    for number in range(5):
        await store.write_paper(DocumentKind.CONTROLS, Document(f"live-erasure-{number}", {"at": number}, "live-erasures"))
    assert [paper["at"] for paper in await keeper.erasures()] == [4, 3, 2]


async def test_one_request_is_bounded_as_the_pages_say(store, keeper, monkeypatch):
    docs = Path(erasure.__file__).parents[2] / "docs"
    page, contract = (docs / "retention.md").read_text(), (docs / "contract.md").read_text()
    await sell(store, 1)
    calls = asked_of(store, monkeypatch, "lookup")
    assert len((await erase(keeper)).erased) == len(await keeper.erasures()) == 1
    most = calls[0][-1] - 1  # one more shows whether others remain
    assert f"At most {most} sales go at once" in page and f"At most {most} sales, newest first" in contract
    assert f"up to {erasure.MAX_STAYED:,} of them" in page and f"the last {erasure.MAX_LISTED}, newest first" in contract
    assert f"Sales of the last {erasure.SETTLED_WITHIN} days stay until their days are settled" in page


@pytest.mark.parametrize(
    ("back", "ended", "other", "why"),
    [
        (3, (), (), Hold.SETTLING),
        (3, (3,), (), None),
        (3, (3,), (4,), Hold.SETTLING),
        (3, (3,), (2,), Hold.SETTLING),
        (3, (3, 2), (2,), None),
        (2, (2,), (), Hold.SETTLING),  # a file of yesterday may still bill it, though nothing was sold
        (2, (2, 1), (), None),
        (29, (), (), None),
        (28, (), (), Hold.SETTLING),
        (29, (), (28,), Hold.SETTLING),
        (30, (), (), None),
    ],
)
async def test_a_recent_sale_is_erased_once_its_three_days_have_ended_or_are_empty(
    store,
    keeper,
    clock,
    back,
    ended,
    other,
    why,
):
    made = await store.create(sold(at=clock.now - back * ONE))
    for day in other:
        order = structs.replace(made.order, meter_number="99999999999")
        await store.create(sold(f"other-{day}", at=clock.now - day * ONE, order=order))
    for day in ended:
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper((clock.now - day * ONE).date().isoformat()))
    done = await erase(keeper)
    assert (done.erased, done.stayed) == (((made.id,), ()) if why is None else ((), (Stayed(made.id, why),)))


@pytest.mark.parametrize("status", ["balanced", "discrepancies", "provisional", "file_missing"])
async def test_a_recent_day_has_ended_when_no_file_of_it_is_awaited_any_more(store, keeper, clock, status):
    made = await store.create(sold(at=clock.now - 5 * ONE))
    body = {"day": made.day.isoformat(), "status": status, "open": []}
    await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{made.day}", body, "live-ended"))
    assert (await erase(keeper)).erased == ((made.id,) if status in ("balanced", "discrepancies") else ())


# Over HTTP


def asked(body=None, path="/erasures", **headers):
    raw = json.dumps(body).encode()
    head = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}

    async def receive():
        return {"type": "http.request", "body": raw, "more_body": False}

    scope = {"type": "http", "method": "GET" if body is None else "POST", "path": path, "query_string": b""}
    return Request({**scope, "headers": [(name.encode(), value.encode()) for name, value in head.items()]}, receive)


async def answered(request, keeper, by=BY):
    return json.loads((await erasures(request, keeper, by)).body)


NUMBERS = {"meterNumber": METER, "accountNumber": "135609708", "mobileNumber": "0821234567"}


@pytest.mark.parametrize(("name", "whom"), [("meterNumber", "*8901"), ("accountNumber", "*9708"), ("mobileNumber", "*4567")])
async def test_an_erasure_names_what_went_and_what_stayed_and_the_list_counts_them(store, keeper, name, whom):
    field = {"meterNumber": "meter_number", "accountNumber": "account_number", "mobileNumber": "mobile_number"}[name]
    number = "27821234567" if name == "mobileNumber" else NUMBERS[name]
    order = structs.replace(sold().order, **{"meter_number": None, field: number})
    made, doubt = (
        await store.create(sold(order=order)),
        await store.create(sale("doubt", at=SOLD_AT, state=State.IN_DOUBT, outcome=Unknown("lost"), order=order)),
    )
    said = {"at": AT, "by": BY, "reason": MASKED, "of": name, "recipient": whom}
    done = await answered(asked({name: NUMBERS[name], "reason": REASON}), keeper)
    assert done == {**said, "erased": [made.id], "stayed": [{"transactionId": doubt.id, "why": "open"}], "more": False}
    assert await answered(asked(), keeper) == {"erasures": [{**said, "erased": 1, "stayed": 1}]}


async def test_one_that_was_cut_short_is_listed_without_counts(store, keeper):
    said = {"at": "2026-05-01T12:00:00+02:00", "by": BY, "reason": "r", "recipient": None, "erased": None, "stayed": None}
    await store.write_paper(DocumentKind.CONTROLS, Document("live-erasure-1", {**said, "of": "account_number"}, "live-erasures"))
    shown = {**said, "at": "2026-05-01T10:00:00.000000Z", "of": "accountNumber"}
    assert await answered(asked(), keeper) == {"erasures": [shown]}


@pytest.mark.parametrize("numbers", [(), ("meterNumber", "accountNumber"), ("meterNumber", "accountNumber", "mobileNumber")])
async def test_exactly_one_number_is_asked_for(store, keeper, numbers):
    with pytest.raises(Problem) as refused:
        await answered(asked({**{name: NUMBERS[name] for name in numbers}, "reason": REASON}), keeper)
    errors = [{"field": name, "message": "exactly one of these is required"} for name in ("accountNumber", "meterNumber", "mobileNumber")]
    assert refused.value.body()["errors"] == errors and await keeper.erasures() == []


async def test_of_two_erasures_at_one_moment_the_later_is_asked_to_read_again(store, keeper):
    await answered(asked({"meterNumber": METER, "reason": REASON}), keeper)
    with pytest.raises(Problem) as refused:
        await answered(asked({"meterNumber": METER, "reason": REASON}), keeper)
    assert refused.value.body()["type"] == "/problems/outdated"
    with pytest.raises(Conflict):
        await erase(keeper)


@pytest.mark.parametrize(
    "damage",
    [
        *({name: 7} for name in ("at", "by", "reason", "of", "recipient", "erased", "stayed")),
        *(
            {"by": None},
            {"reason": None},
            {"at": None},
            {"at": "2026-05-01T10:00:00"},
            {"of": "email_address"},
            {"by": ["a"], "reason": "r"},
        ),
    ],
)
async def test_a_damaged_erasure_is_reported_and_not_listed(store, keeper, caplog, damage):
    whole = {"at": AT, "by": BY, "reason": "r", "of": "meter_number", "recipient": "*1", "erased": ["a"], "stayed": []}
    await store.write_paper(DocumentKind.CONTROLS, Document("live-erasure-1", whole, "live-erasures"))
    await store.write_paper(DocumentKind.CONTROLS, Document("live-erasure-2", {**whole, **damage}, "live-erasures"))
    for lacking in ("erased", "stayed", "recipient"):
        lacks = {name: value for name, value in whole.items() if name != lacking}
        await store.write_paper(DocumentKind.CONTROLS, Document(f"live-erasure-{lacking}", lacks, "live-erasures"))
    assert await answered(asked(), keeper) == {"erasures": [{**whole, "of": "meterNumber", "erased": 1, "stayed": 0}]}
    lines = [line.fields for line in caplog.records if line.message == "record not readable"]
    assert lines == [{"kind": DocumentKind.CONTROLS}] * 4


async def test_a_run_over_http_has_half_of_what_the_exchange_leaves_and_is_logged(store, keeper, caplog, monkeypatch):
    await sell(store, 2)
    until, real = [], Retaining.retain

    async def retained(self, end):
        until.append(end - self.recorder.now())
        return await real(self, end)

    monkeypatch.setattr(Retaining, "retain", retained)
    body = {"erased": 2, "retired": 0, "held": 0, "papers": 0, "more": False}
    assert json.loads((await retention(asked({}, "/retention"), keeper)).body) == body
    assert until == [timedelta(seconds=80)]
    assert [line.fields for line in caplog.records if line.message == "retained"] == [body]


@pytest.mark.parametrize("which", ["another site", "a parameter"])
async def test_a_run_is_refused_that_another_site_asks_for_or_that_has_parameters(store, keeper, which):
    request = asked({}, "/retention", **({"sec_fetch_site": "cross-site"} if which == "another site" else {}))
    listed = asked(None)
    if which == "a parameter":
        request.scope["query_string"] = listed.scope["query_string"] = b"days=1"
        with pytest.raises(Problem) as refused:
            await answered(listed, keeper)
        assert refused.value.body()["type"] == "/problems/body-invalid"
    made = (await sell(store, 1))[0]
    with pytest.raises(Problem) as refused:
        await retention(request, keeper)
    assert refused.value.body()["type"] == f"/problems/{'forbidden' if which == 'another site' else 'body-invalid'}"
    assert await store.find(made.id) == made


async def test_a_tombstone_is_found_by_no_number(store, keeper):
    made, other = await sell(store, 2)
    await store.retire(made, tombstone_of(made, keeper.recorder.now()))
    assert (await erase(keeper)).erased == (other.id,)

"""Events: published to a real topic in the promised form, at least once, without holding up a sale for long."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest

import shared.event_publisher
from shared.domain.identifiers import caller_id
from shared.domain.policy import ConsumerDetails
from shared.domain.transaction import EventName
from shared.event_publisher import LogEvents, PubSubEvents
from shared.lib import logs
from shared.ports.events import EventsUnavailable
from shared.schemas.responses import event_body
from tests.deployed.relay import Relay
from tests.sales import METER, PINNED_ORDER, PINNED_RECEIPT, RECEIPT, in_doubt, vended
from tests.stand_ins.topic import Topic

MASKED = ConsumerDetails.MASKED
WAIT_SECONDS = 0.5


@pytest.fixture
async def topic(pubsub_emulator: str) -> AsyncIterator[Topic]:
    topic = await Topic.created(pubsub_emulator)
    yield topic
    await topic.close()


@pytest.fixture
def relay(pubsub_emulator: str) -> Iterator[Relay]:
    """A relay between a publisher and the emulator; it can fall silent."""
    relay = Relay(pubsub_emulator)
    yield relay
    relay.close()


async def published(events: PubSubEvents) -> bool:
    try:
        await events.publish(EventName.VENDED, vended())
    except EventsUnavailable:
        return False
    return True


async def waited(events: PubSubEvents) -> bool:
    """Whether a sale waited for a topic that does not answer."""
    started = time.monotonic()
    assert not await published(events)
    return time.monotonic() - started > WAIT_SECONDS / 2


async def test_a_message_is_the_sale_with_the_events_name_and_id(topic, pubsub_emulator):
    events, sale = PubSubEvents(topic.name, MASKED, pubsub_emulator), vended()
    await events.publish(EventName.VENDED, sale)
    await events.close()

    [message] = await topic.received(1)
    assert json.loads(message.data) == json.loads(json.dumps(event_body(EventName.VENDED, sale, MASKED)))
    assert dict(message.attributes) == {
        "caller": caller_id(sale.mode, sale.caller),
        "event": "vended",
        "vasType": "utility",
        "simulated": "true",
    }
    assert message.ordering_key == sale.id


async def test_the_events_of_a_sale_arrive_in_the_order_in_which_they_happened(topic, pubsub_emulator):
    events, sale = PubSubEvents(topic.name, MASKED, pubsub_emulator), in_doubt()
    for event in (EventName.IN_DOUBT, EventName.NEEDS_REVIEW, EventName.REJECTED):
        await events.publish(event, sale)
    await events.close()

    assert [message.attributes["event"] for message in await topic.received(3)] == ["in_doubt", "needs_review", "rejected"]


async def test_a_topic_that_does_not_exist_fails_the_publication(topic, pubsub_emulator):
    events = PubSubEvents(f"{topic.name}-of-another", MASKED, pubsub_emulator)
    with pytest.raises(EventsUnavailable) as error:
        await events.publish(EventName.VENDED, vended())
    await events.close()
    record = logging.makeLogRecord({"name": "tests", "msg": "events not announced", "fields": {"cause": error.value}})
    line = logs.JsonFormatter().format(record)
    assert [cause.partition(" at ")[0] for cause in json.loads(line)["cause"]] == ["EventsUnavailable", "AioRpcError NOT_FOUND"]
    assert not [text for text in (METER, topic.name) if text in line or text in str(error.value)]


@pytest.mark.parametrize("listening", [True, False])
async def test_a_topic_that_does_not_answer_is_given_up_within_the_bound(listening):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listening:  # connections are accepted, and nothing ever arrives
            silent.listen()
        events = PubSubEvents("projects/demo/topics/transactions", MASKED, f"127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.5)
        started = time.monotonic()
        with pytest.raises(EventsUnavailable):
            await events.publish(EventName.VENDED, vended())
        assert time.monotonic() - started < 2
        await events.close()


async def test_a_topic_that_delayed_one_sale_delays_no_other(topic, relay, monkeypatch):
    monkeypatch.setattr(shared.event_publisher, "SPARED_SECONDS", 1)
    events = PubSubEvents(topic.name, MASKED, relay.address, timeout_seconds=WAIT_SECONDS)
    relay.hold()
    assert [await waited(events) for _ in range(20)] == [True] + [False] * 19

    relay.release()
    async with asyncio.timeout(20):
        while not await published(events):  # spared no longer than that
            await asyncio.sleep(0.05)
    await events.close()
    assert (await topic.received(1))[0].ordering_key == vended().id


async def test_after_the_rest_of_a_topic_one_sale_of_many_tries_it(topic, relay, monkeypatch):
    monkeypatch.setattr(shared.event_publisher, "SPARED_SECONDS", 0.2)
    events = PubSubEvents(topic.name, MASKED, relay.address, timeout_seconds=WAIT_SECONDS)
    relay.hold()
    assert await waited(events)
    async with asyncio.timeout(20):
        while not (waits := sum(await asyncio.gather(*(waited(events) for _ in range(50))))):
            await asyncio.sleep(0.05)
    await events.close()
    assert waits == 1


async def test_a_publisher_recovers_with_its_topic(topic, pubsub_emulator):
    events = PubSubEvents(f"{topic.name}-late", MASKED, pubsub_emulator)
    with pytest.raises(EventsUnavailable):
        await events.publish(EventName.VENDED, vended())
    late = await Topic.created(pubsub_emulator, f"{topic.name}-late")
    await events.publish(EventName.VENDED, vended())
    assert len(await late.received(1)) == 1
    await late.close()
    await events.close()


async def test_the_log_gets_the_event_and_nothing_that_is_worth_anything(caplog):
    caplog.set_level(logging.INFO, "gateway")
    for sale in (vended(), vended(PINNED_RECEIPT, order=PINNED_ORDER)):
        await LogEvents().publish(EventName.VENDED, sale)

    lines = [json.loads(logs.JsonFormatter().format(record)) for record in caplog.records]
    assert [(line["event_id"], line["state"]) for line in lines] == [(f"{vended().id}:vended", "vended")] * 2
    secrets = {METER, "Jane", "Main", PINNED_RECEIPT.pin, PINNED_RECEIPT.serial_number, *(token.number for token in RECEIPT.tokens)}
    assert not any(secret in json.dumps(lines) for secret in secrets)

"""Events: published to a real topic in the promised form, at least once, and never holding a sale up for long."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator

import pytest

import shared.events
from shared import logs
from shared.config import ConsumerDetails
from shared.events import LogEvents, PubSubEvents
from shared.ports import EventsUnavailable
from shared.shown import event_body
from shared.transaction import EventName
from tests.sales import METER, PINNED_ORDER, PINNED_RECEIPT, RECEIPT, in_doubt, vended
from tests.stand_ins.topic import Topic

MASKED = ConsumerDetails.MASKED


@pytest.fixture
async def topic(pubsub_emulator: str) -> AsyncIterator[Topic]:
    topic = await Topic.created(pubsub_emulator)
    yield topic
    await topic.close()


async def test_a_message_is_the_sale_with_the_events_name_and_id(topic, pubsub_emulator):
    events, sale = PubSubEvents(topic.name, MASKED, pubsub_emulator), vended()
    await events.publish(EventName.VENDED, sale)
    await events.close()

    [message] = await topic.received(1)
    assert json.loads(message.data) == json.loads(json.dumps(event_body(EventName.VENDED, sale, MASKED)))
    assert dict(message.attributes) == {"event": "vended", "vasType": "utility", "simulated": "true"}
    assert message.ordering_key == sale.id


async def test_the_events_of_a_sale_arrive_in_the_order_in_which_they_happened(topic, pubsub_emulator):
    events, sale = PubSubEvents(topic.name, MASKED, pubsub_emulator), in_doubt()
    for event in (EventName.IN_DOUBT, EventName.NEEDS_REVIEW, EventName.REJECTED):
        await events.publish(event, sale)
    await events.close()

    assert [message.attributes["event"] for message in await topic.received(3)] == ["in_doubt", "needs_review", "rejected"]


async def test_a_topic_that_does_not_exist_is_an_announcement_not_made(topic, pubsub_emulator):
    events = PubSubEvents(f"{topic.name}-of-another", MASKED, pubsub_emulator)
    with pytest.raises(EventsUnavailable) as error:
        await events.publish(EventName.VENDED, vended())
    await events.close()
    assert METER not in str(error.value)


@pytest.mark.parametrize("listening", [True, False])
async def test_a_topic_that_does_not_answer_is_given_up_within_the_bound(listening):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listening:  # connections are taken, and nothing ever comes
            silent.listen()
        events = PubSubEvents("projects/demo/topics/transactions", MASKED, f"127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.5)
        started = time.monotonic()
        with pytest.raises(EventsUnavailable):
            await events.publish(EventName.VENDED, vended())
        assert time.monotonic() - started < 2
        await events.close()


async def test_a_topic_that_kept_one_sale_waiting_keeps_no_other(topic, pubsub_emulator, monkeypatch):
    monkeypatch.setattr(shared.events, "SPARED_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        events = PubSubEvents(topic.name, MASKED, f"127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.5)
        with pytest.raises(EventsUnavailable):
            await events.publish(EventName.VENDED, vended())
        away = time.monotonic()
        for _ in range(20):
            with pytest.raises(EventsUnavailable):
                await events.publish(EventName.VENDED, vended())
        assert time.monotonic() - away < 0.4  # 20 waits would be 10 s
        await events.close()

    there = PubSubEvents(topic.name, MASKED, pubsub_emulator)
    there._spared_until = events._spared_until
    async with asyncio.timeout(20):
        while True:  # spared no longer than that
            try:
                await there.publish(EventName.VENDED, vended())
            except EventsUnavailable:
                await asyncio.sleep(0.05)
            else:
                break
    await there.close()
    assert len(await topic.received(1)) == 1


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

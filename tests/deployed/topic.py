"""What was announced: a topic in a project of its own, with one subscriber that keeps the order of each sale's events."""

import json
import uuid
from collections.abc import Collection
from typing import Any

import grpc
from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from tests.deployed.processes import until

MAX_PULLED = 1000


class Topic:
    """On the emulator at `host:port`. `name` is what functions are told to publish to."""

    def __init__(self, emulator: str) -> None:
        self.project = f"demo-{uuid.uuid4().hex[:12]}"
        self.name = f"projects/{self.project}/topics/transactions"
        self._subscription = f"projects/{self.project}/subscriptions/wallet"
        self._channel = grpc.insecure_channel(emulator)
        self._subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))
        self._messages: list[PubsubMessage] = []
        PublisherClient(transport=PublisherGrpcTransport(channel=self._channel)).create_topic(name=self.name)
        self._subscriber.create_subscription(
            {"name": self._subscription, "topic": self.name, "enable_message_ordering": True, "ack_deadline_seconds": 60}
        )

    def about(self, sales: Collection[str]) -> list[PubsubMessage]:
        """The messages about these sales, once there is one about each."""

        def found() -> list[PubsubMessage] | None:
            self._pull()
            told = [message for message in self._messages if message.ordering_key in sales]
            return told if {message.ordering_key for message in told} == set(sales) else None

        return until(found)

    def all_about(self, events: Collection[str]) -> list[PubsubMessage]:
        """Every message so far, once each of these events (`eventId`) is among them."""
        awaited = set(events)

        def found() -> bool:
            awaited.difference_update(body_of(message)["eventId"] for message in self._pull())
            return not awaited

        until(found)
        return list(self._messages)

    def close(self) -> None:
        self._channel.close()

    def _pull(self) -> list[PubsubMessage]:
        """The next messages, if there are any."""
        received = self._subscriber.pull({"subscription": self._subscription, "max_messages": MAX_PULLED}).received_messages
        if received:
            self._subscriber.acknowledge(subscription=self._subscription, ack_ids=[each.ack_id for each in received])
        self._messages += (messages := [each.message for each in received])
        return messages


def body_of(message: PubsubMessage) -> Any:
    return json.loads(message.data)

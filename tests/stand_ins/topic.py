"""A Pub/Sub topic of a test's own, on the emulator, with one subscriber."""

import uuid
from typing import Self

from google.pubsub_v1 import PublisherAsyncClient, PubsubMessage, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from grpc.aio import insecure_channel


class Topic:
    """The topic `name`, and all that is published to it."""

    def __init__(self, emulator: str, name: str) -> None:
        self.name = name
        self._subscription = name.replace("/topics/", "/subscriptions/")
        self._publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=insecure_channel(emulator)))
        self._subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=insecure_channel(emulator)))

    @classmethod
    async def created(cls, emulator: str, name: str | None = None) -> Self:
        topic = cls(emulator, name or f"projects/demo-{uuid.uuid4().hex[:12]}/topics/transactions")
        await topic._publisher.create_topic(name=topic.name)
        await topic._subscriber.create_subscription(
            {"name": topic._subscription, "topic": topic.name, "enable_message_ordering": True, "ack_deadline_seconds": 60}
        )
        return topic

    async def received(self, count: int) -> list[PubsubMessage]:
        """So many messages, in the order in which they come."""
        messages: list[PubsubMessage] = []
        while len(messages) < count:
            pulled = (await self._subscriber.pull({"subscription": self._subscription, "max_messages": 10})).received_messages
            messages += [each.message for each in pulled]
            if pulled:
                await self._subscriber.acknowledge(subscription=self._subscription, ack_ids=[each.ack_id for each in pulled])
        return messages

    async def close(self) -> None:
        await self._publisher.transport.close()
        await self._subscriber.transport.close()

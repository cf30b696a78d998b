"""All that a deployed function talks to, and the environment that tells it where that is."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.deployed.issuer import Issuer
from tests.deployed.processes import Function, Platform, Supplier
from tests.deployed.topic import Topic
from tests.deployed.wallet import Seen, Wallet

SECRETS = "projects/demo-secrets/secrets"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Emulators by `host:port`, the issuer, and the platform. `seen` is what no log may hold."""

    platform: Platform
    firestore: str
    pubsub: str
    secret_manager: str
    issuer: Issuer
    seen: Seen
    _topics: list[Topic] = field(default_factory=list)

    def topic(self) -> Topic:
        """A project that is empty but for a topic."""
        self._topics.append(Topic(self.pubsub))
        return self._topics[-1]

    def wallet(self) -> Wallet:
        """A caller whom nobody knows yet."""
        token = self.issuer.token(f"wallet-{uuid.uuid4().hex}")
        self.seen.values.add(token)
        return Wallet(token, self.seen)

    def common(self, topic: Topic) -> dict[str, str]:
        """The variables of a function, in either mode."""
        return {
            "GOOGLE_CLOUD_PROJECT": topic.project,
            "EVENTS_TOPIC": topic.name,
            "FIRESTORE_EMULATOR_HOST": self.firestore,
            "PUBSUB_EMULATOR_HOST": self.pubsub,
            **self.issuer.variables,
        }

    def live(self, topic: Topic, supplier: Supplier, **changes: str) -> dict[str, str]:
        """The environment of a function that sells from a supplier; it waits seconds, where a deployed one waits minutes."""
        return {
            "ENVIRONMENT": "uat",
            "MOBILEMART_LIVE_INTEGRATION": "true",
            "MOBILEMART_API_URL": supplier.url,
            "MOBILEMART_CLIENT_ID_SECRET": f"{SECRETS}/client-id/versions/latest",
            "MOBILEMART_CLIENT_SECRET_SECRET": f"{SECRETS}/client-secret/versions/latest",
            "SECRET_MANAGER_EMULATOR_HOST": self.secret_manager,
            "MOBILEMART_TIMEOUT_SECONDS": "5",
            **self.common(topic),
            **changes,
        }

    def impatient(self, topic: Topic, supplier: Supplier, **changes: str) -> dict[str, str]:
        """The same, with a lease that ends while a test waits for it."""
        return self.live(
            topic,
            supplier,
            **{
                "MOBILEMART_TIMEOUT_SECONDS": "5",
                "FUNCTION_TIMEOUT_SECONDS": "8",
                "VENDING_LEASE_SECONDS": "9",
                **changes,
            },
        )

    def simulated(self, topic: Topic) -> dict[str, str]:
        """The environment of a function that only pretends to sell."""
        return {"ENVIRONMENT": "staging", "MOBILEMART_LIVE_INTEGRATION": "false", **self.common(topic)}

    def close(self) -> None:
        for topic in self._topics:
            topic.close()
        self.platform.close()


@dataclass(frozen=True, slots=True)
class World:
    """A deployment: the prevend function, two instances of the purchase function, and their topic."""

    prevend: Function
    purchases: tuple[Function, Function]
    topic: Topic

    @classmethod
    def of(cls, platform: Platform, topic: Topic, environment: Mapping[str, str]) -> "World":
        """One whose functions all have this environment, ready."""
        started = [platform.start(name, environment) for name in ("prevend", "purchase", "purchase")]
        prevend, first, second = (function.ready() for function in started)
        return cls(prevend, (first, second), topic)

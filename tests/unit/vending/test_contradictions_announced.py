"""Each contradiction of a sale is announced under an id of its own, however many wait together, and whatever moved meanwhile."""

from itertools import permutations

from msgspec import structs

from shared.domain.outcome import Answer, Receipt, TokensDue, Vended
from shared.domain.policy import ConsumerDetails
from shared.domain.transaction import EventName, each_contradiction, transition
from shared.schemas.responses import event_body, event_id
from shared.store.transaction_documents import transaction_document, transaction_of
from tests.step_driver import World, delivered, electricity, run

PENDING = Vended(Receipt(supplier_transaction_id="supplier-00000001", tokens_due=TokensDue.PENDING))


class Hearing(World):
    """A world whose topic keeps whole messages, as they are published."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.messages = []

    async def publish(self, event, sale):
        if not self.topic_down:
            self.messages.append(event_body(event, sale, ConsumerDetails.MASKED))
        await super().publish(event, sale)


def sold(world):
    return run(world.vending.purchase(electricity())).transaction


def contradicted(world, sale, name):
    return run(world.recorder.apply_answer(sale, Answer(delivered(name)), by="reprint"))


def heard(messages):
    """The contradictions that a strict consumer hears of: without repeats, and without versions lower than the one it knows."""
    seen, version = [], 0
    for message in messages:
        if message["eventId"] not in seen and message["version"] >= version:
            seen.append(message["eventId"])
            version = message["version"]
    return {name for name in seen if ":contradicted:" in name}


def test_a_contradiction_is_announced_under_the_version_that_it_made():
    world = Hearing()
    sale = contradicted(world, sold(world), "other-00000001")
    run(world.recorder.publish_pending_events(sale))
    assert sale.version == 3 and heard(world.messages) == {f"{sale.id}:contradicted:3"}


def test_contradictions_that_wait_together_are_announced_one_by_one():
    world = Hearing(topic_down=True)
    sale = contradicted(world, contradicted(world, sold(world), "other-00000001"), "other-00000002")
    world.topic_down = False
    run(world.recorder.publish_pending_events(sale))
    ids = {f"{sale.id}:contradicted:3", f"{sale.id}:contradicted:4"}
    for order in permutations(world.messages):
        assert heard(order) == ids
    assert world.sales[sale.id].unannounced == ()


def test_a_contradiction_published_again_keeps_its_event_id():
    world = Hearing()
    first = contradicted(world, sold(world), "other-00000001")
    announcing = world.recorder.publish_pending_events(first)
    while announcing.send(None) != "after publish":
        pass
    announcing.close()  # dead before it forgets what it has published
    second = contradicted(world, world.sales[first.id], "other-00000002")
    run(world.recorder.publish_pending_events(second))
    told = [message["eventId"].removeprefix(first.id) for message in world.messages if message["event"] == "contradicted"]
    assert told == [":contradicted:3", ":contradicted:3", ":contradicted:4"]


def test_later_events_of_a_sale_hide_no_contradiction_from_a_consumer():
    world = Hearing(answers=[PENDING])
    sale = contradicted(world, sold(world), "other-00000001")
    run(world.recorder.publish_pending_events(sale))
    run(
        world.recorder.publish_pending_events(
            run(world.recorder.apply_answer(world.sales[sale.id], Answer(delivered("00000001")), by="reprint"))
        )
    )
    assert [message["event"] for message in world.messages][-1] == "tokens"
    for order in permutations(world.messages):
        assert heard(order) == {f"{sale.id}:contradicted:3"}


def test_versions_of_contradictions_are_stored_beside_the_record():
    world = World(topic_down=True)
    sale = contradicted(world, contradicted(world, sold(world), "other-00000001"), "other-00000002")
    document = transaction_document(sale)
    assert document["contradictedAt"] == [3, 4] and "contradicted_at" not in document["record"]
    assert transaction_of(document, None) == sale


def test_older_codes_contradiction_is_published_under_the_sales_version():
    world = World(topic_down=True)
    sale = contradicted(world, sold(world), "other-00000001")
    forgotten = structs.replace(sale, contradicted_at=())
    assert [event_id(EventName.CONTRADICTED, one) for one in each_contradiction(forgotten)] == [f"{sale.id}:contradicted:3"]
    beside = transition(forgotten, Answer(delivered("other-00000002")), at=world.now, by="reprint", retry_seconds=60)
    assert [one.contradicted_at[-1] for one in each_contradiction(structs.replace(beside, version=5))] == [4, 5]
    assert list(each_contradiction(structs.replace(forgotten, unannounced=()))) == []

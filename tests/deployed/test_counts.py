"""What a sale asks of the world, counted on the wire of the archives: documents, calls and messages, which is what is paid for."""

import time
from collections.abc import Iterator

import pytest

from shared.mobilemart.simulator import Behaviour
from tests.deployed.counting import Counted, Counts, counting
from tests.deployed.processes import until
from tests.deployed.surroundings import Surroundings
from tests.deployed.wallet import new_key

TOKEN_SECONDS = 4  # and renewed after half of that


@pytest.fixture(scope="module")
def counted(surroundings: Surroundings) -> Iterator[Counted]:
    with counting(surroundings.firestore, surroundings.pubsub, Behaviour(marked=False)) as world:
        yield Counted(surroundings, world, "prevend", "purchase", "reconcile").warmed()


def test_a_sale_that_prevends_itself_takes_three_writes_and_three_reads(counted: Counted) -> None:
    asked = counted.world.during(counted.buy)
    assert asked in with_or_without_the_brake(Counts(writes=3, reads=3, rpcs=7, messages=1, supplier_calls=2))


def test_a_prevend_takes_one_write_and_its_sale_four_writes_and_four_reads(counted: Counted) -> None:
    named: list[dict[str, str]] = []
    assert counted.world.during(lambda: named.append(counted.prevend())) == Counts(writes=1, rpcs=1, supplier_calls=1)
    asked = counted.world.during(lambda: counted.buy(named[0]))
    assert asked in with_or_without_the_brake(Counts(writes=4, reads=4, rpcs=8, messages=1, supplier_calls=1))


def test_a_repeat_takes_one_read_and_nothing_else(counted: Counted) -> None:
    key = new_key()
    counted.buy(key=key)
    assert counted.world.during(lambda: counted.buy(key=key)) == Counts(reads=1, rpcs=1)


def test_a_sale_whose_answer_is_lost_is_resolved_by_two_writes_and_one_supplier_call(counted: Counted) -> None:
    idle = counted.world.during(counted.sweep)
    counted.world.lose_the_next_sale()
    counted.buy(status=202)
    assert counted.world.during(counted.sweep) - idle == Counts(writes=2, reads=1, rpcs=4, messages=1, supplier_calls=1)


def test_any_number_of_sales_take_one_access_token_while_it_lives(surroundings: Surroundings, counted: Counted) -> None:
    behaviour = Behaviour(marked=False, access_token_seconds=TOKEN_SECONDS)
    with counting(surroundings.firestore, surroundings.pubsub, behaviour) as world:
        short = Counted(surroundings, world, "purchase")
        began = time.monotonic()

        def renewed() -> bool:
            short.buy()
            return world.seen.token_calls > 1

        until(renewed)
        assert world.seen.token_calls <= 1 + (time.monotonic() - began) / (TOKEN_SECONDS / 2)

    assert counted.world.during(lambda: [counted.buy() for _ in range(10)]).token_calls == 0  # whose tokens live for two hours


def with_or_without_the_brake(counts: Counts) -> tuple[Counts, Counts]:
    """An instance reads the brake every ten seconds at most, which may fall on any sale."""
    return counts, Counts(counts.writes, counts.reads + 1, counts.rpcs + 1, counts.messages, counts.supplier_calls)

"""Nothing that is worth anything, and nobody's whole number, is in anything that any process has said."""

import json
import re

from tests.deployed.processes import Supplier
from tests.deployed.surroundings import Surroundings, World
from tests.deployed.wallet import body_of, named, new_key

TOLD = [named(name) for name in ("plain", "key-change", "refused-1010", "reply-lost", "page-after")]
ACCESS_TOKEN = re.compile(r"simulated\.[0-9]+\.[0-9a-f]+")
MIN_CHARACTERS = 8


def test_no_log_holds_a_token_a_pin_a_secret_or_a_whole_number(surroundings: Surroundings, live: World, supplier: Supplier) -> None:
    wallet, seen = surroundings.wallet(), surroundings.seen
    for scenario in TOLD:
        for service in scenario.services:
            wallet.buy(live.purchases[1], service.vas_type, body_of(scenario, service), new_key())
    seen.note(supplier.vends())
    said = surroundings.platform.words
    shortest = min(len(value) for value in seen.values)

    assert "vend in doubt" in [json.loads(line)["message"] for line in said.splitlines() if line.startswith("{")]
    assert shortest >= MIN_CHARACTERS
    assert seen.in_words(said) == set()
    assert not ACCESS_TOKEN.search(said)

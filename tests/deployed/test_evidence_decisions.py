"""What a person decided is contradicted by a later word of the supplier, and the token that it brings is kept."""

import json
import threading
from datetime import timedelta

import pytest

from tests.deployed.shop import PATIENCE_SECONDS, Sale, Shop, meanwhile
from tests.deployed.switchboard import DOES_NOT_EXIST, Held, details
from tests.stand_ins.switch_on_a_socket import http

A, B = "00001111222233334444", "55556666777788889999"

# A later word of the supplier against a person's decision.


def contradicted(sale: Sale, token: str) -> None:
    """The sale keeps the decision, and the token that came after it."""
    dossier = sale.dossier
    assert "contradicted" in [entry["what"] for entry in dossier["history"]]
    revealed = sale.shop.reconcile.http.get(f"/transactions/{sale.id}", params={"reveal": "tokens"}, headers={"X-Caller": "thandi"})
    assert token in revealed.text
    with sale.shop.books() as books:
        papers = [json.loads(body) for (body,) in books.execute("SELECT body FROM papers WHERE kind = 'discrepancies'")]
    assert [paper["severity"] for paper in papers if paper["transactionId"] == sale.id and paper["status"] == "open"] == ["critical"]


@pytest.mark.parametrize(
    ("typed", "brought"),
    [
        pytest.param([], [B], id="nothing due"),
        pytest.param([A], [B], id="another token"),
        pytest.param([A], [A, B], id="one token more"),
        pytest.param([A, B], [B], id="one token less"),
        pytest.param([A], [A], id="the same token"),
    ],
)
def test_a_reprint_in_flight_contradicts_a_decision(till: Shop, typed: list[str], brought: list[str]) -> None:
    till.fresh_day()
    sale = till.buy(details(tokens=[]))
    body = sale.vend.body
    answer = http(200, body | {"additionalDetails": body["additionalDetails"] | {"tokens": [{"token": token} for token in brought]}})
    reached, released = threading.Event(), threading.Event()

    def reprint() -> bytes:
        reached.set()
        assert released.wait(PATIENCE_SECONDS)
        return answer

    till.switch.reprints[sale.recipient] = reprint
    till.clocks.pass_by(timedelta(minutes=2))
    with meanwhile(till.sweep):
        assert reached.wait(PATIENCE_SECONDS)
        decided = till.decide(sale, tokens=typed)
        released.set()
    assert decided.is_success, decided.text
    if set(brought) <= set(typed):
        assert "contradicted" not in [entry["what"] for entry in sale.dossier["history"]]
    else:
        contradicted(sale, B)


@pytest.mark.parametrize("typed", [[], [A]])
def test_the_answer_itself_contradicts_a_decision_that_was_made_before_it(till: Shop, typed: list[str]) -> None:
    till.fresh_day()
    recipient = till.recipient()
    held = Held(details(tokens=[{"token": B}]))
    till.switch.reprints[recipient] = lambda: http(400, DOES_NOT_EXIST)
    with meanwhile(lambda: till.buy(held, recipient=recipient)) as done:
        assert held.reached.wait(PATIENCE_SECONDS)
        till.clocks.pass_by(timedelta(minutes=6))
        till.sweep()
        found = till.reconcile.http.get("/transactions", params={"meterNumber": recipient}).json()["transactions"][0]
        decision = {"version": found["version"], "note": "As the supplier says.", "state": "vended", "tokens": typed}
        where = f"/transactions/{found['transactionId']}/resolution"
        decided = till.reconcile.http.post(where, json=decision, headers={"X-Caller": "thandi"})
        held.released.set()
    assert decided.is_success, decided.text
    contradicted(done[0], B)

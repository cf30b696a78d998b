"""What an operator sees of a sale without asking for its tokens."""

import json

import pytest

from shared.dossier import HIDDEN, dossier_body, harmless
from shared.outcome import Answer, RawAnswer, Unknown, Vended
from shared.transaction import after
from tests.sales import KEY_CHANGE, METER, NOON, RECEIPT, TOKEN, vending

UUID = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"


def raw(body):
    return RawAnswer.of("vend", NOON, 200, "application/json", body if isinstance(body, bytes) else json.dumps(body).encode())


def dossier(body, *, revealed=False):
    sale = after(vending(), Answer(Vended(RECEIPT), raw(body)), at=NOON, by="supplier", retry_seconds=60)
    return dossier_body(sale, NOON, revealed=revealed)


def test_a_dossier_holds_no_number_name_or_token():
    body = dossier({"transactionId": UUID, "tokens": [TOKEN], "name": "Jane Doe", "meterNumber": METER})
    text = json.dumps(body)
    for secret in (TOKEN, KEY_CHANGE, METER, "Jane", "Main Road", "Arrears"):
        assert secret not in text
    assert (body["meterNumber"], body["receipt"]["consumer"]["name"], UUID in body["answers"][0]["text"]) == ("*8901", "J** D**", True)


def test_what_is_revealed_is_tokens_and_raw_answers_and_no_more():
    body = dossier({"tokens": [TOKEN]}, revealed=True)
    assert [token["number"] for token in body["receipt"]["tokens"]] == [KEY_CHANGE, TOKEN]
    assert body["answers"][0]["text"] == json.dumps({"tokens": [TOKEN]})
    assert (body["meterNumber"], body["receipt"]["consumer"]["name"]) == ("*8901", "J** D**")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"transactionId": UUID, "status": 400, "amount": 100.5}, {"transactionId": UUID, "status": 400, "amount": 100.5}),
        ({"transactionId": TOKEN}, {"transactionId": HIDDEN}),
        ({"amount": int("1" + TOKEN)}, {"amount": HIDDEN}),
        ({"detail": "The number 0821234567 is invalid."}, {"detail": f"The number {HIDDEN} is invalid."}),
        ({"detail": "12 34 56 78"}, {"detail": HIDDEN}),
        ({"type": ["Credit", TOKEN]}, {"type": [HIDDEN, HIDDEN]}),
        ({"status": {"name": "Jane"}}, {"status": {"name": HIDDEN}}),
        ({TOKEN: None}, {HIDDEN: None}),
        ({"anything": "Jane", "flag": True}, {"anything": HIDDEN, "flag": True}),
        ([TOKEN], [HIDDEN]),
        (TOKEN, HIDDEN),
    ],
)
def test_of_a_raw_answer_only_the_harmless_is_shown(said, shown):
    assert json.loads(harmless(json.dumps(said).encode())) == shown


@pytest.mark.parametrize("body", [b"<html>Jane 12345678901", b'{"tokens": ["0000', b"\xff\xfe", b"[" * 100_000, b""])
def test_what_is_no_json_is_shown_to_nobody_unrevealed(body):
    assert harmless(body) is None


def test_deep_and_long_answers_are_cut():
    deep = json.loads('{"a":' * 30 + "1" + "}" * 30)
    assert HIDDEN in harmless(json.dumps(deep).encode())
    assert len(json.loads(harmless(json.dumps(list(range(1000))).encode()))) == 50


def test_a_callers_own_words_and_ids_show_no_number():
    sale = after(vending("key 12345678901"), Answer(Unknown("lost")), at=NOON, by="supplier", retry_seconds=60)
    assert dossier_body(sale, NOON)["idempotencyKey"] == "key *8901"

"""A sale as an operator sees it without its tokens."""

import hashlib
import json
from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Answer, RawAnswer, Receipt, TokensDue, Unknown, Vended
from shared.domain.policy import ConsumerDetails
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import HistoryEntry, State, append_history, transition
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.schemas import transaction_detail
from shared.schemas.responses import ReceiptBody, transaction_body
from shared.schemas.transaction_detail import HIDDEN, dossier_body, found_body, redacted, retired_body, unread_dossier_body
from tests.sales import KEY_CHANGE, METER, NOON, RECEIPT, TOKEN, vending

UUID = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"


def raw(body):
    return RawAnswer.of("vend", NOON, 200, "application/json", body if isinstance(body, bytes) else json.dumps(body).encode())


def dossier(body, *, revealed=False):
    sale = transition(vending(), Answer(Vended(RECEIPT), raw(body)), at=NOON, by="supplier", retry_seconds=60)
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
    assert json.loads(redacted(json.dumps(said).encode())) == shown


@pytest.mark.parametrize("body", [b"<html>Jane 12345678901", b'{"tokens": ["0000', b"\xff\xfe", b"[" * 100_000, b""])
def test_what_is_no_json_is_shown_to_nobody_unrevealed(body):
    assert redacted(body) is None


def test_what_is_hidden_is_four_stars():
    assert redacted(b'{"name": "Jane", "12345": [1]}') == '{\n "name": "****",\n "****": [\n  "****"\n ]\n}'


def test_deep_and_long_answers_are_cut():
    deep = json.loads('{"a":' * 30 + "1" + "}" * 30)
    assert HIDDEN in redacted(json.dumps(deep).encode())
    assert len(json.loads(redacted(json.dumps(list(range(1000))).encode()))) == 50


def test_a_callers_own_words_and_ids_show_no_number():
    sale = transition(vending("key 12345678901"), Answer(Unknown("lost")), at=NOON, by="supplier", retry_seconds=60)
    assert dossier_body(sale, NOON)["idempotencyKey"] == "key *8901"


def test_of_everything_that_may_hold_a_number_or_a_name_an_operator_sees_a_part():
    number, pin = "12345678901", "12345678901234"
    receipt = structs.replace(
        RECEIPT,
        receipt_number=f"RCP {number}",
        reference=f"REF {number}",
        pin=pin,
        serial_number="sn-99887766",
        instructions=f"Dial *136*{number}#.",
    )
    claimed = vending(f"key {number}", caller=Caller("https://issuer.example", f"user {number}"))
    claimed = structs.replace(claimed, order=structs.replace(claimed.order, reference=f"basket {number}"))
    sale = transition(claimed, Answer(Vended(receipt), raw({"transactionId": UUID, "pin": pin})), at=NOON, by="supplier", retry_seconds=60)
    sale = append_history(sale, HistoryEntry(NOON, "decision: tokens", "thandi@wallet.example", f"Read out for {number}."))
    body = dossier_body(sale, NOON)
    shown, answer = body["receipt"], body["answers"][0]
    assert body["reference"] == "basket *8901" and body["meterNumber"] == "*8901"
    assert (body["idempotencyKey"], body["caller"]) == ("key *8901", {"issuer": "https://issuer.example", "subject": "user *8901"})
    assert (shown["receiptNumber"], shown["reference"], shown["serialNumber"]) == ("RCP *8901", "REF *8901", "*7766")
    assert (shown["pin"], shown["instructions"]) == (HIDDEN, f"Dial *136*{HIDDEN}#.")
    assert [token["number"] for token in shown["tokens"]] == ["*" * 20] * 2
    assert body["history"] == [
        {"at": "2026-05-01T10:00:00.000000Z", "what": "vended", "by": "supplier", "note": None},
        {"at": "2026-05-01T10:00:00.000000Z", "what": "decision: tokens", "by": "thandi@wallet.example", "note": "Read out for *8901."},
    ]
    assert answer == {
        "source": "vend",
        "receivedAt": "2026-05-01T10:00:00.000000Z",
        "status": 200,
        "contentType": "application/json",
        "sizeBytes": len(sale.answers[0].body),
        "sha256": hashlib.sha256(sale.answers[0].body).hexdigest(),
        "text": json.dumps({"transactionId": UUID, "pin": HIDDEN}, indent=1),
    }
    assert (body["requestId"], body["day"], body["needsReview"], body["signOfVend"]) == (sale.request_id, "2026-05-01", False, True)
    assert (body["attempts"], body["nextTryAt"]) == (0, "2026-05-01T10:01:00.000000Z")
    for secret in (number, pin, "Jane"):
        assert secret not in json.dumps(body)


def test_what_is_not_there_is_null_and_no_mask():
    sale = transition(
        vending(), Answer(Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.NONE))), at=NOON, by="us", retry_seconds=60
    )
    sale = structs.replace(sale, open=None)
    shown = dossier_body(sale, NOON)["receipt"]
    assert [shown[name] for name in ("receiptNumber", "reference", "pin", "serialNumber", "instructions")] == [None] * 5
    assert dossier_body(sale, NOON)["nextTryAt"] is None
    assert dossier_body(transition(vending(), Answer(Unknown("lost")), at=NOON, by="us", retry_seconds=60), NOON)["receipt"] is None


def test_a_search_says_what_it_found_and_whether_there_is_more():
    sales = [vending("one"), vending("two")]
    for more in (False, True):
        assert found_body(sales, NOON, more=more) == {"transactions": [dossier_body(sale, NOON) for sale in sales], "more": more}


HARMLESS = (
    *("amount", "amountDue", "convenienceFee", "currency", "detail", "errorCode", "errorMessage", "fulcrumErrorCode", "kind"),
    *("minimumAmount", "onlineMeter", "prevendTransactionId", "productAmount", "productName", "requestId", "simulated", "status"),
    *("tenderType", "timestamp", "title", "tokenType", "traceId", "transactionId", "type", "unitType", "units"),
    *("vasCategoryIdentifier", "approved", "outcome", "responseCode", "result", "state", "success", "transactionStatus"),
)


@pytest.mark.parametrize("name", HARMLESS)
def test_the_harmless_fields_of_an_answer_are_shown_and_no_others(name):
    for value in ("Credit", 12.5, True, None):
        assert json.loads(redacted(json.dumps({name: value}).encode())) == {name: value}
        assert json.loads(redacted(json.dumps({f"{name}s": value}).encode())) == {f"{name}s": value if value in (True, None) else HIDDEN}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        ("2026-05-01T10:00:00.1234567+02:00", None),
        ("2026-05-01T10:00:00Z", None),
        (f"{UUID}".upper(), None),
        ("12345678-0D1C-4C3C-9A53-1F2F4F1F9A10", None),
        ("\u0661\u0662\u0663\u0664", HIDDEN),
        ("-1234567.1234", None),
        ("12345678", HIDDEN),
        ("1.23456", f"1.{HIDDEN}"),
        (1234567, None),
        (12345678, HIDDEN),
        ("x" * 600, "x" * 500),
        ("123", None),
        ("a 123", None),
        ("a 1234", f"a {HIDDEN}"),
        ("a 1-2 3-4", f"a {HIDDEN}"),
    ],
)
def test_a_harmless_field_shows_ids_times_and_amounts_and_no_longer_number(said, shown):
    found = json.loads(redacted(json.dumps({"detail": said}).encode()))["detail"]
    assert found == (said if shown is None else shown)


def test_a_field_whose_name_is_no_name_is_hidden_with_what_it_holds():
    names = {"a" * 40: "a" * 40, "a" * 41: HIDDEN, "_a": HIDDEN, "a b": HIDDEN, "a1": HIDDEN, "A_b": "A_b"}
    for name, shown in names.items():
        assert json.loads(redacted(json.dumps({name: 1}).encode())) == {shown: HIDDEN}


def test_eight_levels_and_fifty_items_are_shown():
    deep = {"a": 0}
    for _ in range(7):
        deep = {"a": deep}
    assert json.loads(redacted(json.dumps(deep).encode())) == json.loads(json.dumps(deep).replace("0", f'"{HIDDEN}"'))
    assert json.loads(redacted(json.dumps([deep]).encode()))[0]["a"]["a"]["a"]["a"]["a"]["a"]["a"] == HIDDEN
    nested = HIDDEN
    for _ in range(8):
        nested = [nested]
    assert json.loads(redacted(json.dumps([nested]).encode())) == json.loads(redacted(json.dumps(nested).encode())) == nested
    assert len(json.loads(redacted(json.dumps({"a" * n: n for n in range(1, 41)} | {"b" * n: n for n in range(1, 41)}).encode()))) == 50


def test_what_is_shown_of_an_answer_is_plain_text_whatever_the_answer_was_in():
    assert redacted('{"detail": "caf\u00e9"}'.encode()) == '{\n "detail": "caf\\u00e9"\n}'
    assert dossier(b"caf\xc3\xa9 \xff", revealed=True)["answers"][0]["text"] == "caf\u00e9 \ufffd"


PART = Unread(
    id="a1" * 16,
    unknown=("State paused", "colour"),
    mode=Mode.LIVE,
    caller=Caller("https://issuer.example", "27821234567"),
    order=structs.replace(vending().order, reference="for 27821234567"),
    request_id="req-27821234567",
    supplier_transaction_id="sup-27821234567",
    version=7,
    created_at=NOON,
    day=NOON.date(),
    record={"status": "paused", "tokens": [TOKEN]},
)
NOTHING = Unread(id="a1" * 16, unknown=("record",))


def test_of_a_sale_that_cannot_be_read_whole_an_operator_sees_all_that_can_masked():
    assert unread_dossier_body(PART) == {
        "transactionId": PART.id,
        "vasType": "utility",
        "amountCents": PART.order.amount.cents,
        "merchantProductId": PART.order.merchant_product_id,
        "meterNumber": "*8901",
        "reference": "for *4567",
        "createdAt": "2026-05-01T10:00:00.000000Z",
        "notReadable": True,
        "unknown": ["State paused", "colour"],
        "requestId": "req-*4567",
        "supplierTransactionId": "sup-*4567",
        "version": 7,
        "day": "2026-05-01",
        "record": json.dumps({"status": "paused", "tokens": [HIDDEN]}, indent=1),
    }


def test_of_a_sale_of_which_nothing_can_be_read_everything_but_its_name_is_null():
    known = {"transactionId": PART.id, "notReadable": True, "unknown": ["record"]}
    nulls = ("vasType", "amountCents", "merchantProductId", "reference", "createdAt")
    more = ("requestId", "supplierTransactionId", "version", "day", "record")
    assert unread_dossier_body(NOTHING) == {**known, **dict.fromkeys((*nulls, *more))}


@pytest.mark.parametrize(
    ("field", "name"), [("meter_number", "meterNumber"), ("account_number", "accountNumber"), ("mobile_number", "mobileNumber")]
)
def test_whoever_receives_it_is_shown_by_four_digits(field, name):
    nobody = structs.replace(vending().order, meter_number=None)
    order = structs.replace(nobody, **{field: "27821234567"})
    assert dossier_body(structs.replace(vending(), order=order), NOON)[name] == "*4567"
    assert unread_dossier_body(structs.replace(PART, order=order))[name] == "*4567"
    numbers = {"meterNumber", "accountNumber", "mobileNumber"}
    assert not numbers & set(dossier_body(structs.replace(vending(), order=nobody), NOON))
    assert not numbers & set(unread_dossier_body(structs.replace(PART, order=nobody)))


RETIRED = Tombstone(
    id="b2" * 16,
    mode=Mode.LIVE,
    caller="c" * 32,
    fingerprint="f",
    state=State.VENDED,
    vas_type=VasType.AIRTIME,
    amount=Money(500),
    fee_cents=0,
    request_id="req-1",
    supplier_transaction_id="sup-27821234567",
    supplier_id="MOBILEMART",
    day=NOON.date(),
    created_at=NOON,
    retired_at=NOON + timedelta(days=1826),
)


def test_of_a_sale_that_is_kept_no_longer_an_operator_sees_that_it_was_there():
    body = {
        "transactionId": RETIRED.id,
        "retired": True,
        "retiredAt": "2031-05-01T10:00:00.000000Z",
        "state": "vended",
        "vasType": "airtime",
        "amountCents": 500,
        "supplierId": "MOBILEMART",
        "requestId": "req-1",
        "supplierTransactionId": "sup-*4567",
        "day": "2026-05-01",
        "createdAt": "2026-05-01T10:00:00.000000Z",
    }
    assert retired_body(RETIRED) == body
    assert found_body([RETIRED, PART, vending()], NOON, more=True) == {
        "transactions": [dossier_body(vending(), NOON)],
        "notReadable": [unread_dossier_body(PART)],
        "retired": [body],
        "more": True,
    }


def test_an_operator_sees_every_field_of_a_sale_that_its_caller_sees():
    sale = transition(vending(), Answer(Vended(RECEIPT), raw({})), at=NOON, by="supplier", retry_seconds=60)
    body, seen = dossier_body(sale, NOON), transaction_body(sale, State.VENDED, ConsumerDetails.MASKED)
    masked = {"meterNumber": "*8901", "receipt": body["receipt"]}
    assert {name: body[name] for name in seen} == {**seen, **masked}
    hidden = {"tokens": [{**token, "number": "*" * 20} for token in seen["receipt"]["tokens"]], "serialNumber": None}
    assert body["receipt"] == {**seen["receipt"], **hidden}
    assert set(body) - set(seen) == {
        *("requestId", "caller", "idempotencyKey", "day", "needsReview", "signOfVend"),
        *("attempts", "nextTryAt", "erasedAt", "history", "answers"),
    }


def test_a_new_field_of_a_receipt_is_hidden_from_operators(monkeypatch):
    def with_new_fields(*given):
        body = transaction_body(*given)
        receipt = body["receipt"]
        for part in (receipt, *receipt["tokens"], receipt["consumer"], receipt["meter"], *receipt["charges"]):
            part["newField"] = TOKEN
        return body

    monkeypatch.setattr(transaction_detail, "transaction_body", with_new_fields)
    sale = transition(vending(), Answer(Vended(RECEIPT), None), at=NOON, by="supplier", retry_seconds=60)
    assert json.dumps(dossier_body(sale, NOON, revealed=True)["receipt"]).count("newField") == 7
    shown = dossier_body(sale, NOON)["receipt"]
    assert "newField" not in json.dumps(shown)
    assert shown.keys() == ReceiptBody.__required_keys__


def test_when_personal_data_was_erased_is_shown():
    assert dossier_body(vending(), NOON)["erasedAt"] is None
    erased = structs.replace(vending(), erased_at=NOON)
    assert dossier_body(erased, NOON)["erasedAt"] == "2026-05-01T10:00:00.000000Z"


def test_a_search_names_what_it_cannot_read_beside_what_it_can():
    sale = vending()
    assert found_body([PART, sale, NOTHING], NOON, more=False) == {
        "transactions": [dossier_body(sale, NOON)],
        "notReadable": [unread_dossier_body(PART), unread_dossier_body(NOTHING)],
        "more": False,
    }

"""The files that a rebuild reads: keys that were never announced, and events as they were pulled."""

import json
import time

import pytest

from local import rebuild
from shared.domain.transaction import EventName
from shared.domain.vas import Mode
from shared.ports.documents import Conflict
from shared.ports.transactions import SaleRetired
from tests.contract.rebuilt import GOOD, KEYS, NOW, OF_CALLER, TOKEN, altered, pulled, ran, sold
from tests.contract.records import CALLER, sale


@pytest.mark.parametrize(
    "line",
    [
        *(f"{key},utility,10000,2026-11-29T10:00:00+02:00" for key in ("abc ", " abc", "", "a b", "\u00e4", "k" * 256, '"a\nb"', '"a"b')),
        *(f"k,utility,10000,{at}" for at in ("2026-11-29T10:00:00", "2026-11-29", "", "yesterday", "0001-01-01T00:00:00+14:00")),
        *(f"k,utility,{cents},2026-11-29T10:00:00Z" for cents in ("", "-1", "1.5", "1_0", " 1", "R1", "\u0661", "9" * 16)),
        *(f"k,{vas},1,2026-11-29T10:00:00Z" for vas in ("", "water", "Utility", " utility")),
        "k,utility,1",
        "k,utility,1,2026-11-29T10:00:00Z,more",
        "never,utility,500,2026-11-29T10:00:00+02:00",
        '"k,utility,1,2026-11-29T10:00:00Z',
    ],
)
async def test_a_file_with_a_key_that_no_request_carries_or_a_broken_line_is_refused_whole(restored, tmp_path, line):
    keys = tmp_path / "wallet.csv"
    keys.write_text(f"{KEYS}{GOOD}{line}\n")
    code, said = await ran(restored, "--keys", keys, *OF_CALLER, "--write")
    assert code == 1 and "line " in said and "refused whole" in said
    assert await restored.find(sale("never").id) is None


async def test_every_line_at_fault_is_named_and_none_is_quoted(restored, tmp_path):
    keys = tmp_path / "wallet.csv"
    keys.write_text(f"{KEYS}{GOOD}secret ,utility,1,2026-11-29T10:00:00Z\nk,utility,1,2026-11-29T10:00:00\n")
    code, said = await ran(restored, "--keys", keys, *OF_CALLER)
    assert code == 1 and "line 3: the key" in said and "line 4: usedAt has no offset" in said and "secret" not in said


@pytest.mark.parametrize("heading", ["", "key,vasType,amountCents,usedAt\n", KEYS.replace(",", ";")])
async def test_a_file_without_its_heading_is_refused(restored, tmp_path, heading):
    keys = tmp_path / "wallet.csv"
    keys.write_text(f"{heading}{GOOD}")
    code, said = await ran(restored, "--keys", keys, *OF_CALLER, "--write")
    assert code == 1 and "line 1: the heading" in said
    assert await restored.find(sale("never").id) is None


@pytest.mark.parametrize(
    "encoded", [b"\xff\xfe", b"idempotencyKey,vasType,amountCents,usedAt\n\xff,utility,1,2026-11-29T10:00:00Z\n", None]
)
async def test_a_file_that_cannot_be_read_is_refused(restored, tmp_path, encoded):
    keys = tmp_path / "wallet.csv"
    if encoded is not None:
        keys.write_bytes(encoded)
    code, said = await ran(restored, "--keys", keys, *OF_CALLER, "--write")
    assert code == 1 and "not readable" in said and "refused whole" in said


async def test_a_repeated_key_is_bound_once_and_a_byte_order_mark_is_no_heading(restored, tmp_path):
    keys = tmp_path / "wallet.csv"
    keys.write_text(f"{KEYS}{GOOD}{GOOD}\n".replace("\n", "\r\n"), encoding="utf-8-sig")
    for words in ((), ("--write",)):
        code, said = await ran(restored, "--keys", keys, *OF_CALLER, *words)
        assert code == 0 and "0 on record, 0 on record and behind, 1 " in said


async def test_a_caller_who_never_bought_anything_is_asked_about(restored, tmp_path):
    keys = tmp_path / "wallet.csv"
    keys.write_text(f"{KEYS}never,utility,10000,2026-05-04T10:00:00+02:00\n")
    assert "NOBODY KNOWN" in (await ran(restored, "--keys", keys, *OF_CALLER))[1]
    await restored.create(sale("earlier"))
    assert "NOBODY KNOWN" not in (await ran(restored, "--keys", keys, *OF_CALLER))[1]
    assert "NOBODY KNOWN" in (await ran(restored, "--keys", keys, "--issuer", f"{CALLER.issuer}/", "--subject", CALLER.subject))[1]


@pytest.mark.parametrize("change", [{"state": "reversed"}, {"vasType": "water"}])
async def test_a_sale_published_in_a_newer_word_is_bound_and_listed_like_the_others(restored, gap, change):
    events = gap((EventName.VENDED, sold("other")), (EventName.VENDED, sold("lost")))
    altered(events, change)
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 1 and "2 bound" in said and f"UNREAD: sale {sold('lost').id}: announced as" in said
    for key in ("other", "lost"):
        with pytest.raises(SaleRetired):
            await restored.find(sold(key).id)
        with pytest.raises(Conflict):
            await restored.create(sale(key))


@pytest.mark.parametrize(
    "change",
    [
        {"state": None},
        {"state": "a secret"},
        {"vasType": ["utility"]},
        {"amountCents": 1.5},
        {"amountCents": True},
        {"createdAt": "2026-05-01T10:00:00"},
        {"createdAt": "soon"},
        {"receipt": [1]},
        {"receipt": {"supplierTransactionId": 7}},
        {"supplierId": None},
        {"simulated": "no"},
        {"version": "3"},
        {"version": 0},
        {"transactionId": "../x"},
        {"transactionId": 7},
    ],
)
async def test_a_message_that_cannot_be_read_is_listed_and_the_others_are_bound(restored, gap, change):
    events = gap((EventName.VENDED, sold("other")), (EventName.VENDED, sold("lost")))
    altered(events, change)
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 1 and "1 bound" in said and "not readable, nothing was bound" in said and "secret" not in said
    with pytest.raises(SaleRetired):
        await restored.find(sold("other").id)


@pytest.mark.parametrize("message", [{"data": "!"}, {"data": None}, {"data": "e30="}, {"attributes": 7}])
async def test_a_message_that_holds_no_event_is_listed_by_its_name(restored, gap, message):
    events = gap((EventName.VENDED, sold("other")), (EventName.VENDED, sold("lost")))
    altered(events, {}, **message)
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 1 and "1 bound" in said and "UNREAD: " in said


async def test_a_pull_that_broke_off_is_listed_and_the_sales_before_it_are_bound(restored, gap, tmp_path):
    events = gap((EventName.VENDED, sold("other")))
    with events.open("a") as file:
        file.write(pulled((EventName.VENDED, sold("lost")))[:-40])
    other = tmp_path / "utf16.json"
    other.write_text("[]", encoding="utf-16")
    code, said = await ran(restored, "--events", other, events, "--write")
    assert code == 1 and "1 bound" in said and "UNREAD: gap.json" in said and "UNREAD: utf16.json" in said and TOKEN not in said


async def test_a_file_of_events_that_is_not_there_ends_the_run_before_anything_is_written(restored, gap, tmp_path):
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost"))), tmp_path / "none.json", "--write")
    assert code == 1 and "none.json" in said
    assert await restored.find(sold("lost").id) is None


def test_many_pulls_of_one_file_are_read_in_the_time_of_their_length(tmp_path):
    path = tmp_path / "gap.json"
    path.write_text((json.dumps([{"message": {}}]) + "\n" * 2_000) * 10_000)  # 20 MB
    archive, began = rebuild.Archive(), time.monotonic()
    archive.read(path, Mode.LIVE, NOW)
    assert len(archive.unread) == 10_000 and time.monotonic() - began < 20

"""After a restore: binds the keys of sales that the restored database does not know, so that none of them is ever sold again.

    python -m local.rebuild --project P --database restored --mode live --events gap.json
    python -m local.rebuild --project P --database restored --mode live --keys wallet.csv --issuer https://... --subject wallet

Without `--write` it only says what it would do. What was announced is known from the topic's archive: for each such sale that is not on
record it writes a tombstone, which holds how the sale stood and answers its key 410 for ever. Keys that a wallet has used and
nobody has announced cannot be known; they are bound as well, and listed. A record that is there is never touched. No token is
written or printed: those stay in the archive. `docs/deploying.md` leads through it.
"""

import argparse
import asyncio
import base64
import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

from shared.brake import Brake
from shared.channels import channel
from shared.identifiers import Caller, caller_id, transaction_id
from shared.money import Money
from shared.store import Conflict, SaleRetired, UnreadableRecord
from shared.store.database import Database, Write
from shared.store.document import tombstone_document
from shared.store.firestore import SALES, FirestoreStore
from shared.tombstone import Tombstone
from shared.transaction import State, business_day
from shared.vas import SUPPLIER_IDS, Mode, VasType

TIMEOUT_SECONDS: Final = 10
UNKNOWN: Final = "not-known"  # no fingerprint of a request: an event does not hold it, and no request is compared with it


class NotPaused(Exception):
    """Something may still be sold: what is not bound yet could be sold again meanwhile."""


@dataclass(slots=True)
class Found:
    """What a run came to: ids of sales, each in the order in which they were met."""

    on_record: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    bound: list[Tombstone] = field(default_factory=list)


def announced(texts: Iterable[str], mode: Mode) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The newest event of each sale, and its caller's hash: from what `gcloud pubsub subscriptions pull` has printed, pull after pull."""
    newest: dict[str, tuple[Mapping[str, Any], str]] = {}
    for pulled in (pulled for text in texts for pulled in _arrays(text)):
        for message in (each["message"] for each in pulled):
            body = json.loads(base64.b64decode(message["data"]))
            if body["simulated"] is not (mode is Mode.SIMULATED):
                continue
            held = newest.get(body["transactionId"])
            if held is None or held[0]["version"] <= body["version"]:
                newest[body["transactionId"]] = (body, message.get("attributes", {}).get("caller", ""))
    yield from newest.values()


def of_event(body: Mapping[str, Any], caller: str, mode: Mode, at: datetime) -> Tombstone:
    """What an event tells of a sale, as far as a tombstone holds it."""
    created_at = datetime.fromisoformat(body["createdAt"])
    receipt = body["receipt"] or {}
    return Tombstone(
        id=body["transactionId"],
        mode=mode,
        caller=caller,
        fingerprint=UNKNOWN,
        state=State(body["state"]),
        vas_type=VasType(body["vasType"]),
        amount=Money(body["amountCents"]),
        fee_cents=0,
        request_id=_no_request(body["transactionId"]),
        supplier_transaction_id=receipt.get("supplierTransactionId"),
        supplier_id=body["supplierId"],
        day=business_day(created_at),
        created_at=created_at,
        retired_at=at,
    )


def of_key(row: Mapping[str, str], caller: Caller, mode: Mode, at: datetime) -> Tombstone:
    """A key that a wallet has used: whether anything was sold under it, nobody knows."""
    sale_id = transaction_id(mode, caller, row["idempotencyKey"])
    used_at = datetime.fromisoformat(row["usedAt"]).astimezone(UTC)
    return Tombstone(
        id=sale_id,
        mode=mode,
        caller=caller_id(mode, caller),
        fingerprint=UNKNOWN,
        state=State.IN_DOUBT,
        vas_type=VasType(row["vasType"]),
        amount=Money(int(row["amountCents"])),
        fee_cents=0,
        request_id=_no_request(sale_id),
        supplier_id=SUPPLIER_IDS[mode],
        day=business_day(used_at),
        created_at=used_at,
        retired_at=at,
    )


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """Binds keys in one database."""

    database: Database
    store: FirestoreStore
    mode: Mode
    write: bool

    async def require_pause(self) -> None:
        """Every service is paused for good, as the brake on record says.

        Raises:
            NotPaused: one is not, or only for a while.
        """
        held = await Brake(self.store, self.mode, lambda: datetime.now(UTC)).held()
        sold = [vas_type.value for vas_type in VasType if vas_type not in held or held[vas_type].until is not None]
        if sold:
            raise NotPaused(f"not paused without an end: {', '.join(sold)}")

    async def bind(self, lost: Iterable[tuple[Tombstone, int]]) -> Found:
        """Bind each that is not on record. With each comes the version that was announced: what is on record may be behind it."""
        found = Found()
        for tombstone, version in lost:
            try:
                held = await self.store.find(tombstone.id)
            except (SaleRetired, UnreadableRecord):  # a record all the same
                found.on_record.append(tombstone.id)
                continue
            if held is not None:
                (found.on_record if held.version >= version else found.behind).append(tombstone.id)
            elif await self._bound(tombstone):
                found.bound.append(tombstone)
            else:
                found.on_record.append(tombstone.id)
        return found

    async def _bound(self, tombstone: Tombstone) -> bool:
        """Write it where nothing is, and nowhere else."""
        if self.write:
            try:
                await self.database.commit(Write(SALES, tombstone.id, tombstone_document(tombstone), is_new=True))
            except Conflict:
                return False
        return True


def told(found: Found, *, announced: bool, write: bool) -> Iterator[str]:
    """The run in lines: counts, then what is for a person to look at. No token, no number of anybody."""
    done = "bound" if write else "to bind"
    yield f"{len(found.on_record)} on record, {len(found.behind)} on record and behind, {len(found.bound)} {done}"
    for sale_id in found.behind:
        yield f"behind: {sale_id}: the sweep or a person ends it; the archive tells how it was announced"
    for each in found.bound:
        what = f"announced {each.state.value}" if announced else "cannot be known until the supplier's file of its day"
        yield f"lost: {each.id} {each.day.isoformat()} {each.vas_type.value} {each.amount.cents} cents: {what}"


async def run(asked: argparse.Namespace, out: TextIO) -> int:
    """Do what was asked; 1 where selling is not paused."""
    over = await channel(FirestoreGrpcAsyncIOTransport, os.environ.get("FIRESTORE_EMULATOR_HOST"))
    database = Database(over, asked.project, asked.database, TIMEOUT_SECONDS)
    rebuilding = Rebuilding(database, FirestoreStore(database), asked.mode, asked.write)
    try:
        await rebuilding.require_pause()
        at = datetime.now(UTC)
        if asked.events:
            texts = (path.read_text() for path in asked.events)
            lost = [(of_event(body, caller, asked.mode, at), body["version"]) for body, caller in announced(texts, asked.mode)]
        else:
            caller = Caller(asked.issuer, asked.subject)
            with asked.keys.open(newline="") as rows:
                lost = [(of_key(row, caller, asked.mode, at), 0) for row in csv.DictReader(rows)]
        found = await rebuilding.bind(lost)
    except NotPaused as refused:
        print(f"{refused}. Nothing was read or written: pause selling first (POST /selling)", file=out)
        return 1
    finally:
        with suppress(Exception):  # what was bound is bound
            await database.close()
    print("\n".join(told(found, announced=bool(asked.events), write=asked.write)), file=out)
    return 0


def _arrays(text: str) -> Iterator[list[Mapping[str, Any]]]:
    """Arrays of JSON, one behind another, as commands append them to a file."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        array, at = decoder.raw_decode(text, at)
        yield array


def _no_request(sale_id: str) -> str:
    """In the place of a request's id, which nobody announces: no line of a file is ever found by it."""
    return f"{UNKNOWN}-{sale_id}"


def asked_for(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for; ends the program where that is not whole."""
    parser = argparse.ArgumentParser(
        prog="python -m local.rebuild", description="Binds the keys of sales that a restored database does not know."
    )
    parser.add_argument("--project", required=True)
    parser.add_argument("--database", required=True, help="the restored database")
    parser.add_argument("--mode", type=Mode, choices=tuple(Mode), required=True, help="how the environment sells")
    parser.add_argument("--events", type=Path, nargs="+", help="what `gcloud pubsub subscriptions pull --format=json` has printed")
    parser.add_argument("--keys", type=Path, help="a wallet's CSV: idempotencyKey,vasType,amountCents,usedAt")
    parser.add_argument("--issuer", help="of the wallet's tokens, its first address; with --keys")
    parser.add_argument("--subject", help="`sub` of the wallet's tokens; with --keys")
    parser.add_argument("--write", action="store_true", help="bind; without it, only say")
    asked = parser.parse_args(arguments)
    if (asked.events is None) == (asked.keys is None) or (asked.keys is not None and not (asked.issuer and asked.subject)):
        parser.error("either --events, or --keys with --issuer and --subject")
    return asked


def main(arguments: Sequence[str]) -> int:
    """Bind what was lost; 1 where selling is not paused."""
    return asyncio.run(run(asked_for(arguments), sys.stdout))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

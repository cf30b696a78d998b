"""After a restore: binds the keys of sales that the restored database does not know, so that none of them is ever sold again.

    python -m local.rebuild --project P --database restored --mode live --events gap.json
    python -m local.rebuild --project P --database restored --mode live --keys wallet.csv --issuer https://... --subject wallet

Without `--write` it only says what it would do. What was announced is known from the topic's archive: for each such sale that is not on
record it writes a tombstone, which holds how the sale stood and answers its key 410 for ever. Keys that a wallet has used and
nobody has announced cannot be known; they are bound as well, and listed. A record that is there stays, but for one thing: where the
archive says vended and the record still waits for an outcome, it gets the sign of a vend, so that no absence ends it. No token is
written or printed: those stay in the archive. A run that broke off is repeated as it was. `docs/restoring.md` leads through it.
"""

import argparse
import asyncio
import base64
import csv
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

from local.rebinding import KNOWN_WITHIN, UNKNOWN, Lost, NotPaused, Rebuilding, told
from shared.domain.clock import business_day
from shared.domain.identifiers import ID_CHARACTERS, IDEMPOTENCY_KEY, Caller, caller_id, transaction_id
from shared.domain.money import Money
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import State
from shared.domain.vas import SUPPLIER_IDS, Mode, VasType
from shared.gcp.grpc import channel
from shared.lib.env import is_address
from shared.lib.value import is_new_word, word
from shared.settlement.comparison import OPEN_STATES
from shared.store.database import Database
from shared.store.firestore import FirestoreStore
from shared.store.transaction_documents import tombstone_document

TIMEOUT_SECONDS: Final = 10
COLUMNS: Final = ("idempotencyKey", "vasType", "amountCents", "usedAt")

_SALE_ID: Final = re.compile(rf"[0-9a-f]{{{ID_CHARACTERS}}}", re.ASCII)
_WORD: Final = re.compile(r"[a-z_-]{1,40}", re.ASCII)
_CENTS: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_NAME: Final = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_SUBJECT: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_SPACE: Final = re.compile(r"\s*")


class RebuildRefused(Exception):
    """A file that is not taken, no line of it. The text says where, and quotes nothing."""


@dataclass(slots=True)
class Archive:
    """What the topic's archive says: of each sale one event, and the messages that could not be read or hold a word of newer code."""

    newest: dict[str, Lost] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def read(self, path: Path, mode: Mode, at: datetime) -> None:
        """Take in what `gcloud pubsub subscriptions pull` has printed, pull after pull, as far as it can be read.

        A vend is never undone: of a sale's events one that says so counts before any other, and else the newest.

        Raises:
            Refused: there is no such file.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise RebuildRefused(f"{path.name}: {type(error).__name__}") from None
        except ValueError:
            self.unread.append(f"{path.name}: not UTF-8")
            return
        try:
            for pulled in _arrays(text):
                for each in pulled:
                    self._take(each, mode, at)
        except (ValueError, TypeError, RecursionError):  # a pull that broke off; the text of an error may quote a token
            self.unread.append(f"{path.name}: it breaks off, or is not what gcloud prints")

    def _take(self, pulled: Any, mode: Mode, at: datetime) -> None:
        named = "a message without a name"
        try:
            named = _named("message", pulled["message"].get("messageId"))
            body = json.loads(base64.b64decode(pulled["message"]["data"]))
            named = _named("sale", body["transactionId"])
            if type(body["simulated"]) is not bool or type(body["version"]) is not int or body["version"] < 1:
                raise ValueError("no event of ours")
            if body["simulated"] is not (mode is Mode.SIMULATED):
                return
            caller = (pulled["message"].get("attributes") or {}).get("caller", "")
            if not isinstance(caller, str):
                raise TypeError("no caller of ours")
            told = of_event(body, caller, mode, at)
            tombstone_document(told)  # each of its fields can be kept
        except Exception:  # whatever it is, the others are bound
            self.unread.append(f"{named}: not readable, nothing was bound by it")
            return
        if is_new_word(State, told.state) or is_new_word(VasType, told.vas_type):
            self.unread.append(f"{named}: announced as {told.vas_type} {told.state}, which newer code knows")
        held = self.newest.get(told.id)
        if held is None or _rank(held) <= _rank((told, body["version"])):
            self.newest[told.id] = (told, body["version"])


def of_event(body: Mapping[str, Any], caller: str, mode: Mode, at: datetime) -> Tombstone:
    """What an event tells of a sale, as far as a tombstone holds it. Its words may be those of newer code.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is no event of ours.
    """
    created_at = datetime.fromisoformat(body["createdAt"])
    if created_at.tzinfo is None or not _SALE_ID.fullmatch(body["transactionId"]):
        raise ValueError("no event of ours")
    if not (_WORD.fullmatch(body["state"]) and _WORD.fullmatch(body["vasType"])):
        raise ValueError("no word of ours")
    if not isinstance(body["supplierId"], str):
        raise TypeError("no event of ours")
    receipt = body["receipt"] or {}
    return Tombstone(
        id=body["transactionId"],
        mode=mode,
        caller=caller,
        fingerprint=UNKNOWN,
        state=word(State, body["state"]),
        vas_type=word(VasType, body["vasType"]),
        amount=Money(body["amountCents"]),
        fee_cents=0,
        request_id=_no_request(body["transactionId"]),
        supplier_transaction_id=receipt.get("supplierTransactionId"),
        supplier_id=body["supplierId"],
        day=business_day(created_at),
        created_at=created_at.astimezone(UTC),
        retired_at=at,
    )


def of_key(row: Mapping[str, str], caller: Caller, mode: Mode, at: datetime) -> Tombstone:
    """A key that a wallet has used: whether anything was sold under it, nobody knows.

    Raises:
        Refused: no request can carry that key, or the rest of the row is not whole.
    """
    if not IDEMPOTENCY_KEY.fullmatch(row["idempotencyKey"]):
        raise RebuildRefused("the key is not 1 to 255 visible ASCII characters")
    if is_new_word(VasType, row["vasType"]):
        raise RebuildRefused("vasType is none of ours")
    if not _CENTS.fullmatch(row["amountCents"]):
        raise RebuildRefused("amountCents is not 1 to 15 digits")
    try:
        given = datetime.fromisoformat(row["usedAt"])
        used_at, day = given.astimezone(UTC), business_day(given)
    except (ValueError, OverflowError):
        raise RebuildRefused("usedAt is no time") from None
    if given.tzinfo is None:
        raise RebuildRefused("usedAt has no offset")
    sale_id = transaction_id(mode, caller, row["idempotencyKey"])
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
        day=day,
        created_at=used_at,
        retired_at=at,
    )


def keys_of(path: Path, caller: Caller, mode: Mode, at: datetime) -> list[Lost]:
    """The keys that a wallet's file names, each once.

    Raises:
        Refused: with every line at fault. One wrong key would bind another id, and leave the true one to be sold again.
    """
    known: dict[str, Tombstone] = {}
    faults: list[str] = []
    line = 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, strict=True)
            if tuple(next(rows, ())) != COLUMNS:
                raise RebuildRefused(f"line 1: the heading must be {','.join(COLUMNS)}")
            for row in filter(None, rows):  # an empty line says nothing
                line = rows.line_num
                try:
                    if len(row) != len(COLUMNS):
                        raise RebuildRefused("not four fields")
                    told = of_key(dict(zip(COLUMNS, row, strict=True)), caller, mode, at)
                    if known.setdefault(told.id, told) != told:
                        raise RebuildRefused("the key stands on an earlier line with something else")
                except RebuildRefused as fault:
                    faults.append(f"line {line}: {fault}")
    except (OSError, csv.Error, UnicodeDecodeError) as error:  # the text of the last would quote the file
        faults.append(f"not readable from line {line} on: {type(error).__name__}")
    if faults:
        raise RebuildRefused("\n".join(faults))
    return [(told, 0) for told in known.values()]


async def run(asked: argparse.Namespace, out: TextIO) -> int:
    """Do what was asked; 1 where selling is not paused, a file is refused, or something is left to a person."""
    over = await channel(FirestoreGrpcAsyncIOTransport, os.environ.get("FIRESTORE_EMULATOR_HOST"))
    database = Database(over, asked.project, asked.database, TIMEOUT_SECONDS)
    rebuilding = Rebuilding(database, FirestoreStore(database), asked.mode, asked.write)
    try:
        await rebuilding.require_pause()
        archive, at = Archive(), datetime.now(UTC)
        if asked.events:
            for path in asked.events:
                archive.read(path, asked.mode, at)
            lost = list(archive.newest.values())
        else:
            caller = Caller(asked.issuer, asked.subject)
            lost = keys_of(asked.keys, caller, asked.mode, at)
            if lost and not await rebuilding.has_sold_to(caller, min(key.day for key, _ in lost)):
                print(f"NOBODY KNOWN: this --issuer and --subject have bought nothing for {KNOWN_WITHIN} days: are they right?", file=out)
        found = await rebuilding.bind(lost)
        found.unread[:0] = archive.unread
    except NotPaused as refused:
        print(f"{refused}. Nothing was read or written: pause selling first (POST /selling)", file=out)
        return 1
    except RebuildRefused as refused:
        print(f"{refused}\nNothing was written: the file is refused whole", file=out)
        return 1
    finally:
        with suppress(Exception):  # what was bound is bound
            await database.close()
    print("\n".join(told(found, announced=bool(asked.events), write=asked.write)), file=out)
    return int(found.needs_a_person)


def _arrays(text: str) -> Iterator[Any]:
    """Arrays of JSON, one behind another, as commands append them to a file."""
    decoder, at = json.JSONDecoder(), 0
    while (at := _after_space(text, at)) < len(text):
        array, at = decoder.raw_decode(text, at)
        yield array


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _rank(lost: Lost) -> tuple[bool, int]:
    """Which of a sale's events counts: a vend, or what only newer code knows, before a doubt and a refusal; then the newest."""
    tombstone, version = lost
    return tombstone.state not in OPEN_STATES and tombstone.state is not State.REJECTED, version


def _named(what: str, name: object) -> str:
    """A message or a sale by its name, where it has the form of one: nothing else of the archive is told."""
    return f"{what} {name}" if isinstance(name, str) and _NAME.fullmatch(name) else f"a {what} without a name"


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
    parser.add_argument("--keys", type=Path, help=f"a wallet's CSV: {','.join(COLUMNS)}")
    parser.add_argument("--issuer", help="of the wallet's tokens, its first address; with --keys")
    parser.add_argument("--subject", help="`sub` of the wallet's tokens; with --keys")
    parser.add_argument("--write", action="store_true", help="bind; without it, only say")
    asked = parser.parse_args(arguments)
    if (asked.events is None) == (asked.keys is None) or (asked.keys is not None and not (asked.issuer and asked.subject)):
        parser.error("either --events, or --keys with --issuer and --subject")
    if asked.keys is not None and not (is_address(asked.issuer, clear=True) and _SUBJECT.fullmatch(asked.subject)):
        parser.error("--issuer must be an address, and --subject 1 to 255 visible ASCII characters")
    return asked


def main(arguments: Sequence[str]) -> int:
    """Bind what was lost; 1 where that was refused, or something is left to a person."""
    return asyncio.run(run(asked_for(arguments), sys.stdout))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

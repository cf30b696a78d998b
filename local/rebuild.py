"""After a restore: binds the keys of sales that the restored database lacks, so that none is ever sold again.

    python -m local.rebuild --project P --database restored --mode live --events gap.json
    python -m local.rebuild --project P --database restored --mode live --keys wallet.csv --issuer https://... --subject wallet

Without `--write` the command only prints what it would do.

The topic's archive holds the published events. For each published sale without a record the command writes a tombstone.
A tombstone holds the state of the sale, and answers its key with 410 for ever.
Keys that a wallet used, and for which no event exists, are bound and listed as well: their sales are unknown.

A record that exists stays, with one exception. If the archive has it as vended and the record has no outcome yet,
the record gets the indication of a vend. No absence can then end the sale.

The command writes and prints no token: tokens stay in the archive. A run that broke off is repeated unchanged.
`docs/restoring.md` gives the steps.
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

from local.rebinding import KNOWN_WITHIN, UNKNOWN, Lost, NotPaused, Rebuilding, report
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
    """A whole file is refused. The text names the place, and quotes nothing."""


@dataclass(slots=True)
class Archive:
    """The topic's archive: one event of each sale, and the messages that could not be read or hold a word of newer code."""

    newest: dict[str, Lost] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def read(self, path: Path, mode: Mode, at: datetime) -> None:
        """Read the output of `gcloud pubsub subscriptions pull`, pull after pull, as far as it is readable.

        A vend is never undone: an event of a vend counts before all others of its sale. Otherwise the newest counts.

        Raises:
            RebuildRefused: the file does not exist.
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
        except (ValueError, TypeError, RecursionError):  # a pull that broke off; the error's text may quote a token
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
            tombstone = of_event(body, caller, mode, at)
            tombstone_document(tombstone)  # fails if a field cannot be stored
        except Exception:  # any failure: the other events are still bound
            self.unread.append(f"{named}: not readable, nothing was bound by it")
            return
        if is_new_word(State, tombstone.state) or is_new_word(VasType, tombstone.vas_type):
            self.unread.append(f"{named}: announced as {tombstone.vas_type} {tombstone.state}, which newer code knows")
        held = self.newest.get(tombstone.id)
        if held is None or _rank(held) <= _rank((tombstone, body["version"])):
            self.newest[tombstone.id] = (tombstone, body["version"])


def of_event(body: Mapping[str, Any], caller: str, mode: Mode, at: datetime) -> Tombstone:
    """Read an event into a tombstone's fields. The words may be those of newer code.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: the message is no event of ours.
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
    """Read a key that a wallet has used. Whether it sold anything is unknown.

    Raises:
        RebuildRefused: no request can carry that key, or the rest of the row is incomplete.
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
    """Return the keys in a wallet's file, each once.

    Raises:
        RebuildRefused: names every faulty line. One wrong key would bind another id, and leave the true one to be sold again.
    """
    known: dict[str, Tombstone] = {}
    faults: list[str] = []
    line = 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, strict=True)
            if tuple(next(rows, ())) != COLUMNS:
                raise RebuildRefused(f"line 1: the heading must be {','.join(COLUMNS)}")
            for row in filter(None, rows):  # an empty line has no key
                line = rows.line_num
                try:
                    if len(row) != len(COLUMNS):
                        raise RebuildRefused("not four fields")
                    tombstone = of_key(dict(zip(COLUMNS, row, strict=True)), caller, mode, at)
                    if known.setdefault(tombstone.id, tombstone) != tombstone:
                        raise RebuildRefused("the key stands on an earlier line with something else")
                except RebuildRefused as fault:
                    faults.append(f"line {line}: {fault}")
    except (OSError, csv.Error, UnicodeDecodeError) as error:  # the text of the last would quote the file
        faults.append(f"not readable from line {line} on: {type(error).__name__}")
    if faults:
        raise RebuildRefused("\n".join(faults))
    return [(tombstone, 0) for tombstone in known.values()]


async def run(options: argparse.Namespace, out: TextIO) -> int:
    """Run the command. Return 1 if selling is not paused, a file is refused, or an operator must act."""
    over = await channel(FirestoreGrpcAsyncIOTransport, os.environ.get("FIRESTORE_EMULATOR_HOST"))
    database = Database(over, options.project, options.database, TIMEOUT_SECONDS)
    rebuilding = Rebuilding(database, FirestoreStore(database), options.mode, options.write)
    try:
        await rebuilding.require_pause()
        archive, at = Archive(), datetime.now(UTC)
        if options.events:
            for path in options.events:
                archive.read(path, options.mode, at)
            lost = list(archive.newest.values())
        else:
            caller = Caller(options.issuer, options.subject)
            lost = keys_of(options.keys, caller, options.mode, at)
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
        with suppress(Exception):  # the bound keys stay bound
            await database.close()
    print("\n".join(report(found, announced=bool(options.events), write=options.write)), file=out)
    return int(found.needs_a_person)


def _arrays(text: str) -> Iterator[Any]:
    """Yield the JSON arrays of a file, one after another, as commands append them."""
    decoder, at = json.JSONDecoder(), 0
    while (at := _after_space(text, at)) < len(text):
        array, at = decoder.raw_decode(text, at)
        yield array


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _rank(lost: Lost) -> tuple[bool, int]:
    """Rank a sale's events: a vend, or a word of newer code, before a doubt and a refusal; then the newest."""
    tombstone, version = lost
    return tombstone.state not in OPEN_STATES and tombstone.state is not State.REJECTED, version


def _named(what: str, name: object) -> str:
    """Return the id of a message or a sale, if it has the form of one. Nothing else of the archive is printed."""
    return f"{what} {name}" if isinstance(name, str) and _NAME.fullmatch(name) else f"a {what} without a name"


def _no_request(sale_id: str) -> str:
    """Return a stand-in for the request id, which no event holds. No line of a file ever matches it."""
    return f"{UNKNOWN}-{sale_id}"


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; end the program if it is incomplete."""
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
    options = parser.parse_args(arguments)
    if (options.events is None) == (options.keys is None) or (options.keys is not None and not (options.issuer and options.subject)):
        parser.error("either --events, or --keys with --issuer and --subject")
    if options.keys is not None and not (is_address(options.issuer, clear=True) and _SUBJECT.fullmatch(options.subject)):
        parser.error("--issuer must be an address, and --subject 1 to 255 visible ASCII characters")
    return options


def main(arguments: Sequence[str]) -> int:
    """Bind the lost keys. Return 1 if that was refused, or an operator must act."""
    return asyncio.run(run(read_options(arguments), sys.stdout))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

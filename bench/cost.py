"""The billed resources of a sale: CPU, documents, messages, log lines, and bytes on the wire.

    python -m bench.cost [SALES]

The packaged functions run as processes of their own, as in `tests/deployed`. Beside them run the simulated supplier on
a socket, the emulators of Firestore and Pub/Sub, and an issuer of tokens.
Sixteen callers prevend an electricity sale, and buy it by that prevend.
CPU is the time that a function's processes used for all these sales. The first sales load the libraries and are left
out.
`docs/cost.md` puts prices to these figures.
"""

import argparse
import os
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Final

import grpc
import httpx
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.pubsub_v1 import PubsubMessage

from shared.mobilemart.simulator import PLAIN, SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET, Service
from tests import emulators
from tests.deployed.issuer import issuing
from tests.deployed.processes import Function, Platform
from tests.deployed.surroundings import SECRETS, Surroundings
from tests.deployed.wallet import Seen, Wallet, body_of, new_key
from tests.stand_ins.secret_manager import secret_manager

CALLERS: Final = 16
WARM_UP: Final = 100
TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
ENTRY_BYTES: Final = 32  # Firestore adds these to a document, and to an index entry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sales", type=int, nargs="?", default=2_000)
    sales = parser.parse_args().sales
    with surrounded() as surroundings:
        measure(surroundings, sales)


@contextmanager
def surrounded() -> Iterator[Surroundings]:
    """Start everything that the functions use."""
    names = {"client-id": SIMULATED_CLIENT_ID, "client-secret": SIMULATED_CLIENT_SECRET}
    credentials = {f"{SECRETS}/{name}/versions/latest": value.encode() for name, value in names.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        emulators.firestore() as firestore,
        emulators.pubsub() as pubsub,
        secret_manager(credentials) as secrets,
        issuing() as issuer,
    ):
        surroundings = Surroundings(Platform(Path(folder)), firestore, pubsub, secrets.address, issuer, Seen())
        try:
            yield surroundings
        finally:
            surroundings.close()


def measure(surroundings: Surroundings, sales: int) -> None:
    topic, supplier = surroundings.topic(), surroundings.platform.supplier("--unmarked")
    wire = Wire(supplier.http.base_url.port or 80)
    environment = surroundings.live(topic, supplier, MOBILEMART_API_URL=wire.url)
    prevend, purchase = (surroundings.platform.start(name, environment).ready() for name in ("prevend", "purchase"))
    callers = [surroundings.wallet() for _ in range(CALLERS)]
    made(callers, prevend, purchase, WARM_UP)

    before = [(cpu_seconds(each), len(each.process.words)) for each in (prevend, purchase)]
    sent = wire.sent
    answers = made(callers, prevend, purchase, sales)
    for function, (seconds, said) in zip((prevend, purchase), before, strict=True):
        print(f"{function_name(function):<9} CPU {(cpu_seconds(function) - seconds) / sales * 1000:>8.2f} ms a call")
        print(f"{'':<9} log {(len(function.process.words) - said) / sales:>8.0f} bytes a call")
    print(f"to the supplier   {(wire.sent - sent) / sales:>8.0f} bytes a sale, in the clear")
    print(f"to the caller     {mean(wire_bytes(named) + wire_bytes(sold) for named, sold in answers):>8.0f} bytes a sale, in the clear")
    documents(surroundings.firestore, topic.project)
    messages = topic.about([answers[-1][1].json()["transactionId"]])
    print(f"an event          {mean(map(message_bytes, messages)):>8.0f} bytes")


def made(callers: Sequence[Wallet], prevend: Function, purchase: Function, sales: int) -> list[tuple[httpx.Response, httpx.Response]]:
    """Make that many sales. Return the answers to each prevend and purchase."""

    def one(caller: Wallet) -> tuple[httpx.Response, httpx.Response]:
        named = caller.confirm(prevend, "utility", body_of(PLAIN, Service.UTILITY))
        order = {"prevendId": named.raise_for_status().json()["prevendId"], "allowDuplicate": True}
        return named, caller.buy(purchase, "utility", order, new_key()).raise_for_status()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(one, [callers[at % CALLERS] for at in range(sales)]))


def function_name(function: Function) -> str:
    return str(function.process.child.args[-1])  # type: ignore[index]


def cpu_seconds(function: Function) -> float:
    """Return the CPU seconds of all processes of a function's session so far, by Linux's count."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == function.process.child.pid:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_A_SECOND


def message_bytes(message: PubsubMessage) -> int:
    """Return the bytes of messages by the rules for throughput charges: all data, an id, and 20 bytes for the time."""
    told = [*message.attributes, *message.attributes.values(), message.ordering_key, message.message_id]
    return len(message.data) + sum(map(len, told)) + 20


def wire_bytes(answer: httpx.Response) -> int:
    return len(answer.content) + sum(len(name) + len(value) + 4 for name, value in answer.headers.raw) + len("HTTP/1.1 201 Created\r\n\r\n")


def documents(emulator: str, project: str) -> None:
    """Return the mean size of stored documents, by Firestore's rules for storage charges."""
    with grpc.insecure_channel(emulator) as channel:
        firestore = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
        for collection in ("transactions", "prevends"):
            request = {"parent": f"projects/{project}/databases/(default)/documents", "collection_id": collection, "page_size": 300}
            found = [types.Document.pb(each) for _, each in zip(range(300), firestore.list_documents(request), strict=False)]
            print(f"a document        {mean(map(document_bytes, found)):>8.0f} bytes in {collection}")
            if collection == "transactions":
                print(f"its index entries {mean(map(index_bytes, found)):>8.0f} bytes")


def document_bytes(document: Any) -> int:
    return name_bytes(document) + sum(text_bytes(name) + value_bytes(value) for name, value in document.fields.items()) + ENTRY_BYTES


def index_bytes(document: Any) -> int:
    """Return the index entries of an ended sale: by `dayShard`, by `callerDay`, and by each of `keys` with `createdAt`."""
    single = [text_bytes(name) + value_bytes(document.fields[name]) for name in ("dayShard", "callerDay")]
    composite = [value_bytes(key) + value_bytes(document.fields["createdAt"]) for key in document.fields["keys"].array_value.values]
    return sum(name_bytes(document) + values + ENTRY_BYTES for values in (*single, *composite))


def name_bytes(document: Any) -> int:
    return sum(text_bytes(part) for part in document.name.partition("/documents/")[2].split("/")) + 16


def text_bytes(text: str) -> int:
    return len(text.encode()) + 1


def value_bytes(value: Any) -> int:
    match value.WhichOneof("value_type"):
        case "string_value":
            return text_bytes(value.string_value)
        case "bytes_value":
            return len(value.bytes_value)
        case "map_value":
            return sum(text_bytes(name) + value_bytes(inner) for name, inner in value.map_value.fields.items())
        case "array_value":
            return sum(map(value_bytes, value.array_value.values))
        case "null_value" | "boolean_value":
            return 1
        case _:
            return 8  # a number or a time


@dataclass
class Wire:
    """Forwards everything to a port of this machine, and counts the bytes `sent` to it."""

    port: int
    sent: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self._pass_on, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(far, near, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):  # one side closed, and the other follows
            while data := source.recv(65_536):
                self.sent += len(data) if counted else 0
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()

"""A relay between a function and a service, which can fall silent: connections stay, and no byte passes until it is let go."""

import socket
import threading
from contextlib import suppress


class Relay:
    """Listens on `address` and passes everything on to a `host:port`, both ways."""

    def __init__(self, to: str) -> None:
        host, _, port = to.rpartition(":")
        self._to = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._asking, self._answering = threading.Event(), threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.release()
        self._begin(self._accept)

    def hold(self) -> None:
        """From now on nothing arrives on either side, as when the service is stopped."""
        self.hold_answers()
        self._asking.clear()

    def hold_answers(self) -> None:
        """From now on the service hears and acts, and is not heard."""
        self._answering.clear()

    def release(self) -> None:
        """Pass on what was held, and whatever comes."""
        self._asking.set()
        self._answering.set()

    def close(self) -> None:
        """Cut every connection, and take no more."""
        self.release()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._to)
                self._sockets += [near, far]
                self._begin(self._pass_on, near, far, self._asking)
                self._begin(self._pass_on, far, near, self._answering)

    def _pass_on(self, source: socket.socket, sink: socket.socket, gate: threading.Event) -> None:
        with suppress(OSError):  # one of them is gone, and so is the other
            while data := source.recv(65_536):
                gate.wait()
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _begin(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

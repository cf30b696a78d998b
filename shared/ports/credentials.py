"""The port through which the supplier's client reads its credentials."""

from collections.abc import Awaitable, Callable

from shared.lib.value import Value


class SupplierSecrets(Value, frozen=True):
    """The Secret Manager resource names of the supplier's credentials."""

    client_id: str
    client_secret: str


class Credentials(Value, frozen=True):
    """Our client id and secret at the supplier."""

    _hidden = frozenset({"client_secret"})

    client_id: str
    client_secret: str


GetCredentials = Callable[[bool], Awaitable[Credentials]]
"""Returns the credentials. The supplier's client passes `True` after a refusal, and the function then reads them again."""

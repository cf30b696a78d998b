"""The settings of the edge: how requests are answered, and which issuer identifies callers."""

from enum import StrEnum
from typing import Protocol

from shared.domain.money import Money
from shared.domain.policy import ConsumerDetails, Environment
from shared.domain.vas import Mode
from shared.lib.value import Value


class ScopeClaim(StrEnum):
    """The claim that holds a token's scopes. `SCOPE`: `scope`, else `scp`."""

    SCOPE = "scope"
    SCP = "scp"
    PERMISSIONS = "permissions"
    ROLES = "roles"


class Oidc(Value, frozen=True):
    """The issuer of callers' tokens, the audience, and the keys. Every token must have `scope`, if set, in its `scope_claim`.

    `issuer_aliases` are the issuer's earlier addresses, the oldest first. Its tokens may still carry one of them.
    """

    issuer: str
    audience: str
    jwks_url: str
    scope: str | None
    scope_claim: ScopeClaim = ScopeClaim.SCOPE
    issuer_aliases: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """The issuer's address in its callers' identities: the first address it ever had."""
        return next(iter(self.issuer_aliases), self.issuer)


class WebSettings(Protocol):
    """The settings that requests and answers need. `shared.config.Config` has them."""

    @property
    def environment(self) -> Environment: ...

    @property
    def mode(self) -> Mode: ...

    @property
    def project(self) -> str | None: ...

    @property
    def cors_origins(self) -> tuple[str, ...]: ...

    @property
    def consumer_details(self) -> ConsumerDetails: ...

    @property
    def minimum_amount(self) -> Money: ...

    @property
    def maximum_amount(self) -> Money: ...

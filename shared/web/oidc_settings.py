"""Which issuer vouches for callers, and which claim holds their scopes."""

from enum import StrEnum

from shared.lib.value import Value


class ScopeClaim(StrEnum):
    """Which claim of a token says what its caller may do. `SCOPE`: `scope`, or else `scp`."""

    SCOPE = "scope"
    SCP = "scp"
    PERMISSIONS = "permissions"
    ROLES = "roles"


class Oidc(Value, frozen=True):
    """Who vouches for callers, for whom, and with which keys. `scope`, when set, must be in every token, in `scope_claim`.

    `issuer_aliases` are the addresses that the issuer had before, the oldest first. Its tokens may still carry one of them.
    """

    issuer: str
    audience: str
    jwks_url: str
    scope: str | None
    scope_claim: ScopeClaim = ScopeClaim.SCOPE
    issuer_aliases: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """The address that stands for the issuer in its callers' identities: the first it ever had, whatever it has now."""
        return next(iter(self.issuer_aliases), self.issuer)

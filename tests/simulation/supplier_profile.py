"""What the supplier is like in one history: every point on which its wire reference is uncertain, drawn once."""

from random import Random
from typing import Final, NamedTuple

from shared.domain.policy import AmountCheck, ReprintBy
from tests.simulation import contrary
from tests.simulation.goods import JOINED


class Manner(NamedTuple):
    """What becomes of one request to vend: whether it sells, at once or `delay` seconds later, and what is said."""

    name: str
    says: str
    vends: bool = False
    delay: float = 0
    breach: str | None = None  # which assumption of the promise this breaks

    @property
    def unseen(self) -> bool:
        """Whether it said a 2xx from which the sale cannot be read: a supplier may lose sight of such a sale."""
        return self.says in SUCCESS_BUT_UNREADABLE or self.name == "no id"


SOLD: Final = Manner("sold", "sold", vends=True)
UNCERTAIN: Final = (
    *("silence", "server error", "html", "cut", "empty", "error in 200"),
    *("foreign", "unknown code", "not found", "code on 5xx"),
)
SUCCESS_BUT_UNREADABLE: Final = frozenset({"html", "cut", "empty", "error in 200", "foreign"})
MEANINGLESS: Final = ("forbidden", "does not exist")  # it says no, and that proves nothing
DEFINITE: Final = ("refused", "busy", "unauthenticated", "float", "refused", "refused")
SOLD_BADLY: Final = (
    *(Manner(f"{says}, sold", says, vends=True) for says in UNCERTAIN),
    Manner("no token", "sold", vends=True),
    *(Manner("a token garbled", "sold", vends=True) for _ in range(3)),
    *(Manner("the last token garbled", "sold", vends=True) for _ in range(2)),
    Manner("no id", "sold", vends=True),
)
NOT_ANSWERED: Final = (Manner("silence", "silence"), Manner("silence", "silence"), Manner("silence, sold", "silence", vends=True))
NOT_SOLD: Final = tuple(Manner(says, says) for says in (*UNCERTAIN, *MEANINGLESS, *DEFINITE))
CONTRARY: Final = (
    *(Manner(says, says) for says in (contrary.STATUS, contrary.STRANGERS, contrary.HELD)),
    *(Manner(f"{says}, sold", says, vends=True) for says in sorted(contrary.SAYS)),
    *(Manner(f"{says}, sold later", says, delay=1) for says in (contrary.STATUS, contrary.STRANGERS, contrary.HELD)),
)
TROUBLES_OF_PREVEND: Final = ("silence", "server error", "html", "refused", "busy", "unauthenticated", "cut", "empty")
TROUBLES_OF_REPRINT: Final = (
    *("silence", "server error", "html", "forbidden", "busy", "unauthenticated", "cut", "empty", "not found"),
    "another sale",
)
LATEST: Final = 890.0  # seconds after a request came in, at which the supplier still begins with it

REPEATS: Final = ("rejected", "replayed", "vended again")
REPRINTS: Final = ("by our id", "by our id", "by our id", "by our id", "by their id", "useless", "refused", "none")
TOKEN_FORMS: Final = ("token", "value", "tokenValue", "pin", "text", JOINED)
FILE_IDS: Final = (
    "ours",
    "ours",
    "ours",
    "ours",
    "in capitals",
    "of what it answered",
    "of what it answered",
    "none",
    "another",
    "theirs",
    "another, in capitals",
)
NAMED_BY_OUR_ID: Final = ("ours", "in capitals")  # the files of which every line does
LAGS: Final = (0, 0, 0, 0, 30, 600)


class SupplierProfile:
    """One supplier. `breaks`: now and then it does what the promise's assumptions exclude. `mixes_up`: its reprints name any sale.

    `prints_the_rest`: of a sale of whose tokens we hold all but the last, its reprints show that one only. `prints_capitals`: they
    spell its ids so. `prints_what_is_undone`: of a request that it answered and did not sell, they say so instead of 1003.
    `amount_check` is our setting. Some suppliers often answer with a sale that something speaks against, and the others never do.
    `older_index` is of our own store, not the supplier's: some of what is in it was written by older code.
    """

    __slots__ = (
        "_calm",
        "_contrary",
        "_decent",
        "_draw",
        "_next",
        "amount_check",
        "breaks",
        "fee_is_on_top",
        "file_id",
        "forgets_tokens",
        "forgets_what_it_answered_badly",
        "lag",
        "minimum_rand",
        "mixes_up",
        "older_index",
        "prevend_once",
        "prints_capitals",
        "prints_the_rest",
        "prints_what_is_undone",
        "repeat",
        "reprint",
        "reprint_by",
        "token_form",
    )

    def __init__(self, rng: Random) -> None:
        draw = self._draw = rng.random
        self._calm = False
        self._next: Manner | None = None
        self._decent = (0.9, 0.6, 0.6, 0.3)[int(draw() * 4)]
        self.repeat = REPEATS[int(draw() * 3)]
        self.reprint = REPRINTS[int(draw() * len(REPRINTS))]
        self.reprint_by = ReprintBy.NONE if self.reprint == "none" else ReprintBy.REQUEST_ID
        if self.reprint == "by their id" or (self.reprint == "useless" and draw() < 0.5):
            self.reprint_by = ReprintBy.TRANSACTION_ID
        self.forgets_tokens = draw() < 0.1
        self.forgets_what_it_answered_badly = draw() < 0.3
        self.lag = LAGS[int(draw() * len(LAGS))]
        self.token_form = TOKEN_FORMS[int(draw() * len(TOKEN_FORMS))]
        self.file_id = FILE_IDS[int(draw() * len(FILE_IDS))]
        self.fee_is_on_top = draw() < 0.5  # as it is set; what it sells here costs no fee
        self.prevend_once = draw() < 0.5
        self.minimum_rand = 70 if draw() < 0.1 else 10
        self.mixes_up = draw() < 0.06
        self.breaks = draw() < 0.04
        self.prints_the_rest = draw() < 0.6
        self.prints_capitals = draw() < 0.2
        self.prints_what_is_undone = draw() < 0.5
        self.amount_check = AmountCheck.DOUBT if draw() < 0.4 else AmountCheck.ALERT
        self._contrary = draw() < 0.35
        self.older_index = draw() < 0.5

    def calm_down(self) -> None:
        """From now on it answers well. What it is like stays as it is."""
        self._calm = True

    def will(self, manner: Manner) -> None:
        """Treat the next request to vend in this manner."""
        self._next = manner

    @property
    def is_calm(self) -> bool:
        return self._calm

    def some(self, count: int) -> int:
        """One of so many."""
        return int(self._draw() * count)

    def manner_of_vend(self) -> Manner:
        """What becomes of the next request to vend."""
        if self._next is not None:
            manner, self._next = self._next, None
            return manner
        if self._calm:
            return SOLD
        draw = self._draw
        if draw() < self._decent:
            return SOLD
        if self.breaks and draw() < 0.4:
            if draw() < 0.5:
                return Manner("refused, sold all the same", "refused", vends=True, breach="sold what it had refused")
            return Manner("sold far too late", "silence", delay=1200 + draw() * 6000, breach="sold later than the minimum age")
        if self._contrary and draw() < 0.6:
            manner = CONTRARY[int(draw() * len(CONTRARY))]
            return manner._replace(delay=self._delay()) if manner.delay else manner
        kind = draw()
        if kind < 0.35:
            return SOLD_BADLY[int(draw() * len(SOLD_BADLY))]
        if kind < 0.55:
            says = UNCERTAIN[int(draw() * len(UNCERTAIN))]
            return Manner(f"{says}, sold later", says, delay=self._delay())
        return NOT_SOLD[int(draw() * len(NOT_SOLD))]

    def _delay(self) -> float:
        """After how many seconds a request that is begun late sells: early enough for its reprint to show it by the minimum age."""
        return 1 + self._draw() * (LATEST - 1 - self.lag)

    def trouble_of_prevend(self) -> str | None:
        """What is wrong with the next prevend."""
        if self._calm or self._draw() < 0.9:
            return None
        return TROUBLES_OF_PREVEND[int(self._draw() * len(TROUBLES_OF_PREVEND))]

    def trouble_of_reprint(self) -> str | None:
        """What is wrong with the next reprint."""
        if self.mixes_up and self._draw() < 0.5:
            return "another sale"
        if self._calm or self._draw() < 0.75:
            return None
        return TROUBLES_OF_REPRINT[int(self._draw() * len(TROUBLES_OF_REPRINT))]

    def kind_of_meter(self) -> tuple[bool, bool, int]:
        """Whether a meter is online, whether charges use up all that is paid, and how many tokens it takes."""
        kind = self._draw()
        if kind < 0.55:
            return False, False, 1
        if kind < 0.9:
            return False, False, 3
        return (True, False, 0) if kind < 0.95 else (False, True, 0)

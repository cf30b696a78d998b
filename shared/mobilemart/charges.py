"""The charges that the utility took from the amount, and whether they leave a token due. Pure; no function raises.

Nothing is due only if the supplier states so. The words for that are a list; every other sale waits for its token.
"""

import re
from collections.abc import Mapping
from typing import Final

from shared.domain.money import Money
from shared.domain.outcome import Charge
from shared.mobilemart.json_fields import first_text, leaves, members, number, rand, text

MAX_CHARGES: Final = 20
CHARGE_NAME_KEYS: Final = ("description", "name", "type")
CHARGE_AMOUNT_KEYS: Final = ("amount", "value")

_DEBT: Final = re.compile(r"arrear|debt|(?<![a-z])aux(?![a-z])|auxiliary|recover", re.IGNORECASE)
_RECOVERY_WORDS: Final = re.compile(  # words in the name of a recovery. Any other word may name a balance, a relief, or the energy
    r"arrears?|debts?|aux|auxiliary|recover(?:y|ies|ed)|(?:re)?payments?|paid|install?ments?|collect(?:ion|ed)|deduct(?:ion|ed)|settlement"
    r"|charges?|amount|water|sewer|sewerage|sanitation|refuse|rates?|property|rent|rental|loan|fines?|penalty|interest|sundry|other|old"
    r"|historic|municipal|municipality|city|council|local|authority|accounts?|acc|type|of|on|for|the|in|to|and|from|against|towards"
)
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_BALANCE: Final = re.compile(r"balance|(?<![a-z])(?:still )?outstanding|(?<![a-z])remaining", re.IGNORECASE)
_ENERGY_GIVEN: Final = re.compile(r"(?<![a-z])(?:free|fbe|e?bsst|units?|kwh|kl|tokens?)(?![a-z])", re.IGNORECASE)
_UNITS_KEY: Final = re.compile(r".*(?:unit|kwh|kilolit|free).*|kl|quantity|volume|energy|consumption")
_UNITS_TEXT: Final = re.compile(
    r"[0-9][0-9.,]{0,20}\s{0,3}(?:kwh|units?)(?![a-z])|(?<![a-z])(?:kwh|units?)\s{0,3}[:=]?\s{0,3}[0-9][0-9.,]{0,20}", re.IGNORECASE
)
_NOT_NOUGHT: Final = re.compile(r"[1-9]")


def read_charges(said: object) -> tuple[Charge, ...]:
    """Read the charges and debts of a sale, as its slip shows them."""
    listed = said if isinstance(said, list) else []
    items = [members(one) for one in listed[:MAX_CHARGES]]
    return tuple(Charge(first_text(*(item.get(key) for key in CHARGE_NAME_KEYS)), _charged(item)) for item in items)


def recovers_all(said: object, amount: Money) -> bool:
    """Whether the charges prove that debt recovery took the whole amount, to the cent.

    Balances may stand beside the recovery. Any other row with an amount leaves it unproven: a service charge, too.
    A row that cannot be read leaves it unproven.
    """
    if not isinstance(said, list) or len(said) > MAX_CHARGES:
        return False
    recovered = 0
    for item in map(members, said):
        names = [name for key in CHARGE_NAME_KEYS if (name := text(item.get(key))) is not None]
        taken = _charged(item)
        if taken is None or taken.cents < 0 or any(map(_ENERGY_GIVEN.search, names)):
            return False
        if any(map(_DEBT.search, names)) and all(map(_names_recovery, names)):
            recovered += taken.cents
        elif taken.cents and not any(map(_BALANCE.search, names)):
            return False
    return recovered == amount.cents


def _names_recovery(name: str) -> bool:
    """Whether each word of a charge's name may stand in the name of a recovery."""
    return all(_RECOVERY_WORDS.fullmatch(word.lower()) for word in _WORD.findall(name))


def quotes_units(sold: Mapping[str, object]) -> bool:
    """Whether a sale quotes units anywhere. Quoted units belong to a token. Zero is no quantity."""
    return any(_quotes(key, value) for key, value in leaves(sold))


def _quotes(key: str, value: object) -> bool:
    if _UNITS_KEY.fullmatch(key.lower().replace("_", "").replace("-", "")):
        quoted = number(value)
        return bool(quoted) if quoted is not None else _NOT_NOUGHT.search(str(value)) is not None
    return isinstance(value, str) and any(_NOT_NOUGHT.search(found[0]) for found in _UNITS_TEXT.finditer(value))


def _charged(item: Mapping[str, object]) -> Money | None:
    return next((amount for key in CHARGE_AMOUNT_KEYS if (amount := rand(item.get(key))) is not None), None)

"""The scenarios: what the switch does for which meter, account, mobile number or product. One table.

A scenario has one number under every service: meter `99000000041`, account `990000041`, mobile `0820000041` and voucher
`SimVoucher0000000041` all play scenario 41. Every other valid recipient is plain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from shared.domain.money import Money
from shared.domain.vas import Order, msisdn
from shared.mobilemart.simulator.behaviour import RepeatedRequestId
from shared.mobilemart.simulator.deliverables import PLAIN_GOODS, Goods, Share, TokenShape
from shared.mobilemart.simulator.faults import Effect, SwitchFault
from shared.mobilemart.simulator.services import PINNED, PREVENDED, Leg, Service

METER_PREFIX: Final = "990000000"
ACCOUNT_PREFIX: Final = "9900000"
MOBILE_PREFIX: Final = "08200000"
PRODUCT_PREFIXES: Final[Mapping[Service, str]] = MappingProxyType(
    {
        Service.UTILITY: "SimUtility",
        Service.BILL_PAYMENT: "SimBiller",
        Service.AIRTIME_PINLESS: "SimAirtime",
        Service.AIRTIME_PINNED: "SimAirtimePin",
        Service.DATA_PINLESS: "SimData",
        Service.DATA_PINNED: "SimDataPin",
        Service.VOUCHER: "SimVoucher",
    }
)
PRODUCT_ID_CHARACTERS: Final = 20
MINIMUM_CENTS: Final = 1_000
ARREARS_MINIMUM_CENTS: Final = 33_926

ALL: Final = frozenset(Service)
UTILITY: Final = frozenset({Service.UTILITY})
EVERY_KIND: Final = Goods(key_change=True, free_units=True, refund=True, power_limit=True)


class Told(StrEnum):
    """The content of the purchase's answer."""

    OUTCOME = "outcome"  # whether it vended, and the goods
    UNREADABLE = "unreadable"  # the same, in words that a client may not be able to read
    NOTHING = "nothing"  # no answer in time, or none that reveals whether it vended


@dataclass(frozen=True, slots=True)
class Pending:
    """A purchase is accepted with this status and the word PROCESSING, and carried out later, or never.

    `reprint_tells`: meanwhile a reprint also answers PROCESSING; otherwise 1003.
    """

    status: int
    comes: bool
    reprint_tells: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The course of a sale. `vends` and `told` give the end of a purchase of `amount_cents` under the plain `Behaviour`."""

    number: int
    name: str
    says: str
    services: frozenset[Service] = ALL
    vends: bool = True
    told: Told = Told.OUTCOME
    amount_cents: int = 10_000
    faults: tuple[SwitchFault, ...] = ()
    goods: Goods = PLAIN_GOODS
    minimum_cents: int = MINIMUM_CENTS  # in the prevend's answer
    refused_below_cents: int = 0  # the purchase then answers 1001
    refused_above_cents: int | None = None
    listed: bool = True  # its product is on the list
    pending: Pending | None = None
    prevend_used_up: bool = False
    repeated_request_id: RepeatedRequestId | None = None
    reprint_lag_seconds: float = 0

    def fault(self, leg: Leg | None) -> SwitchFault | None:
        return next((fault for fault in self.faults if fault.on == leg), None)

    def key(self, service: Service) -> str:
        """The meter, account, mobile number or product that plays this scenario."""
        match service:
            case Service.UTILITY:
                return f"{METER_PREFIX}{self.number:02d}"
            case Service.BILL_PAYMENT:
                return f"{ACCOUNT_PREFIX}{self.number:02d}"
            case Service.AIRTIME_PINLESS | Service.DATA_PINLESS:
                return f"{MOBILE_PREFIX}{self.number:02d}"
            case Service.AIRTIME_PINNED | Service.DATA_PINNED | Service.VOUCHER:
                return product_id(service, self.number)
            case _:
                assert_never(service)

    def order(self, service: Service) -> Order:
        """Build an order that plays this scenario."""
        key = self.key(service)
        return Order(
            vas_type=service.vas_type,
            amount=Money(self.amount_cents),
            merchant_product_id=key if service in PINNED else product_id(service, 0 if self.listed else self.number),
            meter_number=key if service is Service.UTILITY else None,
            account_number=key if service is Service.BILL_PAYMENT else None,
            mobile_number=msisdn(key) if service in (Service.AIRTIME_PINLESS, Service.DATA_PINLESS) else None,
            pinned=service in (Service.AIRTIME_PINNED, Service.DATA_PINNED),
        )


def product_id(service: Service, number: int) -> str:
    """Build a product's id: 20 characters, opaque to clients."""
    prefix = PRODUCT_PREFIXES[service]
    return f"{prefix}{number:0{PRODUCT_ID_CHARACTERS - len(prefix)}d}"


def _refused(number: int, code: int, why: str, told: Told = Told.OUTCOME) -> Scenario:
    says = f"The purchase is refused with {code}: {why}."
    return Scenario(
        number=number, name=f"refused-{code}", says=says, vends=False, told=told, faults=(SwitchFault(Effect.REFUSED, code=code),)
    )


def _after(number: int, effect: Effect, says: str, told: Told = Told.NOTHING, services: frozenset[Service] = ALL) -> Scenario:
    """The switch vends, and then a fault spoils the answer."""
    return Scenario(number=number, name=effect.value, says=says, services=services, told=told, faults=(SwitchFault(effect),))


def _before(number: int, effect: Effect, says: str, told: Told) -> Scenario:
    """A fault strikes, and the switch does not vend."""
    return Scenario(number=number, name=effect.value, says=says, vends=False, told=told, faults=(SwitchFault(effect),))


def _shape(number: int, shape: TokenShape, says: str, goods: Goods = PLAIN_GOODS) -> Scenario:
    return _electricity(number, f"tokens-{shape.value}", says, replace(goods, token_shape=shape))


def _pending(number: int, status: int, meanwhile: str, *, comes: bool, reprint_tells: bool) -> Scenario:
    """The answer states that the sale is being processed."""
    end = "it is carried out 10 seconds later" if comes else "it is never carried out"
    return Scenario(
        number=number,
        name=f"{'processing' if comes else 'processing-for-ever'}-{status}",
        says=f"A {status} with a `transactionId` says `PROCESSING`; {end}, and {meanwhile}.",
        vends=comes,
        told=Told.NOTHING,
        pending=Pending(status, comes, reprint_tells),
    )


def _arrears(percent: int, *, free_units: bool = False) -> Goods:
    return Goods(free_units=free_units, shares=(Share("Arrears", percent),))


def _electricity(number: int, name: str, says: str, goods: Goods) -> Scenario:
    return Scenario(number=number, name=name, says=says, services=UTILITY, goods=goods)


def _lost(number: int, name: str, says: str, *more: SwitchFault, lag: float = 0, repeated: RepeatedRequestId | None = None) -> Scenario:
    """The answer is lost after the vend, and the client's next attempt fails, too."""
    faults = (SwitchFault(Effect.REPLY_LOST), *more)
    return Scenario(
        number=number, name=name, says=says, told=Told.NOTHING, faults=faults, reprint_lag_seconds=lag, repeated_request_id=repeated
    )


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(number=0, name="plain", says="Everything works."),
    _electricity(1, "free-units", "A free token of 50 kWh comes before the credit token.", Goods(free_units=True)),
    _electricity(2, "key-change", "Two key change tokens come before the credit token.", Goods(key_change=True)),
    _electricity(
        3,
        "key-change-and-free",
        "Two key change tokens, then a free token, then the credit token.",
        Goods(key_change=True, free_units=True),
    ),
    _electricity(4, "arrears", "40 % of the amount goes to arrears (in `fixedCosts`), the rest to units.", _arrears(40)),
    _electricity(5, "all-debt", "The whole amount goes to arrears: no units, and no token is due.", _arrears(100)),
    _electricity(6, "online-meter", "The meter is online: units, and no token is due.", Goods(online_meter=True)),
    Scenario(
        number=7,
        name="minimum-339",
        says="The prevend says a minimum of R339.26, and a purchase below it is refused with 1001.",
        services=UTILITY,
        amount_cents=40_000,
        minimum_cents=ARREARS_MINIMUM_CENTS,
        refused_below_cents=ARREARS_MINIMUM_CENTS,
    ),
    Scenario(
        number=8,
        name="minimum-untrue",
        says="The prevend says a minimum of R10, but a purchase below R30 is refused with 1001.",
        services=UTILITY,
        vends=False,
        amount_cents=2_000,
        refused_below_cents=3_000,
    ),
    Scenario(
        number=9,
        name="unknown",
        says="The prevend is refused with 1016: no such meter or account.",
        services=PREVENDED,
        vends=False,
        faults=(SwitchFault(Effect.REFUSED, on=Leg.PREVEND, code=1016),),
    ),
    Scenario(
        number=10,
        name="slow-prevend",
        says="The prevend takes 35 seconds; then everything works.",
        services=PREVENDED,
        faults=(SwitchFault(Effect.SLOW, on=Leg.PREVEND),),
    ),
    Scenario(
        number=11,
        name="prevend-fails",
        says="The prevend ends in a 502.",
        services=PREVENDED,
        vends=False,
        faults=(SwitchFault(Effect.FAILED_BEFORE, on=Leg.PREVEND),),
    ),
    Scenario(
        number=12,
        name="prevend-used-up",
        says="The prevend succeeds, but the purchase finds it used up (1003).",
        services=PREVENDED,
        vends=False,
        told=Told.NOTHING,
        prevend_used_up=True,
    ),
    Scenario(
        number=13,
        name="convenience-fee",
        says="A convenience fee of R5.50 is on the answer.",
        services=frozenset({Service.BILL_PAYMENT}),
        goods=Goods(convenience_fee=True),
    ),
    Scenario(number=14, name="no-pin", says="The answer has a serial number and no PIN.", services=PINNED, goods=Goods(pin=False)),
    _electricity(
        15,
        "free-alone",
        "A free token of 50 kWh comes alone: the whole amount goes to arrears.",
        _arrears(100, free_units=True),
    ),
    _electricity(16, "credit-before-free", "The credit token comes before the free token.", Goods(free_units=True, credit_first=True)),
    _electricity(17, "refund", "A refund token of 12.5 kWh comes after the credit token.", Goods(refund=True)),
    _electricity(
        18,
        "two-debts",
        "Two debts and a service charge are taken from the amount; each debt says its balance.",
        Goods(shares=(Share("Water arrears", 25, 123_450), Share("Rates arrears", 15, 98_765), Share("Service charge", 10))),
    ),
    _electricity(19, "tariff-steps", "The units of each step of the tariff are itemised, and the VAT.", Goods(itemised="steps")),
    _refused(20, 1000, "the product does not exist"),
    _refused(21, 1001, "the amount is invalid"),
    _refused(22, 1002, "the product cannot be sourced"),
    _refused(23, 1003, "the transaction does not exist, which proves nothing", Told.NOTHING),
    _refused(24, 1008, "the merchant's credit is used up"),
    _refused(25, 1010, "a merchant error"),
    _refused(26, 1011, "the product is not available"),
    _refused(27, 1013, "the mobile number is invalid"),
    _refused(28, 1016, "a consumer account error"),
    _refused(29, 1099, "a code that nobody has documented", Told.NOTHING),
    _before(30, Effect.RATE_LIMITED, "The purchase is answered with 429.", Told.OUTCOME),
    _before(31, Effect.UNAUTHORISED, "The purchase is answered with 401, however new the access token.", Told.OUTCOME),
    _before(32, Effect.FAILED_BEFORE, "The purchase ends in a 502, and nothing is vended.", Told.NOTHING),
    _before(33, Effect.LOST_BEFORE, "The connection is cut, and nothing is vended.", Told.NOTHING),
    _before(34, Effect.WRONG_HOST, "An empty page comes back with status 200, and nothing is vended.", Told.NOTHING),
    Scenario(
        number=35,
        name="blocked-meter",
        says="The prevend is refused with 1016: the meter is blocked.",
        services=UTILITY,
        vends=False,
        faults=(SwitchFault(Effect.REFUSED, on=Leg.PREVEND, code=1016, detail="Meter is blocked."),),
    ),
    Scenario(
        number=36,
        name="above-maximum",
        says="The prevend says no maximum, but a purchase above R1000 is refused with 1001.",
        services=UTILITY,
        vends=False,
        amount_cents=150_000,
        refused_above_cents=100_000,
    ),
    Scenario(
        number=37,
        name="product-gone",
        says="The list no longer has the product that the request names.",
        services=UTILITY,
        vends=False,
        listed=False,
    ),
    _after(40, Effect.REPLY_LOST, "The connection is cut after vending."),
    _after(41, Effect.FAILED_AFTER, "A 502 comes back after vending."),
    _after(42, Effect.PAGE_AFTER, "The web app's page comes back after vending, with status 200."),
    _after(43, Effect.CUT_JSON, "Half of the JSON comes back after vending."),
    _after(44, Effect.LATE, "The answer comes 90 seconds after vending."),
    _after(45, Effect.SILENT, "No answer ever comes after vending, and the connection stays open."),
    _after(46, Effect.VENDS_LATE, "No answer comes, and the vend happens only 90 seconds after the request."),
    _after(47, Effect.DRIPPED, "The answer drips in over 90 seconds after vending."),
    _after(48, Effect.NO_TRANSACTION_ID, "The answer after vending lacks its `transactionId`."),
    _lost(50, "reprint-lags", "The reply is lost, and a reprint says 1003 for the next 120 seconds.", lag=120),
    _lost(
        51,
        "reprint-never-knows",
        "The reply is lost, and a reprint always says 1003.",
        SwitchFault(Effect.REFUSED, on=Leg.REPRINT, code=1003),
    ),
    _lost(52, "reprint-not-allowed", "The reply is lost, and a reprint says 1012.", SwitchFault(Effect.REFUSED, on=Leg.REPRINT, code=1012)),
    _lost(53, "reprint-differs", "The reply is lost, and a reprint speaks of R10 more.", SwitchFault(Effect.WRONG_AMOUNT, on=Leg.REPRINT)),
    _lost(54, "repeat-rejected", "The reply is lost, and a repeat of its `requestId` is refused with 1010.", repeated="reject"),
    _lost(55, "repeat-replayed", "The reply is lost, and a repeat of its `requestId` is the same vend.", repeated="replay"),
    _lost(56, "repeat-vends-again", "The reply is lost, and a repeat of its `requestId` vends again.", repeated="vend_again"),
    _shape(60, TokenShape.VALUE, "The digits are under `value`."),
    _shape(61, TokenShape.TOKEN_VALUE, "The digits are under `tokenValue`."),
    _shape(62, TokenShape.PIN, "The digits are under `pin`."),
    _shape(63, TokenShape.STRINGS, "The tokens are bare strings."),
    _shape(64, TokenShape.GROUPED, "The digits come in groups of four."),
    _shape(65, TokenShape.NINETEEN_DIGITS, "The token has 19 digits; a reprint delivers it whole."),
    _shape(66, TokenShape.EMPTY, "The token array is empty; a reprint delivers the token."),
    _shape(67, TokenShape.MISSING, "There is no token array; a reprint delivers the token."),
    _shape(68, TokenShape.UNHEARD_OF, "The digits are under `stsToken`, which nobody has seen; a reprint delivers the token."),
    _shape(69, TokenShape.SLIP, "There is a slip to print and no token array; a reprint delivers the token.", Goods(itemised="energy")),
    _after(70, Effect.LONE_SURROGATE, "A text in the answer holds half a character (a lone surrogate).", Told.UNREADABLE),
    _after(71, Effect.NUL, "A text in the answer holds a NUL character.", Told.UNREADABLE),
    _after(72, Effect.DEEPLY_NESTED, "The answer holds arrays nested 100 000 deep.", Told.UNREADABLE),
    _after(73, Effect.ONE_MEBIBYTE, "The answer holds a text of 1 MiB.", Told.UNREADABLE),
    _after(74, Effect.TWO_MEBIBYTES, "The answer holds a text of 2 MiB.", Told.UNREADABLE),
    _pending(80, 202, "a reprint says the same until then", comes=True, reprint_tells=True),
    _pending(81, 200, "a reprint says 1003 until then", comes=True, reprint_tells=False),
    _pending(82, 202, "a reprint says 1003", comes=False, reprint_tells=False),
    _pending(83, 200, "a reprint says the same", comes=False, reprint_tells=True),
    _after(
        84,
        Effect.ANOTHER_RECIPIENT,
        "The answer after vending is another sale's: another `transactionId`, another meter, account or mobile number.",
        services=ALL - PINNED,
    ),
    _after(
        85,
        Effect.ANOTHER_REQUEST,
        "The answer after vending is another sale's: another `transactionId`, and another `requestId`.",
    ),
    _after(86, Effect.HALF_AMOUNT, "The answer speaks of half the amount.", Told.OUTCOME),
    _after(87, Effect.SAYS_UNSUCCESSFUL, 'The answer after vending says `"success": false`.'),
    _before(88, Effect.SAYS_FAILED, "A 200 with a `transactionId` says `Failed`, and nothing is vended.", Told.NOTHING),
    _before(89, Effect.SAYS_PROBLEM, "A 200 with a `transactionId` is a problem without a code, and nothing is vended.", Told.NOTHING),
    _shape(90, TokenShape.NUMBERED, "The kinds are KCT1, KCT2, BSST, STD, REFUND and PWRLMT.", EVERY_KIND),
    _shape(91, TokenShape.ABBREVIATED, "The kinds are KC, KC and STD.", Goods(key_change=True)),
    _shape(92, TokenShape.PIPED, "The digits of three tokens are one text, joined by upright bars.", Goods(key_change=True)),
    _shape(93, TokenShape.LISTED, "The digits of three tokens are one text in one object, joined by commas.", Goods(key_change=True)),
    _shape(94, TokenShape.SPACED, "The digits of three tokens are one text in an array, joined by blanks.", Goods(key_change=True)),
)
PLAIN: Final = SCENARIOS[0]

_BY_NUMBER: Final = {scenario.number: scenario for scenario in SCENARIOS}


def scenario_numbered(number: int) -> Scenario:
    """Return the scenario of that number; plain for a number that only a newer version of the table has."""
    return _BY_NUMBER.get(number, PLAIN)


def scenario_of(service: Service, key: str) -> Scenario:
    """Return the scenario that a meter, account, local mobile number or product plays; plain for any other."""
    number = int(key[-2:]) if key[-2:].isdecimal() else 0
    scenario = _BY_NUMBER.get(number, PLAIN)
    return scenario if service in scenario.services and scenario.key(service) == key else PLAIN

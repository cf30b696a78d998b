"""What is sold in the simulation: the catalogue, the orders that callers may make, and what a sale says when it is answered."""

from datetime import datetime
from typing import Final, NamedTuple

from shared.domain.catalogue import Product
from shared.domain.money import Money
from shared.domain.transaction import Transaction
from shared.domain.vas import Order, VasType

CATALOGUE: Final = {
    VasType.UTILITY: (Product(VasType.UTILITY, "electricity", "Electricity"),),
    VasType.BILL_PAYMENT: (Product(VasType.BILL_PAYMENT, "biller", "Biller", minimum_amount=Money(1000)),),
    VasType.AIRTIME: (
        Product(VasType.AIRTIME, "airtime", "Airtime", minimum_amount=Money(500), maximum_amount=Money(50_000)),
        Product(VasType.AIRTIME, "airtime-pin", "Airtime R10", pinned=True, fixed_amount=True, amount=Money(1000)),
    ),
    VasType.DATA: (
        Product(VasType.DATA, "data", "Data 1 GB", fixed_amount=True, amount=Money(4900)),
        Product(VasType.DATA, "data-pin", "Data 1 GB", pinned=True, fixed_amount=True, amount=Money(2900)),
    ),
    VasType.VOUCHER: (Product(VasType.VOUCHER, "voucher", "Voucher R50", fixed_amount=True, amount=Money(5000)),),
}
PRICES: Final = {row.merchant_product_id: row.amount.cents for rows in CATALOGUE.values() for row in rows if row.amount is not None}


GARBLED: Final = {"a token garbled": 0, "the last token garbled": -1}  # and which one
ALL_BUT_THE_LAST: Final = "all but the last token missing"
UNITS_WITHOUT_A_TOKEN: Final = "units without a token"
JOINED: Final = "joined"  # the form in which all tokens stand in one text


class Want(NamedTuple):
    """An order, and the fingerprint of the request for it."""

    order: Order
    fingerprint: str


def _wants() -> tuple[Want, ...]:
    orders = [
        Order(vas_type=VasType.UTILITY, amount=Money(cents), merchant_product_id=product, meter_number=meter)
        for meter in ("12345678901", "12345678902")
        for cents, product in ((10_000, None), (5_000, "electricity"))
    ]
    orders += [
        Order(vas_type=VasType.BILL_PAYMENT, amount=Money(20_000), merchant_product_id="biller", account_number="135609708"),
        Order(vas_type=VasType.BILL_PAYMENT, amount=Money(35_050), merchant_product_id="biller", account_number="135609708"),
        Order(vas_type=VasType.AIRTIME, amount=Money(5_000), merchant_product_id="airtime", mobile_number="27720012345"),
        Order(vas_type=VasType.AIRTIME, amount=Money(1000), merchant_product_id="airtime-pin", pinned=True),
        Order(vas_type=VasType.DATA, amount=Money(4900), merchant_product_id="data", mobile_number="27830012300"),
        Order(vas_type=VasType.DATA, amount=Money(2900), merchant_product_id="data-pin", pinned=True),
        Order(vas_type=VasType.VOUCHER, amount=Money(5000), merchant_product_id="voucher"),
    ]
    return tuple(Want(order, f"request {number}") for number, order in enumerate(orders))


WANTS: Final = _wants()
IMPOSSIBLE: Final = Want(
    Order(vas_type=VasType.VOUCHER, amount=Money(4999), merchant_product_id="voucher"), "the catalogue has another price"
)


class Vend:
    """One sale in the supplier's books: what it really sold. `tokens` are what the customer must type, in order, or one PIN."""

    __slots__ = (
        "answered",
        "at",
        "cents",
        "charges",
        "online",
        "pinned",
        "posted_days_later",
        "recipient",
        "request_id",
        "supplier_id",
        "tokens",
        "vas_type",
        "visible_at",
    )

    at: datetime  # these two once it is in the books
    visible_at: datetime

    def __init__(self, request_id: str, vas_type: VasType, recipient: str | None, cents: int, *, pinned: bool) -> None:
        self.request_id = request_id
        self.vas_type = vas_type
        self.recipient = recipient
        self.cents = cents
        self.pinned = pinned
        self.supplier_id = ""
        self.tokens: tuple[str, ...] = ()
        self.online = False
        self.charges = 0
        self.answered = False  # as a sale, to the request itself
        self.posted_days_later = 0  # in the file of another day than its own


def id_on_record(sale: Transaction) -> str | None:
    """The supplier's id that we hold, in lower case: it writes GUIDs in any."""
    held = sale.receipt.supplier_transaction_id if sale.receipt is not None else None
    return None if held is None else held.lower()


def slip(vend: Vend, token_form: str, *, spoilt: str = "", capitals: bool = False, more: str = "", cents: int | None = None) -> bytes:
    """The supplier's words about a sale. `token_form` is the key that holds a token, `text` or `joined`; `spoilt` says what is wrong.

    `more` are further members of it; `cents` is the amount that it names, where that is not the sale's own.
    """
    named = "" if spoilt == "no id" else f'"transactionId":"{vend.supplier_id.upper() if capitals else vend.supplier_id}",'
    head = f'{{"timestamp":"2026-05-01T10:00:00+02:00",{named}{more}'
    rand = _rand(vend.cents if cents is None else cents)
    if vend.vas_type is VasType.UTILITY:
        if spoilt == UNITS_WITHOUT_A_TOKEN:
            return f'{head}"additionalDetails":{{"productAmount":"{rand}",{_units_sold(vend)}}}}}'.encode()
        numbers = [] if spoilt == "no token" else [*vend.tokens]
        if numbers and spoilt in GARBLED:
            numbers[GARBLED[spoilt]] = "12 34"
        if spoilt == ALL_BUT_THE_LAST:
            del numbers[:-1]
        charges = f'{{"description":"Arrears","amount":{rand}}}' if vend.charges else ""
        online = "true" if vend.online else "false"
        said = _tokens(numbers, len(vend.tokens), token_form)
        details = f'"productAmount":"{rand}","receiptNumber":"R1","fixedCosts":[{charges}],"tokens":[{said}],"onlineMeter":{online}'
        return f'{head}"additionalDetails":{{{details}}}}}'.encode()
    if vend.vas_type is VasType.BILL_PAYMENT:
        return f'{head}"amount":{rand},"accountNumber":"{vend.recipient}","accountHolder":"TEST","convenienceFee":0}}'.encode()
    if vend.vas_type is VasType.VOUCHER or vend.pinned:
        pin = "17" if spoilt == "no token" or spoilt in GARBLED else f'"{vend.tokens[0]}"'
        return f'{head}"additionalDetails":{{"pin":{pin},"productAmount":"{rand}"}}}}'.encode()
    return f'{head}"amount":{rand},"mobileNumber":"{vend.recipient}","referenceNumber":"F1"}}'.encode()


def _rand(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _tokens(numbers: list[str], issued: int, token_form: str) -> str:
    """So many tokens as the members of a list. The last of all that were issued is the credit token."""
    if token_form == JOINED:
        return f'"{"|".join(numbers)}"' if numbers else ""
    if token_form == "text":
        return ",".join(f'"{number}"' for number in numbers)
    first = issued - len(numbers)
    kinds = ["Credit" if first + at == issued - 1 else "KCT" for at in range(len(numbers))]
    return ",".join(f'{{"{token_form}":"{number}","type":"{kind}"}}' for number, kind in zip(numbers, kinds, strict=True))


def _units_sold(vend: Vend) -> str:
    """Units whose token is left out, beside charges that are no proof of anything: one of three ways to write that."""
    energy = vend.cents * 100 // 115
    match int(vend.supplier_id[-1]) % 3:
        case 0:
            parts = ("Energy", energy), ("VAT", vend.cents - energy)
            rows = ",".join(f'{{"description":"{name}","amount":{_rand(cents)}}}' for name, cents in parts)
            return f'"units":29.7,"fixedCosts":[{rows}]'
        case 1:
            return f'"unitsIssued":"29.7","fixedCosts":[{{"description":"Arrears","amount":{_rand(vend.cents)}}}]'
        case _:
            return f'"fixedCosts":[{{"description":"Arrears","amount":{_rand(vend.cents)},"kWh":29.7}}]'

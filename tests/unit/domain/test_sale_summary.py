"""What settlement sees of a sale: each field as it is on record, and what is due to the customer if it vended."""

import pytest
from msgspec import structs

from shared.domain.money import Money
from shared.domain.outcome import Charge, Receipt, TokensDue, Unknown, Vended
from shared.domain.sale_summary import Sold, brings_token, seen, unsettled
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, Order, VasType
from tests.step_driver import START, World, electricity, run

FEES = (
    Charge("convenience fee", Money(725)),
    Charge("convenience fee", None),
    Charge("Convenience fee", Money(1)),
    Charge("arrears", Money(2)),
    Charge(None, Money(4)),
    Charge("convenience fee", Money(8)),
)


def sold(answer):
    world = World(answers=[answer])
    return run(world.vending.purchase(electricity(cents=12_300))).transaction


def test_every_compared_field_is_as_on_record():
    sale = sold(Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING, charges=FEES)))
    assert Sold.of(sale) == Sold(
        id=sale.id,
        request_id=sale.request_id,
        state=State.VENDED,
        amount_cents=12_300,
        vas_type=VasType.UTILITY,
        recipient="12345678901",
        supplier_transaction_id="s-1",
        day=sale.day,
        created_at=START,
        sent_by=None,
        sign_of_vend=True,
        token_due=True,
        fee_cents=733,
        supplier_id="MOBILEMART",
    )


def test_a_sale_in_doubt_has_the_end_of_its_send_and_a_token_due():
    sale = sold(Unknown("ReadTimeout"))
    row = Sold.of(structs.replace(sale, send_ended_at=START))
    assert (row.state, row.sent_by, row.sign_of_vend, row.token_due) == (State.IN_DOUBT, START, False, True)
    assert (row.supplier_transaction_id, row.fee_cents) == (None, 0)


def test_a_process_that_died_may_have_sent_until_the_end_of_its_lease():
    sale = structs.replace(sold(Unknown("ReadTimeout")), send_ended_at=None)
    assert sale.lease_until > sale.created_at
    assert Sold.of(sale).sent_by == sale.lease_until


@pytest.mark.parametrize("due", TokensDue)
def test_of_a_vended_sale_a_token_is_due_only_while_it_is_pending(due):
    sale = sold(Vended(Receipt(supplier_transaction_id="s-1", tokens_due=due)))
    assert Sold.of(structs.replace(sale, send_ended_at=START)).sent_by is None
    assert Sold.of(sale).token_due is (due is TokensDue.PENDING)


@pytest.mark.parametrize("service", VasType)
def test_electricity_vouchers_and_pinned_orders_bring_a_number_to_type(service):
    order = Order(vas_type=service, amount=Money(100), merchant_product_id="p")
    assert brings_token(order) is (service in {VasType.UTILITY, VasType.VOUCHER})
    assert brings_token(structs.replace(order, pinned=True))


def test_a_row_shows_four_digits_of_whom_it_was_for():
    text = repr(Sold.of(sold(Unknown("lost"))))
    assert "12345678901" not in text and "8901" in text and "12300 cents" in text and "in_doubt, utility" in text


def test_a_sale_that_settlement_cannot_compare_is_named_with_its_ids():
    sale = sold(Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.NONE)))
    assert unsettled(sale) == Unread(
        id=sale.id,
        unknown=("VasType utility",),
        mode=sale.mode,
        caller=sale.caller,
        order=sale.order,
        request_id=sale.request_id,
        supplier_transaction_id="s-1",
        version=sale.version,
        created_at=START,
        day=sale.day,
    )
    assert unsettled(sold(Unknown("lost"))).supplier_transaction_id is None
    assert seen(unsettled(sale)) == unsettled(sale) and seen(sale) == Sold.of(sale)


def test_a_tombstone_is_compared_by_all_its_fields_and_names_no_recipient():
    stone = Tombstone(
        id="t-1",
        mode=Mode.LIVE,
        caller="c",
        fingerprint="f",
        retired_at=START,
        supplier_id="MOBILEMART",
        request_id="r-1",
        supplier_transaction_id="s-1",
        state=State.VENDED,
        vas_type=VasType.DATA,
        amount=Money(500),
        fee_cents=7,
        created_at=START,
        day=START.date(),
    )
    assert seen(stone) == Sold(
        id="t-1",
        request_id="r-1",
        state=State.VENDED,
        amount_cents=500,
        vas_type=VasType.DATA,
        recipient=None,
        supplier_transaction_id="s-1",
        day=START.date(),
        created_at=START,
        sent_by=None,
        sign_of_vend=False,
        token_due=False,
        fee_cents=7,
        supplier_id="MOBILEMART",
        is_nameless=True,
    )


@pytest.mark.parametrize(
    ("erased", "recipient", "pinned", "is_nameless"),
    [(True, None, False, True), (False, None, False, False), (True, "12345678901", False, False), (True, None, True, False)],
)
def test_a_sale_is_nameless_if_its_recipient_was_erased(erased, recipient, pinned, is_nameless):
    sale = sold(Unknown("lost"))
    order = structs.replace(sale.order, meter_number=recipient, pinned=pinned)
    row = Sold.of(structs.replace(sale, order=order, erased_at=START if erased else None))
    assert (row.is_nameless, row.recipient) == (is_nameless, recipient)
    assert "to=None" in repr(Sold.of(structs.replace(sale, order=structs.replace(order, meter_number=None))))


def test_a_sale_of_a_service_that_newer_code_sells_counts_as_not_read():
    sale = sold(Unknown("lost"))
    newer = structs.replace(sale, order=structs.replace(sale.order, vas_type="lottery"))
    assert seen(newer) == unsettled(newer) and seen(newer).unknown == ("VasType lottery",)

"""Who sold it: `supplierId` is set when a sale begins, by nobody but us, and stands wherever the sale is shown."""

import csv
import io
from datetime import UTC, date, datetime

import pytest
from msgspec import structs

from shared.domain.money import Money
from shared.domain.outcome import Answer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.policy import ConsumerDetails
from shared.domain.sale_summary import Sold
from shared.domain.transaction import EventName, Transaction, transition
from shared.domain.vas import Mode, VasType
from shared.ports.documents import DocumentKind
from shared.schemas.problems import Problem
from shared.schemas.requests import Limits, purchase_request
from shared.schemas.responses import event_body, transaction_body
from shared.schemas.transaction_detail import dossier_body
from shared.settlement.reporting import Reporting
from shared.settlement.settled_day import day_as_read, difference_as_read
from shared.store.transaction_documents import transaction_document, transaction_of, transaction_update
from shared.vending.contradictions import discrepancies
from shared.web.report_csv import csv_of
from shared.web.report_html import html_of
from tests.archive import Archive, bill
from tests.sales import CALLER, NOON, in_doubt, rejected, vended
from tests.step_driver import START, World, electricity, one_by_one, run

DAY = date(2026, 5, 1)
MORNING = datetime(2026, 5, 2, 4, tzinfo=UTC)
LISTS = ("carriedOut", "carriedIn", "healed", "open", "tokensToRecover")


@pytest.mark.parametrize(("mode", "supplier_id"), [(Mode.LIVE, "MOBILEMART"), (Mode.SIMULATED, "SIMULATED")])
def test_a_sale_begins_with_the_supplier_of_its_mode(mode, supplier_id):
    world = World()
    world.rules = structs.replace(world.rules, mode=mode)
    sale = run(world.vending.purchase(electricity())).transaction
    assert sale.supplier_id == supplier_id == world.sales[sale.id].supplier_id


def test_a_caller_cannot_say_who_sells():
    body = {"meterNumber": "12345678901", "amountCents": 10_000, "supplierId": "MOBILEMART"}
    with pytest.raises(Problem) as refused:
        purchase_request(VasType.UTILITY, body, Limits(Money(100), Money(500_000)), caller=CALLER, idempotency_key="key-1")
    assert [error["field"] for error in refused.value.members["errors"]] == ["supplierId"]


@pytest.mark.parametrize("sale", [vended(), in_doubt(), rejected(Rejected(Reason.METER_UNKNOWN, "1011"))], ids=lambda sale: sale.state)
def test_every_sale_event_and_dossier_says_who_sells(sale):
    assert transaction_body(sale, sale.state, ConsumerDetails.MASKED)["supplierId"] == "SIMULATED"
    assert event_body(EventName.VENDED, sale, ConsumerDetails.MASKED)["supplierId"] == "SIMULATED"
    assert dossier_body(sale, NOON)["supplierId"] == Sold.of(sale).supplier_id == "SIMULATED"


def test_what_contradicts_a_sale_says_who_sells():
    contradicted = transition(vended(), Answer(Rejected(Reason.METER_UNKNOWN, "1011")), at=NOON, by="reprint", retry_seconds=60)
    (paper,) = discrepancies(contradicted)
    assert paper.body["ours"]["supplierId"] == "SIMULATED"


def test_the_supplier_id_is_stored_beside_the_record_for_older_code():
    sale = vended()
    document = transaction_document(sale)
    assert document["supplierId"] == "SIMULATED" and "supplier_id" not in document["record"]
    assert "supplierId" not in transaction_update(sale, structs.replace(sale, version=9))[1]


def test_a_record_without_a_supplier_id_has_the_supplier_of_its_mode():
    sale = vended()
    document = transaction_document(sale)
    del document["supplierId"]
    assert transaction_of(document, None) == sale
    another = transaction_of({**document, "supplierId": "ANOTHER"}, None)
    assert another.supplier_id == "ANOTHER" == transaction_document(another)["supplierId"]
    assert structs.replace(another, version=9).supplier_id == "ANOTHER"


def settled_world() -> Archive:
    """A day with a sale carried out, one without its token, a doubt that the file ends, one that it does not, and a difference."""
    world = Archive(now=MORNING)
    said = {"billed late": True, "token due": False, "proven": None, "open": None, "amount differs": True}
    sales: dict[str, Transaction] = {}
    for number, (name, delivers) in enumerate(said.items()):
        world.now = datetime(2026, 5, 1, 21, 55, tzinfo=UTC) if name == "billed late" else START
        due = TokensDue.NONE if delivers else TokensDue.PENDING
        receipt = Receipt(supplier_transaction_id=f"bbbbbbbb-0000-4000-8000-{number:012d}", tokens_due=due)
        world.answers = [Unknown("lost") if delivers is None else Vended(receipt)]
        asked = electricity(f"key-{number}", cents=10_000 + number, allow_duplicate=True)
        sales[name] = run(world.vending.purchase(asked)).transaction
    world.now = MORNING
    differs = bill(sales["amount differs"])._replace(amount="99")
    world.deliver(DAY, bill(sales["token due"]), bill(sales["proven"]), differs)
    run(world.settling().settle(DAY, datetime(2027, 1, 1, tzinfo=UTC)))
    return world


def test_every_row_of_a_settled_day_and_of_its_report_says_who_sold():
    world = settled_world()
    body = world.days["live-2026-05-01"]
    rows = [row for name in LISTS for row in body[name]] + [found["ours"] for found in body["discrepancies"] if found["ours"]]
    assert all(body[name] for name in ("carriedOut", "healed", "open", "tokensToRecover")) and body["discrepancies"]
    assert {row["supplierId"] for row in rows} == {"MOBILEMART"}

    report = run(Reporting(store=world, mode=Mode.LIVE, now=lambda: world.now, each=one_by_one).day(DAY))
    now = report.json()["now"]
    assert {row["supplierId"] for row in (*now["inDoubt"]["sales"], *now["tokensToRecover"])} == {"MOBILEMART"}
    of_sales = [row for row in csv.DictReader(io.StringIO(csv_of(report).decode(), newline="")) if row["transactionId"]]
    assert {row["supplierId"] for row in of_sales} == {"MOBILEMART"}
    assert {row["section"] for row in of_sales} == {"discrepancy", "in doubt sale", "token to recover"}
    assert html_of(report).decode().count("MOBILEMART") == len(of_sales)


def test_a_day_stored_without_a_supplier_id_settles_to_the_same_result():
    world = settled_world()
    for (kind, name), paper in list(world.papers.items()):
        if kind in (DocumentKind.SETTLEMENTS, DocumentKind.DISCREPANCIES):
            world.papers[kind, name] = structs.replace(paper, body=_without(paper.body))
    assert "supplierId" not in str(world.days)

    world.written = 0
    (again,) = run(world.settling().settle(DAY, datetime(2027, 1, 1, tzinfo=UTC))).days
    assert again["version"] == 1 and {row["supplierId"] for name in LISTS for row in again[name]} == {"MOBILEMART"}
    report = run(Reporting(store=world, mode=Mode.LIVE, now=lambda: world.now, each=one_by_one).day(DAY))
    assert all(found["ours"]["supplierId"] == "MOBILEMART" for found in report.json()["discrepancies"] if found["ours"])


def test_reading_a_day_changes_no_row_that_has_a_supplier_id():
    body = {"day": "2026-05-01", "open": [{"supplierId": "ANOTHER"}, {}], "discrepancies": [{"ours": None}, {"ours": {}}]}
    read = day_as_read(body, Mode.SIMULATED)
    assert read["open"] == [{"supplierId": "ANOTHER"}, {"supplierId": "SIMULATED"}]
    assert read["discrepancies"][0] == {"ours": None}
    assert difference_as_read({"ours": {"state": "vended"}}, Mode.LIVE)["ours"]["supplierId"] == "MOBILEMART"


def _without(value):
    match value:
        case dict():
            return {name: _without(held) for name, held in value.items() if name != "supplierId"}
        case list():
            return [_without(held) for held in value]
        case _:
            return value

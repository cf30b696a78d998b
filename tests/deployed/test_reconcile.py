"""The archive of reconcile, among the others: doubts end by the sweep, and the day balances against the supplier's own file."""

from functools import partial

from shared.mobilemart.simulator import PLAIN, Service
from tests.days import long_today
from tests.deployed.processes import SIMULATOR, TELLS_WHAT_IT_LOADS, Function, loaded_by, until
from tests.deployed.surroundings import Surroundings
from tests.deployed.wallet import body_of, named, new_key
from tests.stand_ins.storage import storage

LOST = named("reply-lost")
BUCKET = "demo-settlement"


def swept(reconcile: Function) -> dict[str, int]:
    return reconcile.http.post("/sweep").raise_for_status().json()  # type: ignore[no-any-return]


def test_a_lost_answer_ends_by_itself_and_the_day_balances(surroundings: Surroundings) -> None:
    topic, supplier, wallet = surroundings.topic(), surroundings.platform.supplier("--unmarked"), surroundings.wallet()
    today = long_today()
    with storage(BUCKET) as bucket:
        environment = surroundings.live(topic, supplier, SETTLEMENT_FILES=f"gs://{BUCKET}/in", STORAGE_EMULATOR_HOST=bucket.address)
        started = [surroundings.platform.start(name, environment | TELLS_WHAT_IT_LOADS) for name in ("purchase", "reconcile")]
        purchase, reconcile = (function.ready() for function in started)

        until(partial(wallet.sells, purchase, PLAIN, Service.UTILITY))
        doubtful = wallet.buy(purchase, "utility", body_of(LOST, Service.UTILITY), new_key())
        assert (doubtful.status_code, doubtful.json()["receipt"]) == (202, None)

        assert swept(reconcile)["vended"] == 1
        ended = wallet.look(purchase, f"/transactions/{doubtful.json()['transactionId']}").json()
        assert (ended["state"], ended["receipt"]["tokensDue"], len(ended["receipt"]["tokens"])) == ("vended", "delivered", 1)
        told = [message.attributes["event"] for message in topic.about({ended["transactionId"]})]
        assert told == ["in_doubt", "vended"]
        assert swept(reconcile)["examined"] == 0

        bucket.deliver(*supplier.settlement_file(today))
        settled = reconcile.http.post("/settle", params={"day": today.isoformat()}).raise_for_status()
        day = settled.json()
        vends = supplier.vends()
        assert day["matched"] == {"rows": len(vends), "totalCents": sum(vend["amount_cents"] for vend in vends)}
        assert (day["status"], day["discrepancies"], day["open"]) == ("provisional", [], [])
        assert reconcile.http.post("/settle", params={"day": today.isoformat()}).content == settled.content

        page = reconcile.http.get(f"/reports/{today}.html").raise_for_status().text
        surroundings.seen.note([vend["recipient"] for vend in vends], "recipient")
        assert not [vend for vend in vends if vend["recipient"] in page]
        archive = surroundings.platform.unpacked("reconcile")
        loaded = loaded_by(reconcile.process)
        assert archive / "shared/settlement/runner.py" in loaded and archive / "shared/web/report_html.py" in loaded
        assert not [path for path in loaded if path.is_relative_to(archive / SIMULATOR)]

"""The steps without cost: each asks the supplier one thing, prints the form of the answer, and stores what it proves."""

from typing import Final

from msgspec import structs

from local.probe import findings
from local.probe.output import ProbeOutput, looks
from local.probe.structure import structure
from local.probe.switch import Switch
from local.terminal import Stop, Verdict, safe_text
from shared import bootstrap
from shared.domain.catalogue import fitted
from shared.domain.outcome import Rejected
from shared.domain.vas import PREVENDED, Order, VasType
from shared.lib.masking import last_four
from shared.mobilemart.requests import Call, products_call
from shared.mobilemart.responses import Heard, Reply

NO_METER: Final = "00000000000"  # asked if no other meter was named as one that does not exist
BAD_TOKEN: Final = "not-a-token"  # no secret


async def access(switch: Switch, output: ProbeOutput) -> None:
    """Request an access token, and the answer to a bad one.

    Raises:
        Stop: the supplier gives no token.
    """
    output.steps.begin("access token")
    refused = await switch.client.ready()
    if refused is not None:
        raise Stop(Verdict.FAIL, safe_text(refused.cause), "HTTP 401: are the credentials those of this address's environment?")
    output.steps.end(Verdict.PASS, "given")
    output.steps.begin("a bad access token")
    heard = await switch.ask(products_call(VasType.UTILITY), BAD_TOKEN)
    output.print_answer(heard)
    output.take(findings.of_refused_token(heard))


async def products(switch: Switch, output: ProbeOutput, order: Order | None) -> Order | None:
    """Request every list. Return the order, with a product if it is electricity.

    Raises:
        Stop: the order's product is not in its list, or not at this price.
    """
    for vas_type in VasType:
        output.steps.begin(f"products {vas_type}")
        listed = await switch.client.products(vas_type)
        if isinstance(listed, Rejected):
            output.steps.end(Verdict.FAIL, safe_text(listed.cause))
            continue
        heard = switch.heard()
        output.store(f"products-{vas_type}", heard)
        output.steps.end(Verdict.PASS, f"{len(listed)} that can be sold", *_fields(heard))
        if vas_type is VasType.UTILITY:
            output.take(findings.of_products(listed, switch.config.utility_product_id))
        if order is not None and order.vas_type is vas_type:
            fit = fitted(order, listed, switch.config.utility_product_id)
            if isinstance(fit, Rejected):
                raise Stop(
                    Verdict.FAIL, f"{fit.reason}: {safe_text(fit.cause)}", "--product names one of the list, --amount or --buy its price"
                )
            order = fit
    return order


def _fields(heard: Heard) -> list[str]:
    """Return the names in the rows of a list, on one line; none if the list is cached and was not sent again."""
    names = [path.rpartition("[].")[2] for path in structure(heard.json) if "[]." in path] if isinstance(heard, Reply) else []
    return [f"fields: {', '.join(names)}"] if names else []


async def reprints_of_nothing(switch: Switch, output: ProbeOutput) -> None:
    """Request reprints that can show nothing. They reveal the parameters of a reprint, and the answer to a missing sale."""
    output.steps.begin("reprint, no parameters")
    heard = await switch.ask(Call("GET", f"/v1/{VasType.UTILITY}/reprint"))
    output.print_answer(heard)
    output.take(findings.of_bare_reprint(heard))
    by_service = {vas_type: await _no_such_sale(switch, output, vas_type, "requestId") for vas_type in VasType}
    by_transaction = await _no_such_sale(switch, output, VasType.UTILITY, "transactionId")
    output.take(findings.of_absent_reprints(by_service[VasType.UTILITY], by_transaction))
    output.take(findings.of_reprint_services(by_service))


async def _no_such_sale(switch: Switch, output: ProbeOutput, vas_type: VasType, by: str) -> Heard:
    output.steps.begin(f"no such {'transaction' if by == 'transactionId' else 'request'}, {vas_type}")
    heard = await switch.ask(Call("GET", f"/v1/{vas_type}/reprint", query=((by, bootstrap.new_id()),)))
    output.print_answer(heard)
    return heard


async def prevend(switch: Switch, output: ProbeOutput, order: Order, unknown_meter: str) -> str | None:
    """Return the supplier's id of the confirmed order; `None` for a service without a prevend.

    `unknown_meter` should not exist.

    Raises:
        Stop: the order was not confirmed.
    """
    if order.vas_type not in PREVENDED:
        return None
    if order.vas_type is VasType.UTILITY:
        output.steps.begin(f"no such meter, {last_four(unknown_meter)}")
        await switch.client.prevend(structs.replace(order, meter_number=unknown_meter), bootstrap.new_id())
        heard = switch.heard()
        output.print_answer(heard)
        if isinstance(heard, Reply) and heard.delivered:
            output.steps.note("it is confirmed, and was not bought: --unknown-meter names another")
        output.take(findings.of_unknown_meter(heard))
    output.steps.begin(f"prevend {last_four(order.recipient)}")
    confirmed = await switch.client.prevend(order, bootstrap.new_id())
    heard = switch.heard()
    output.store("prevend", heard)
    if isinstance(confirmed, Rejected):
        raise Stop(Verdict.FAIL, f"{confirmed.reason}: {safe_text(confirmed.cause)}", "nothing was bought")
    least, due = confirmed.minimum_amount or "not said", confirmed.amount_due or "not said"
    output.steps.end(Verdict.PASS, f"{order.amount} confirmed; minimum {least}, due {due}", *looks(heard))
    assert isinstance(heard, Reply)  # the confirmation was read from a reply
    output.take(findings.of_prevend(heard, order))
    return confirmed.supplier_prevend_id

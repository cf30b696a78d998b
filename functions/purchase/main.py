"""purchase: POST what is wanted, and get one vend per Idempotency-Key."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from shared import api, selling, wiring

wired = wiring.configure("purchase")


@functions_framework.aio.http
@api.answers_problems(wired.config)
async def purchase(request: Request) -> Response:
    match api.path(request):
        case ("health",):
            api.allow(request, "GET")
            return api.health(wired.config)
        case ("problems", *_):
            return api.explained(request)
        case ("transactions",):
            api.allow(request, "GET")
            caller = await wired.caller(request.headers)
            return await selling.look_up(request, caller, await wired.vending(), wired.config)
        case ("transactions", transaction_id):
            api.allow(request, "GET")
            caller = await wired.caller(request.headers)
            vending = await wired.vending()
            return selling.found(await vending.find(caller, selling.sale_id(transaction_id)), vending, wired.config)
        case (name,):
            selling.allow_purchase(request, name)
            return await selling.purchase(request, name, await wired.caller(request.headers), wired.vending, wired.config)
        case _:
            raise api.no_such_path()

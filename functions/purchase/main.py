"""purchase: sells, one vend per Idempotency-Key, and shows callers their sales."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from shared import bootstrap
from shared.web import middleware, sales

wired = bootstrap.configure("purchase")


@functions_framework.aio.http
@middleware.function(wired.config)
async def purchase(request: Request) -> Response:
    match middleware.path(request):
        case ("transactions",):
            middleware.allow(request, "GET")
            caller = await wired.caller(request.headers)
            return await sales.look_up(request, caller, await wired.vending(), wired.config)
        case ("transactions", transaction_id):
            middleware.allow(request, "GET")
            caller = await wired.caller(request.headers)
            vending = await wired.vending()
            return sales.found(await vending.find(caller, sales.sale_id(transaction_id)), vending, wired.config)
        case (name,):
            sales.allow_purchase(request, name)
            return await sales.purchase(request, name, await wired.caller(request.headers), wired.vending, wired.config)
        case _:
            raise middleware.no_such_path()

"""prevend: checks a meter or account and an amount with the supplier; no money moves."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from shared import bootstrap
from shared.domain.vas import PREVENDED
from shared.schemas import responses
from shared.web import middleware, sales

wired = bootstrap.configure("prevend")


@functions_framework.aio.http
@middleware.function(wired.config)
async def prevend(request: Request) -> Response:
    match middleware.path(request):
        case (name, "products"):
            vas_type = middleware.vas_type(name)
            middleware.allow(request, "GET")
            await wired.caller(request.headers)
            vending = await wired.vending()
            return middleware.answer(responses.products_body(await vending.products(vas_type)))
        case (name,):
            vas_type = middleware.vas_type(name, PREVENDED)
            middleware.allow(request, "GET", "POST")
            caller = await wired.caller(request.headers)
            order = await sales.prevend_order(request, vas_type, wired.config)
            vending = await wired.vending()
            return middleware.answer(responses.prevend_body(await vending.prevend(caller, order), wired.config.consumer_details))
        case _:
            raise middleware.no_such_path()

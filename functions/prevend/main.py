"""prevend: check a meter or account and an amount with the supplier, before any money moves."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from shared import api, selling, shown, wiring
from shared.vas import PREVENDED

wired = wiring.configure("prevend")


@functions_framework.aio.http
@api.answers_problems(wired.config)
async def prevend(request: Request) -> Response:
    match api.path(request):
        case ("health",):
            api.allow(request, "GET")
            return api.health(wired.config)
        case ("problems", *_):
            return api.explained(request)
        case (name, "products"):
            vas_type = api.vas_type(name)
            api.allow(request, "GET")
            await wired.caller(request.headers)
            vending = await wired.vending()
            return api.answer(shown.products_body(await vending.products(vas_type)))
        case (name,):
            vas_type = api.vas_type(name, PREVENDED)
            api.allow(request, "GET", "POST")
            caller = await wired.caller(request.headers)
            order = await selling.prevend_order(request, vas_type, wired.config)
            vending = await wired.vending()
            return api.answer(shown.prevend_body(await vending.prevend(caller, order), wired.config.consumer_details))
        case _:
            raise api.no_such_path()

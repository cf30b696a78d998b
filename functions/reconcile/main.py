"""reconcile: ends what is open, balances each day, and is where operators look and decide."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from shared import api, desk, erasures, wiring

wired = wiring.configure("reconcile")


@functions_framework.aio.http
@api.answers_problems(wired.config)
async def reconcile(request: Request) -> Response:
    match api.path(request):
        case ("health",):
            api.allow(request, "GET")
            return api.health(wired.config)
        case ("problems", *_):
            return api.explained(request)
        case ("sweep",):
            api.allow(request, "POST")
            return await desk.sweep(request, await wired.sweeping())
        case ("settle",):
            api.allow(request, "POST")
            return await desk.settle(request, await wired.settling())
        case ("retention",):
            api.allow(request, "POST")
            return await erasures.retention(request, await wired.erasing())
        case _:
            return await _of_persons(request, await wired.operator(request.headers))


async def _of_persons(request: Request, operator: str) -> Response:
    """What people look at and decide. Cloud Scheduler needs none of it."""
    match api.path(request):
        case ("reports",):
            api.allow(request, "GET")
            return await desk.reports(request, await wired.reporting())
        case ("reports", name):
            api.allow(request, "GET")
            return await desk.report(request, await wired.reporting(), name)
        case ("transactions",):
            api.allow(request, "GET")
            return await desk.search(request, await wired.operating())
        case ("transactions", sale_id):
            api.allow(request, "GET")
            return await desk.dossier(request, await wired.operating(), sale_id, operator)
        case ("transactions", sale_id, "resolution"):
            api.allow(request, "POST")
            return await desk.resolution(request, await wired.operating(), sale_id, operator)
        case ("discrepancies", discrepancy_id, "closure"):
            api.allow(request, "POST")
            return await desk.closure(request, await wired.operating(), discrepancy_id, operator)
        case ("erasures",):
            api.allow(request, "GET", "POST")
            return await erasures.erasures(request, await wired.erasing(), operator)
        case ("selling",):
            api.allow(request, "GET", "POST")
            return await desk.selling(request, await wired.operating(), operator)
        case _:
            raise api.no_such_path()

"""reconcile: sweeps, settles and retains; operators look up sales and decide."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from shared import bootstrap
from shared.web import backoffice, erasures, middleware

wired = bootstrap.configure("reconcile")


@functions_framework.aio.http
@middleware.function(wired.config)
async def reconcile(request: Request) -> Response:
    match middleware.path(request):
        case ("sweep",):
            middleware.allow(request, "POST")
            return await backoffice.sweep(request, await wired.sweeping())
        case ("settle",):
            middleware.allow(request, "POST")
            return await backoffice.settle(request, await wired.settling())
        case ("retention",):
            middleware.allow(request, "POST")
            return await erasures.retention(request, await wired.erasing())
        case _:
            return await _of_persons(request, await wired.operator(request.headers))


async def _of_persons(request: Request, operator: str) -> Response:
    """The routes of operators. Cloud Scheduler needs none of them."""
    match middleware.path(request):
        case ("reports",):
            middleware.allow(request, "GET")
            return await backoffice.reports(request, await wired.reporting())
        case ("reports", name):
            middleware.allow(request, "GET")
            return await backoffice.report(request, await wired.reporting(), name)
        case ("transactions",):
            middleware.allow(request, "GET")
            return await backoffice.search(request, await wired.operating())
        case ("transactions", sale_id):
            middleware.allow(request, "GET")
            return await backoffice.dossier(request, await wired.operating(), sale_id, operator)
        case ("transactions", sale_id, "resolution"):
            middleware.allow(request, "POST")
            return await backoffice.resolution(request, await wired.operating(), sale_id, operator)
        case ("discrepancies", discrepancy_id, "closure"):
            middleware.allow(request, "POST")
            return await backoffice.closure(request, await wired.closing(), discrepancy_id, operator)
        case ("erasures",):
            middleware.allow(request, "GET", "POST")
            return await erasures.erasures(request, await wired.erasing(), operator)
        case ("selling",):
            middleware.allow(request, "GET", "POST")
            return await backoffice.selling(request, await wired.operating(), operator)
        case _:
            raise middleware.no_such_path()

"""The same probe over Firestore's own asynchronous client, as its documentation shows it."""

import hashlib
import json
import os
import uuid

import functions_framework.aio
import grpc.aio
import httpx
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.pubsub_v1 import PublisherAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from httpx_aiohttp import AiohttpTransport
from starlette.responses import JSONResponse

SUPPLIER = os.environ["SUPPLIER_URL"]
TOPIC = os.environ["EVENTS_TOPIC"]
PRODUCT = "Utility0000000000000"
UNLIMITED = httpx.Limits(max_connections=0)  # as many sales wait for the supplier as callers do; with None aiohttp has its own limit

made = {}


def clients():
    """Made with the first request, in the loop that uses them."""
    if not made:
        topic = grpc.aio.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"])
        made["firestore"] = firestore.AsyncClient()
        made["publisher"] = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=topic))
        made["http"] = httpx.AsyncClient(transport=AiohttpTransport(limits=UNLIMITED), base_url=SUPPLIER, timeout=60)
    return made["firestore"], made["publisher"], made["http"]


async def token(http):
    if "token" not in made:
        answer = await http.post("/connect/token", data={"grant_type": "client_credentials", "scope": "api"})
        made["token"] = answer.json()["access_token"]
    return {"Authorization": f"Bearer {made['token']}"}


@functions_framework.aio.http
async def sell(request):
    if request.url.path == "/health":
        return "ok"
    store, publisher, http = clients()
    asked = await request.json()
    sale_id = hashlib.sha256(request.headers["Idempotency-Key"].encode()).hexdigest()[:32]
    sales = store.collection("transactions")
    meter, cents, request_id = asked["meterNumber"], asked["amountCents"], str(uuid.uuid4())

    await sales.document(sale_id).get()
    authorised = await token(http)
    wanted = {"merchantProductId": PRODUCT, "requestId": str(uuid.uuid4()), "meterNumber": meter, "amount": cents / 100}
    prevend = (await http.get("/v1/utility/prevend", params=wanted, headers=authorised)).json()
    sale = {"state": "vending", "meterNumber": meter, "amountCents": cents, "requestId": request_id, "open": meter}
    written = await sales.document(sale_id).create(sale)
    await sales.where(filter=FieldFilter("open", "==", meter)).select(["__name__"]).limit(10).get()
    order = {"requestId": request_id, "prevendTransactionId": prevend["transactionId"], "tenderType": "CreditCard"}
    answer = await http.post("/v1/utility/purchase", json=order, headers=authorised)
    guard = store.write_option(last_update_time=written.update_time)
    vend_id = answer.json()["transactionId"]
    await sales.where(filter=FieldFilter("vendId", "==", vend_id)).select(["__name__"]).limit(10).get()
    written = await sales.document(sale_id).update({"state": "vended", "answer": answer.content, "vendId": vend_id}, option=guard)
    body = {"transactionId": sale_id, "state": "vended", "amountCents": cents, "receipt": answer.json()}
    message = {"data": json.dumps(body).encode(), "attributes": {"event": "vended"}, "ordering_key": sale_id}
    await publisher.publish(request={"topic": TOPIC, "messages": [message]}, timeout=5)
    guard = store.write_option(last_update_time=written.update_time)
    await sales.document(sale_id).update({"open": firestore.DELETE_FIELD}, option=guard)
    return JSONResponse(body, 201)

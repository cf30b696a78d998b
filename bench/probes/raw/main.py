"""The probe: one electricity sale as written by hand, with our function's calls, and nothing else.

The calls are: look, prevend, claim, look for similar sales, vend, look for the vend's holder, record, publish, clear.
They use gRPC's own calls with the protobuf messages of Firestore and Pub/Sub.
Nothing is checked: no caller, no field, no answer. Nothing has a type, and no exception is caught.
The probe shows the least cost of the same I/O.
"""

import hashlib
import json
import os
import uuid

import functions_framework.aio
import grpc.aio
import httpx
from google.cloud.firestore_v1 import types
from google.pubsub_v1 import PublishRequest, PublishResponse
from httpx_aiohttp import AiohttpTransport
from starlette.responses import JSONResponse

SUPPLIER = os.environ["SUPPLIER_URL"]
TOPIC = os.environ["EVENTS_TOPIC"]
DATABASE = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/databases/(default)"
PRODUCT = "Utility0000000000000"
UNLIMITED = httpx.Limits(max_connections=0)  # as many sales wait for the supplier as callers do; with None aiohttp has its own limit
METADATA = (("google-cloud-resource-prefix", DATABASE),)

Write = types.Write.pb()
CommitRequest = types.CommitRequest.pb()
GetRequest = types.BatchGetDocumentsRequest.pb()
QueryRequest = types.RunQueryRequest.pb()
Query = types.StructuredQuery.pb()
made = {}


def call(kind, path, request, response):
    return kind(path, request_serializer=request.pb().SerializeToString, response_deserializer=response.pb().FromString)


def clients():
    """Made with the first request, in the loop that uses them."""
    if not made:
        store = grpc.aio.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])
        topic = grpc.aio.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"])
        firestore = "/google.firestore.v1.Firestore"
        made["commit"] = call(store.unary_unary, f"{firestore}/Commit", types.CommitRequest, types.CommitResponse)
        made["get"] = call(
            store.unary_stream, f"{firestore}/BatchGetDocuments", types.BatchGetDocumentsRequest, types.BatchGetDocumentsResponse
        )
        made["query"] = call(store.unary_stream, f"{firestore}/RunQuery", types.RunQueryRequest, types.RunQueryResponse)
        made["publish"] = call(topic.unary_unary, "/google.pubsub.v1.Publisher/Publish", PublishRequest, PublishResponse)
        made["http"] = httpx.AsyncClient(transport=AiohttpTransport(limits=UNLIMITED), base_url=SUPPLIER, timeout=60)
    return made["http"]


async def token(http):
    if "token" not in made:
        answer = await http.post("/connect/token", data={"grant_type": "client_credentials", "scope": "api"})
        made["token"] = answer.json()["access_token"]
    return {"Authorization": f"Bearer {made['token']}"}


async def get(name):
    return [answer async for answer in made["get"](GetRequest(database=DATABASE, documents=[name]), timeout=10, metadata=METADATA)]


async def sales_with(field, value):
    condition = {"field": {"field_path": field}, "op": "EQUAL", "value": {"string_value": value}}
    select = {"fields": [{"field_path": "__name__"}]}
    query = Query(from_=[{"collection_id": "transactions"}], where={"field_filter": condition}, select=select, limit={"value": 10})
    request = QueryRequest(parent=f"{DATABASE}/documents", structured_query=query)
    return [answer async for answer in made["query"](request, timeout=10, metadata=METADATA)]


async def commit(name, sale, **precondition):
    write = Write(current_document=precondition)
    write.update.name = name
    for field, value in sale.items():
        match value:
            case bytes():
                write.update.fields[field].bytes_value = value
            case int():
                write.update.fields[field].integer_value = value
            case _:
                write.update.fields[field].string_value = value
    response = await made["commit"](CommitRequest(database=DATABASE, writes=[write]), timeout=10, metadata=METADATA)
    return response.write_results[0].update_time


@functions_framework.aio.http
async def sell(request):
    if request.url.path == "/health":
        return "ok"
    http = clients()
    asked = await request.json()
    sale_id = hashlib.sha256(request.headers["Idempotency-Key"].encode()).hexdigest()[:32]
    name = f"{DATABASE}/documents/transactions/{sale_id}"
    meter, cents, request_id = asked["meterNumber"], asked["amountCents"], str(uuid.uuid4())

    await get(name)
    authorised = await token(http)
    wanted = {"merchantProductId": PRODUCT, "requestId": str(uuid.uuid4()), "meterNumber": meter, "amount": cents / 100}
    prevend = (await http.get("/v1/utility/prevend", params=wanted, headers=authorised)).json()
    sale = {"state": "vending", "meterNumber": meter, "amountCents": cents, "requestId": request_id, "open": meter}
    revision = await commit(name, sale, exists=False)
    await sales_with("open", meter)
    order = {"requestId": request_id, "prevendTransactionId": prevend["transactionId"], "tenderType": "CreditCard"}
    answer = await http.post("/v1/utility/purchase", json=order, headers=authorised)
    vend_id = answer.json()["transactionId"]
    await sales_with("vendId", vend_id)
    sale |= {"state": "vended", "answer": answer.content, "vendId": vend_id}
    revision = await commit(name, sale, update_time=revision)
    body = {"transactionId": sale_id, "state": "vended", "amountCents": cents, "receipt": answer.json()}
    message = {"data": json.dumps(body).encode(), "attributes": {"event": "vended"}, "ordering_key": sale_id}
    await made["publish"](PublishRequest.pb()(topic=TOPIC, messages=[message]), timeout=5)
    del sale["open"]
    await commit(name, sale, update_time=revision)
    return JSONResponse(body, 201)

"""The same sale as a tutorial writes it: a synchronous function, synchronous clients, and the framework's threads."""

import hashlib
import json
import os
import uuid

import functions_framework
import httpx
from google.cloud import firestore, pubsub_v1
from google.cloud.firestore_v1.base_query import FieldFilter

SUPPLIER = os.environ["SUPPLIER_URL"]
TOPIC = os.environ["EVENTS_TOPIC"]
PRODUCT = "Utility0000000000000"

store = firestore.Client()
publisher = pubsub_v1.PublisherClient()
http = httpx.Client(base_url=SUPPLIER, timeout=60)
made = {}


def token():
    if "token" not in made:
        answer = http.post("/connect/token", data={"grant_type": "client_credentials", "scope": "api"})
        made["token"] = answer.json()["access_token"]
    return {"Authorization": f"Bearer {made['token']}"}


@functions_framework.http
def sell(request):
    if request.path == "/health":
        return "ok"
    asked = request.get_json()
    sale_id = hashlib.sha256(request.headers["Idempotency-Key"].encode()).hexdigest()[:32]
    sales = store.collection("transactions")
    meter, cents, request_id = asked["meterNumber"], asked["amountCents"], str(uuid.uuid4())

    sales.document(sale_id).get()
    authorised = token()
    wanted = {"merchantProductId": PRODUCT, "requestId": str(uuid.uuid4()), "meterNumber": meter, "amount": cents / 100}
    prevend = http.get("/v1/utility/prevend", params=wanted, headers=authorised).json()
    sale = {"state": "vending", "meterNumber": meter, "amountCents": cents, "requestId": request_id, "open": meter}
    written = sales.document(sale_id).create(sale)
    sales.where(filter=FieldFilter("open", "==", meter)).select(["__name__"]).limit(10).get()
    order = {"requestId": request_id, "prevendTransactionId": prevend["transactionId"], "tenderType": "CreditCard"}
    answer = http.post("/v1/utility/purchase", json=order, headers=authorised)
    guard = store.write_option(last_update_time=written.update_time)
    vend_id = answer.json()["transactionId"]
    sales.where(filter=FieldFilter("vendId", "==", vend_id)).select(["__name__"]).limit(10).get()
    written = sales.document(sale_id).update({"state": "vended", "answer": answer.content, "vendId": vend_id}, option=guard)
    body = {"transactionId": sale_id, "state": "vended", "amountCents": cents, "receipt": answer.json()}
    publisher.publish(TOPIC, json.dumps(body).encode(), event="vended").result()
    guard = store.write_option(last_update_time=written.update_time)
    sales.document(sale_id).update({"open": firestore.DELETE_FIELD}, option=guard)
    return body, 201

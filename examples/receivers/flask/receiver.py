"""A receiver of webhooks on Flask."""

import json
import os
import signal
import sys
import time

from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server

from verify import Refusal, verify
from work import Busy, Router, Work

MAX_BODY_BYTES = 4 * 1024 * 1024

router = Router()


# What is done about events. This is yours to fill.
@router.on("resource.created")
async def created(event: dict) -> None:
    print(f"created {event['data']['object']['id']}", flush=True)


@router.on("*")
async def received(event: dict) -> None:
    attempt = event.get("webhook", {}).get("attempt", 1)
    print(f"received {event['type']} {event['id']} attempt {attempt}", flush=True)


secrets = os.environ.get("WEBHOOK_SECRET", "").split()
work = Work(router)
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES


@app.post("/webhooks/pcf")
def receive():
    # The raw bytes are what is signed: verify them before anything parses them.
    body = request.get_data()
    verify(request.headers, body, secrets, time.time())
    events, batch = parse(body)
    answer = {"received": True}
    if batch:
        answer["count"] = len(events)
    duplicates = len(events) - work.take(events)
    if duplicates:
        answer["duplicates"] = duplicates
    return answer


@app.errorhandler(Refusal)
def refused(refusal: Refusal):
    return {"error": str(refusal)}, refusal.status


@app.errorhandler(Busy)
def busy(_: Busy):
    return {"error": "Too much work is waiting"}, 503, {"Retry-After": "5"}


@app.errorhandler(HTTPException)
def failed(error: HTTPException):
    return {"error": error.name}, error.code


def parse(body: bytes) -> tuple:
    """The events of a body, one or those of a batch, and whether it is a batch."""
    try:
        content = json.loads(body)
    except ValueError:
        raise Refusal(400, "Body is not JSON") from None
    batch = isinstance(content, dict) and isinstance(content.get("events"), list)
    events = content["events"] if batch else [content]
    if not all(is_event(event) for event in events):
        raise Refusal(400, "Body is not an event")
    return events, batch


def is_event(event) -> bool:
    return isinstance(event, dict) and isinstance(event.get("id"), str) and isinstance(event.get("type"), str)


class Quiet(WSGIRequestHandler):
    """Keeps connections, and logs no requests."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_) -> None:
        pass


def main() -> None:
    if not secrets:
        sys.exit("WEBHOOK_SECRET must hold the webhook's secret")
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "3000")), app, threaded=True, request_handler=Quiet)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    print(f"listening on http://127.0.0.1:{server.port}", flush=True)
    try:
        server.serve_forever()
    finally:
        work.finish()


if __name__ == "__main__":
    main()

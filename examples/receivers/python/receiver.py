"""A receiver of webhooks on Python 3.9 or later, without dependencies.

    WEBHOOK_SECRET=whsec_… PORT=3000 python3 receiver.py [--fail-first N]

Verifies each request before believing it, and prints one line per accepted event; a batch has several. With
--fail-first it answers 500 to the first N genuine requests, to show retries.
"""

import argparse
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 4 * 1024 * 1024
# A client that is slower than this between two packets is let go.
IDLE_SECONDS = 75


class Refusal(Exception):
    """Why a request is not accepted, and the status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def verify(headers, body: bytes, secret: str, now: float) -> None:
    """Raises a Refusal unless `body` (the raw bytes) was signed with `secret` just now."""
    timestamp = headers.get("X-PCF-Timestamp")
    signature = headers.get("X-PCF-Signature")
    if not timestamp or not signature:
        raise Refusal(400, "Missing required headers")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise Refusal(400, "Timestamp is not a number of seconds")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise Refusal(400, "Timestamp too old")

    signed = timestamp.encode() + b"." + body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    # As bytes: of text, compare_digest takes ASCII only.
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise Refusal(401, "Invalid signature")


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    secret: str
    failures_left: int
    lock = threading.Lock()

    def do_POST(self) -> None:
        try:
            self.receive()
            self.answer(200, {"received": True})
        except Refusal as refusal:
            self.answer(refusal.status, {"error": str(refusal)})

    def receive(self) -> None:
        body = self.read()
        verify(self.headers, body, self.secret, time.time())
        try:
            content = json.loads(body)
        except ValueError:
            raise Refusal(400, "Body is not JSON") from None
        if not isinstance(content, dict):
            raise Refusal(400, "Body is not a JSON object")
        events = content["events"] if isinstance(content.get("events"), list) else [content]
        with self.lock:
            if Receiver.failures_left > 0:
                Receiver.failures_left -= 1
                raise Refusal(500, "Failing as told")
            for event in events:
                attempt = (event.get("webhook") or {}).get("attempt")
                print(f"received {event.get('type')} {event.get('id')} attempt {attempt}", flush=True)

    def read(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True  # what follows cannot be told from the next request
            raise Refusal(411, "Content-Length is required")
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            raise Refusal(413, "Body too large")
        return self.rfile.read(int(length))

    def answer(self, status: int, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Prints nothing but the accepted events."""


def natural(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError("must be a number, 0 or more")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Receives webhooks and verifies their signatures.")
    parser.add_argument("--fail-first", type=natural, default=0, metavar="N", help="answer 500 to the first N")
    arguments = parser.parse_args()
    secret = os.environ.get("WEBHOOK_SECRET")
    port = os.environ.get("PORT", "0")
    if not secret or not port.isdigit():
        parser.error("the environment must set WEBHOOK_SECRET, and PORT, if set, to a number")

    Receiver.secret, Receiver.failures_left = secret, arguments.fail_first
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()

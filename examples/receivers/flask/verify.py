"""Whom to believe."""

import hashlib
import hmac

TOLERANCE_SECONDS = 300


class Refusal(Exception):
    """A request that is not accepted, and the status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def verify(headers, body: bytes, secrets: list, now: float) -> None:
    """Raises a Refusal unless `body` (the raw bytes) was signed just now with one of the secrets.

    While a secret is being rotated, the sender signs with the new one and, in a header of its own, with the one before; and we
    may know both.
    """
    timestamp = headers.get("X-PCF-Timestamp")
    given = [headers[name] for name in ("X-PCF-Signature", "X-PCF-Signature-Previous") if name in headers]
    if not timestamp or not given:
        raise Refusal(400, "Missing required headers")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise Refusal(400, "Timestamp is not a number of seconds")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise Refusal(400, "Timestamp too old")

    expected = [sign(secret, timestamp, body) for secret in secrets]
    # As bytes: of text, compare_digest takes ASCII only.
    if not any(hmac.compare_digest(one.encode(), other) for one in given for other in expected):
        raise Refusal(401, "Invalid signature")


def sign(secret: str, timestamp: str, body: bytes) -> bytes:
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return b"sha256=" + digest.encode()

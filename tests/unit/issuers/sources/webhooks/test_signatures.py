from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.errors import WebhookRefused
from issuers.sources.webhooks.signatures import SignedBody, WebhookHeaders, secret_bytes, secret_text, sign

# The published vector of the Standard Webhooks reference libraries.
SECRET = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = b"o" * 32


def headers(**changes: str) -> dict[str, str]:
    given = {"webhook-id": ID, "webhook-timestamp": str(TIMESTAMP), "webhook-signature": SIGNATURE}
    return given | {name.replace("_", "-"): value for name, value in changes.items()}


def check(secrets: list[bytes], body: bytes = BODY, now: int = TIMESTAMP, **changes: str) -> None:
    signed = SignedBody(WebhookHeaders.read(headers(**changes), now), secrets)
    signed.update(body[:7])
    signed.update(body[7:])
    signed.verify()


def test_the_published_vector_holds() -> None:
    assert sign(SECRET, ID, TIMESTAMP, BODY) == SIGNATURE
    check([SECRET])


def test_any_live_secret_and_any_signature_will_do() -> None:
    check([OTHER, SECRET])
    check([SECRET], webhook_signature=f"v1,{base64.b64encode(OTHER).decode()} v1a,xyz {SIGNATURE}")


@pytest.mark.parametrize(
    ("secrets", "body", "changes"),
    [
        ([OTHER], BODY, {}),
        ([], BODY, {}),
        ([SECRET], BODY + b" ", {}),
        ([SECRET], BODY[:-1], {}),
        ([SECRET], BODY, {"webhook_id": "msg_other"}),
        ([SECRET], BODY, {"webhook_timestamp": str(TIMESTAMP + 1)}),
        ([SECRET], BODY, {"webhook_signature": SIGNATURE.replace("v1,", "v2,")}),
        ([SECRET], BODY, {"webhook_signature": "v1,!!"}),
        ([SECRET], BODY, {"webhook_signature": "v1,"}),
        ([SECRET], BODY, {"webhook_signature": ""}),
        ([SECRET], BODY, {"webhook_id": ""}),
        ([SECRET], BODY, {"webhook_id": "msg.with.stops"}),
        ([SECRET], BODY, {"webhook_id": "x" * 161}),
        ([SECRET], BODY, {"webhook_timestamp": "soon"}),
        ([SECRET], BODY, {"webhook_timestamp": "-1"}),
    ],
)
def test_anything_else_is_refused(secrets: list[bytes], body: bytes, changes: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused):
        check(secrets, body, **changes)


@pytest.mark.parametrize("skew", [-301, 301])
def test_an_old_push_is_refused_and_one_from_the_future_too(skew: int) -> None:
    check([SECRET], now=TIMESTAMP + (skew - 1 if skew > 0 else skew + 1))
    with pytest.raises(WebhookRefused):
        check([SECRET], now=TIMESTAMP + skew)


def test_a_secret_survives_being_written_down() -> None:
    assert secret_bytes(secret_text(OTHER)) == OTHER
    for text in (
        "whsec_" + base64.b64encode(b"short").decode(),
        "whsec_$$$",
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
    ):
        with pytest.raises(ValueError):
            secret_bytes(text)


@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_how_a_body_is_cut_changes_nothing(body: bytes, cuts: list[int]) -> None:
    """Parts as the network cuts them give the signature of the whole."""
    read = WebhookHeaders.read(headers(webhook_signature=sign(SECRET, ID, TIMESTAMP, body)), TIMESTAMP)
    signed = SignedBody(read, [SECRET])
    places = [0, *sorted(cuts), len(body)]
    for start, end in itertools.pairwise(places):
        signed.update(body[min(start, len(body)) : min(end, len(body))])
    signed.verify()

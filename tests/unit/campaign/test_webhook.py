"""The signature of a notice, as receivers verify it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from dispatcher.campaign.webhook import signature


def test_the_specs_own_example() -> None:
    """The values that Standard Webhooks' libraries are tested with."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.text(), st.integers(1_000_000_000, 2_000_000_000))
def test_a_stock_library_signs_the_same(secret: bytes, body: str, timestamp_s: int) -> None:
    """Whatever is in a body."""
    try:
        data = body.encode()
    except UnicodeEncodeError:
        return
    expected = Webhook(secret).sign("msg_1", datetime.fromtimestamp(timestamp_s, UTC), body)
    assert signature(secret, "msg_1", timestamp_s, data) == expected

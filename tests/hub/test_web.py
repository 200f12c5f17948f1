from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from ansatz.hub.web import Connection, Patience, TransientError


def pauses(patience, failures, retry_after=0.0):
    return [patience.pause(failures, retry_after) for _ in range(50)]


def test_pauses_double_with_jitter_up_to_a_longest_one():
    patience = Patience(first_wait=1.0, longest_wait=10.0)

    for failures, longest in ((1, 1.0), (2, 2.0), (4, 8.0), (9, 10.0)):
        drawn = pauses(patience, failures)
        assert longest / 2 <= min(drawn) < max(drawn) <= longest


def test_a_pause_is_as_long_as_the_server_asks_within_reason():
    patience = Patience(longest_obeyed=300.0)

    assert set(pauses(patience, 1, retry_after=250.0)) == {250.0}
    assert set(pauses(patience, 1, retry_after=1e9)) == {300.0}


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("17", 17.0, 17.0),
        (timedelta(seconds=3600), 3500.0, 3600.0),
        (timedelta(seconds=-3600), 0.0, 0.0),
        ("soon", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(text, low, high):
    if isinstance(text, timedelta):
        text = format_datetime(datetime.now(UTC) + text)
    busy = httpx.MockTransport(lambda request: httpx.Response(503, headers={"Retry-After": text}))
    with httpx.Client(transport=busy) as client:
        connection = Connection(client, Patience(), {}, "")
        with pytest.raises(TransientError) as caught, connection.stream("http://hub/a", 0):
            pass

    assert low <= caught.value.retry_after <= high


def test_a_server_that_continues_at_the_wrong_byte_is_read_from_the_start():
    body = httpx.ByteStream

    def answer(request):
        if "Range" in request.headers:
            return httpx.Response(
                206, headers={"Content-Range": "bytes 2-7/8"}, stream=body(b"345678")
            )
        return httpx.Response(200, stream=body(b"12345678"))

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        connection = Connection(client, Patience(), {}, "")
        with connection.stream("http://hub/a", 4) as stream:
            assert stream.start == 0
            assert b"".join(stream.chunks) == b"12345678"

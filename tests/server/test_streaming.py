"""Long answers leave part by part, and work ends when its client has left."""

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx
import numpy as np
import pytest
from scaling import Row, Scaler, Word, scaling_service

from ansatz.engine.interruption import UnwantedError, require_wanted
from ansatz.server.batcher import Batcher
from ansatz.server.client import Client
from ansatz.server.dialect import Bytes, Dialect, Stream
from ansatz.server.fields import form_fields, read_request
from ansatz.server.process import running
from ansatz.server.settings import Settings

ROUTE = "/v1/count"
WAIT = 20.0


def question(form):
    word = read_request(form, Word, form_fields(Word))
    if word.value < 0:
        raise ValueError("nothing below zero is counted")
    return Counting(word.value, word.times)


@dataclass(frozen=True)
class Counting:
    value: float
    times: int


def parts(counting):
    for number in range(counting.times):
        yield Row([counting.value + number], 1.0)


def line(answer, request, form):
    return Bytes(f"{answer.result.total:g}\n".encode(), "text/plain")


COUNT = Dialect("count", (ROUTE,), question, line, Word, stream=Stream(parts, "text/plain", b"end"))


@dataclass
class Slow:
    """Takes a few steps for each answer, and asks before each whether it is still wanted."""

    steps: int = 1
    gate: threading.Semaphore | None = None
    taken: list[float] = field(default_factory=list)
    given_up: threading.Event = field(default_factory=threading.Event)

    def encode(self, request):
        return Scaler().encode(Row(np.array(request.values, np.float32), request.factor))

    def forward(self, tensors):
        try:
            for _ in range(self.steps):
                require_wanted()
                if self.gate is not None:
                    self.gate.acquire(timeout=WAIT)
                self.taken.append(float(tensors["x"][0]))
        except UnwantedError:
            self.given_up.set()
            raise
        if tensors["x"][0] == 13:
            raise RuntimeError("the device does not like thirteen")
        return Scaler().forward(tensors)

    def decode(self, outputs, encoded):
        return Scaler().decode(outputs, encoded)


@contextmanager
def server(model, **settings):
    service = replace(scaling_service(dialects=(COUNT,)), predictor=model)
    with running(service, Settings(port=0, **settings)) as url:
        Client(url).wait_ready()
        yield url


def test_the_parts_of_an_answer_follow_one_another_to_its_end():
    with server(Slow()) as url:
        reply = httpx.post(url + ROUTE, data={"value": "3", "times": "4"})

    assert reply.status_code == 200
    assert reply.text == "3\n4\n5\n6\nend"
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.headers["etag"]


def test_a_part_is_sent_before_the_next_is_computed():
    gate = threading.Semaphore(1)
    with (
        server(Slow(gate=gate)) as url,
        httpx.stream("POST", url + ROUTE, data={"value": "1", "times": "3"}, timeout=WAIT) as reply,
    ):
        pieces = reply.iter_text()
        assert next(pieces) == "1\n"  # while the second waits for the gate
        gate.release(2)
        assert "".join(pieces) == "2\n3\nend"


@pytest.mark.parametrize(
    ("fields", "status"), [({"value": "-1"}, 400), ({"val": "1"}, 400), ({"value": "13"}, 500)]
)
def test_what_is_wrong_with_the_first_part_has_its_status(fields, status):
    with server(Slow()) as url:
        assert httpx.post(url + ROUTE, data=fields).status_code == status


def test_an_error_on_the_way_leaves_a_body_without_its_end():
    with server(Slow()) as url, pytest.raises(httpx.RemoteProtocolError):
        httpx.post(url + ROUTE, data={"value": "11", "times": "4"})


def test_other_clients_come_between_the_parts():
    gate = threading.Semaphore(0)
    model = Slow(gate=gate)
    with server(model) as url:
        answers = {}

        def ask(name, **data):
            answers[name] = httpx.post(url + ROUTE, data=data, timeout=WAIT).text

        long = threading.Thread(target=ask, args=("long",), kwargs={"value": "1", "times": "3"})
        short = threading.Thread(target=ask, args=("short",), kwargs={"value": "100"})
        long.start()
        wait_for(lambda: in_progress(url) == 1)
        short.start()
        wait_for(lambda: in_progress(url) == 2)
        time.sleep(0.2)  # until it waits behind the first part
        gate.release(4)
        long.join()
        short.join()

    assert answers == {"long": "1\n2\n3\nend", "short": "100\nend"}
    assert model.taken == [1, 100, 2, 3]


def test_a_client_that_leaves_in_the_middle_of_a_part_ends_the_work():
    gate = threading.Semaphore(0)
    model = Slow(steps=1000, gate=gate)
    with server(model) as url:
        leave(url, "1", "5")
        wait_for(lambda: in_progress(url) == 0)
        gate.release(3)
        assert model.given_up.wait(WAIT)

    assert len(model.taken) <= 3


def test_a_client_that_leaves_between_two_parts_ends_the_work():
    gate = threading.Semaphore(1)
    model = Slow(gate=gate)
    with server(model) as url:
        with httpx.stream("POST", url + ROUTE, data={"value": "1", "times": "9"}) as reply:
            assert next(reply.iter_text()) == "1\n"
        wait_for(lambda: in_progress(url) == 0)
        gate.release(100)
        time.sleep(0.2)

    assert model.taken in ([1], [1, 2])


def leave(url, value, times):
    """Ask, and go away without waiting for an answer."""
    host, port = url.removeprefix("http://").split(":")
    body = f"value={value}&times={times}"
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            f"POST {ROUTE} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}".encode()
        )
        wait_for(lambda: in_progress(url) == 1)


def in_progress(url):
    text = httpx.get(url + "/v1/metrics").text
    (found,) = [t for t in text.splitlines() if t.startswith("ansatz_requests_in_progress")]
    return float(found.split()[-1])


def wait_for(condition):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


# ---------------------------------------------------------------------------------- batcher
def test_a_batch_is_given_up_when_the_last_of_its_callers_has_left():
    begun, go = threading.Event(), threading.Event()
    ended = []

    def run(items):
        begun.set()
        go.wait(WAIT)
        for item in items:
            try:
                require_wanted()
            except UnwantedError:
                ended.append(item)
                raise
        return items

    batcher = Batcher(run, max_batch=1)
    future = batcher.submit("a")
    begun.wait(WAIT)
    assert not future.cancel()  # it is running, so it is not taken back but left
    go.set()
    with pytest.raises(UnwantedError):
        future.result(WAIT)
    assert batcher.submit("b").result(WAIT).result == "b"
    batcher.stop()
    assert ended == ["a"]


def test_a_batch_goes_on_while_one_of_its_callers_waits():
    first, begun, go = threading.Event(), threading.Event(), threading.Event()

    def run(items):
        if items == ["first"]:
            first.wait(WAIT)
            return items
        begun.set()
        go.wait(WAIT)
        require_wanted()
        return items

    batcher = Batcher(run, max_batch=4)
    batcher.submit("first")
    one, other = batcher.submit("one"), batcher.submit("other")
    first.set()
    begun.wait(WAIT)
    one.cancel()
    go.set()

    assert other.result(WAIT).result == "other"
    batcher.stop()

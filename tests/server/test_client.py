"""The client against a real server, and against one that is overloaded at first."""

import io

import numpy as np
import pytest
from scaling import scaling_service

from ansatz.server import client
from ansatz.server.client import Client
from ansatz.server.process import running


@pytest.fixture(scope="module")
def url():
    with running(scaling_service()) as url:
        Client(url).wait_ready()
        yield url


def test_the_client_sends_fields_and_files_and_returns_arrays(url):
    buffer = io.BytesIO()
    np.save(buffer, np.float32([1, 2]))
    with Client(url) as server:
        answer = server.infer(
            "test/scaling", {"factor": 3, "note": None}, {"values": buffer.getvalue()}
        )

    np.testing.assert_array_equal(answer["result.values"], np.float32([3, 6]))
    assert answer["result.total"] == 9.0
    assert answer["note"] == ""


def test_the_servers_reasons_become_errors_of_their_kind(url):
    with Client(url) as server:
        with pytest.raises(ValueError, match="one row is needed"):
            server.infer("test/scaling", {"values": [[1]]})
        with pytest.raises(ValueError, match="values is missing"):
            server.infer("test/scaling")
        with pytest.raises(LookupError, match="did you mean 'test/scaling'"):
            server.infer("test/scalin", {"values": [1]})
        with pytest.raises(OSError, match="500"):
            server.infer("test/scaling", {"values": [1], "factor": 13})


def test_patience_ends_without_another_pause(monkeypatch):
    pauses = []
    monkeypatch.setattr(client.time, "sleep", pauses.append)
    busy = client.httpx.Response(
        429, headers={"retry-after": "7"}, request=client.httpx.Request("POST", "http://a")
    )
    monkeypatch.setattr(client.httpx.Client, "post", lambda *_, **__: busy)

    with pytest.raises(TimeoutError, match="429"):
        Client("http://a", retries=2).infer("test/scaling")

    assert pauses == [7.0, 7.0]


def test_nobody_there_is_said_after_the_wait():
    with Client("http://127.0.0.1:9") as server:
        with pytest.raises(TimeoutError, match="not ready within"):
            server.wait_ready(0.01)
        with pytest.raises(ConnectionError):
            server.infer("test/scaling")


def test_the_client_comes_back_when_the_server_said(monkeypatch):
    pauses = []
    monkeypatch.setattr(client.time, "sleep", pauses.append)
    busy = [client.httpx.Response(429, headers={"retry-after": "7"}), client.httpx.Response(429)]
    body = io.BytesIO()
    np.savez(body, a=np.arange(3))
    replies = iter([*busy, client.httpx.Response(200, content=body.getvalue())])
    monkeypatch.setattr(client.httpx.Client, "post", lambda *_, **__: next(replies))

    answer = Client("http://a").infer("test/scaling")

    assert pauses == [7.0, 1.0]
    np.testing.assert_array_equal(answer["a"], np.arange(3))

"""A stopping server is no longer ready, loses no request, and goes."""

import os
import re
import signal
import socket
import threading

import httpx
import pytest
from processes import free_port, started
from scaling import scaling_service, serve_slowly

from ansatz.server.client import Client
from ansatz.server.process import running, serve
from ansatz.server.settings import Settings

IN_PROGRESS = 'ansatz_requests_in_progress{model="test/scaling"} 1.0'


def test_after_sigterm_what_is_in_progress_is_answered_and_nothing_else_is_taken():
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = started(serve_slowly, port)
    try:
        with Client(url) as client, httpx.Client(base_url=url) as http:
            client.wait_ready()
            answers = []
            asking = threading.Thread(
                target=lambda: answers.append(client.infer("test/scaling", {"values": [4]}))
            )
            asking.start()
            while IN_PROGRESS not in http.get("/v1/metrics").text:
                assert asking.is_alive()
            os.kill(process.pid, signal.SIGTERM)
            while (ready := http.get("/v1/health/ready")).status_code == 200:
                pass
            refused = http.post("/v1/models/test/scaling/infer", json={"values": [1]})
            asking.join()
        process.join(30)
        assert process.exitcode == 0
    finally:
        process.kill()

    assert "the server is stopping" in ready.json()["message"]
    assert refused.status_code == 503
    assert answers[0]["result.values"] == [8.0]


def test_the_address_that_is_told_is_the_one_that_answers(caplog):
    caplog.set_level("INFO", "ansatz.server")
    started = threading.Event()

    def stop_at_once():
        started.set()
        os.kill(os.getpid(), signal.SIGTERM)

    serve(scaling_service(self_test=stop_at_once), Settings(port=0))

    assert started.is_set()
    (told,) = [record.message for record in caplog.records if "http://" in record.message]
    assert re.fullmatch(r"test/scaling on http://127\.0\.0\.1:[1-9]\d+", told)


def test_a_port_in_use_is_said():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port}"):
            serve(scaling_service(), Settings(port=port))


def test_a_server_in_a_thread_leaves_its_port():
    with running(scaling_service()) as url:
        Client(url).wait_ready()

    assert not Client(url).is_ready()

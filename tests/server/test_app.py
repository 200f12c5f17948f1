"""What clients of every family see, over a real socket."""

import concurrent.futures
import hashlib
import io
import json
import socket
import threading
import time
from dataclasses import dataclass, field, replace

import httpx
import numpy as np
import pytest
from scaling import Scaler, scaling_service

from ansatz.server.client import Client
from ansatz.server.npz import read_npz
from ansatz.server.process import running
from ansatz.server.settings import Settings

ROUTE = "/v1/models/test/scaling/infer"


def npy(values):
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values, np.float32))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def url():
    with running(scaling_service(), Settings(port=0, max_body=10_000_000)) as url:
        Client(url).wait_ready()
        yield url


@pytest.fixture
def http(url):
    with httpx.Client(base_url=url) as client:
        yield client


def test_a_row_sent_as_a_file_comes_back_scaled(http):
    reply = http.post(ROUTE, files={"values": npy([1, 2, 3])}, data={"factor": "2.5"})

    assert reply.status_code == 200
    with np.load(io.BytesIO(reply.content)) as answer:
        np.testing.assert_array_equal(answer["result.values"], np.float32([2.5, 5, 7.5]))
        assert answer["result.total"] == 15.0
    assert int(reply.headers["content-length"]) == len(reply.content)


def test_the_same_question_in_json_has_the_same_answer(http):
    reply = http.post(
        ROUTE,
        json={"values": [1, 2, 3], "factor": 2.5, "note": "hello"},
        headers={"Accept": "application/json"},
    )

    assert reply.json() == {
        "summary": {"total": 15.0},
        "arrays": {"result.values": [2.5, 5.0, 7.5], "result.total": 15.0, "note": "hello"},
    }


def test_what_is_not_finite_is_null_in_json(http):
    files = {"values": npy([1, np.nan, np.inf])}
    reply = http.post(ROUTE, files=files, headers={"Accept": "application/json"})

    assert reply.json()["arrays"]["result.values"] == [2.0, None, None]
    assert reply.json()["summary"] == {"total": None}


def test_a_large_answer_is_streamed_with_its_length(http):
    values = np.arange(2_000_000, dtype=np.float32)
    with http.stream("POST", ROUTE, files={"values": npy(values)}) as reply:
        announced = int(reply.headers["content-length"])
        data = reply.read()

    assert announced == len(data)
    np.testing.assert_array_equal(read_npz(data)["result.values"], 2 * values)


def test_an_answer_says_what_it_was_computed_in():
    said = "nvfp4: emulated on this device"
    service = scaling_service(arithmetic=said)
    with running(service) as url, httpx.Client(base_url=url) as http:
        reply = http.post(ROUTE, data={"values": "[1]"})
        assert reply.headers["Ansatz-Arithmetic"] == said
        assert http.get("/v1/metadata").json()["arithmetic"] == said
    with running(scaling_service()) as url, httpx.Client(base_url=url) as http:
        other = http.post(ROUTE, data={"values": "[1]"})
        assert "Ansatz-Arithmetic" not in other.headers
        assert other.headers["ETag"] != reply.headers["ETag"]


def test_a_dialect_has_its_own_words_on_its_own_route(http):
    reply = http.post("/v1/infer", data={"value": "21", "times": "2"})

    assert reply.text == "42!"
    assert reply.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"factor": "2"}, 400, "values is missing"),
        ({"values": "[1]", "factor": "-1"}, 400, "greater than or equal to 0"),
        ({"values": "[1]", "faktor": "1"}, 400, "did you mean 'factor'"),
        ({"values": "[[1, 2]]"}, 422, "one row is needed"),
        ({"values": "oops"}, 400, "neither an uploaded npy file nor nested lists"),
    ],
)
def test_a_wrong_question_is_answered_with_its_reason_in_every_shape(http, fields, status, words):
    reply = http.post(ROUTE, data=fields)

    body = reply.json()
    assert reply.status_code == body["error"]["code"] == status
    assert words in body["message"]
    assert body["message"] == body["detail"] == body["error"]["message"]
    assert body["error"]["type"]


def test_a_broken_form_is_refused(http):
    broken = [
        (
            {
                "content": b"--x\r\nrubbish",
                "headers": {"content-type": "multipart/form-data; boundary=x"},
            },
            400,
        ),
        ({"content": b"[1, 2]", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"<a/>", "headers": {"content-type": "text/xml"}}, 415),
        ({"json": {}, "headers": {"content-encoding": "gzip"}}, 415),
        ({"json": {f"f{n}": 1 for n in range(100)}}, 400),
        ({"files": [("values", npy([1])), ("values", npy([2]))]}, 400),
    ]
    for content, status in broken:
        reply = http.post(ROUTE, **content)
        assert reply.status_code == status, reply.text
        assert reply.json()["message"]


def test_a_file_of_the_servers_disk_cannot_be_named_from_outside(http):
    reply = http.post(ROUTE, data={"values": "/etc/passwd"})

    assert reply.status_code == 400


def test_an_error_on_the_device_tells_no_details_and_harms_nobody_else(http):
    failed = http.post(ROUTE, files={"values": npy([1])}, data={"factor": "13"})
    after = http.post(ROUTE, files={"values": npy([1])})

    assert failed.status_code == 500
    assert "thirteen" not in failed.text
    assert failed.headers["x-request-id"] in failed.json()["message"]
    assert after.status_code == 200


def test_a_body_above_the_limit_is_refused_announced_or_not(http):
    def endless():
        for _ in range(12):
            yield bytes(1_000_000)

    headers = {"content-type": "application/json"}
    announced = http.post(ROUTE, content=bytes(12_000_000), headers=headers)
    streamed = http.post(ROUTE, content=endless(), headers=headers)

    assert announced.status_code == streamed.status_code == 413
    assert "10000000 bytes" in announced.json()["message"]


def test_equal_questions_have_equal_tags_and_others_have_others(http):
    def tag(**fields):
        return http.post(ROUTE, files={"values": npy([1])}, data=fields).headers["etag"]

    assert tag(factor="3") == tag(factor="3") != tag(factor="4")


def test_a_harmless_request_id_is_echoed_and_another_replaced(http):
    echoed = http.get("/v1/version", headers={"X-Request-Id": "run-12.a"})
    replaced = http.get("/v1/version", headers={"X-Request-Id": "no spaces, please"})

    assert echoed.headers["x-request-id"] == "run-12.a"
    assert len(replaced.headers["x-request-id"]) == 32


def test_health_satisfies_every_dialect(http):
    assert http.get("/v1/health/ready").json() == {
        "object": "health.response",
        "message": "Service is ready.",
        "status": "ready",
    }
    assert http.get("/v1/health/live").json()["status"] == "live"


def test_the_model_describes_itself(http):
    text = "Do what you like, but say so.\n"
    assert http.get("/v1/license").json() == {
        "name": "Apache-2.0",
        "path": "LICENSE",
        "sha": hashlib.sha1(text.encode()).hexdigest(),
        "size": len(text),
        "url": "https://a.b/c",
        "type": "file",
        "content": text,
    }
    metadata = http.get("/v1/metadata").json()
    assert metadata["modelInfo"] == [
        {"shortName": "test/scaling", "modelUrl": "/v1/models/test/scaling"}
    ]
    assert metadata["version"] == http.get("/v1/version").json()["release"] == "1.2.3"
    assert http.get("/v1/models").json()["data"][0]["id"] == "test/scaling"
    assert http.get("/v1/model/config").text == "name: test/scaling\n"
    manifest = http.get("/v1/manifest").json()["manifest_file"]
    assert 'assets: ["model.safetensors sha256:00"]' in manifest


def test_openapi_lists_the_fields_of_the_request_and_of_the_dialect(http):
    paths = http.get("/v1/openapi").json()["paths"]

    def schema(path):
        body = paths[path]["post"]["requestBody"]
        return body["content"]["multipart/form-data"]["schema"]

    assert schema(ROUTE)["required"] == ["values"]
    assert schema(ROUTE)["properties"]["factor"] == {"minimum": 0, "type": "number"}
    assert set(schema("/v1/infer")["properties"]) == {"value", "times"}


def test_another_model_and_another_route_are_not_found(http):
    absent = http.post("/v1/models/test/scalling/infer", json={})
    nowhere = http.get("/v2/health")

    assert absent.status_code == nowhere.status_code == 404
    assert "did you mean 'test/scaling'" in absent.json()["message"]
    assert "GET /v2/health" in nowhere.json()["error"]["message"]


def samples(http):
    lines = http.get("/v1/metrics").text.splitlines()
    rows = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in rows}


def test_metrics_count_in_our_names_and_in_tritons(http):
    labels = '{model="test/scaling",version="1.2.3"}'
    ours = f'ansatz_requests_total{{code="200",model="test/scaling",route="{ROUTE}"}}'
    before = samples(http)
    http.post(ROUTE, files={"values": npy([1])})
    http.post(ROUTE, data={})
    after = samples(http)

    def grown(name):
        return after[name] - before.get(name, 0.0)

    assert grown(ours) == 1
    assert grown(f"nv_inference_request_success{labels}") == 1
    assert grown(f"nv_inference_request_failure{labels}") == 1
    assert grown(f"nv_inference_count{labels}") == grown(f"nv_inference_exec_count{labels}") == 1
    seconds = grown('ansatz_request_seconds_sum{model="test/scaling"}')
    assert grown(f"nv_inference_request_duration_us{labels}") == pytest.approx(1e6 * seconds)
    assert after['ansatz_queue_depth{model="test/scaling"}'] == 0
    assert after[f"ansatz_model_info{labels}"] == 1


def test_a_burst_is_answered_or_refused_and_never_lost():
    settings = Settings(port=0, queue_size=4)
    with (
        running(scaling_service(seconds=0.02), settings) as url,
        httpx.Client(base_url=url, limits=httpx.Limits(max_connections=40), timeout=60) as http,
    ):
        Client(url).wait_ready()

        def ask(number):
            return http.post(ROUTE, json={"values": [number]})

        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            replies = list(pool.map(ask, range(40)))

    codes = [reply.status_code for reply in replies]
    assert set(codes) == {200, 429}
    for number, reply in enumerate(replies):
        if reply.status_code == 200:
            assert read_npz(reply.content)["result.values"] == [2.0 * number]
        else:
            assert int(reply.headers["retry-after"]) >= 1


@dataclass(frozen=True)
class Held(Scaler):
    """A device that works only while it is open."""

    open: threading.Event = field(default_factory=threading.Event)

    def forward(self, tensors):
        self.open.wait()
        return super().forward(tensors)


def test_a_request_is_given_up_with_its_client():
    device = Held()
    service = replace(scaling_service(), predictor=device)
    with running(service) as url, httpx.Client(base_url=url) as http:
        Client(url).wait_ready()
        body = json.dumps({"values": [1]}).encode()
        head = f"POST {ROUTE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        host, port = url.removeprefix("http://").split(":")
        connections = [socket.create_connection((host, int(port))) for _ in range(6)]
        for connection in connections:
            connection.sendall(request)
        in_line = 'ansatz_queue_depth{model="test/scaling"}'
        while samples(http)[in_line] < 5:
            time.sleep(0.005)
        for connection in connections:
            connection.close()
        gone = f'ansatz_requests_total{{code="499",model="test/scaling",route="{ROUTE}"}}'
        while samples(http).get(gone, 0) < 6:
            time.sleep(0.005)
        device.open.set()
        assert http.post(ROUTE, json={"values": [1]}).status_code == 200
        computed = samples(http)['ansatz_infer_seconds_count{model="test/scaling"}']

    assert computed == 1  # the other answer came when nobody was there to be counted for


def test_a_server_is_live_but_not_ready_until_its_self_test_has_passed():
    passed = threading.Event()
    service = scaling_service(self_test=passed.wait)
    with running(service) as url, httpx.Client(base_url=url) as http:
        early = [http.get("/v1/health/ready"), http.post(ROUTE, json={"values": [1]})]
        live = http.get("/v1/health/live")
        passed.set()
        Client(url).wait_ready()
        checks = samples(http)

    assert [reply.status_code for reply in early] == [503, 503]
    assert "self-test is running" in early[0].json()["message"]
    assert live.status_code == 200
    name = 'ansatz_checks_total{check="self_test",model="test/scaling",result="pass"}'
    assert checks[name] == 1


def test_a_model_that_fails_its_self_test_is_never_ready_and_says_why():
    def failing():
        raise ArithmeticError("drag is 3 N off")

    with running(scaling_service(self_test=failing)) as url, httpx.Client(base_url=url) as http:
        while "drag is 3 N off" not in (reply := http.get("/v1/health/ready")).text:
            assert reply.status_code == 503
            time.sleep(0.005)
        refused = http.post(ROUTE, json={"values": [1]})

    assert refused.status_code == 503
    assert "drag is 3 N off" in refused.json()["message"]


def test_a_slow_upload_is_ended():
    with running(scaling_service(), Settings(port=0, upload_seconds=0.05)) as url:
        Client(url).wait_ready()
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST {ROUTE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n".encode() + b"{")
            status = connection.recv(4096).split(b"\r\n")[0]

    assert status.startswith(b"HTTP/1.1 408")


def test_an_upload_that_is_broken_off_is_no_fault_of_the_server(caplog):
    with running(scaling_service()) as url, httpx.Client(base_url=url) as http:
        Client(url).wait_ready()
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST {ROUTE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n".encode() + b"{")
            while samples(http)['ansatz_requests_in_progress{model="test/scaling"}'] < 1:
                time.sleep(0.005)
        counted = f'ansatz_requests_total{{code="%s",model="test/scaling",route="{ROUTE}"}}'
        while not (counts := {c: samples(http).get(counted % c, 0) for c in (499, 500)})[499]:
            assert not counts[500]
            time.sleep(0.005)

    assert not [record for record in caplog.records if record.exc_info]


def test_with_keys_only_probes_and_those_who_hold_one_are_let_in(tmp_path):
    keys = tmp_path / "keys"
    digest = hashlib.sha256(b"another key of ours").hexdigest()
    keys.write_text(f"# ours\na key of sixteen or more\nsha256:{digest}\n")

    def code(http, **headers):
        return http.post(ROUTE, json={"values": [1]}, headers=headers).status_code

    settings = Settings(port=0, key_file=keys)
    with running(scaling_service(), settings) as url, httpx.Client(base_url=url) as http:
        Client(url).wait_ready()
        assert http.get("/v1/metadata").status_code == code(http) == 401
        assert code(http, Authorization="Bearer a key of sixteen or less") == 401
        assert code(http, Authorization="Basic a key of sixteen or more") == 401
        assert code(http, Authorization="Bearer a key of sixteen or more") == 200
        assert code(http, Authorization="Bearer another key of ours") == 200
        with Client(url, key="another key of ours") as client:
            assert client.infer("test/scaling", {"values": [3]})["result.values"] == [6.0]
        with pytest.raises(PermissionError, match="not known"):
            Client(url, key="wrong").infer("test/scaling", {"values": [3]})

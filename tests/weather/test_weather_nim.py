"""Clients written for the CorrDiff NIM, against a real server."""

import io
import tarfile

import httpx
import numpy as np
import pytest
import xarray as xr
from downscaling import answer, channels, downscaler, fields, random

from ansatz.server.client import Client
from ansatz.server.process import running
from ansatz.server.service import Service
from ansatz.weather import nim
from ansatz.weather.channels import Conditioning
from ansatz.weather.nim import CORRDIFF
from ansatz.weather.predictor import Downscaler
from ansatz.weather.request import Question

GIVEN = fields()
STD = np.array([5.0, 800.0])[:, None, None]


@pytest.fixture(scope="module")
def model():
    return downscaler(random())


@pytest.fixture(scope="module")
def url(model):
    with running(Service("weather/tiny", "1", model, Question, dialects=(CORRDIFF,))) as url:
        Client(url).wait_ready()
        yield url


def npy(array):
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def post(url, array=None, static=GIVEN.static, **fields):
    array = GIVEN.coarse[None, None] if array is None else array
    files = {"input_array": ("input_array", npy(array))}
    if static is not None:
        files["static_array"] = ("static_array", npy(static))
    headers = {"accept": "application/x-tar"}
    data = {name: str(value) for name, value in fields.items()}
    return httpx.post(url + "/v1/infer", headers=headers, data=data, files=files, timeout=120)


def opened(content):
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        return {name: np.load(io.BytesIO(tar.extractfile(name).read())) for name in tar.getnames()}


def test_the_answer_is_a_tar_of_one_array_per_member(url, model):
    reply = post(url, samples=3, steps=5, seed=4)

    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/x-tar"
    found = opened(reply.content)
    assert list(found) == ["000_000.npy", "001_000.npy", "002_000.npy"]
    wanted = answer(model, Question(GIVEN, members=3, steps=5, seed=4))
    for array, member in zip(found.values(), wanted.members, strict=True):
        assert array.shape == (1, 1, 2, 24, 32)
        assert array.dtype == np.float32
        np.testing.assert_allclose(array[0, 0] / STD, member / STD, rtol=0, atol=1e-4)


def test_members_that_are_sent_one_by_one_are_those_of_the_whole_ensemble(url, monkeypatch):
    whole = opened(post(url, samples=3, steps=3).content)
    monkeypatch.setattr(nim, "CELLS", 1)

    alone = opened(post(url, samples=3, steps=3).content)

    assert list(alone) == list(whole)
    for name, array in alone.items():
        np.testing.assert_allclose(array / STD, whole[name] / STD, rtol=0, atol=1e-4)


def test_large_maps_are_sent_member_by_member_and_small_ones_a_few_at_a_time():
    def sizes(height, width, members):
        given = fields(height, width)
        return [part.members for part in nim.parts(Question(given, members=members))]

    assert sizes(129, 301, 3) == [1, 1, 1]
    assert sizes(8, 8, 20) == [8, 8, 4]
    firsts = [part.first for part in nim.parts(Question(fields(8, 8), members=20))]
    assert firsts == [0, 8, 16]


@pytest.mark.parametrize(
    ("array", "static", "fields", "status", "words"),
    [
        (None, GIVEN.static, {"samples": 0}, 400, "samples"),
        (None, GIVEN.static, {"sample": 2}, 400, "did you mean 'samples'"),
        (GIVEN.coarse[0], GIVEN.static, {}, 400, "shape (1, 1, channels, rows, columns)"),
        (GIVEN.coarse * np.nan, GIVEN.static, {}, 400, "not finite"),
        (GIVEN.coarse[:1], GIVEN.static, {}, 422, "2t, msl, in this order"),
        (None, None, {}, 422, "elev_mean, in this order"),
    ],
)
def test_a_wrong_question_is_answered_with_its_reason(url, array, static, fields, status, words):
    reply = post(url, array, static, **fields)

    assert reply.status_code == status
    assert words in reply.json()["message"]


def test_a_netcdf_file_is_taken_on_the_route_of_every_model(url, model, tmp_path):
    grids = {"2t": ("y", "x"), "msl": ("y", "x")}
    coarse = {n: (d, a) for (n, d), a in zip(grids.items(), GIVEN.coarse, strict=True)}
    path = tmp_path / "c.nc"
    xr.Dataset(coarse).to_netcdf(path, engine="h5netcdf")
    relief = xr.Dataset({"elev_mean": (("Y", "X"), GIVEN.static[0])})
    relief.to_netcdf(path, group="invariant", mode="a", engine="h5netcdf")

    reply = httpx.post(
        url + "/v1/models/weather/tiny/infer",
        files={"input": path.read_bytes()},
        data={"members": "2", "steps": "3"},
    )

    assert reply.status_code == 200, reply.text
    with np.load(io.BytesIO(reply.content)) as found:
        wanted = answer(model, Question(GIVEN, members=2, steps=3)).members
        np.testing.assert_allclose(found["members"] / STD, wanted / STD, rtol=0, atol=1e-4)
        assert found["summary.evaluations"] == 3


def test_a_model_without_static_fields_needs_none():
    bare = channels(statics=(), static_mean=(), static_std=(), conditioning=Conditioning(lead=True))
    model = Downscaler(random(), bare)  # the lead time takes the place of the relief
    with running(Service("weather/bare", "1", model, Question, dialects=(CORRDIFF,))) as url:
        Client(url).wait_ready()
        now, later = (post(url, static=None, lead_hours=hours, steps=2) for hours in (0, 24))

    assert now.status_code == 200, now.text
    assert not np.array_equal(
        opened(now.content)["000_000.npy"], opened(later.content)["000_000.npy"]
    )

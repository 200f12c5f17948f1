"""Clients written for the ESM-2 NIM and for OpenAI's embeddings, against a real server."""

import base64
import concurrent.futures
import io
import re
import zipfile

import httpx
import numpy as np
import pytest

from ansatz.protein.batches import cost, together
from ansatz.protein.nim import EMBEDDINGS, ESM2
from ansatz.protein.predictor import load_proteins
from ansatz.protein.request import Question
from ansatz.server.client import Client
from ansatz.server.process import running
from ansatz.server.service import Service

NIM = "/v1/biology/meta/esm2-650m"
OWN = "/v1/models/protein/tiny/infer"
WIDTH = 32
TOLERANCE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(scope="module")
def url(checkpoint):
    model = load_proteins(checkpoint)
    service = Service(
        "protein/tiny",
        "1",
        model,
        Question,
        dialects=(ESM2, EMBEDDINGS),
        forward_many=together(model.forward),
        cost=cost,
    )
    with running(service) as url:
        Client(url).wait_ready()
        yield url


def post(url, route=NIM, **fields):
    return httpx.post(url + route, json=fields, timeout=60)


def residues_of(said, sequence):
    return said(sequence)[0][1:-1].numpy()


@pytest.mark.parametrize("route", ESM2.routes)
def test_one_sequence_is_one_archive(url, said, route):
    reply = post(url, route, sequences=["MKTAYIAK"], format="npz")
    assert reply.status_code == 200, reply.text
    with np.load(io.BytesIO(reply.content), allow_pickle=False) as held:
        assert held["embeddings"].shape == (1, WIDTH)
        assert held["representations"].shape == (1, 8, WIDTH)
        states = residues_of(said, "MKTAYIAK")
        np.testing.assert_allclose(held["representations"][0], states, **TOLERANCE)
        np.testing.assert_allclose(held["embeddings"][0], states.mean(0), **TOLERANCE)
        assert np.array_equal(held["mean"], held["embeddings"][0])
        assert held["mean"].dtype == np.float32


def test_several_sequences_are_a_zip_of_archives_whose_names_sort_in_their_order(url, said):
    sequences = ["MKT", "A" * 40, "GG", *(["WPYK"] * 9), "LLL"]
    reply = post(url, sequences=sequences)
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        names = sorted(archive.namelist())
        means = [np.load(io.BytesIO(archive.read(name)))["mean"] for name in names]
    expected = [residues_of(said, s).mean(0) for s in sequences]
    np.testing.assert_allclose(np.stack(means), np.stack(expected), **TOLERANCE)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 400, "sequences is missing"),
        ({"sequences": []}, 400, "holds 0 sequences, and 1 to 32"),
        ({"sequences": ["MK"] * 33}, 400, "holds 33 sequences, and 1 to 32"),
        ({"sequences": ["MK", "A" * 1025]}, 400, "sequence 2 of 2 has 1025 residues.*1024"),
        ({"sequences": ["MK", "A,A"]}, 400, "',' in sequence 2"),
        ({"sequences": ["MK"], "format": "h5"}, 400, "no HDF5"),
        ({"sequences": ["MK"], "format": "xml"}, 400, "format: .*npz"),
        ({"sequences": ["MK"], "formt": "npz"}, 400, "did you mean 'format'"),
        ({"sequences": ["MK", ""]}, 422, "sequence_2 has no residues"),
        ({"sequences": ["MK", "M1"]}, 422, "sequence_2: '1' is no residue"),
        ({"sequences": "proteins.fasta"}, 422, "there is no file"),
    ],
)
def test_what_the_nim_does_not_take_is_refused_with_the_reason(url, fields, status, words):
    reply = post(url, **fields)
    body = reply.json()
    assert reply.status_code == body["error"]["code"] == status, reply.text
    assert body["message"] == body["detail"] == body["error"]["message"]
    assert re.search(words, body["message"], re.DOTALL)


def test_1024_residues_are_taken(url):
    reply = post(url, sequences=["ACDE" * 256])
    assert np.load(io.BytesIO(reply.content))["representations"].shape == (1, 1024, WIDTH)


def test_embeddings_are_a_list_in_the_order_of_the_input(url, said):
    sequences = ["MKT", "A" * 1030, "GG"]
    reply = post(url, "/v1/embeddings", input=sequences, model="esm2", user="me")
    body = reply.json()
    assert (body["object"], body["model"]) == ("list", "esm2")
    assert [d["index"] for d in body["data"]] == [0, 1, 2]
    assert {d["object"] for d in body["data"]} == {"embedding"}
    expected = np.stack([residues_of(said, s).mean(0) for s in sequences])
    np.testing.assert_allclose([d["embedding"] for d in body["data"]], expected, **TOLERANCE)
    assert body["usage"] == {"prompt_tokens": 1041, "total_tokens": 1041}


def test_embeddings_as_bytes_are_the_same_numbers(url):
    fields = {"input": "MKT", "model": "esm2"}
    plain = post(url, "/v1/embeddings", **fields, encoding_format="float").json()
    coded = post(url, "/v1/embeddings", **fields, encoding_format="base64").json()
    found = np.frombuffer(base64.b64decode(coded["data"][0]["embedding"]), "<f4")
    np.testing.assert_array_equal(found, np.float32(plain["data"][0]["embedding"]))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": "esm2"}, "input is missing"),
        ({"input": ["M"] * 2049}, "holds 2049 sequences, and 1 to 2048"),
        ({"input": [[1, 2]]}, "input: "),
        ({"input": "MK", "dimensions": 8}, "unknown field 'dimensions'"),
    ],
)
def test_questions_that_embeddings_do_not_take_are_refused(url, fields, words):
    reply = post(url, "/v1/embeddings", **fields)
    assert reply.status_code == 400
    assert words in reply.json()["error"]["message"]


def test_the_dialect_of_every_model_gives_probabilities(url, said):
    reply = post(url, OWN, sequences="MKT<mask>A", probabilities=True, embeddings="none")
    with np.load(io.BytesIO(reply.content)) as held:
        logits = said([*"MKT", "<mask>", "A"])[1][1:-1, 4:24]
        expected = logits.log_softmax(-1).numpy()
        np.testing.assert_allclose(held["log_probabilities"], expected, **TOLERANCE)
        assert held["ids"].tolist() == ["sequence_1"]
        assert held["masks"].tolist() == [3]


def test_a_file_of_the_server_cannot_be_named(url, tmp_path):
    path = tmp_path / "secret"
    path.write_text(">a\nMKT\n")
    assert post(url, OWN, sequences=str(path)).status_code == 422
    assert post(url, OWN, sequences="MK", mutations=str(path)).status_code == 400


def test_requests_at_the_same_time_get_their_own_answers(url, said):
    sequences = ["MKTAYIAK"[: 1 + n % 8] + "G" * n for n in range(24)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda s: post(url, sequences=[s]), sequences))
    for sequence, reply in zip(sequences, replies, strict=True):
        held = np.load(io.BytesIO(reply.content))
        expected = residues_of(said, sequence)
        np.testing.assert_allclose(held["representations"][0], expected, **TOLERANCE)

from pathlib import Path

import httpx
import pytest

from ansatz.core import recipe
from ansatz.core.recipe import Manifest, RemoteFile
from ansatz.hub.sources import WebFolder
from ansatz.hub.transfer import fetch
from ansatz.hub.web import Connection, Patience


@pytest.fixture
def bring(tmp_path, brisk):
    def call(source, *paths, raw="raw", **options):
        files = tuple(RemoteFile(path) for path in paths)
        options = {"progress": False, "patience": brisk, **options}
        return fetch(Manifest(source, files), tmp_path / raw, **options)

    return call


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "a place"
    (root / "run_1").mkdir(parents=True)
    (root / "run_1" / "a.csv").write_bytes(b"1,2\n")
    (root / "run_1" / "b.csv").write_bytes(b"3,4\n")
    return root


def test_a_folder_is_copied_by_pattern_and_not_copied_again(folder, bring, tmp_path):
    address = folder.as_uri()  # with the blank of its name quoted

    assert bring(address, "run_1/*").ok
    assert (tmp_path / "raw/run_1/b.csv").read_bytes() == b"3,4\n"
    assert bring(address, "run_1/*").fetched == ()
    (folder / "run_1" / "a.csv").write_bytes(b"5,6\n")
    assert bring(address, "run_1/*").fetched == ("run_1/a.csv",)


def test_a_folder_may_be_given_as_it_is_typed(folder, bring, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert bring(folder.name, "run_1/*").ok


def test_data_without_an_address_ask_for_a_mirror(bring):
    with pytest.raises(ValueError, match="mirror=FOLDER"):
        bring("", "a.csv")


def test_a_missing_folder_is_named(bring, tmp_path):
    with pytest.raises(NotADirectoryError, match="nowhere"):
        bring((tmp_path / "nowhere").as_uri(), "a.csv")


def test_data_of_the_distribution_are_a_source(bring, tmp_path):
    assert bring("embedded:ansatz/core", "recipe.py").ok
    assert (tmp_path / "raw/recipe.py").read_bytes() == Path(recipe.__file__).read_bytes()


@pytest.mark.parametrize(
    "address", ["ftp://a/b", "drivaerml", "hf://models/a/b", "hf://datasets/a"]
)
def test_an_address_of_no_known_kind_shows_the_known_ones(bring, address):
    with pytest.raises(ValueError, match="expected hf://datasets/OWNER/NAME@REVISION"):
        bring(address, "a")


def test_a_plain_web_server_is_asked_file_by_file(hub, bring, tmp_path):
    hub.files = {"a b.bin": b"12345678", "c.bin": b"9"}
    hub.faults["a b.bin"] = ["cut"]
    address = hub.address + "/plain"

    report = bring(address, "a b.bin", "c.bin", "none.bin")

    assert [trouble.path for trouble in report.troubles] == ["none.bin"]
    assert (tmp_path / "raw/a b.bin").read_bytes() == b"12345678"
    assert [asked for _, asked, _ in hub.downloads("a b.bin")] == [None, "bytes=4-"]
    hub.log.clear()
    assert bring(address, "a b.bin", "c.bin").fetched == ()
    assert hub.downloads("a b.bin") == []


def test_the_size_of_a_file_is_not_that_of_a_compressed_transfer():
    def answer(request):
        if request.method == "GET":
            return httpx.Response(404)
        is_zipped = "gzip" in request.headers["Accept-Encoding"]
        return httpx.Response(200, headers={"Content-Length": "40" if is_zipped else "1000"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        folder = WebFolder("http://web", Connection(client, Patience(), {}, ""), workers=1)
        (entry,) = folder.listing([RemoteFile("forces.csv")]).entries

    assert entry.size == 1000


def test_without_any_version_a_broken_transfer_starts_anew(hub, bring, tmp_path, brisk):
    hub.files, hub.etags = {"a.bin": b"12345678"}, False
    hub.always["a.bin"] = "cut"
    bring(hub.address + "/plain", "a.bin", patience=type(brisk)(attempts=1, first_wait=0.0))
    hub.always.clear()
    hub.files["a.bin"] = b"abcdefgh"

    assert bring(hub.address + "/plain", "a.bin").ok
    assert (tmp_path / "raw/a.bin").read_bytes() == b"abcdefgh"


def test_a_plain_web_server_cannot_be_asked_for_a_pattern(hub, bring):
    with pytest.raises(ValueError, match="cannot be listed"):
        bring(hub.address + "/plain", "run_*/a.bin")


def test_a_fetched_copy_behind_a_web_server_serves_as_mirror(hub, bring, tmp_path, monkeypatch):
    hub.files = {"run_1/a.bin": b"12345678", "run_2/a.bin": b"abcdefgh"}
    bring("hf://datasets/lab/cars", "run_*/a.bin")
    ledger = (tmp_path / "raw/manifest.json").read_bytes()
    hub.files["manifest.json"] = ledger
    hub.faults["run_1/a.bin"] = ["corrupt"]
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    report = bring(
        "hf://datasets/lab/cars", "run_*/a.bin", raw="other", mirror=hub.address + "/plain"
    )

    assert report.ok
    assert (tmp_path / "other/run_1/a.bin").read_bytes() == b"12345678"
    assert (tmp_path / "other/run_1/a.bin.corrupt").exists()


def test_a_fetched_copy_in_a_folder_proves_its_files(hub, bring, tmp_path):
    hub.files = {"a.bin": b"12345678"}
    bring("hf://datasets/lab/cars", "a.bin")
    (tmp_path / "raw/a.bin").write_bytes(b"1234567x")

    report = bring("hf://datasets/lab/cars", "a.bin", raw="b", mirror=(tmp_path / "raw").as_uri())

    assert "damaged at the source" in report.troubles[0].reason


def test_an_unreachable_hub_is_one_error_that_names_it(hub, bring, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(
        OSError, match=r"no connection to http://127\.0\.0\.1:9/api/datasets/lab/cars"
    ):
        bring("hf://datasets/lab/cars", "a.bin")


def test_a_login_page_in_place_of_a_listing_is_recognized(hub, bring, monkeypatch):
    hub.files = {"api/datasets/lab/cars/revision/main": b"<html>please log in</html>"}
    monkeypatch.setenv("HF_ENDPOINT", hub.address + "/plain")

    with pytest.raises(OSError, match="proxy or a login page"):
        bring("hf://datasets/lab/cars", "a.bin")


def test_a_mirror_with_another_content_than_the_manifest_is_refused_at_once(hub, bring, tmp_path):
    hub.files = {"a.bin": b"12345678"}
    asked = Manifest("hf://datasets/lab/cars", (RemoteFile("a.bin", sha256="0" * 64),))

    with pytest.raises(ValueError, match="holds another version"):
        fetch(asked, tmp_path / "raw", progress=False)

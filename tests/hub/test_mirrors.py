import hashlib
import json
import random
import re

import httpx
import pytest

from ansatz.core.recipe import Manifest, RemoteFile
from ansatz.hub.transfer import fetch
from ansatz.hub.web import Patience

FASTA, NOTE, LINK = "uniref50.fasta.gz", "uniref50.release_note", "RELEASE.metalink"
OLD, NEW = random.Random(1).randbytes(40_000), random.Random(2).randbytes(40_000)


def metalink(release, content):
    digest, size = hashlib.md5(content).hexdigest(), len(content)
    return f"""<metalink version="3.0" xmlns="http://www.metalinker.org/">
    <version>{release}</version><files><file name="{FASTA}"><size>{size}</size>
    <verification><hash type="md5">{digest}</hash></verification></file></files></metalink>
    """.encode()


@pytest.fixture
def publish(hub):
    """Put a release on some mirrors; `listed` if their digests are those of another content."""

    def put(content, release="2026_01", mirrors=("us", "uk", "ch"), listed=None):
        for mirror in mirrors:
            hub.files[f"{mirror}/{FASTA}"] = content
            hub.files[f"{mirror}/{LINK}"] = metalink(release, listed or content)

    return put


@pytest.fixture
def bring(hub, tmp_path, brisk):
    def call(*mirrors, **options):
        first, *others = [f"{hub.address}/plain/{name}" for name in mirrors or ("us", "uk", "ch")]
        files = (RemoteFile(FASTA), RemoteFile(NOTE, required=False))
        manifest = Manifest(first, files, mirrors=tuple(others), checksums=LINK)
        options = {"progress": False, "patience": brisk, **options}
        return fetch(manifest, tmp_path / "raw", **options)

    call.file = tmp_path / "raw" / FASTA
    return call


def asked(hub, name):
    """Mirrors that were asked for a file, and from which byte."""
    paths = ((path.split("/"), offset) for path, offset, _ in hub.downloads())
    return [(mirror, offset) for (mirror, path), offset in paths if path == name]


class Meanwhile(Patience):
    """The patience of the tests, with an event in its pauses."""

    def pause(self, failures, retry_after):
        self.event()
        return 0.0


def meanwhile(event):
    patience = Meanwhile(attempts=3)
    object.__setattr__(patience, "event", event)
    return patience


def test_a_file_is_proved_by_the_digest_of_its_publisher(hub, publish, bring):
    publish(OLD)

    report = bring()

    assert report.ok
    assert report.revision == "2026_01"
    assert bring.file.read_bytes() == OLD
    assert asked(hub, FASTA) == [("us", None)]
    record = json.loads((bring.file.parent / "manifest.json").read_text())[FASTA]
    assert record["version"] == f"md5:{hashlib.md5(OLD).hexdigest()}"
    hub.log.clear()
    assert bring().fetched == ()
    assert asked(hub, FASTA) == []


def test_a_wrong_digest_is_caught_and_another_mirror_asked(hub, publish, bring):
    publish(OLD)
    hub.always[f"us/{FASTA}"] = "corrupt"

    assert bring().ok
    assert bring.file.read_bytes() == OLD
    assert asked(hub, FASTA) == [("us", None), ("uk", None)]


def test_a_file_that_its_publisher_lists_wrongly_never_gets_its_name(publish, bring):
    publish(OLD, listed=NEW)

    report = bring()

    assert not report.ok
    assert f"expected md5:{hashlib.md5(NEW).hexdigest()}" in report.troubles[-1].reason
    assert not bring.file.exists()


def test_a_mirror_that_dies_is_continued_at_the_next(hub, publish, bring):
    publish(OLD)
    hub.faults[f"us/{FASTA}"] = ["cut"]
    hub.always[f"uk/{FASTA}"] = "busy"

    assert bring().ok
    assert bring.file.read_bytes() == OLD
    assert asked(hub, FASTA) == [("us", None), ("uk", None), ("ch", "bytes=20000-")]


def test_a_later_run_continues_at_another_mirror(hub, publish, bring):
    publish(OLD)
    hub.faults[f"us/{FASTA}"] = ["cut"]
    assert not bring("us", patience=Patience(attempts=1)).ok
    hub.log.clear()

    assert bring("uk", "us").ok
    assert bring.file.read_bytes() == OLD
    assert asked(hub, FASTA) == [("uk", "bytes=20000-")]


@pytest.mark.parametrize("fault", ["gone", "gated", "busy", "late"])
def test_where_the_first_mirror_does_not_answer_the_next_one_does(
    hub, publish, bring, fault, monkeypatch
):
    publish(OLD)
    hub.always |= dict.fromkeys((f"us/{LINK}", "us/manifest.json"), fault)
    monkeypatch.setattr("ansatz.hub.sources.TIMEOUT", httpx.Timeout(0.2))

    assert bring().ok
    assert asked(hub, FASTA) == [("uk", None)]


def test_a_server_that_is_not_there_is_passed_over(hub, publish, bring, tmp_path, brisk):
    publish(OLD)
    manifest = Manifest(
        "http://127.0.0.1:9", (RemoteFile(FASTA),), "", (f"{hub.address}/plain/us",), LINK
    )

    assert fetch(manifest, tmp_path / "raw", progress=False, patience=brisk).ok


def test_a_release_that_changes_between_two_halves_is_one_clear_error(hub, publish, bring):
    publish(OLD)
    hub.faults[f"us/{FASTA}"] = ["cut"]

    report = bring(patience=meanwhile(lambda: publish(NEW, "2026_02")))

    assert not report.ok
    assert re.search(
        r"2026_02 \(md5:\w+\) in place of 2026_01 \(md5:\w+\): the release changed",
        report.troubles[-1].reason,
    )
    assert not bring.file.exists()
    assert bring().revision == "2026_02"
    assert bring.file.read_bytes() == NEW
    assert list(bring.file.parent.glob(".*.part")) == []


def test_a_release_that_changes_at_some_mirrors_is_finished_at_the_others(hub, publish, bring):
    publish(OLD)
    hub.faults[f"us/{FASTA}"] = ["cut"]

    report = bring(patience=meanwhile(lambda: publish(NEW, "2026_02", ("us", "uk"))))

    assert report.ok
    assert bring.file.read_bytes() == OLD
    assert asked(hub, FASTA) == [("us", None), ("ch", "bytes=20000-")]


def test_a_file_of_another_size_than_listed_is_not_begun(hub, publish, bring):
    publish(OLD, mirrors=("us",), listed=NEW[1:])
    publish(NEW[1:], mirrors=("uk",))

    assert bring("us", "uk").ok
    assert bring.file.read_bytes() == NEW[1:]
    assert sum(path.endswith(FASTA) for path, *_ in hub.downloads()) == 2
    assert not list(bring.file.parent.glob("*.corrupt"))


def test_without_digests_nothing_is_fetched(hub, publish, bring):
    publish(OLD)
    for mirror in ("us", "uk", "ch"):
        del hub.files[f"{mirror}/{LINK}"]

    with pytest.raises(OSError, match=r"neither RELEASE\.metalink nor manifest\.json"):
        bring()


def test_a_file_that_the_publisher_does_not_list_is_refused_unless_optional(hub, publish, bring):
    publish(OLD)
    hub.files[f"us/{NOTE}"] = b"UniProt Release: 2026_01"
    assert sorted(bring("us").fetched) == [FASTA, NOTE]

    hub.files[f"us/{LINK}"] = metalink("2026_01", OLD).replace(FASTA.encode(), b"other.gz")
    with pytest.raises(OSError, match=r"gives no digest of uniref50\.fasta\.gz"):
        bring("us")


def test_patience_ends_when_all_mirrors_fail(hub, publish, bring, brisk):
    publish(OLD)
    hub.always |= {f"{mirror}/{FASTA}": "busy" for mirror in ("us", "uk", "ch")}

    report = bring()

    assert all(f"/{mirror}/" in report.troubles[-1].reason for mirror in ("us", "uk", "ch"))
    assert len(asked(hub, FASTA)) == 3 * brisk.attempts


def test_a_chosen_mirror_is_the_only_one(hub, publish, bring):
    publish(OLD)

    assert bring(mirror=f"{hub.address}/plain/ch").ok
    assert asked(hub, FASTA) == [("ch", None)]


def test_mirrors_without_digests_have_to_list_the_same_version(hub, tmp_path, brisk):
    hub.files = {"us/a": OLD, "uk/a": NEW, "ch/a": OLD}
    hub.faults["us/a"] = ["cut"]
    here = f"{hub.address}/plain"
    manifest = Manifest(
        f"{here}/us", (RemoteFile("a"),), mirrors=(f"{here}/uk", f"{here}/ch"), checksums=""
    )

    assert fetch(manifest, tmp_path, progress=False, patience=brisk).ok
    assert (tmp_path / "a").read_bytes() == OLD
    assert asked(hub, "a") == [("us", None), ("ch", "bytes=20000-")]

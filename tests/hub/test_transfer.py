import fcntl
import json
import os
import random
import shutil
import time
from collections import namedtuple

import pytest

from ansatz.core.recipe import Manifest, RemoteFile
from ansatz.hub.ledger import read_ledger
from ansatz.hub.transfer import fetch

SOURCE = "hf://datasets/lab/cars@main"
BIG, TABLE = "run_1/drivaer_1.stl", "run_1/force_mom_1.csv"


@pytest.fixture
def cars(hub):
    draw = random.Random(7)
    hub.files = {
        BIG: draw.randbytes(300_000),
        TABLE: b"Cd, Cl\n0.3, 0.1\n",
        "run_1/images/a.png": draw.randbytes(1000),
        "run_1/images/b.png": draw.randbytes(2000),
        "run_1/images/deep/c.png": draw.randbytes(3000),
        "run_1/images/d.png": draw.randbytes(4000),
        "run_2/drivaer_2.stl": draw.randbytes(50_000),
    }
    hub.small = {TABLE}
    return hub


@pytest.fixture
def bring(tmp_path, brisk):
    def call(*paths, source=SOURCE, **options):
        files = tuple(
            path if isinstance(path, RemoteFile) else RemoteFile(path, path.split("/")[0])
            for path in paths
        )
        options = {"progress": False, "patience": brisk, **options}
        return fetch(Manifest(source, files), tmp_path / "raw", **options)

    call.raw = tmp_path / "raw"
    return call


def here(bring):
    """The data files of the raw directory, without the bookkeeping."""
    files = (path for path in bring.raw.rglob("*") if path.is_file())
    names = {path.relative_to(bring.raw).as_posix(): path.read_bytes() for path in files}
    return {
        name: data for name, data in names.items() if name not in ("manifest.json", ".fetch.lock")
    }


def test_files_and_patterns_arrive_as_they_are_at_the_source(cars, bring):
    report = bring(BIG, TABLE, "run_1/images/*", "run_2/drivaer_*.stl")

    assert report.ok
    assert here(bring) == cars.files
    assert sorted(report.fetched) == sorted(cars.files)
    assert report.revision.startswith("c0ffee")
    assert report.by_kind()[".png"].files == 4
    assert report.by_group()["run_1"].bytes == sum(
        len(d) for p, d in cars.files.items() if "1/" in p
    )
    assert report.total.files_left == 0


def test_credentials_do_not_follow_a_redirect_to_another_host(cars, bring):
    bring(BIG)

    assert ("cdn authorization", None) in cars.log
    assert ("cdn authorization", "Bearer hf_secret") not in cars.log


def test_a_second_run_asks_for_no_file(cars, bring):
    bring(BIG, TABLE, "run_1/images/*")
    cars.log.clear()

    report = bring(BIG, TABLE, "run_1/images/*")

    assert report.ok
    assert report.fetched == ()
    assert cars.downloads() == []


def test_the_ledger_traces_each_file_to_a_commit_and_a_digest(cars, bring):
    bring(BIG, TABLE)

    record = json.loads((bring.raw / "manifest.json").read_text())[BIG]

    assert record["sha256"] == cars.info(BIG)["lfs"]["oid"]
    assert record["size"] == 300_000
    assert record["source"] == SOURCE
    assert record["revision"].startswith("c0ffee")


def test_a_lost_ledger_costs_a_look_at_the_files_and_no_download(cars, bring):
    bring(BIG, TABLE)
    (bring.raw / "manifest.json").unlink()
    cars.log.clear()

    assert bring(BIG, TABLE).fetched == ()
    assert cars.downloads() == []
    assert set(read_ledger(bring.raw)) == {BIG, TABLE}


def test_a_damaged_ledger_is_refused_with_its_name(cars, bring):
    bring(TABLE)
    (bring.raw / "manifest.json").write_text('{"a": 1}')

    with pytest.raises(ValueError, match=r"manifest\.json is not a record"):
        bring(TABLE)


def test_a_dry_run_counts_and_writes_nothing(cars, bring):
    report = bring(BIG, TABLE, "run_9/drivaer_9.stl", dry_run=True)

    assert not bring.raw.exists()
    assert cars.downloads() == []
    assert (report.total.files, report.total.files_left) == (2, 2)
    assert report.total.bytes_left == 300_000 + len(cars.files[TABLE])
    assert report.free_bytes > 0
    assert not report.ok
    assert any("run_9/drivaer_9.stl" in line for line in report.lines())


def test_a_cut_connection_is_continued_where_it_broke(cars, bring):
    cars.faults[BIG] = ["cut", "cut"]

    assert bring(BIG).ok
    assert here(bring)[BIG] == cars.files[BIG]
    assert sum(sent for _, _, sent in cars.downloads(BIG)) == 300_000
    assert [asked for _, asked, _ in cars.downloads(BIG)] == [
        None, "bytes=150000-", "bytes=225000-",
    ]  # fmt: skip


def test_what_a_killed_run_left_is_not_fetched_twice(cars, bring, brisk):
    cars.always[BIG] = "cut"
    impatient = type(brisk)(attempts=1, first_wait=0.0)
    first = bring(BIG, patience=impatient)
    arrived = sum(sent for _, _, sent in cars.downloads(BIG))
    assert not first.ok
    assert BIG not in here(bring)
    cars.always.clear()
    cars.log.clear()

    assert bring(BIG, dry_run=True).total.files_left == 1
    assert bring(BIG).ok
    assert sum(sent for _, _, sent in cars.downloads(BIG)) == 300_000 - arrived
    assert here(bring) == {BIG: cars.files[BIG]}


def test_a_server_without_ranges_is_read_from_the_start(cars, bring):
    cars.faults[BIG] = ["cut", "no range"]

    assert bring(BIG).ok
    assert here(bring)[BIG] == cars.files[BIG]
    assert [sent for _, _, sent in cars.downloads(BIG)] == [150_000, 300_000]


def test_the_beginning_of_one_version_is_never_continued_with_the_end_of_another(
    cars, bring, brisk
):
    cars.always[BIG] = "cut"
    bring(BIG, patience=type(brisk)(attempts=1, first_wait=0.0))
    cars.always.clear()
    cars.files[BIG] = cars.files[BIG][::-1]

    report = bring(BIG)

    assert report.ok
    assert here(bring) == {BIG: cars.files[BIG]}


def test_a_busy_server_is_asked_again(cars, bring):
    cars.faults[BIG] = ["busy", "busy"]

    assert bring(BIG).ok
    assert len(cars.downloads(BIG)) == 3


def test_patience_ends(cars, bring, brisk):
    cars.always[BIG] = "busy"

    report = bring(BIG, TABLE)

    assert not report.ok
    assert "503" in report.troubles[0].reason
    assert len(cars.downloads(BIG)) == brisk.attempts
    assert here(bring) == {TABLE: cars.files[TABLE]}


def test_a_server_that_says_when_to_return_is_obeyed(cars, bring):
    cars.faults[BIG] = ["slow down"]
    start = time.monotonic()

    assert bring(BIG).ok
    assert time.monotonic() - start >= 1.0


@pytest.mark.parametrize("path", [BIG, TABLE], ids=["by sha256", "by the name of the git blob"])
def test_corrupted_bytes_of_the_right_size_are_caught_and_fetched_again(cars, bring, path):
    cars.faults[path] = ["corrupt"]

    assert bring(path).ok
    files = here(bring)
    assert files[path] == cars.files[path]
    assert len(files[path + ".corrupt"]) == len(files[path])
    assert files[path + ".corrupt"] != files[path]


def test_a_file_that_is_damaged_at_the_source_never_gets_its_name(cars, bring):
    cars.always[BIG] = "corrupt"

    report = bring(BIG, TABLE)

    assert not report.ok
    assert "damaged at the source" in report.missing_by_group()["run_1"][0].reason
    assert len(cars.downloads(BIG)) == 2
    assert set(here(bring)) == {TABLE, BIG + ".corrupt"}


@pytest.mark.parametrize("listed", [100, 400_000])
def test_a_listing_that_lies_about_the_size_is_reported(cars, bring, listed):
    cars.sizes[BIG] = listed

    report = bring(BIG)

    assert f"expected {listed} bytes" in report.troubles[0].reason
    assert BIG not in here(bring)


def test_a_missing_file_does_not_stop_the_others(cars, bring):
    cars.always["run_2/drivaer_2.stl"] = "gone"
    optional = RemoteFile("LICENSE.txt", "tables", required=False)

    report = bring("run_2/drivaer_2.stl", "run_3/drivaer_3.stl", "run_4/*.vtp", optional, BIG)

    assert not report.ok
    assert {group: len(them) for group, them in report.missing_by_group().items()} == {
        "run_2": 1, "run_3": 1, "run_4": 1, "tables": 1,
    }  # fmt: skip
    assert report.fetched == (BIG,)
    assert bring(BIG, optional).ok


def test_a_gated_data_set_says_how_to_get_in(cars, bring):
    cars.always[BIG] = "gated"

    with pytest.raises(PermissionError, match=r"accept its terms .* `hf auth login`"):
        bring(BIG)


def test_what_finished_before_an_error_is_not_fetched_again(cars, bring):
    cars.always["run_2/drivaer_2.stl"] = "gated"
    with pytest.raises(PermissionError):
        bring(BIG, "run_2/drivaer_2.stl", workers=1)
    cars.always.clear()

    assert bring(BIG, "run_2/drivaer_2.stl").fetched == ("run_2/drivaer_2.stl",)
    assert len(cars.downloads(BIG)) == 1


def test_an_unknown_revision_is_named(cars, bring):
    with pytest.raises(FileNotFoundError, match="no revision v9 of lab/cars"):
        bring(BIG, source="hf://datasets/lab/cars@v9")


def test_a_file_that_changed_on_disk_is_set_aside_and_fetched_again(cars, bring):
    bring(BIG)
    (bring.raw / BIG).write_bytes(b"x" * 300_000)

    report = bring(BIG)

    assert report.fetched == (BIG,)
    assert here(bring)[BIG] == cars.files[BIG]
    assert here(bring)[BIG + ".corrupt"] == b"x" * 300_000


def test_verification_finds_what_size_and_time_do_not_show(cars, bring):
    bring(BIG, TABLE)
    path = bring.raw / BIG
    status = path.stat()
    path.write_bytes(b"x" * 300_000)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert bring(BIG, TABLE).fetched == ()
    assert bring(BIG, TABLE, verify=True).fetched == (BIG,)
    assert here(bring)[BIG] == cars.files[BIG]


def test_a_new_version_at_the_source_replaces_the_old_one(cars, bring):
    bring(BIG, TABLE)
    cars.files[TABLE] = b"Cd, Cl\n0.4, 0.1\n"

    assert bring(BIG, TABLE).fetched == (TABLE,)
    assert here(bring) == {BIG: cars.files[BIG], TABLE: cars.files[TABLE]}


def test_many_files_arrive_in_parallel(hub, bring):
    draw = random.Random(1)
    hub.files = {f"run_{i}/a.bin": draw.randbytes(draw.randrange(3000)) for i in range(120)}
    hub.faults.update({f"run_{i}/a.bin": ["cut"] for i in range(0, 120, 7)})
    hub.files["run_5/a.bin"] = b""

    assert bring(*hub.files, workers=16).ok
    assert here(bring) == hub.files
    assert [entry[2] for entry in hub.log if entry[0] == "paths"] in ([100, 20], [20, 100])


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", "a/../../evil", "a\\evil", "C:/evil", "a//b"]
)
def test_no_listing_can_write_outside_of_the_raw_directory(hub, bring, path):
    hub.files = {path: b"evil"}

    with pytest.raises(ValueError, match="outside of the raw directory"):
        bring(path)
    with pytest.raises(ValueError, match="outside of the raw directory"):
        bring("*")


def test_too_small_a_disk_is_one_error_before_the_first_byte(cars, bring, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, 1000))

    with pytest.raises(OSError, match=r"350 kB are still to fetch and 1 kB are free"):
        bring(BIG, "run_2/drivaer_2.stl")
    assert cars.downloads() == []
    assert bring(BIG, dry_run=True).free_bytes == 1000


def test_two_fetches_do_not_work_in_one_directory(cars, bring):
    bring.raw.mkdir()
    with (bring.raw / ".fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="another fetch is at work"):
            bring(BIG)


def test_a_manifest_without_files_needs_no_source(bring):
    assert bring(source="").ok


def test_no_workers_are_refused(bring):
    with pytest.raises(ValueError, match="workers must be at least 1"):
        bring(BIG, workers=0)

from pathlib import Path

import pytest

from ansatz.trainer.durable import defect, durable_folder


def write_half(target: Path) -> None:
    existed = target.exists()
    with durable_folder(target) as work:
        (work / "a").write_text("half")
        assert target.exists() == existed
        raise OSError("disk full")


def test_a_folder_appears_complete_or_not_at_all(tmp_path):
    target = tmp_path / "result"
    with pytest.raises(OSError, match="disk full"):
        write_half(target)
    assert list(tmp_path.iterdir()) == []

    with durable_folder(target) as work:
        (work / "whole").write_text("whole")
    assert defect(target) == ""
    assert (target / "whole").read_text() == "whole"


def test_a_failed_write_leaves_the_folder_before_it(tmp_path):
    target = tmp_path / "result"
    for text in ("old", "new"):
        with durable_folder(target) as work:
            (work / "a").write_text(text)
    with pytest.raises(OSError, match="disk full"):
        write_half(target)
    assert (target / "a").read_text() == "new"
    assert defect(target) == ""


def test_a_changed_byte_is_noticed(tmp_path):
    with durable_folder(tmp_path / "result") as work:
        (work / "a").write_bytes(b"0123456789")
    (tmp_path / "result" / "a").write_bytes(b"0123456780")
    assert defect(tmp_path / "result") == "a does not have the SHA-256 of its manifest"
    (tmp_path / "result" / "manifest.json").write_bytes(b"\xff\xfe{")
    assert defect(tmp_path / "result") == "manifest.json is not readable"

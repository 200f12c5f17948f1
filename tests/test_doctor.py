import json
import socket

import torch

from ansatz import doctor
from ansatz.cli import main
from ansatz.core.precision import PRECISIONS


def test_it_says_what_each_precision_does_without_a_gpu(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert main(["doctor", "--json"]) == 0
    topics = json.loads(capsys.readouterr().out)
    assert "no GPU" in topics["cuda"]
    assert all(f"cpu {precision}" in topics for precision in PRECISIONS)
    assert topics["cpu nvfp4"].startswith("emulated: weights in 4.5 bits")
    assert topics["cpu nvfp4-weights"].startswith("storage: weights in 4.5 bits")
    assert "has no TF32" in topics["cpu tf32"]
    assert topics["versions"].startswith("python 3.")


def test_a_missing_extra_comes_with_its_command(monkeypatch):
    monkeypatch.setattr(doctor, "EXTRAS", {"serve": ("json", "no_such_module")})
    assert dict(doctor.packages()) == {"serve": "missing: pip install 'ansatz-ai[serve]'"}


def test_the_cache_need_not_exist_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("ANSATZ_HOME", str(tmp_path / "deep" / "cache"))
    assert dict(doctor.places())["cache"].startswith(f"{tmp_path}/deep/cache (writable, ")
    assert not (tmp_path / "deep").exists()


def test_a_port_in_use_is_told(monkeypatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setattr(doctor, "PORT", port)
        assert dict(doctor.places())[f"port {port}"].startswith("taken")

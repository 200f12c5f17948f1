import pytest

from ansatz.aero.cfd.campaign import FIDELITIES, main, solve_car, solve_cars

COARSE = FIDELITIES["coarse"]


@pytest.fixture
def broken_openfoam(monkeypatch, tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/controlDict").touch()
    for utility in ("simpleFoam", "surfaceFeatureExtract", "blockMesh"):
        (tmp_path / utility).write_text("#!/bin/sh\necho out of blocks\nexit 1\n")
        (tmp_path / utility).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("WM_PROJECT_DIR", str(tmp_path))


def test_a_car_that_is_there_is_not_solved_again(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    (tmp_path / "car_7.npz").touch()
    assert solve_car(7, tmp_path, COARSE) == tmp_path / "car_7.npz"


def test_a_car_that_fails_leaves_its_logs_and_the_others_alone(broken_openfoam, tmp_path):
    (tmp_path / "car_7.npz").touch()
    results = dict(solve_cars([7, 8], tmp_path, COARSE, workers=2))
    assert results[7] == tmp_path / "car_7.npz"
    assert isinstance(results[8], OSError)
    assert "out of blocks" in (tmp_path / "cases/car_8/log.blockMesh").read_text()


def test_a_campaign_without_openfoam_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LookupError, match="apt-get install openfoam"):
        list(solve_cars([8, 9], tmp_path, COARSE))


def test_the_command_understands_numbers_and_ranges(tmp_path, capsys):
    for number in (1, 2, 901):
        (tmp_path / f"car_{number}.npz").touch()
    assert main([str(tmp_path), "1:3", "901", "--workers", "2"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["car 1", "car 2", "car 901"]

import json
import subprocess
import sys

import pytest

import ansatz
from ansatz import verbs
from ansatz.cli import VERBS, main
from ansatz.core.options import SECTIONS

NAME = "trigonometry/sine"


def errors(capsys, *words):
    """What a command that fails says, line by line; it prints no data."""
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert all(line.startswith("ansatz: ") for line in lines)
    return [line.removeprefix("ansatz: ") for line in lines]


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom ansatz.cli import main\nassert main(['--help']) == 0\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'scipy', 'rich'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert all(f"  {verb}" in run.stdout for verb in VERBS)


def test_every_verb_is_a_function_and_a_command():
    assert set(ansatz.__all__) == set(SECTIONS) | {"load"}
    assert set(SECTIONS) | {"list", "doctor"} == set(VERBS)
    assert all(callable(getattr(verbs, verb)) for verb in SECTIONS)
    with pytest.raises(AttributeError, match="pretrain"):
        ansatz.pretrain  # noqa: B018


def test_without_a_verb_the_help_is_shown_and_the_command_has_failed(capsys):
    assert main([]) == 2
    assert "usage: ansatz VERB" in capsys.readouterr().out
    assert main(["train", "--help"]) == 0
    assert "usage: ansatz VERB" in capsys.readouterr().out


def test_the_version_is_that_of_the_distribution(capsys):
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("ansatz-ai")


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["tran", NAME], ["unknown verb 'tran'; did you mean 'train'?"]),
        (["train"], ["ansatz train needs the name of a recipe. See: ansatz list"]),
        (["train", NAME, "--jsno"], ["unknown option '--jsno'; did you mean '--json'?"]),
        (["train", NAME, "--out"], ["argument --out: expected one argument"]),
        (
            ["train", NAME, "steps", "20"],
            ["ansatz train takes no inputs, and 'steps' is one: options are written key=value"],
        ),
        (["train", NAME, "steps=1", "steps=2"], ["steps is set twice: to '1' and to '2'"]),
        (
            ["train", NAME, "stpes=1", "width=0"],
            [
                "unknown option 'stpes'; did you mean 'steps'?",
                "width=0: must be greater than or equal to 1",
            ],
        ),
        (
            ["predict", NAME, "1", "amplitdue=1", "precision=fp9"],
            [
                "unknown option 'amplitdue'; did you mean 'amplitude'?",
                "precision=fp9: must be 'fp64', 'fp32', 'tf32', 'bf16', 'fp16', 'fp8', ",
            ],
        ),
        (["serve", NAME, "prot=1"], ["unknown option 'prot'; did you mean 'port'?"]),
        (
            ["serve", NAME, "port=http"],
            ["port=http: must be a valid integer, unable to parse string as an integer"],
        ),
        (
            ["check", NAME, "split=tset", "repeats=3"],
            [
                "split=tset: must be 'train', 'validation' or 'test'",
                "unknown option 'repeats'",
            ],
        ),
        (["bench", NAME, "repeats=0"], ["repeats=0: must be greater than or equal to 1"]),
        (
            ["predict", NAME],
            [f"ansatz predict {NAME} needs an input: a file, a folder or a text"],
        ),
        (
            ["predict", "aero/cars", "no_such.stl"],
            ["no_such.stl is not a file: give a file, or a folder of files"],
        ),
    ],
)
def test_a_mistake_is_told_in_a_line(words, lines, installed, capsys):
    told = errors(capsys, *words)
    assert len(told) == len(lines)
    assert all(line.startswith(start) for line, start in zip(told, lines, strict=True))
    assert list(installed.iterdir()) == []


def test_an_unknown_recipe_has_a_nearest_name(installed, capsys):
    (line,) = errors(capsys, "train", "trigonometry/sin")
    assert "did you mean 'trigonometry/sine'" in line


def test_a_folder_without_geometries_is_named(tmp_path, capsys):
    (line,) = errors(capsys, "predict", "aero/cars", str(tmp_path))
    assert line == f"{tmp_path} holds no .stl or .stl.gz files"


def test_debug_shows_the_traceback(installed):
    with pytest.raises(ValueError, match="unknown option"):
        main(["train", NAME, "stpes=1", "--debug"])


def test_an_interrupted_command_says_how_to_go_on(installed, capsys, monkeypatch):
    def interrupted(*words, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "train", interrupted)
    assert main(["train", NAME]) == 130
    assert "run the same command again to go on" in capsys.readouterr().err


def test_a_stopped_training_asks_to_be_queued_again(installed, capsys, monkeypatch):
    from ansatz.trainer.loop import Outcome

    monkeypatch.setattr(verbs, "train", lambda *words, **more: Outcome(7, "SIGTERM", None))
    assert main(["train", NAME]) == 85
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verb", sorted(SECTIONS))
def test_a_dry_run_writes_nothing(verb, installed, capsys):
    words = {"predict": ["0.5"], "fetch": []}.get(verb, [])
    assert main([verb, NAME, *words, "--dry-run"]) == 0
    assert NAME in capsys.readouterr().out or verb == "fetch"
    assert list(installed.rglob("*")) == []


def test_a_dry_run_shows_what_would_be_done(installed, capsys):
    words = ["predict", NAME, "0.5", "amplitude=2", "--out", "there", "--dry-run", "--json"]
    assert main(words) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["inputs"] == ["0.5"]
    assert content["request.amplitude"] == 2.0
    assert content["predict.precision"] == "fp32"
    assert content["out"] == "there"


def test_a_dry_run_finds_the_same_mistakes(installed, capsys):
    assert errors(capsys, "predict", "aero/cars", "no_such.stl", "--dry-run")
    assert errors(capsys, "train", NAME, "steps=0", "--dry-run")


def test_a_word_that_looks_like_an_override_and_is_a_file_is_an_input(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speed=30.stl").touch()
    assert main(["predict", "aero/cars", "speed=30.stl", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inputs"] == ["speed=30"]


def test_a_subject_that_cannot_be_loaded_does_not_hide_the_others(tmp_path, monkeypatch, capsys):
    about = tmp_path / "broken-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[ansatz.recipes]\na/b = no_such_subject:recipe\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["list", "--json"]) == 0
    titles = json.loads(capsys.readouterr().out)
    assert titles["a/b"] == "cannot be loaded: No module named 'no_such_subject'"
    assert "cars" in titles["aero/cars"]


def test_a_check_that_fails_exits_with_1(sine, capsys):
    far = ["check", NAME, "3", "with=exact", "amplitude=100", f"checkpoint={sine}"]
    assert main(far) == 1
    assert "FAIL largest_error" in capsys.readouterr().out


def test_results_are_data_on_stdout_and_words_on_stderr(sine, capsys):
    assert main(["predict", NAME, "0.5", f"checkpoint={sine}", "--json"]) == 0
    shown = capsys.readouterr()
    (row,) = json.loads(shown.out)
    assert row["name"] == "0.5"
    assert "1 of 1 answered" in shown.err

    words = ["bench", NAME, "0.5", f"checkpoint={sine}", "precision=fp32,bf16", "repeats=1"]
    assert main([*words, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [each["precision"] for each in content["rows"]] == ["fp32", "bf16"]
    assert content["machine"]["cores"] >= 1

    assert main(["fetch", NAME, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["troubles"] == []
    assert content["present"] == ["angles.csv"]

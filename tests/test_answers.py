import csv
import json
import math

from ansatz.answers import outcome, show, write_csv
from ansatz.cli import main
from ansatz.engine.batch import Item

ITEMS = [
    Item("a", {"cd": 0.3, "cd_low": 0.28, "cd_high": 0.33, "notes": ""}, is_new=True),
    Item("b, c", {"error": 'is "empty"'}, is_new=True),
    Item("d", {"cd": math.nan}, is_new=False),
]


def test_the_table_has_a_row_per_input_and_all_columns(tmp_path):
    write_csv(tmp_path / "predictions.csv", ITEMS)
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", "cd", "cd_low", "cd_high", "notes", "error"]
    assert [row["name"] for row in rows] == ["a", "b, c", "d"]
    assert rows[0]["cd"] == "0.3"
    assert rows[1]["error"] == 'is "empty"'


def test_numbers_that_json_does_not_have_are_null(capsys):
    show(ITEMS, as_json=True)
    rows = json.loads(capsys.readouterr().out, parse_constant=lambda name: 1 / 0)
    assert rows[2] == {"name": "d", "cd": None}


def test_a_single_answer_is_shown_with_its_interval(capsys):
    show(ITEMS[:1], as_json=False)
    assert capsys.readouterr().out == "cd                 0.3   (0.28 to 0.33)\n"


def test_what_was_answered_is_counted():
    assert outcome(ITEMS) == "2 of 3 answered, 1 of them earlier"


def test_an_input_without_an_answer_is_told_and_makes_the_command_fail(sine, capsys):
    words = ["predict", "trigonometry/sine", "1", "9", f"checkpoint={sine}", "--out", "told"]
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "9: 9.0 rad is outside" in shown.err
    assert "1 of 2 answered: told/predictions.csv" in shown.err

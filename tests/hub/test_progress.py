import sys

from ansatz.hub.progress import meter


def test_a_log_gets_a_line_per_tenth(capsys):
    with meter(2_000_000, shown=True) as advance:
        for _ in range(20):
            advance(100_000)

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[-1] == "fetched 100 % of 2.0 MB"


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with meter(1000, shown=True) as advance:
        advance(1000)

    assert "1.0/1.0 kB" in capsys.readouterr().err


def test_nothing_is_shown_where_nothing_is_asked_for(capsys):
    with meter(1000, shown=False) as advance:
        advance(1000)

    assert capsys.readouterr().err == ""

import csv
import io
import json
import math
import re
from html.parser import HTMLParser

import matplotlib.image
import numpy as np
import pytest

from ansatz.core.findings import Figure, Finding, Section, Table
from ansatz.report import figures, page

HOSTILE = "<script>alert('x')</script>"
VOID = {"meta", "wbr", "img", "br", "link"}


class Reader(HTMLParser):
    """Elements with their attributes, and the text of the page; refuses tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


def png():
    target = io.BytesIO()
    matplotlib.image.imsave(target, np.zeros((4, 600, 4)), format="png")
    return target.getvalue()


SECTIONS = (
    Section(
        "Forces",
        (
            Finding("error_of_lift", 0.125, "N", 0.5, "made up", interval=(0.1, 0.2)),
            Finding("rank", 0.25, "", 0.75, "made up", at_least=True),
            Finding("scatter", 3e-9, "m"),
        ),
        "One paragraph.\n\nAnother one.",
        (figures.histogram([1.0, -2.0], label="lift"),) * 2,
        (Table(("Case", "Error"), [("a", 0.5), ("b", math.nan)], "Two cases"),),
    ),
    Section(HOSTILE, (Finding(HOSTILE, math.nan, HOSTILE, 1.0, HOSTILE),), HOSTILE,
            (Figure(png(), HOSTILE),), (Table((HOSTILE,), [(HOSTILE,)], HOSTILE),)),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("report") / "new"
    provenance = {"command": HOSTILE, "versions": {"numpy": "9.9"}, "seed": 7}
    page.write(SECTIONS, where, recipe="made/up", subtitle=HOSTILE, provenance=provenance)
    return where


@pytest.fixture(scope="module")
def html(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_three_files_and_no_leftovers(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        "findings.csv",
        "report.html",
        "report.json",
    ]


def test_a_page_needs_nothing_but_itself(html):
    reader = Reader(html)
    for _, attributes in reader.elements:
        for key in ("src", "href", "xlink:href", "action", "data"):
            target = attributes.get(key, "#")
            assert target.startswith(("#", "data:image/png;base64,"))
    assert not reader.all("link")
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_names_are_text(html):
    reader = Reader(html)
    assert len(reader.all("script")) == 1
    assert reader.text.count("alert('x')") >= 8


def test_every_identifier_is_unique_and_every_link_arrives(html):
    reader = Reader(html)
    found = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(found) == len(set(found))
    targets = {a["href"][1:] for _, a in reader.elements if a.get("href", "").startswith("#")}
    assert targets <= set(found)


def test_headings_are_in_order_and_the_language_is_said(html):
    reader = Reader(html)
    assert [tag for tag, _ in reader.elements if re.fullmatch("h[1-6]", tag)] == ["h1", "h2", "h2"]
    assert reader.all("html")[0]["lang"] == "en"
    assert len(reader.all("figure")) == len(reader.all("figcaption")) == 3


def test_failures_are_said_in_words_and_not_in_color_alone(html):
    text = Reader(html).text
    assert "1 of 3 checks passed, 2 failed" in text
    assert "rank is 0.25, held to ≥ 0.75" in text
    marks = re.findall(r'class="mark (\w+)".*?</span> (\w+)</span>', html, flags=re.DOTALL)
    assert {word for word, _ in marks} == {"passed", "failed", "reported"}
    assert all(word == shown for word, shown in marks)


def test_numbers_that_are_not_finite_are_shown_and_fail(html, folder):
    assert "NaN" in Reader(html).text
    record = json.loads((folder / "report.json").read_text())["findings"][-1]
    assert record["value"] == "nan"
    assert record["passed"] is False


def test_a_number_without_a_bound_fails_only_if_it_is_none():
    def rendered(value):
        section = Section("s", (Finding("x", value),))
        return Reader(page.render([section], title="t", subtitle="", provenance={})).text

    assert "Nothing was held to a bound" in rendered(1.0)
    assert "0 of 1 checks passed, 1 failed" in rendered(math.inf)


def test_the_json_holds_what_programs_rely_on(folder):
    def no_constant(name):
        raise AssertionError(f"{name} is not JSON")

    content = json.loads((folder / "report.json").read_text(), parse_constant=no_constant)
    assert list(content) == ["recipe", "findings", "report"]
    assert content["recipe"] == "made/up"
    assert content["report"] == str(folder / "report.html")
    assert content["findings"][0] == {
        "name": "error_of_lift",
        "value": 0.125,
        "unit": "N",
        "bound": 0.5,
        "passed": True,
        "source": "made up",
        "section": "Forces",
        "at_least": False,
        "interval": [0.1, 0.2],
    }


def test_the_csv_reads_back_to_the_last_bit(tmp_path):
    value = float(np.random.default_rng(0).normal())
    finding = Finding('a, "b"\nc', np.float64(value), "m", 1.0, "=1+1", interval=(value, 2.0))
    page.write([Section("s", (finding,))], tmp_path, recipe="made/up")
    with (tmp_path / "findings.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["name"] == 'a, "b"\nc'
    assert float(row["value"]) == float(row["low"]) == value
    assert row["passed"] == "True"
    assert row["source"] == "'=1+1"  # a spreadsheet would compute it


def test_bars_stand_where_their_numbers_are():
    finding = Finding("x", 1.0, "", 2.0, interval=(-2.0, 1.5))
    html = page.render([Section("s", (finding,))], title="t", subtitle="", provenance={})
    places = re.findall(
        r'class="(fill \w+|whisker|tick)" style="left:([\d.]+)%(?:;width:([\d.]+))?', html
    )
    # From -2.16 to 2.16: zero in the middle.
    unit = 100 / 4.32
    assert [p[0] for p in places] == ["fill passed", "whisker", "tick"]
    assert [float(p[1]) for p in places] == pytest.approx(
        [50, 50 - 2 * unit, 50 + 2 * unit], abs=0.02
    )
    assert [float(p[2]) for p in places[:2]] == pytest.approx([unit, 3.5 * unit], abs=0.02)


def test_provenance_is_laid_out_flat(html):
    text = Reader(html).text
    assert re.search(r"versions\. ?numpy 9\.9", text)
    assert "seed 7" in text


def test_a_ragged_table_and_a_broken_picture_are_refused(tmp_path):
    with pytest.raises(ValueError, match="row of 1 cells under a header of 2"):
        page.write([Section("s", tables=(Table("ab", [(1,)]),))], tmp_path, recipe="r")
    with pytest.raises(ValueError, match="expected SVG text or the bytes of a PNG"):
        page.write([Section("s", figures=(Figure(b"GIF89a", "cat"),))], tmp_path, recipe="r")
    assert list(tmp_path.iterdir()) == []

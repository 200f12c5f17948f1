import pytest

from ansatz.report import svg

HOSTILE = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
  viewBox="0 0 300 200" height="200pt" onload="alert(1)">
 <metadata><creator>someone</creator></metadata>
 <style>@import url(http://evil.example/a.css);</style>
 <script>alert(2)</script>
 <foreignObject><body>alert(3)</body></foreignObject>
 <a href="javascript:alert(4)"><text>link</text></a>
 <defs><clipPath id="box"><rect width="9" height="9"/></clipPath></defs>
 <g clip-path="url(#box)"><use xlink:href="#box"/><use href="http://evil.example/b.svg"/></g>
 <rect style="fill: url(http://evil.example/c)" onclick="alert(5)" x="1"/>
 <rect style="fill: u\\72l(http://evil.example/d)" x="2"/>
 <image href="data:image/svg+xml;base64,AAAA"/><image href="data:image/png;base64,AAAA"/>
 <text>a &lt; b</text>
</svg>"""


def test_only_what_draws_is_left_of_a_picture():
    html, width = svg.inline(HOSTILE, "f1-", 'a "label"')
    assert width == 300
    for gone in (
        "alert",
        "evil",
        "<script",
        "<style",
        "creator",
        "svg+xml",
        'height="200pt',
        "ns0",
    ):
        assert gone not in html
    assert "a &lt; b" in html
    assert 'aria-label="a &quot;label&quot;"' in html
    assert "data:image/png;base64,AAAA" in html


def test_references_inside_a_picture_still_meet_after_their_renaming():
    html, _ = svg.inline(HOSTILE, "f1-", "")
    assert 'id="f1-box"' in html
    assert 'clip-path="url(#f1-box)"' in html
    assert 'href="#f1-box"' in html


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match="no well-formed SVG"):
        svg.inline("<svg viewBox='0 0 1 1'>", "", "")
    with pytest.raises(ValueError, match="<html>; expected an <svg>"):
        svg.inline("<html/>", "", "")
    with pytest.raises(ValueError, match="entities"):
        svg.inline('<!DOCTYPE svg [<!ENTITY a "b">]><svg viewBox="0 0 1 1">&a;</svg>', "", "")

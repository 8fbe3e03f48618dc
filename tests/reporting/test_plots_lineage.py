# SPDX-License-Identifier: Apache-2.0
import re
from xml.etree import ElementTree

import pytest

from monai_ethics.evidence import EvidenceReport
from monai_ethics.provenance.lineage.sketch import Arrow, Box, Sketch
from monai_ethics.reporting.plots.lineage import lineage_picture
from monai_ethics.reporting.render import render

NASTY = "</text><script>[red]$\\frac{$\x1b[31m\x00"


def box(label, column, **settings):
    return Box(**{"label": label, "note": "", "count": 1, "column": column, "marked": False, "asked": False} | settings)


@pytest.fixture
def drawn():
    boxes = (box("patient", 0), box("set", 1), box(NASTY, 6, note=NASTY, marked=True, count=1000))
    arrows = (
        Arrow(parent=0, child=1, count=1),
        Arrow(parent=1, child=2, count=1000),
        Arrow(parent=2, child=1, count=2),
    )
    return Sketch(boxes=boxes, arrows=arrows, whole=False, unseen=(("something", 3),))


def report():
    return EvidenceReport(created="2026-01-01T00:00:00Z", tool="t", environment={}, inputs={}, findings=())


def test_every_box_and_arrow_is_drawn_the_same_way_each_time(drawn):
    picture = lineage_picture(drawn)
    assert picture == lineage_picture(drawn)
    root = ElementTree.fromstring(picture.svg)
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert (names.count("rect"), names.count("path")) == (4, 4)
    assert "script" not in names
    assert "1,000" in picture.svg
    assert lineage_picture(Sketch(boxes=(), arrows=(), whole=True)) is None


def test_no_box_lies_on_another_or_beyond_the_edge():
    boxes = tuple(box(str(number), number // 3) for number in range(40))
    svg = lineage_picture(Sketch(boxes=boxes, arrows=(), whole=True)).svg
    width, height = map(int, re.search(r'width="(\d+)" height="(\d+)"', svg).groups())
    places = [tuple(map(int, m)) for m in re.findall(r'<rect x="(\d+)" y="(\d+)" width="152" height="46"', svg)]
    assert len(set(places)) == 40
    assert all(x + 152 <= width and y + 46 <= height for x, y in places)
    assert all(abs(a - c) >= 152 or abs(b - d) >= 46 for a, b in places for c, d in places if (a, b) != (c, d))


def test_the_report_shows_the_graph_and_the_same_as_a_table(drawn):
    files = {name: content.decode() for name, content in render(report(), lineage=drawn).items()}
    assert files == {name: content.decode() for name, content in render(report(), lineage=drawn).items()}
    page = files["report.html"]
    assert "Where it came from" in page
    assert "<script" not in page
    assert "\x1b" not in page + files["report.md"]
    for text in ("What was made of what", "something (3)"):
        assert text in page
    assert "## Where it came from" in files["report.md"]
    assert "<script>" not in files["report.md"]


def test_a_report_without_lineage_does_not_speak_of_it():
    empty = Sketch(boxes=(), arrows=(), whole=True)
    assert b"Where it came from" not in render(report(), lineage=empty)["report.html"]
    assert render(report()) == render(report(), lineage=empty)

# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import sys
import time
from dataclasses import replace

import pytest

from monai_ethics.evidence import EvidenceReport
from monai_ethics.reporting.render import NO_PLOTS, arrange, render, write_report


@pytest.fixture
def unplotted(monkeypatch):
    """Figures take a second and are not what is tested."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.mark.slow
def test_equal_reports_give_equal_bytes(told, integrity):
    again = EvidenceReport.from_json(told.to_json())
    assert render(told, integrity=integrity) == render(again, integrity=integrity)


def test_digests_are_those_of_the_files_and_nothing_else_is_left(report, tmp_path, unplotted):
    found = write_report(report, tmp_path)
    assert sorted(found) == ["report.html", "report.json", "report.md"] == sorted(p.name for p in tmp_path.iterdir())
    for name, digest in found.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert write_report(report, tmp_path) == found


def test_json_is_the_report_itself(report, tmp_path, unplotted):
    write_report(report, tmp_path)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert EvidenceReport.from_json(text) == report
    assert json.loads(text)["schema_version"] == "1"


def test_a_write_that_fails_leaves_the_old_report(report, empty, tmp_path, monkeypatch, unplotted):
    write_report(report, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def refuse(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("monai_ethics.provenance.log.files.storage.os.fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        write_report(empty, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_without_matplotlib_there_are_tables_and_one_line_why(report, unplotted):
    files = render(report)
    text = files["report.html"].decode()
    assert "matplotlib is not installed" in text
    assert "data:image" not in text
    assert "<table" in text
    assert NO_PLOTS.split(";")[0] in files["report.md"].decode()


def test_an_empty_report_renders(empty, rendered):
    assert b"Nothing has an answer" in rendered(empty)["report.html"]


def test_hostile_text_survives_in_json_and_is_harmless_in_markdown(hostile, unplotted):
    files = render(hostile)
    json.loads(files["report.json"].decode("utf-8", "surrogatepass"))
    text = files["report.md"].decode()
    assert "<" not in text.replace("<https://", "")
    assert "\x1b" not in text
    assert "\x00" not in text


@pytest.mark.slow
@pytest.mark.parametrize("classified", [20], indirect=True)
def test_sixty_findings_of_twenty_groups_stay_readable(report, classified, compared, present, rendered):
    groups = [replace(classified, subjects=(f"target{place}",)) for place in range(12)]
    gaps = [replace(compared, subjects=(f"target{place}_tpr", "site")) for place in range(47)]
    big = replace(report, findings=[*groups, *gaps, present])
    start = time.process_time()
    files = rendered(big)
    took = time.process_time() - start
    sizes = {name: f"{len(content) / 1e6:.1f} MB" for name, content in files.items()}
    print(f"60 findings, 20 groups: {took:.1f} s on one core, {sizes}")
    page = files["report.html"].decode()
    assert page.count("<article") == 60
    assert page.count("<img") < 400
    assert len(files["report.html"]) < 12e6
    assert took < 60


def test_a_report_of_many_results_draws_some_figures_of_each_and_says_so(classified, monkeypatch):
    many = EvidenceReport(
        created="2026-03-02T09:14:00Z", tool="monai_ethics", environment={}, inputs={}, findings=(classified,) * 7
    )
    monkeypatch.setattr("monai_ethics.reporting.render.FEW", 6)
    monkeypatch.setattr("monai_ethics.reporting.render.MOST", 14)
    view = arrange(many)
    assert [len(item.pictures) for item in view.asked] == [2] * 7
    assert view.plots_note.startswith("7 results have an answer: of each, up to 2 figures are drawn, 14 in all")

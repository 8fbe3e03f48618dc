# SPDX-License-Identifier: Apache-2.0
import hashlib
import json

import pytest

from monai_ethics.__main__ import main
from monai_ethics.evidence import EvidenceReport, Finding, Stage, Verdict
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog

FINDING = Finding(
    check="fairness.score_gap",
    title="Does it differ?",
    stage=Stage.EVALUATION,
    verdict=Verdict.NOT_ASSESSABLE,
    statement="Nothing can be said.",
    reason="Too few patients.",
)


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    folder = tmp_path / "evidence"
    with EvidenceLog.open(folder, run_id="first") as log:
        log.add_findings([FINDING])
    return folder


def test_the_report_is_the_last_sealed_entry_and_verifies(evidence, capsys):
    assert main(["report", str(evidence)]) == 0
    text = capsys.readouterr().out
    assert "Too few patients." in text
    assert "keep this fingerprint" in text
    assert verify_evidence(evidence).intact
    last = json.loads((evidence / "log.jsonl").read_text().splitlines()[-1])
    page = hashlib.sha256((evidence / "report.html").read_bytes()).hexdigest()
    assert (last["kind"], last["body"]["files"]["report.html"]) == ("report", page)


def test_with_out_the_evidence_is_left_as_it_is(evidence, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in evidence.iterdir() if path.is_file()}
    assert main(["report", str(evidence), "--out", str(tmp_path / "copy"), "--json"]) == 0
    assert sorted(json.loads(capsys.readouterr().out)) == ["report.html", "report.json", "report.md"]
    assert {path.name: path.read_bytes() for path in evidence.iterdir() if path.is_file()} == before
    assert EvidenceReport.from_json((tmp_path / "copy" / "report.json").read_text()).findings[0].reason


def test_a_changed_log_is_not_sealed_again(evidence, capsys):
    log = evidence / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"Too few", b"Too few!"[:-2] + b"v"))
    assert main(["report", str(evidence)]) == 1
    assert "altered" in capsys.readouterr().err
    assert not (evidence / "report.html").exists()


@pytest.mark.parametrize("words", [["report", "nowhere"], ["report"]])
def test_no_evidence_is_one_sentence(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_out_must_be_a_folder(evidence, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["report", str(evidence), "--out", str(tmp_path / "file")]) == 2
    assert "a folder" in capsys.readouterr().err


def test_a_broken_last_line_is_told_and_does_not_stop_the_report(evidence):
    with (evidence / "log.jsonl").open("ab") as file:
        file.write(b"{}\n")
    assert verify_evidence(evidence).status == "torn"
    assert main(["report", str(evidence)]) == 0
    assert verify_evidence(evidence).intact


def test_an_emptied_log_is_altered_and_not_a_run_that_is_missing(evidence, tmp_path, capsys):
    (evidence / "log.jsonl").write_bytes(b"")
    assert main(["report", str(evidence)]) == 1
    assert "altered" in capsys.readouterr().err
    assert main(["report", str(evidence), "--out", str(tmp_path / "copy")]) == 2
    assert "with entries" in capsys.readouterr().err


def test_a_link_left_beside_the_report_is_not_followed(evidence, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("mine")
    for name in (".report.html.part", "report.html"):
        (evidence / name).symlink_to(kept)
    assert main(["report", str(evidence)]) == 0
    assert kept.read_text() == "mine"
    assert not (evidence / "report.html").is_symlink()


@pytest.mark.parametrize("lost", [True, False])
def test_a_report_that_was_lost_or_changed_is_rendered_again(evidence, lost, capsys):
    assert main(["report", str(evidence)]) == 0
    page = evidence / "report.html"
    page.unlink() if lost else page.write_text("forged")
    assert verify_evidence(evidence).status == ("torn" if lost else "altered")
    assert main(["report", str(evidence)]) == 0
    assert verify_evidence(evidence).intact
    assert "not the file that was sealed" not in page.read_text()
    assert "report.html is absent" not in page.read_text()


def test_the_run_of_a_report_is_named_after_the_run_that_it_shows(evidence, capsys):
    for _ in range(3):
        assert main(["report", str(evidence), "--json"]) == 0
    entries = map(json.loads, (evidence / "log.jsonl").read_text().splitlines())
    runs = dict.fromkeys(entry["run_id"] for entry in entries)
    assert list(runs) == ["first", "report-of-first", "report-of-first-2", "report-of-first-3"]


def test_entries_that_nobody_had_signed_are_not_signed_without_a_word(evidence, capsys):
    log = EvidenceLog.open(evidence, run_id="killed")
    log.append("note", {})
    log.close()
    assert main(["report", str(evidence)]) == 0
    assert "3 entries that nobody had signed" in capsys.readouterr().err
    assert main(["report", str(evidence)]) == 0
    assert not capsys.readouterr().err


def test_a_page_that_says_intact_shows_what_was_verified(evidence, tmp_path, monkeypatch, capsys):
    from monai_ethics.provenance.log.verifying import verify

    def verified_then_changed(folder, **options):
        found = verified(folder, **options)
        log = folder / "log.jsonl"
        log.write_bytes(log.read_bytes().replace(b"Too few patients.", b"Nothing differs!!"))
        return found

    verified = verify.verify_evidence
    monkeypatch.setattr(verify, "verify_evidence", verified_then_changed)
    monkeypatch.setattr("monai_ethics.provenance.log.writing.relied.holder", lambda folder: None)
    first = main(["report", str(evidence)])  # the log has a sealed report by then
    assert first == 2
    assert "stays as it was verified" in capsys.readouterr().err

# SPDX-License-Identifier: Apache-2.0
import json

import pytest

import monai_ethics.provenance.log.writing.writer as writer
from monai_ethics.__main__ import main
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.redaction import pending_erasures
from monai_ethics.provenance.log.writing.writer import EvidenceLog

SECRET = "DOE^JANE-1970"


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    for run in ("first", "second"):
        with EvidenceLog.open(tmp_path / "evidence", run_id=run) as log:
            for kind in ("cases", "scores"):
                log.put_private(kind, f"case\n{SECRET}\n{run}\n".encode(), media_type="text/tab-separated-values")
            log.add_findings([GroupRates()(GroupRates.example(40, 0))])
    return tmp_path / "evidence"


@pytest.fixture
def bare(monkeypatch):
    """Without the report, which takes most of the time."""
    monkeypatch.setattr("monai_ethics.reporting.sealed.seal_report", lambda log: log.seal())


def redact(evidence, *words):
    return main(["redact", str(evidence), *words])


def kept(evidence):
    return len(list(evidence.glob("private/*.bin")))


def test_without_yes_it_lists_what_would_go_and_what_ends_with_it(evidence, capsys):
    before = (evidence / "log.jsonl").read_bytes()
    assert redact(evidence, "--kind", "cases", "--reason", "withdrawal") == 0
    shown = capsys.readouterr().out
    assert shown.count("`fairness` has no table of cases") == 2
    assert "Nothing was deleted" in shown
    assert SECRET not in shown
    assert kept(evidence) == 4
    assert (evidence / "log.jsonl").read_bytes() == before


def test_what_is_named_goes_for_good_and_the_log_verifies_as_redacted(evidence, capsys):
    assert redact(evidence, "--kind", "cases", "--run-id", "first", "--reason", "request", "--yes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["deleted"]
    assert [row["run"] for row in told["payloads"]] == ["first"]
    assert kept(evidence) == 3
    found = verify_evidence(evidence, expect_head=told["head"])
    assert (found.status, found.redacted, found.problems) == ("redacted", 1, ())
    (entry,) = [entry for entry in read_entries(evidence) if entry.kind == "erasure"]
    assert entry.body == {"commitments": [told["payloads"][0]["commitment"]], "reason": "request"}
    for file in evidence.glob("report.*"):
        assert SECRET not in file.read_text(encoding="utf-8")
    assert redact(evidence, "--kind", "cases", "--run-id", "first", "--reason", "request") == 0
    assert "deleted already" in capsys.readouterr().out


def test_one_payload_is_named_by_its_first_digits(evidence, capsys, bare):
    name = next(evidence.glob("private/*.bin")).stem
    assert redact(evidence, "--commitment", name[:12], "--reason", "mistake", "--yes") == 0
    assert not (evidence / "private" / f"{name}.bin").exists()
    assert kept(evidence) == 3
    assert "Sealed" in capsys.readouterr().out


def test_without_the_pseudonym_key_nobody_can_link(evidence, capsys, bare):
    assert redact(evidence, "--pseudonym-key", "--reason", "retention", "--yes") == 0
    assert "nobody can link" in capsys.readouterr().out
    assert not (evidence / "private" / "pseudonym.key").exists()
    assert verify_evidence(evidence).status == "redacted"
    assert not pending_erasures(evidence)


def test_what_a_crash_left_between_entry_and_deletion_is_found_and_finished(evidence, capsys, monkeypatch, bare):
    def cut(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer, "erase_payloads", cut)
        log = EvidenceLog.open(evidence, run_id="cut")
        names = [entry.body["commitment"] for entry in read_entries(evidence) if entry.kind == "payload"][:2]
        with pytest.raises(KeyboardInterrupt):
            log.erase(names, reason="withdrawal")
        log.close()
    assert kept(evidence) == 4
    assert set(pending_erasures(evidence).commitments) == set(names)
    assert redact(evidence, "--reason", "withdrawal") == 0
    assert "cut off: 2" in capsys.readouterr().out
    assert redact(evidence, "--reason", "withdrawal", "--yes") == 0
    assert kept(evidence) == 2
    assert not pending_erasures(evidence)
    assert verify_evidence(evidence).status == "redacted"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kind", "cases", "--yes"), "--reason"),
        (("--kind", "cases", "--reason", "because"), "--reason"),
        (("--reason", "request"), "got none"),
        (("--kind", "nope", "--reason", "request"), "private payloads"),
        (("--commitment", "00", "--reason", "request"), "8 or more"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(evidence, capsys, words, said):
    assert redact(evidence, *words) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert said in told


def test_a_list_needs_no_reason_and_a_deletion_does(evidence, capsys):
    assert redact(evidence, "--kind", "cases") == 0
    assert "Nothing was deleted" in capsys.readouterr().out
    assert redact(evidence, "--kind", "cases", "--yes") == 2
    assert "retention, request, mistake: got none. Choose one." in capsys.readouterr().err
    assert redact(evidence.parent / "nowhere", "--kind", "cases") == 2
    assert "Expected an evidence folder or site log" in capsys.readouterr().err
    assert kept(evidence) == 4

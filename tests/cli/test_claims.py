# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from monai_ethics.__main__ import main
from monai_ethics.lifecycle.claims import Claims
from monai_ethics.provenance.log.reading.entries import read_private, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog

GOOD = '- {text: "The overlap improved.", results: [fairness.mitigation_change#dice/change]}\n'
BAD = '- {text: "Jane Doe, born 1970, is safe.", results: [fairness.score_gap]}\n'
HEAD = 'schema_version: "1"\nclaims:\n'


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("home") / "keys"))


@pytest.fixture
def evidence(tmp_path):
    with EvidenceLog.open(tmp_path / "evidence", run_id="run") as log:
        log.add_findings(Claims.example(2, 1).findings)
    return tmp_path / "evidence"


def claims(tmp_path, text):
    path = tmp_path / "claims.yaml"
    path.write_text(HEAD + text)
    return str(path)


def test_sentences_that_are_carried_pass_and_stand_in_the_report(evidence, tmp_path, capsys):
    assert main(["claims", str(evidence), claims(tmp_path, GOOD)]) == 0
    assert "passed: 0 of 1 sentence" in capsys.readouterr().out
    (finding,) = [item for item in read_report(evidence).findings if item.check == "lifecycle.claims"]
    assert finding.verdict == "passed"
    assert finding.limit.source.title.startswith("Requirement MIS-10")
    assert verify_evidence(evidence).status == "intact-signer-unknown"
    assert "every sentence that is to be published" in (evidence / "report.html").read_text()
    assert read_private(evidence, "claims")[0][1].decode() == HEAD + GOOD


def test_an_unsupported_sentence_exits_with_1_and_is_named_by_its_place_only(evidence, tmp_path, capsys):
    assert main(["claims", str(evidence), claims(tmp_path, GOOD + BAD)]) == 1
    shown = capsys.readouterr()
    assert "claim 2: It names a result that the evidence does not have." in shown.out
    assert "claim 2: It holds a word that no result can carry" in shown.out
    assert shown.err.startswith("monai-ethics: Expected every sentence to rest on a result that carries it: 1 of 2")
    public = [path.read_text() for path in evidence.iterdir() if path.is_file() and path.suffix != ".sqlite"]
    assert not any("Jane" in text for text in (*public, shown.out, shown.err))


def test_json_is_for_machines_and_another_folder_leaves_the_evidence_as_it_is(evidence, tmp_path, capsys):
    before = (evidence / "log.jsonl").read_bytes()
    words = ["claims", str(evidence), claims(tmp_path, GOOD), "--json", "--out", str(tmp_path / "other")]
    assert main(words) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["check"] == "lifecycle.claims"
    assert (evidence / "log.jsonl").read_bytes() == before
    assert len(read_report(tmp_path / "other").findings) == 1


def test_earlier_claims_carry_no_later_one_and_a_policy_of_ones_own_holds(evidence, tmp_path, capsys):
    own = tmp_path / "policy.yaml"
    own.write_text(
        'schema_version: "1"\ntitle: t\nlimits:\n'
        "- {check: lifecycle.claims, estimate: one_sided_claims, at_most: 0, source: {title: house rule}}\n"
    )
    assert main(["claims", str(evidence), claims(tmp_path, GOOD), "--policy", str(own)]) == 0
    text = '- {text: "Every sentence holds.", results: [lifecycle.claims]}\n'
    assert main(["claims", str(evidence), claims(tmp_path, text)]) == 1
    assert "claim 1: It names a result that the evidence does not have." in capsys.readouterr().out


def test_a_file_that_is_no_list_of_claims_is_one_sentence_and_leaves_nothing(evidence, tmp_path, capsys):
    before = (evidence / "log.jsonl").read_bytes()
    path = tmp_path / "doe.yaml"
    path.write_text("- x")
    assert main(["claims", str(evidence), str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (evidence / "log.jsonl").read_bytes() == before


def test_altered_evidence_carries_no_sentence(evidence, tmp_path, capsys):
    log = evidence / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"0.05", b"0.06"))
    assert main(["claims", str(evidence), claims(tmp_path, GOOD)]) == 1
    assert "as it was signed" in capsys.readouterr().err

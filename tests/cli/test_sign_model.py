# SPDX-License-Identifier: Apache-2.0
import hashlib
import json

import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.record import Record


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pt").write_text("weights")
    return tmp_path / "model"


def test_a_model_is_signed_and_checked_from_the_command_line(model, tmp_path, capsys):
    signature, key = tmp_path / "model.sig", tmp_path / "keys" / "ecdsa-p256.pub.pem"
    assert main(["sign-model", str(model), "--out", str(signature)]) == 0
    words = ["sign-model", str(model), "--check", str(signature), "--key", str(key)]
    assert main(words) == 0
    (model / "model.pt").write_text("other")
    assert main(words) == 1
    assert "1 changed and 0 missing" in capsys.readouterr().out
    assert main([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["changed"] == [1]


@pytest.mark.parametrize("words", [[], ["--check", "none.sig"], ["--out", "a", "--check", "b"], ["--out", "/proc/x/y"]])
def test_unusable_words_are_one_sentence_and_exit_2(model, words, capsys):
    assert main(["sign-model", str(model), *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_release_names_the_trainings_that_wrote_the_weights(model, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    weights = hashlib.sha256((model / "model.pt").read_bytes()).hexdigest()
    evidence = tmp_path / "evidence"
    training = Record(type="training", synthetic="partial")
    with EvidenceLog.open(evidence, run_id="training") as log:
        log.add_record(training.to_dict())
        log.append("stored", {"item": "0" * 32, "role": "checkpoint", "sha256": weights, "record": training.id})
    words = ["sign-model", str(model), "--out", str(tmp_path / "model.sig"), "--evidence", str(evidence)]
    assert main([*words, "--intended-use", "research", "--license", "Apache-2.0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trainings"], told["synthetic"]) == ([training.id], "partial")
    record = next(one.body for one in read_entries(evidence) if one.body.get("type") == "release")
    assert record["parents"] == [{"id": training.id, "role": "model"}]
    assert (record["license"], record["intended_use"]) == ("Apache-2.0", "research")
    assert main(["lineage", str(evidence), "--of", record["id"], "--ancestors"]) == 0
    assert "training" in capsys.readouterr().out


def test_a_release_of_weights_that_no_log_knows_says_so(model, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    with EvidenceLog.open(tmp_path / "evidence", run_id="other"):
        pass
    words = ["sign-model", str(model), "--out", str(tmp_path / "model.sig"), "--evidence"]
    assert main([*words, str(tmp_path / "evidence")]) == 0
    assert "none that a given log knows" in capsys.readouterr().out
    assert main([*words, str(tmp_path / "nothing")]) == 2

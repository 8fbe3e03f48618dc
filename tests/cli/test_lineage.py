# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.patients import patient_identifier
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.records.sets import TrainingSet, add_training_set, leaf_of
from monai_ethics.provenance.registry.stamp import stamp_files


@pytest.fixture(autouse=True)
def key_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    for name in ("SITE", "STORE"):
        monkeypatch.delenv(f"MONAI_ETHICS_{name}", raising=False)


@pytest.fixture
def evidence(tmp_path):
    """One real image of a patient, a training on it, one generated image."""
    rng = np.random.default_rng(0)
    for name in ("real", "made"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(8, 8, 3)).astype(np.float32))
    with EvidenceLog.open(tmp_path / "evidence", run_id="train") as log:
        stamp_files([tmp_path / "real.npy"], log, synthetic="no")
        from monai_ethics.provenance.images.digest import digest_file

        voxel = digest_file(tmp_path / "real.npy").voxel_v1
        who = log.pseudonym("patient", patient_identifier("P-1"))
        leaf = leaf_of(log, subject=who, patient=True, voxel_v1=voxel, synthetic="no")
        of = add_training_set(log, TrainingSet([leaf]), synthetic="no")
        parents = [{"id": of, "role": "training set"}]
        made = Record(type="training", synthetic="unknown", parents=parents, model={"weights_sha256": "1" * 64})
        model = log.add_record(made.to_dict())
        template = {"parents": [{"id": model, "role": "model"}]}
        stamp_files([tmp_path / "made.npy"], log, record=template)
    return tmp_path / "evidence"


def said(capsys, *words):
    code = main(["lineage", *map(str, words)])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_a_patient_is_answered_as_a_tree_with_grades_and_what_cannot_be_seen(evidence, capsys):
    code, out, _ = said(capsys, evidence, "--patient", "P-1")
    assert code == 0
    assert "P-1" not in out
    for text in ("patient", "set of images", "training", "synthetic image", "direct", "transitive", "cannot be seen"):
        assert text in out
    assert (evidence / "index.sqlite").is_file()


def test_json_holds_the_grades(evidence, capsys):
    code, out, _ = said(capsys, evidence, "--patient", "P-1", "--json")
    answer = json.loads(out)
    assert code == 0
    assert {(row["what"], row["grade"]) for row in answer["reached"]} == {
        ("import", "direct"),
        ("set", "direct"),
        ("training", "direct"),
        ("weights", "direct"),
        ("synthesis", "transitive"),
    }
    assert answer["logs"][0]["read_now"] > 0
    again = json.loads(said(capsys, evidence, "--patient", "P-1", "--json")[1])
    assert again["logs"][0]["read_now"] == 0
    assert again["reached"] == answer["reached"]


def test_a_file_is_asked_for_by_its_values(evidence, capsys):
    code, out, _ = said(capsys, evidence, "--of", evidence.parent / "made.npy", "--ancestors")
    assert code == 0
    assert "training" in out
    assert "patient" in out


def test_everything_is_summarized_without_a_question(evidence, capsys):
    code, out, _ = said(capsys, evidence)
    assert code == 0
    assert "synthetic image" in out
    assert "records are not marked" in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--of", "0" * 64], "one record of the given logs"),
        (["--of", "x", "--patient", "y"], "got both"),
        (["--ancestors"], "Say of what"),
        (["--of", "zzz"], "hex digits"),
        (["--store", "mysql://u:secret@h/d"], "another kind of URL"),
    ],
)
def test_unusable_words_exit_with_2_and_one_sentence(evidence, capsys, words, text):
    code, out, err = said(capsys, evidence, *words)
    assert (code, out) == (2, "")
    assert text in err
    assert "secret" not in err
    assert len(err.splitlines()) == 1


def test_an_altered_log_is_refused_and_a_folder_without_one_stays_empty(evidence, capsys, tmp_path):
    log = evidence / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"training"', b'"trainine"', 1))
    assert said(capsys, evidence)[0] == 1
    assert said(capsys, evidence, "--even-altered")[0] == 0
    (tmp_path / "empty").mkdir()
    assert said(capsys, tmp_path / "empty")[0] == 2
    assert list((tmp_path / "empty").iterdir()) == []


def test_the_index_can_be_kept_elsewhere_over_many_logs(evidence, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_STORE", str(tmp_path / "all.sqlite"))
    with EvidenceLog.open(tmp_path / "site", run_id="a") as log:
        log.append("note", {})
    code, out, _ = said(capsys, evidence, "--site", tmp_path / "site", "--patient", "P-1")
    assert code == 0
    assert "evidence 2" in out
    assert not (evidence / "index.sqlite").exists()
    assert (tmp_path / "all.sqlite").stat().st_mode & 0o077 == 0

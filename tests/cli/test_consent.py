# SPDX-License-Identifier: Apache-2.0
import io
import json

import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.patients import patient_identifier
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.records.sets import TrainingSet, add_training_set, leaf_of


@pytest.fixture(autouse=True)
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(tmp_path / "site"))
    return tmp_path / "site"


def consent(*words):
    return main(["consent", *map(str, words)])


@pytest.fixture
def trained(tmp_path):
    """Evidence of a training on two patients, of whom one is DOE-4711; returns the folder and the training's record."""
    folder = tmp_path / "evidence"
    with EvidenceLog.open(folder, run_id="training", key=SigningKey.generate()) as log:
        leaves = [
            leaf_of(
                log,
                subject=log.pseudonym("patient", patient_identifier(number)),
                patient=True,
                voxel_v1=f"{place:064x}",
                synthetic="no",
            )
            for place, number in enumerate(("DOE-4711", "another"))
        ]
        of_set = add_training_set(log, TrainingSet(leaves), synthetic="no")
        parents = [{"id": of_set, "role": "training set"}]
        record = Record(type="training", synthetic="no", parents=parents, model={"name": "net"})
        log.add_record(record.to_dict())
    return folder, record.id


def test_a_person_agrees_withdraws_and_is_forgotten(site, tmp_path, capsys):
    assert consent("record", "--patient", "DOE-4711", "--purposes", "training,synthesis") == 0
    assert consent("status", "--patient", "DOE-4711") == 0
    said = capsys.readouterr().out
    assert "2 people" not in said
    assert "training      consented" in said
    assert "look like silence" in said
    assert consent("withdraw", "--patient", "DOE-4711", "--purposes", "synthesis", "--receipt", tmp_path / "r") == 0
    assert consent("receipt", tmp_path / "r") == 0
    assert "holds: the log contained this withdrawal" in capsys.readouterr().out
    assert consent("status", "--patient", "DOE-4711", "--json") == 0
    held = json.loads(capsys.readouterr().out)
    assert (held["training"], held["synthesis"]) == ("consented", "withdrawn")
    assert consent("erase", "--patient", "DOE-4711") == 0
    assert "no withdrawal or refusal" in capsys.readouterr().out
    assert consent("status") == 0
    assert "1 person, 1 withdrawal, 1 forgotten" in capsys.readouterr().out


def test_a_slip_in_the_year_does_not_end_the_registry(capsys):
    assert consent("record", "--patient", "DOE-4711", "--purposes", "training", "--from", "0202-03-01") == 0
    assert consent("status", "--patient", "DOE-4711") == 0
    assert "training      consented" in capsys.readouterr().out


def test_a_withdrawal_names_the_models_and_asks_what_becomes_of_each(trained, capsys):
    folder, model = trained
    assert consent("withdraw", "--patient", "DOE-4711", "--evidence", folder, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["models"] == {model: "direct"}
    words = ["--withdrawal", told["withdrawal"], "--record", model]
    assert consent("dispose", *words, "--as", "retain-with-reason", "--reason", "of DOE, one of many") == 0
    assert consent("dispose", *words, "--as", "retain-with-reason") == 2
    assert "needs a reason" in capsys.readouterr().err
    assert consent("withdraw", "--patient", "nobody", "--evidence", folder) == 0
    assert "tell: 0" in capsys.readouterr().out
    assert consent("dispose", *words, "--as", "retire", "--json") == 0
    assert json.loads(capsys.readouterr().out)["disposition"]


def test_a_person_is_proved_to_be_in_a_set_or_not_and_nobody_else_is_shown(trained, tmp_path, capsys):
    folder, _ = trained
    assert consent("proof", folder, "--patient", "DOE-4711", "--out", tmp_path / "in.json") == 0
    said = capsys.readouterr().out
    assert "contains this person" in said
    assert "number and issuer as given" in said
    assert "--trust" in said
    assert consent("proof", folder, "--patient", "stranger", "--out", tmp_path / "out.json") == 0
    assert "does not contain this person" in capsys.readouterr().out
    assert consent("proof", "--check", tmp_path / "out.json") == 0
    proofs = json.loads((tmp_path / "in.json").read_text())
    assert "DOE" not in json.dumps(proofs)
    swapped = {**proofs, "subject": json.loads((tmp_path / "out.json").read_text())["subject"]}
    (tmp_path / "swapped.json").write_text(json.dumps(swapped))
    assert consent("proof", "--check", tmp_path / "swapped.json") == 1
    assert "does not hold" in capsys.readouterr().out
    proofs["sets"][0]["receipt"]["head"]["root"] = "0" * 64
    (tmp_path / "forged.json").write_text(json.dumps(proofs))
    assert consent("proof", "--check", tmp_path / "forged.json") == 1
    assert consent("proof", folder, "--patient", "DOE-4711", "--out", tmp_path / "in.json") == 2
    assert consent("proof", "--check", folder / "head.json") == 2
    assert consent("proof", "--check", tmp_path / "in.json", "--trust", "0" * 64) == 1


def test_a_withdrawal_of_somebody_unknown_is_recorded_and_questioned(capsys):
    consent("record", "--patient", "DOE-4711", "--purposes", "training")
    capsys.readouterr()
    assert consent("withdraw", "--patient", "DOE-4711") == 0
    assert "check the number" not in capsys.readouterr().out
    assert consent("withdraw", "--patient", "DOE-4712") == 0
    assert "check the number and the issuer" in capsys.readouterr().out


def test_without_evidence_the_answer_says_that_nothing_was_searched(capsys):
    assert consent("withdraw", "--patient", "DOE-4711") == 0
    assert "nothing was searched" in capsys.readouterr().out


def test_a_number_can_be_read_from_standard_input(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("DOE-4711\n"))
    assert consent("record", "--patient", "-", "--duo", "DUO:0000042") == 0
    assert "training 1" in capsys.readouterr().out


def test_a_table_records_many(tmp_path, capsys):
    table = tmp_path / "consents.tsv"
    table.write_text("patient_id\tpurposes\tpermit\n1\ttraining\tyes\n2\ttraining\tno\n")
    assert consent("record", "--table", table, "--json") == 0
    assert json.loads(capsys.readouterr().out)["people"] == 2


def test_no_output_and_no_public_file_names_the_person(site, trained, tmp_path, capsys):
    consent("record", "--patient", "DOE-4711", "--purposes", "training")
    consent("withdraw", "--patient", "DOE-4711", "--evidence", trained[0], "--receipt", tmp_path / "r.json")
    consent("status", "--patient", "DOE-4711")
    consent("erase", "--patient", "DOE-4711")
    said = capsys.readouterr()
    assert "DOE" not in said.out + said.err
    for path in [*site.rglob("*"), tmp_path / "r.json"]:
        if path.is_file():
            assert b"DOE" not in path.read_bytes()
            assert "DOE" not in path.name


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["record"], "Expected a consent to record"),
        (["record", "--patient", "DOE", "--purposes", "advertising"], "Purposes must be"),
        (["record", "--patient", "DOE"], "permit something"),
        (["record", "--patient", " ", "--purposes", "training"], "Patient ID"),
        (["record", "--table", "DOE.csv"], "Expected a file to read"),
        (["withdraw"], "Expected `--patient`"),
        (["withdraw", "--patient", "DOE", "--at", "soon"], "ISO 8601"),
        (["status"], "Expected an evidence folder"),
        (["erase", "--patient", "DOE"], "knows"),
        (["receipt", "DOE.json"], "Expected a file to read"),
        (["dispose", "--record", "x", "--withdrawal", "y", "--as", "retire"], "must name a record"),
    ],
)
def test_bad_input_gives_one_sentence_and_exit_2(words, match, capsys):
    assert consent(*words) == 2
    said = capsys.readouterr().err
    assert match in said
    assert "DOE" not in said
    assert len(said.strip().splitlines()) == 1


def test_a_receipt_that_cannot_be_written_is_known_before_anything_is_recorded(site, tmp_path, capsys):
    assert consent("withdraw", "--patient", "DOE-1", "--receipt", str(tmp_path / "none" / "r.json")) == 2
    assert "Nothing was recorded" in capsys.readouterr().err
    assert not site.exists()

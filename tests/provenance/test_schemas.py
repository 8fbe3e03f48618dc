# SPDX-License-Identifier: Apache-2.0
import json
from importlib import resources

import jsonschema
import numpy as np
import pytest

from monai_ethics.evidence import Finding, Stage, Verdict
from monai_ethics.provenance.consent.registry import UNKNOWN, ConsentRegistry, Person, Will
from monai_ethics.provenance.consent.statements import Consent
from monai_ethics.provenance.exports.formats import log_export
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.sidecar import sidecar_path, write_least
from monai_ethics.provenance.records.sets import TrainingSet, add_training_set, leaf_of
from monai_ethics.provenance.registry.stamp import stamp_file, stamp_files


def validator(name, version=1):
    text = resources.files("monai_ethics").joinpath(f"schemas/{name}-{version}.schema.json").read_text("utf-8")
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def folder(sealed, tmp_path, key):
    """A folder with an entry of every kind that this package writes."""
    with (sealed / "log.jsonl").open("ab") as file:
        file.write(b"torn")
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(40, 40)))
    np.save(tmp_path / "b.npy", np.random.default_rng(1).normal(size=(40, 40)))
    with EvidenceLog.open(sealed, run_id="third", key=key) as log:
        stamp_files([tmp_path / "a.npy"], log)
        stamp_files([tmp_path / "b.npy"], log, synthetic="no")
        leaf = leaf_of(log, subject=log.pseudonym("file", "a"), patient=False, voxel_v1=None, synthetic="partial")
        add_training_set(log, TrainingSet([leaf]), synthetic="partial", fields={"license": "CC-BY-4.0"})
        log.append("environment", {"python": "3.11"})
        log.append("inputs", {"config": "ab"})
        log.append("run", {"status": "completed"})
        log.add_findings(
            [Finding(check="a.b", title="t", stage=Stage.TRAINING, verdict=Verdict.MEASURED, statement="s")]
        )
        log.erase([log.put_private("cases", b"", media_type="text/plain")], reason="withdrawal")
    registry, person = ConsentRegistry(sealed), Person(patient_id="1")
    registry.record([Will(person=person, consent=Consent(subject=UNKNOWN, purposes=("training",)))])
    withdrawal, _ = registry.withdraw(person)
    registry.dispose("sha256:" + "0" * 64, withdrawal, "retain-with-reason", reason="it cannot be trained again")
    registry.erase(person)
    log_export(sealed, form="prov-json", data=b"{}")
    return sealed


def test_every_entry_and_the_head_follow_their_schemas(folder):
    check = validator("entry")
    kinds = set()
    for line in (folder / "log.jsonl").read_bytes().splitlines():
        entry = json.loads(line)
        kinds.add(entry["kind"])
        check.validate(entry)
    assert kinds == {
        *("open", "pseudonym_key", "key", "head", "repair", "record", "registered", "stored", "payload", "erasure"),
        *("environment", "inputs", "run", "finding", "report", "note"),
        *("training_set", "consent", "withdrawal", "disposition", "subject_erasure", "export"),
    }
    validator("head").validate(json.loads((folder / "head.json").read_bytes()))


def test_bodies_of_known_kinds_take_no_unknown_field(folder):
    check = validator("entry")
    opened = json.loads((folder / "log.jsonl").read_bytes().splitlines()[0])
    assert check.is_valid(opened)
    assert not check.is_valid({**opened, "extra": 1})
    assert not check.is_valid({**opened, "body": {**opened["body"], "extra": 1}})
    assert check.is_valid({**opened, "kind": "of a later version", "body": {"extra": 1}})


def test_sidecars_follow_their_schema_whoever_signed_them(folder, tmp_path):
    check = validator("sidecar", 2)
    signed = json.loads(sidecar_path(tmp_path / "a.npy").read_bytes())
    np.save(tmp_path / "c.npy", np.random.default_rng(2).normal(size=(40, 40)))
    stamp_file(tmp_path / "c.npy", synthetic="partial")
    unsigned = json.loads(sidecar_path(tmp_path / "c.npy").read_bytes())
    write_least(tmp_path / "b.npy", "yes")
    least = json.loads(sidecar_path(tmp_path / "b.npy").read_bytes())
    for sidecar in (signed, unsigned, least):
        check.validate(sidecar)
    assert not check.is_valid({**signed, "extra": 1})
    assert not check.is_valid({key: value for key, value in signed.items() if key != "record"})
    assert not check.is_valid({key: value for key, value in unsigned.items() if key != "unsigned"})

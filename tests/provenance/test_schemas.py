# SPDX-License-Identifier: Apache-2.0
import json
from importlib import resources

import jsonschema
import numpy as np
import pytest

from monai_ethics.evidence import Finding, Stage, Verdict
from monai_ethics.provenance.log.writer import EvidenceLog
from monai_ethics.provenance.registry.stamp import stamp_files


def validator(name):
    text = resources.files("monai_ethics").joinpath(f"schemas/{name}-1.schema.json").read_text("utf-8")
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
        log.append("environment", {"python": "3.11"})
        log.append("inputs", {"config": "ab"})
        log.append("run", {"status": "completed"})
        log.add_findings(
            [Finding(check="a.b", title="t", stage=Stage.TRAINING, verdict=Verdict.MEASURED, statement="s")]
        )
        log.erase([log.put_private("cases", b"", media_type="text/plain")], reason="withdrawal")
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
    }
    validator("head").validate(json.loads((folder / "head.json").read_bytes()))


def test_bodies_of_known_kinds_take_no_unknown_field(folder):
    check = validator("entry")
    opened = json.loads((folder / "log.jsonl").read_bytes().splitlines()[0])
    assert check.is_valid(opened)
    assert not check.is_valid({**opened, "extra": 1})
    assert not check.is_valid({**opened, "body": {**opened["body"], "extra": 1}})
    assert check.is_valid({**opened, "kind": "of a later version", "body": {"extra": 1}})

# SPDX-License-Identifier: Apache-2.0
import random

import pytest

from monai_ethics.errors import InputError, ProvenanceError
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records import sets
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.records.sets import (
    Leaf,
    TrainingSet,
    add_training_set,
    leaf_of,
    proves_absence,
    proves_inclusion,
    read_sets,
)


def some(n, seed=0):
    rng = random.Random(seed)
    hexes = [rng.randbytes(32).hex() for _ in range(3 * n)]
    return [
        Leaf(subject=a[:32], patient=True, voxel_v1=b, synthetic="no", salt=c[:32])
        for a, b, c in zip(hexes[::3], hexes[1::3], hexes[2::3], strict=True)
    ]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 33])
def test_every_subject_is_proven_in_and_no_other(n):
    members = TrainingSet(some(n))
    for subject in members.subjects:
        proof = members.prove_inclusion(subject)
        assert proves_inclusion(proof, subject=subject, root=members.root, n=n)
        assert not proves_inclusion(proof, subject="0" * 32, root=members.root, n=n)
        assert not proves_inclusion(proof, subject=subject, root="00" * 32, n=n)
        with pytest.raises(InputError):
            members.prove_absence(subject)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 33])
def test_absence_is_proven_by_the_leaves_on_either_side(n):
    members = TrainingSet(some(n))
    for subject in ["0" * 32, "f" * 32, *(leaf.subject for leaf in some(20, seed=1))]:
        proof = members.prove_absence(subject)
        assert proves_absence(proof, subject=subject, root=members.root, n=n)
        assert members.subjects == () or not proves_absence(proof, subject=members.subjects[0], root=members.root, n=n)
        with pytest.raises(InputError):
            members.prove_inclusion(subject)


def test_the_absence_of_somebody_who_is_in_the_set_cannot_be_faked():
    members = TrainingSet(some(9))
    wanted = members.subjects[4]
    ends = [{"line": members.leaves[i].line, **members._path(i)} for i in (3, 5)]
    for neighbors in (ends, ends[:1], ends[1:], [], [ends[0], {**ends[1], "index": 4}]):
        fake = {**members.prove_absence("0" * 32), "neighbors": neighbors}
        assert not proves_absence(fake, subject=wanted, root=members.root, n=9)


def test_a_proof_of_absence_shows_no_digest_of_anybody():
    members = TrainingSet(some(9))
    text = str(members.prove_absence("5" * 32))
    assert not any(leaf.voxel_v1 in text or leaf.salt in text for leaf in members.leaves)


@pytest.mark.parametrize("broken", [{}, {"leaf": {}}, {"leaf": None}, {"neighbors": [1]}, {"neighbors": None}])
def test_a_broken_proof_proves_nothing(broken):
    assert not proves_inclusion(broken, subject="a", root="00" * 32, n=3)
    assert not proves_absence(broken, subject="a", root="00" * 32, n=3)


def test_the_root_depends_on_every_leaf_and_on_no_order():
    leaves = some(12)
    assert TrainingSet(leaves).root == TrainingSet(leaves[::-1] + leaves[:3]).root
    assert TrainingSet(leaves).root != TrainingSet(leaves[:-1]).root


def test_the_log_holds_the_root_and_private_the_list(tmp_path, key, clock):
    folder = tmp_path / "evidence"
    parent = "sha256:" + "1" * 64
    with EvidenceLog.open(folder, run_id="run", clock=clock, key=key) as log:
        patient = log.pseudonym("patient", "Doe")
        leaves = [
            leaf_of(log, subject=patient, patient=True, voxel_v1="ab" * 32, synthetic="no"),
            leaf_of(log, subject=log.pseudonym("file", "x"), patient=False, voxel_v1=None, synthetic="unknown"),
        ]
        members = TrainingSet(leaves)
        identity = add_training_set(log, members, synthetic="unknown", parents=[parent])
    entries = read_entries(folder)
    body = next(entry.body for entry in entries if entry.kind == "training_set")
    record = next(entry.body for entry in read_entries(folder) if entry.kind == "record")
    assert (body["root"], body["n"], body["subjects"], body["unattributed"]) == (members.root, 2, 2, 1)
    assert body["record"] == record["id"] == identity == Record.from_dict(record).id
    assert list(record["parents"]) == [{"id": parent, "role": "source image"}]
    assert {item["role"] for item in record["subjects"]} == {"patient", "file"}
    assert "ab" * 32 not in (folder / "log.jsonl").read_text()
    again = read_sets(folder)[identity]
    assert again.leaves == members.leaves
    assert patient in again
    assert verify_evidence(folder).status == "intact-signer-unknown"


def test_a_large_set_is_recorded_in_parts_that_name_everybody(tmp_path, key, clock, monkeypatch):
    monkeypatch.setattr(sets, "AT_ONCE", 4)
    folder = tmp_path / "evidence"
    members = TrainingSet(some(9))
    parents = ["sha256:" + leaf.voxel_v1 for leaf in members.leaves[:6]]
    with EvidenceLog.open(folder, run_id="run", clock=clock, key=key) as log:
        identity = add_training_set(log, members, synthetic="no", parents=parents)
    records = [Record.from_dict(entry.body) for entry in read_entries(folder) if entry.kind == "record"]
    whole = next(record for record in records if record.id == identity)
    parts = [record for record in records if record.id != identity]
    assert {parent["id"] for parent in whole.parents} == {part.id for part in parts}
    assert sorted(subject["item"] for part in parts for subject in part.subjects) == sorted(members.subjects)
    assert sorted(parent["id"] for part in parts for parent in part.parents) == sorted(parents)


def test_an_erased_list_leaves_its_root_and_a_changed_one_is_told(tmp_path, key, clock):
    folder = tmp_path / "evidence"
    with EvidenceLog.open(folder, run_id="run", clock=clock, key=key) as log:
        first = add_training_set(log, TrainingSet(some(3)), synthetic="no")
        commitment = next(entry.body["commitment"] for entry in read_entries(folder) if entry.kind == "training_set")
        log.erase([commitment], reason="asked for")
        payload = log.put_private("training_set", TrainingSet(some(2)).to_bytes(), media_type="application/json")
        assert read_sets(folder) == {first: None}
        log.append("training_set", {**TrainingSet(some(3)).summary(), "commitment": payload, "record": first})
    with pytest.raises(ProvenanceError, match="gives the root"):
        read_sets(folder)

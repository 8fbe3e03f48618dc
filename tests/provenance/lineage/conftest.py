# SPDX-License-Identifier: Apache-2.0
"""Logs of two generations: patients -> images -> set -> training -> synthetic images -> set -> training -> images."""

import hashlib
import json

import pytest

from monai_ethics.provenance.lineage.index import refresh
from monai_ethics.provenance.lineage.store import open_store
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.patients import patient_identifier
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.records.sets import TrainingSet, add_training_set, leaf_of


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def record(type_, synthetic="unknown", parents=(), **fields):
    return Record(
        type=type_, synthetic=synthetic, parents=[{"id": id_, "role": role} for id_, role in parents], **fields
    ).to_dict()


class Writer:
    """Writes the entries that runs write."""

    def __init__(self, log):
        self.log = log

    def acquired(self, image):
        """An imported image whose digest is private."""
        item = self.log.pseudonym("file", image)
        made = self.log.add_record(record("import", "no", subjects=[{"item": item}]))
        content = json.dumps({"voxel_v1": digest(image), "geometry_v1": "g", "slices": []}).encode()
        commitment = self.log.put_private("digests", content, media_type="application/json")
        self.log.append("registered", {"item": item, "record": made, "synthetic": "no", "commitment": commitment})
        return made

    def synthetic(self, image, *, model, synthetic="yes", type_="synthesis", parents=(), weights=None):
        """A generated image, registered in clear."""
        item = self.log.pseudonym("file", image)
        content = {"voxel_v1": digest(image), "geometry_v1": digest("g")}
        parents = [*([(model, "model")] if model else []), *parents]
        model_field = {"weights_sha256": digest(weights)} if weights else {}
        subjects = [{"item": item, "digests": content}]
        made = self.log.add_record(record(type_, synthetic, parents, subjects=subjects, model=model_field))
        body = {"item": item, "record": made, "synthetic": synthetic, "digests": {**content, "slices": []}}
        self.log.append("registered", body)
        return made

    def set_of(self, members, *, synthetic, role="training set"):
        """Members: (image, patient or None, synthetic)."""
        leaves = [
            leaf_of(
                self.log,
                subject=self.log.pseudonym(*(("patient", patient_identifier(who)) if who else ("file", image))),
                patient=who is not None,
                voxel_v1=digest(image),
                synthetic=state,
            )
            for image, who, state in members
        ]
        return add_training_set(self.log, TrainingSet(leaves), synthetic=synthetic, role=role)

    def trained(self, training_set, *, weights, synthetic="unknown"):
        parents = [(training_set, "training set")] if training_set else []
        return self.log.add_record(record("training", synthetic, parents, model={"weights_sha256": digest(weights)}))


@pytest.fixture
def write(tmp_path, key, clock):
    """`write(name, run="a")` opens a folder for writing as a context manager that gives a `Writer`."""
    from contextlib import contextmanager

    @contextmanager
    def opened(name, run="a"):
        with EvidenceLog.open(tmp_path / name, run_id=run, clock=clock, key=key) as log:
            yield Writer(log)

    return opened


@pytest.fixture
def story(write, tmp_path):
    """One log with two generations; ids by name, and the folder."""
    ids = {}
    with write("evidence") as w:
        for image in ("a1", "a2", "b1"):
            ids[image] = w.acquired(image)
        ids["set1"] = w.set_of([("a1", "A", "no"), ("a2", "A", "no"), ("b1", "B", "no")], synthetic="no")
        ids["train1"] = w.trained(ids["set1"], weights="w1")
        for image in ("s1", "s2"):
            ids[image] = w.synthetic(image, model=ids["train1"])
        ids["set2"] = w.set_of([("s1", None, "yes"), ("s2", None, "yes")], synthetic="yes")
        ids["train2"] = w.trained(ids["set2"], weights="w2")
        ids["t1"] = w.synthetic("t1", model=ids["train2"])
        ids["set3"] = w.set_of([("b1", "B", "no")], synthetic="no")
        ids["train3"] = w.trained(ids["set3"], weights="w3")
    ids["folder"] = tmp_path / "evidence"
    return ids


@pytest.fixture
def indexed():
    """`indexed(*folders)` gives an index in memory and what was done with each log."""
    stores = []

    def make(*folders, **settings):
        stores.append(open_store(None))
        return stores[-1], refresh(stores[-1], folders, **settings)

    yield make
    for store in stores:
        store.close()

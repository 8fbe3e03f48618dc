# SPDX-License-Identifier: Apache-2.0
"""Evidence of a whole life: acquired images, consent, a set, a training, generated images, an evaluation."""

import numpy as np
import pytest

from monai_ethics.evidence import Finding, Stage, Verdict
from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.patients import patient_identifier
from monai_ethics.provenance.records.record import Record
from monai_ethics.provenance.records.sets import TrainingSet, add_training_set, leaf_of
from monai_ethics.provenance.registry.stamp import stamp_files

WEIGHTS, FILE, OTHER = "1" * 64, "2" * 64, "3" * 64
PATIENT, SECRET = "DOE-JANE-1234", "surname-in-a-file-name"


def images(folder, names):
    rng = np.random.default_rng(0)
    for name in names:
        np.save(folder / f"{name}.npy", rng.normal(size=(8, 8, 3)).astype(np.float32))
    return [folder / f"{name}.npy" for name in names]


def build(folder, out, *, key, clock, text="", with_training=True):
    """Write evidence whose free texts are `text` where it is given."""
    real, made, mixed = images(folder, [f"{SECRET}-real", f"{SECRET}-made", f"{SECRET}-mixed"])
    with EvidenceLog.open(out, run_id="train", clock=clock, key=key) as log:
        log.append("environment", {"packages": {"torch": "2.13.0", "monai": "1.6.1", "absent": None}})
        who = log.pseudonym("patient", patient_identifier(PATIENT))
        acquired = stamp_files([real], log, synthetic="no").items[0].record
        log.add_record(Record(type="consent", synthetic="unknown", consent_refs=[who]).to_dict())
        parents = []
        if with_training:
            leaf = leaf_of(log, subject=who, patient=True, voxel_v1=digest_file(real).voxel_v1, synthetic="no")
            fields = {"license": text or "CC-BY-4.0", "consent": {"basis": text or "broad consent"}}
            of = add_training_set(log, TrainingSet([leaf]), synthetic="no", parents=[acquired], fields=fields)
            trained = Record(
                type="training",
                synthetic="no",
                subjects=[{"item": who, "role": "patient"}],
                parents=[{"id": of, "role": "training set"}],
                model={"weights_sha256": WEIGHTS, "bundle": {"name": text or "gen", "version": text or "1.2"}},
                activity={"engines": {"trainer": {}}, "seed": "7"},
                intended_use=text or "research on segmentation",
                limits=[text or "not for diagnosis"],
                license=text or "Apache-2.0",
            )
            model = log.add_record(trained.to_dict())
            log.append("stored", {"item": log.pseudonym("file", "m.pt"), "role": "checkpoint", "record": model,
                                  "sha256": FILE, "size": 10, "weights": [WEIGHTS]})  # fmt: skip
            parents = [{"id": model, "role": "model"}]
        template = {
            "parents": parents,
            "model": {"generator": text or "gen", "version": text or "1.2", "weights_sha256": WEIGHTS},
            "activity": {"sampler": text or "DDIM", "conditioning": text or "none"},
        }
        stamp_files([made], log, record=template)
        derived = {**template, "synthetic": "partial",
                   "parents": [*parents, {"id": acquired, "role": "source image"}]}  # fmt: skip
        stamp_files([mixed], log, record=derived)
        run = Record(type="evaluation", synthetic="no", parents=parents, activity={"engines": {"evaluator": {}}},
                     model={"weights_sha256": OTHER, "unknown_origin": True})  # fmt: skip
        log.add_record(run.to_dict())
        log.add_findings([Finding(check="synthesis.memorization_proximity", title="t", stage=Stage.EVALUATION,
                                  verdict=Verdict.MEASURED, statement=f"3 of 4 of {who}")])  # fmt: skip
        log.put_private("cases", b"case", media_type="text/plain")
    return {"folder": out, "who": who, "acquired": acquired, "real": real, "made": made, "mixed": mixed}


@pytest.fixture(scope="session")
def material_of():
    """`material_of(text)`: what would leave of records all of whose texts, and all of whose hidden ids, are given."""
    from monai_ethics.provenance.exports.material import Material
    from monai_ethics.provenance.exports.reduced import Checkpoint, is_released, made_of
    from monai_ethics.provenance.log.reading.entries import Entry

    def ids(number):
        return f"sha256:{number:064x}"

    def make(text, hidden="DOE-JANE-1234"):
        said = {"license": text, "intended_use": text, "limits": [text], "consent": {"basis": text, "x": hidden},
                "consent_refs": [hidden]}  # fmt: skip
        told = {"software": text, "seed": text, "sampler": {text: text}, "conditioning": text, "note": hidden,
                "request": hidden, "config_files": {hidden: hidden}}  # fmt: skip
        model = {"generator": text, "version": text, "bundle": {"name": text}, "x.start": {"class": hidden}}
        of = {"role": "training set", "root": text, "n": 3, "subjects": 2, "unattributed": 0, "y": hidden}
        bodies = [
            {"type": "import", "synthetic": "no", "subjects": [{"item": hidden, "patient": hidden}]},
            {"type": "import", "synthetic": "no", "activity": {**told, "set": of, "source": text}},
            {"type": "training", "synthetic": "partial", "activity": {**told, "engines": {hidden: {}}}, "model": model,
             "parents": [{"id": ids(1), "role": "training set"}, {"id": ids(9), "role": text}]},
            {"type": "synthesis", "synthetic": "yes", "activity": told, "model": model,
             "subjects": [{"item": hidden, "media_type": text, "digests": {"voxel_v1": text, "z": hidden}}],
             "parents": [{"id": ids(2), "role": "model"}]},
            {"type": "synthesis", "synthetic": "partial", "activity": told, "model": {**model, "unknown_origin": True},
             "subjects": [{"item": hidden, "digests": {"voxel_v1": hidden}}],
             "parents": [{"id": ids(0), "role": text}, {"id": hidden, "role": "model"}]},
            {"type": "withdrawal", "synthetic": "unknown", "subjects": [{"item": hidden}]},
        ]  # fmt: skip
        made = []
        for place, body in enumerate(bodies):
            entry = Entry(seq=place, time="2026-01-02T03:04:05Z", run_id=hidden, kind="record",
                          body={**said, **body, "id": ids(place)}, leaf="")  # fmt: skip
            if is_released(entry.body):
                made.append(made_of(entry, released={ids(1), ids(2), ids(3), ids(4)}, layers=("header", "sidecar")))
        return Material(tool="monai_ethics 0.1.0", log_id="0" * 32, head="a" * 64, signer="b" * 64, made=made,
                        time="2026-01-02T03:04:05Z", packages={"torch": "2.13.0"},
                        checkpoints=[Checkpoint(record=ids(2), sha256="c" * 64, size=3)])  # fmt: skip

    return make


@pytest.fixture(scope="session")
def documents():
    """`documents(material, told)`: every format, by name; croissant of either data set, and sidecars of BIDS."""
    from monai_ethics.provenance.exports.bids import bids_sidecar
    from monai_ethics.provenance.exports.croissant import croissant
    from monai_ethics.provenance.exports.formats import FORMATS
    from monai_ethics.provenance.exports.material import Told

    def make(material, told=None):
        told = told or Told()
        found = {name: function(material, told) for name, (function, _) in FORMATS.items()}
        found["croissant-training"] = croissant(material, told, about="training")
        for place, image in enumerate(material.of_kind("image")):
            found[f"bids-image-{place}"] = bids_sidecar(material, image)
        return found

    return make


@pytest.fixture
def life(tmp_path, key, clock):
    return build(tmp_path, tmp_path / "evidence", key=key, clock=clock)

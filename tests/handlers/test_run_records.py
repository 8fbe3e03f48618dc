# SPDX-License-Identifier: Apache-2.0
"""Records of runs: what was learned from, which training wrote the weights, and how each case was inferred."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import CheckpointSaver
from monai.transforms import Activationsd, AsDiscreted, Compose, EnsureChannelFirstd, LoadImaged, SaveImaged

from monai_ethics.errors import InputError
from monai_ethics.handlers import attach
from monai_ethics.provenance.log.reading.entries import read_entries, read_private
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.patients import patient_identifier
from monai_ethics.provenance.records.sets import proves_absence, read_sets
from monai_ethics.provenance.registry.stamp import stamp_files

TRANSFORM = Compose([LoadImaged(["image", "label"]), EnsureChannelFirstd(["image", "label"])])


@pytest.fixture
def data(tmp_path):
    items = []
    for i in range(4):
        for kind in ("image", "label"):
            array = np.random.default_rng([i, kind == "label"]).random((8, 8, 2)).astype(np.float32)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"sub-{i}_{kind}.nii.gz")
        files = {kind: str(tmp_path / f"sub-{i}_{kind}.nii.gz") for kind in ("image", "label")}
        items.append({**files, "patient": f"Doe-{i // 2}"})
    return items


def train(data, out, toy, **settings):
    network = toy.Shift()
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(Dataset(data, TRANSFORM), batch_size=2),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.MSELoss(),
        train_handlers=[
            CheckpointSaver(
                save_dir=str(out.parent / f"{out.name}-models"), save_dict={"net": network}, save_final=True
            )
        ],
    )
    attach(trainer, out=out, **settings)
    trainer.run()
    return network


def infer(data, out, network, *, saved=None, **settings):
    post = [Activationsd("pred", sigmoid=True), AsDiscreted("pred", threshold=0.5)]
    post += [SaveImaged("pred", output_dir=saved, print_log=False)] if saved else []
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(data, TRANSFORM), batch_size=2),
        network=network,
        postprocessing=Compose(post),
    )
    session = attach(evaluator, out=out, **settings)
    evaluator.run()
    return session


def records(folder, kind):
    return [e.body for e in read_entries(folder) if e.kind == "record" and e.body["type"] == kind]


def test_a_training_names_its_set_and_its_patients_by_pseudonym(data, tmp_path, toy):
    out = tmp_path / "e"
    train(data, out, toy)
    (training,) = records(out, "training")
    (entry,) = [e.body for e in read_entries(out) if e.kind == "training_set"]
    assert [dict(parent) for parent in training["parents"]] == [{"id": entry["record"], "role": "training set"}]
    assert (entry["n"], entry["subjects"], entry["unattributed"]) == (8, 2, 0)
    assert training["activity"]["sets"]["training set"]["root"] == entry["root"]
    members = read_sets(out)[entry["record"]]
    with EvidenceLog.open(out, run_id="again") as log:
        pseudonym = {name: log.pseudonym("patient", patient_identifier(name)) for name in ("Doe-0", "Doe-1", "Roe")}
    assert set(members.subjects) == {pseudonym["Doe-0"], pseudonym["Doe-1"]}
    proof = members.prove_absence(pseudonym["Roe"])
    assert proves_absence(proof, subject=pseudonym["Roe"], root=entry["root"], n=entry["n"])
    log = (out / "log.jsonl").read_text()
    assert not any(name in log for name in ("Doe-", "Roe"))
    assert training["synthetic"] == "unknown"


def test_patients_come_from_the_side_table_where_items_do_not_name_them(data, tmp_path, toy):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tsex\n" + "".join(f"sub-{i}\tF\n" for i in range(3)))
    bare = [{key: item[key] for key in ("image", "label")} for item in data]
    train(bare, tmp_path / "e", toy, attributes=str(table))
    (entry,) = [e.body for e in read_entries(tmp_path / "e") if e.kind == "training_set"]
    assert (entry["n"], entry["unattributed"]) == (8, 2)


def test_an_inference_names_the_training_that_wrote_its_weights_or_says_unknown(data, tmp_path, toy):
    out = tmp_path / "e"
    network = train(data, out, toy)
    infer(data, out, network)
    (training,) = records(out, "training")
    (inference,) = records(out, "inference")
    assert {"id": training["id"], "role": "model"} in [dict(parent) for parent in inference["parents"]]
    assert inference["model"]["weights_sha256"] == training["model"]["weights_sha256"]
    assert inference["model"]["training_set"] == training["activity"]["sets"]["training set"]["root"]
    assert "unknown_origin" not in inference["model"]
    infer(data, tmp_path / "other", network)
    (elsewhere,) = records(tmp_path / "other", "inference")
    assert elsewhere["model"]["unknown_origin"] is True
    assert not [parent for parent in elsewhere["parents"] if parent["role"] == "model"]


def test_a_site_log_tells_who_wrote_the_weights(data, tmp_path, toy, monkeypatch):
    network = train(data, tmp_path / "site", toy)
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(tmp_path / "site"))
    infer(data, tmp_path / "e", network)
    (training,) = records(tmp_path / "site", "training")
    (inference,) = records(tmp_path / "e", "inference")
    assert {"id": training["id"], "role": "model"} in [dict(parent) for parent in inference["parents"]]


def test_a_site_log_that_was_altered_is_not_asked_and_the_run_says_so(data, tmp_path, toy, monkeypatch):
    network = train(data, tmp_path / "site", toy)
    log = tmp_path / "site" / "log.jsonl"
    log.write_text(log.read_text().replace("supervised", "Supervised", 1).replace("training", "Training", 1))
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(tmp_path / "site"))
    out = tmp_path / "e"
    with EvidenceLog.open(out, run_id="stamp") as own:
        stamp_files([Path(item["image"]) for item in data], own, header=False)
    infer(data, out, network)
    train(data, out, toy)
    (inference,) = records(out, "inference")
    assert inference["model"]["unknown_origin"] is True
    assert inference["activity"]["logs_not_as_signed"] == 1
    (training,) = records(out, "training")
    assert training["synthetic"] == "partial"  # what its own evidence registers still counts
    (finding,) = [e.body for e in read_entries(out) if e.body.get("check") == "provenance.data_origin"]
    assert any("not as they were signed" in text for text in finding["limitations"])


def test_a_stored_checkpoint_is_known_by_the_weights_in_it(data, tmp_path, toy):
    network = train(data, tmp_path / "e", toy)
    (stored,) = [e.body for e in read_entries(tmp_path / "e") if e.kind == "stored" and e.body["role"] == "checkpoint"]
    (training,) = records(tmp_path / "e", "training")
    assert stored["record"] == training["id"]
    assert list(stored["weights"]) == [training["model"]["weights_sha256"]]
    assert network is not None


def test_a_model_trained_on_synthetic_images_says_so_and_its_results_on_real_ones_do_not(data, tmp_path, toy):
    out = tmp_path / "e"
    with EvidenceLog.open(out, run_id="stamp") as log:
        stamp_files([Path(data[0]["image"]), Path(data[1]["image"])], log, header=False)
        stamp_files([Path(item["image"]) for item in data[2:]], log, synthetic="no")
    synthetic = records(out, "synthesis")
    network = train([{"image": item["image"], "label": item["image"]} for item in data], out, toy)
    (training,) = records(out, "training")
    (learned,) = [r for r in records(out, "import") if r["activity"].get("set", {}).get("role") == "training set"]
    assert (training["synthetic"], learned["synthetic"]) == ("partial", "partial")
    assert {r["id"] for r in synthetic} <= {parent["id"] for parent in learned["parents"]}
    infer([{"image": item["image"], "label": item["image"]} for item in data[2:]], out, network)
    (inference,) = records(out, "inference")
    assert inference["synthetic"] == "no"
    assert inference["model"]["trained_on_synthetic"] == "partial"
    found = {e.body["check"]: e.body for e in read_entries(out) if e.kind == "finding"}
    assert sum(found["provenance.data_origin"]["accounting"].values()) == 4
    assert found["provenance.license_compatibility"]["verdict"] == "not_assessable"


def test_each_case_of_an_inference_has_a_private_row_and_the_record_the_rest(data, tmp_path, toy):
    out = tmp_path / "e"
    infer(data, out, toy.Shift())
    ((_, payload),) = read_private(out, "inference_trace")
    rows = json.loads(payload)
    assert len(rows) == 4
    assert all(row["file"].endswith("_image.nii.gz") and row["case"] for row in rows)
    assert rows[0]["conversion"] == {"from": "NIfTI", "to": "torch.float32", "space": "RAS"}
    assert rows[0]["shape"] == [1, 8, 8, 2]
    assert rows[0]["intensity"]["dtype"] == "float32"
    assert 0 <= rows[0]["intensity"]["min"] < rows[0]["intensity"]["mean"] < rows[0]["intensity"]["max"] <= 1
    assert rows[0]["output"]["shape"] == [1, 8, 8, 2]
    (record,) = records(out, "inference")
    facts = record["activity"]["SupervisedEvaluator"]
    assert record["activity"]["inference_trace"]["cases"] == 4
    assert facts["readers"][0]["readers"][0] in ("NibabelReader", "PydicomReader", "ITKReader")
    assert facts["precision"] == {"autocast": False, "autocast_dtype": None, "weights": "torch.float32"}
    assert [dict(one) for one in facts["output_operations"]] == [
        {"class": "Activationsd", "sigmoid": [True]},
        {"class": "AsDiscreted", "threshold": [0.5]},
    ]
    assert facts["inferer"]["class"] == "SimpleInferer"
    assert "sub-" not in (out / "log.jsonl").read_text()


def test_generated_images_have_a_whole_record(data, tmp_path, toy):
    out = tmp_path / "e"
    network = train(data, out, toy)
    told = {"generation": {"generator": "toy", "conditioning": "none", "sampler": "none"}}
    infer(data, out, network, saved=tmp_path / "saved", synthetic=True, record=told)
    images = [r for r in records(out, "synthesis") if "engines" not in r["activity"]]
    (training,) = records(out, "training")
    assert len(images) == 4
    for image in images:
        assert image["model"]["generator"] == "toy"
        assert image["model"]["training_set"] == training["activity"]["sets"]["training set"]["root"]
        assert {"id": training["id"], "role": "model"} in [dict(parent) for parent in image["parents"]]
        assert any("Not to be shown" in text for text in image["limits"])
    (finding,) = [e.body for e in read_entries(out) if e.body.get("check") == "provenance.generation_record"]
    assert finding["accounting"] == {"complete": 4, "incomplete": 0}


def test_what_the_user_says_of_the_data_stands_in_the_set(data, tmp_path, toy):
    told = {"data": {"license": "CC-BY-NC-4.0", "consent": "broad", "source": "hospital"}, "uses": ["commercial"]}
    (tmp_path / "r.json").write_text(json.dumps({**told, "weights_license": "Apache-2.0"}))
    train(data, tmp_path / "e", toy, record=str(tmp_path / "r.json"))
    (learned,) = records(tmp_path / "e", "import")
    assert (learned["license"], dict(learned["consent"])) == ("CC-BY-NC-4.0", {"basis": "broad"})
    assert records(tmp_path / "e", "training")[0]["license"] == "Apache-2.0"
    found = {e.body["check"]: e.body for e in read_entries(tmp_path / "e") if e.kind == "finding"}
    assert found["provenance.license_compatibility"]["verdict"] == "failed"


@pytest.mark.parametrize(
    "record", [{"other": 1}, {"data": {"x": 1}}, {"generation": 3}, 5, "none.json", {"uses": ["x"]}]
)
def test_a_record_that_cannot_be_read_stops_before_anything_is_written(data, tmp_path, toy, record):
    with pytest.raises(InputError):
        train(data, tmp_path / "e", toy, record=record)
    assert not (tmp_path / "e").exists()

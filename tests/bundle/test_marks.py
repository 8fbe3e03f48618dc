# SPDX-License-Identifier: Apache-2.0
"""Unedited bundles run by us: what they make from synthetic images is marked, and nothing else is changed."""

from __future__ import annotations

import json

import monai.data
import pytest
from monai.bundle import ConfigWorkflow
from monai.data import MetaTensor, image_writer
from monai.transforms import LoadImage

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.marks.peek import peek_marks
from monai_ethics.provenance.marks.sidecar import read_sidecar
from monai_ethics.provenance.registry.known import load_known
from monai_ethics.provenance.registry.stamp import stamp_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # ITK crashes where a warning of its modules becomes an error
]
CASES = 3


@pytest.fixture
def bundle(image_bundle, tmp_path, monkeypatch):
    """How to run a bundle with the zoo's names that evaluates and saves `CASES` images in batches of 3."""
    root = image_bundle("zoo", n=CASES)
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    monkeypatch.chdir(root)

    def run(*words, config="train", out="eval"):
        where = ["--config_file", f"configs/{config}.json", "--logging_file", "False", "--output_dir", str(root / out)]
        given = ["--run", "['$@validate#evaluator.run()']", *words]
        assert main(["run", *where, *given]) == 0
        return root / out

    run.root, run.data = root, tmp_path / "data_2d"
    return run


def saved(folder):
    return {path.name.split("_")[0]: path for path in sorted(folder.rglob("*_trans.nii"))}


def test_a_mixed_batch_gives_each_prediction_the_mark_of_its_own_image(bundle):
    made = bundle.data / "case1_image.nii"
    stamp_file(made, synthetic="partial")
    parent = read_sidecar(made)["record"]["id"]
    before = made.read_bytes()
    images = saved(bundle())
    assert {name: peek_marks(path).synthetic for name, path in images.items()} == {
        "case0": None,
        "case1": "partial",
        "case2": None,
    }
    record = read_sidecar(images["case1"])["record"]
    assert [one["id"] for one in record["parents"]] == [parent]
    assert [path.name for path in bundle.root.rglob("*.prov.json")] == ["case1_image_trans.nii.prov.json"]
    assert made.read_bytes() == before


def test_the_evidence_registers_what_was_marked_and_its_sidecar_is_signed(bundle):
    for case in range(CASES):
        stamp_file(bundle.data / f"case{case}_image.nii")
    folder = bundle()
    evidence = folder / "evidence"
    images = saved(folder)
    sidecars = [read_sidecar(path) for path in images.values()]
    assert all(one["statement"]["signatures"] for one in sidecars)
    known = load_known([evidence])
    voxels = {one["voxel_v1"] for one in sidecars} - {None}
    assert voxels
    assert voxels <= set(known.synthetic)
    assert {one["record"]["id"] for one in sidecars} <= set(known.records)
    stored = [entry.body for entry in read_entries(evidence) if entry.kind == "stored"]
    marked = [body for body in stored if body["role"] == "marked"]
    assert sorted(body["sha256"] for body in marked) == sorted(one["sha256"] for one in sidecars)
    assert all("sidecar" in body["marks"] for body in marked)
    text = (evidence / "log.jsonl").read_text()
    assert "case1" not in text
    assert verify_evidence(evidence).status in ("trusted", "intact-signer-unknown")


def test_a_synthetic_label_marks_no_image(bundle):
    stamp_file(bundle.data / "case1_label.nii")
    assert {peek_marks(path).synthetic for path in saved(bundle()).values()} == {None}


def test_the_setting_turns_it_off_and_a_wrong_one_is_refused(bundle):
    stamp_file(bundle.data / "case1_image.nii")
    images = saved(bundle("--ethics#marks", "false"))
    assert peek_marks(images["case1"]).synthetic is None
    assert main(["run", "--config_file", "configs/train.json", "--ethics#marks", "perhaps"]) == 2


def test_monai_is_monais_own_again_after_a_run_and_after_a_failed_one(bundle):
    state = (LoadImage.__call__, MetaTensor.update_meta, monai.data.NibabelWriter)
    bundle()
    with pytest.raises(RuntimeError):
        bundle("--validate#evaluator#val_data_loader", "$1 / 0")
    assert (LoadImage.__call__, MetaTensor.update_meta, monai.data.NibabelWriter) == state
    names = {one.__name__ for of in image_writer.SUPPORTED_WRITERS.values() for one in of}
    assert not any(name.startswith("Marked") for name in names)


def test_unmarked_data_and_metrics_are_bit_identical_with_and_without_us(bundle, listing):
    ours = bundle(out="ours")
    workflow = ConfigWorkflow(
        "configs/train.json",
        logging_file=False,
        output_dir=str(bundle.root / "theirs"),
        run=["$@validate#evaluator.run()"],
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    files = {
        which: {
            name: data.replace(b"/ours/", b"/theirs/")
            for name, data in listing(bundle.root / which).items()
            if not name.startswith("evidence")
        }
        for which in ("ours", "theirs")
    }
    assert sorted(files["theirs"]) == sorted(files["ours"])
    assert any(name.endswith(".nii") for name in files["ours"])
    assert any(name.endswith(".csv") for name in files["ours"])
    assert files["ours"] == files["theirs"]
    assert ours.exists()


@pytest.mark.parametrize("writer", ["NibabelWriter", "monai.data.ITKWriter", "$monai.data.image_writer.NibabelWriter"])
def test_a_bundle_that_names_its_writer_keeps_marks_too(bundle, writer):
    stamp_file(bundle.data / "case2_image.nii")
    config = json.loads((bundle.root / "configs" / "train.json").read_text())
    config["post"]["transforms"][-1]["writer"] = writer
    (bundle.root / "configs" / "named.json").write_text(json.dumps(config))
    assert [name for name, path in saved(bundle(config="named")).items() if peek_marks(path).synthetic] == ["case2"]


def test_workers_of_the_loader_keep_marks(bundle):
    stamp_file(bundle.data / "case0_image.nii")
    images = saved(bundle("--validate#dataloader#num_workers", "2"))
    assert [name for name, path in images.items() if peek_marks(path).synthetic] == ["case0"]

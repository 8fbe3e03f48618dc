# SPDX-License-Identifier: Apache-2.0
"""An unmodified bundle whose training list holds a registered synthetic image that lost its marks."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_entries, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.stamp import stamp_files

pytestmark = pytest.mark.slow


@pytest.fixture
def bundle(image_bundle, tmp_path, monkeypatch):
    """The bundle's folder; a site log registers a resaved copy of one image of its training list as synthetic."""
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    root = image_bundle("bundle", n=4)
    image = nib.load(tmp_path / "data_2d" / "case2_image.nii")
    (tmp_path / "made").mkdir()
    copy = tmp_path / "made" / "sample.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj, dtype=np.float64), image.affine), copy)
    with EvidenceLog.open(tmp_path / "site", run_id="stamp") as log:
        stamp_files([copy], log)
    monkeypatch.chdir(root)
    return root


def train(*words):
    return main(["run", "--config_file", "configs/train.json", "--logging_file", "False", *words])


@pytest.mark.parametrize("how", ["keys", "mapping", "section"])
def test_a_registered_synthetic_image_ends_the_run_before_its_first_iteration(bundle, tmp_path, capfd, how):
    words = ["--ethics#guard#policy", "deny-list", "--ethics#guard#site", str(tmp_path / "site")]
    if how == "mapping":
        words = ["--ethics#guard", repr({"policy": "deny-list", "site": str(tmp_path / "site")})]
    if how == "section":
        path = bundle / "configs" / "guard.json"
        path.write_text(f'{{"ethics": {{"guard": {{"policy": "deny-list", "site": "{tmp_path}/site"}}}}}}')
        words = ["--config_file", "['configs/train.json','configs/guard.json']"]
    assert train(*words) == 1
    shown = capfd.readouterr()
    assert "monai-ethics: Expected a dataset that may be used: 1 of 4 items are refused, at 3 (" in shown.err
    assert "Epoch" not in shown.err
    evidence = bundle / "eval" / "evidence"
    assert verify_evidence(evidence).intact
    found = [one for one in read_report(evidence).findings if one.check == "provenance.synthetic_guard"]
    assert [(one.verdict, one.parameters["engine"]) for one in found] == [("failed", "train#trainer")]
    assert [entry.body["status"] for entry in read_entries(evidence) if entry.kind == "run"] == ["started", "failed"]
    assert not list(bundle.rglob("*.pt"))


def test_without_that_file_the_same_bundle_trains(bundle, tmp_path):
    (tmp_path / "data_2d" / "case2_image.nii").unlink()
    assert train("--ethics#guard#site", str(tmp_path / "site")) == 0
    evidence = bundle / "eval" / "evidence"
    found = [one for one in read_report(evidence).findings if one.check == "provenance.synthetic_guard"]
    assert [one.verdict for one in found] == ["passed", "passed"]
    assert sorted(one.parameters["engine"] for one in found) == ["train#trainer", "validate#evaluator"]


def test_a_registry_that_was_altered_ends_the_run(bundle, tmp_path, capfd):
    log = tmp_path / "site" / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line for line in lines if b'"registered"' not in line))
    assert train("--ethics#guard#site", str(tmp_path / "site")) == 1
    assert "as it was signed" in capfd.readouterr().err


def test_a_wrong_setting_is_told_before_anything_runs(bundle, tmp_path, capfd):
    assert train("--ethics#guard#plicy", "deny-list") == 2
    assert "Did you mean `policy`" in capfd.readouterr().err
    assert train("--ethics#guard", "deny-list") == 2
    shutil.rmtree(bundle / "eval", ignore_errors=True)
    assert train("--ethics#guard#site", str(tmp_path / "nowhere")) == 2
    assert str(tmp_path) not in capfd.readouterr().err.splitlines()[-1]

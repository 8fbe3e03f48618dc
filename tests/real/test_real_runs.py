# SPDX-License-Identifier: Apache-2.0
"""The whole way on real pixels: two patients are evaluated, recorded and reported, and no group is judged."""

import json

import pytest

from monai_ethics._resources import bundle_path
from monai_ethics.provenance.log.reading.entries import read_entries, read_private, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence

pytestmark = pytest.mark.real


def run_on(data, out, warm):
    evidence = out / "evidence"
    words = {
        "config_file": "['configs/train.json','configs/evaluate.json']",
        "dataset_dir": str(data),
        "output_dir": str(out / "bundle"),
        "ethics#out": str(evidence),
        "ethics#attributes": str(data / "participants.tsv"),
        "ethics#strata": "sex",
    }
    command = ["-m", "monai_ethics", "run", *(w for k, v in words.items() for w in (f"--{k}", v))]
    done = warm(command, cwd=bundle_path("lesion_segmentation"), env={"MONAI_ETHICS_KEY_HOME": str(out / "keys")})
    assert done.returncode == 0, done.stderr[-3000:]
    return evidence


@pytest.fixture(scope="module", params=["flair_slices", "lung_slices"])
def real_run(request, tmp_path_factory, warm):
    data = request.getfixturevalue(request.param)
    return data, run_on(data, tmp_path_factory.mktemp(request.param), warm)


def test_two_patients_are_counted_as_two_and_no_group_is_judged(real_run):
    findings = read_report(real_run[1]).findings
    gaps = [finding for finding in findings if finding.check == "fairness.score_gap"]
    assert gaps
    assert {finding.verdict for finding in gaps} == {"not_assessable"}
    assert all(finding.reason for finding in gaps)
    scores = [finding for finding in findings if finding.check == "fairness.group_scores"]
    grouped = [e for finding in scores for e in finding.estimates if e.group and e.name in ("median", "mean")]
    assert grouped
    assert all(e.n <= 2 and e.n_unit == "patients" for e in grouped)
    assert all(e.low is None and e.reason for e in grouped)
    overall = [e for finding in scores for e in finding.estimates if not e.group and e.name == "median"]
    for estimate in overall:
        print(f"{estimate.name} of {estimate.n} patients: {estimate.value} ({estimate.reason or estimate.method})")


def test_every_slice_is_recorded_and_none_is_named(real_run):
    data, evidence = real_run
    slices = len(json.loads((data / "datalist.json").read_text())["testing"])
    items = [item for _, payload in read_private(evidence, "items") for item in json.loads(payload)["read"]]
    assert len([item for item in items if item["role"] == "image"]) == slices
    public = (evidence / "log.jsonl").read_text() + (evidence / "report.html").read_text()
    assert "patient07" not in public
    assert "lung1" not in public
    assert [entry.kind for entry in read_entries(evidence)][-1] == "report"


def test_evidence_of_real_patients_verifies(real_run):
    assert verify_evidence(real_run[1]).status == "intact-signer-unknown"

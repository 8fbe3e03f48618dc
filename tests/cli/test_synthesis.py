# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.read import read_private, read_report
from monai_ethics.provenance.verify import verify_evidence

POLICY = """schema_version: "1"
title: t
limits:
  - {check: synthesis.memorization_membership, estimate: p_value, at_least: 0.05, source: {title: house rule}}
"""


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("home") / "keys"))


@pytest.fixture
def folders(tmp_path):
    """Folders of smooth random images; eight synthetic ones repeat a training image exactly or with noise."""
    rng = np.random.default_rng(0)
    images = rng.random((3, 30, 16, 16)).repeat(2, axis=2).repeat(2, axis=3)
    images[2, :4] = images[0, :4]
    images[2, 4:8] = images[0, 4:8] + 0.001 * rng.random((4, 32, 32))
    for name, rows in zip(("train", "holdout", "synthetic"), images, strict=True):
        (tmp_path / name).mkdir()
        for number, image in enumerate(rows):
            np.save(tmp_path / name / f"{name}DOE{number}_x.npy", image)
    return tmp_path


def words(folder, *more):
    sets = [word for name in ("train", "holdout", "synthetic") for word in (f"--{name}", str(folder / name))]
    return ["synthesis", *sets, "--out", str(folder / "evidence"), *more]


def test_copies_are_found_and_leave_verified_evidence(folders, capsys):
    assert main(words(folders, "--split-random")) == 0
    assert "8 of 30 training patients" in capsys.readouterr().out
    report = read_report(folders / "evidence")
    (finding,) = report.findings
    assert {estimate.name: estimate.value for estimate in finding.estimates}["identical_images"] == 4
    assert verify_evidence(folders / "evidence").intact
    assert set(report.inputs) == {"train", "holdout", "synthetic"}
    assert (folders / "evidence" / "report.html").is_file()


def test_no_file_name_is_in_the_public_evidence_and_the_private_list_leads_back(folders):
    assert main(words(folders, "--split-random")) == 0
    public = [path for path in (folders / "evidence").iterdir() if path.is_file()]
    assert not [path for path in public if b"DOE" in path.read_bytes()]
    ((_, payload),) = read_private(folders / "evidence", "items")
    names = {row["item"]: row["name"] for row in json.loads(payload)}
    (finding,) = read_report(folders / "evidence").findings
    pairs = [[names[item] for item in pair.items] for pair in finding.observations if pair.label == "identical pair"]
    assert sorted(pairs) == [[f"trainDOE{i}_x.npy", f"syntheticDOE{i}_x.npy"] for i in range(4)]


def test_without_the_statement_of_a_random_split_nothing_is_assessed(folders, capsys):
    assert main(words(folders, "--json")) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["verdict"] == "not_assessable"
    assert "not on record" in finding["reason"]


def test_a_policy_judges_and_the_gate_refuses(folders, capsys):
    policy = folders / "p.yaml"
    policy.write_text(POLICY)
    assert main(words(folders, "--split-random", "--policy", str(policy))) == 0
    (finding,) = read_report(folders / "evidence").findings
    assert finding.verdict == "failed"
    assert main(["gate", str(folders / "evidence"), "--policy", str(policy)]) == 1


@pytest.mark.parametrize(
    "more",
    [
        ["--device", "nowhere"],
        ["--device", "meta"],
        ["--pattern", "*.nii"],
        ["--pattern", "/etc/*"],
        ["--pattern", "**x"],
        ["--policy", "absent.yaml"],
        ["--seed", "-1"],
    ],
)
def test_unusable_input_leaves_nothing_behind(folders, capsys, more):
    assert main(words(folders, *more)) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (folders / "evidence").exists()


def test_sets_of_different_kinds_are_unusable(folders, capsys):
    np.savez(folders / "f.npz", features=np.eye(3))
    assert main([*words(folders), "--synthetic", str(folders / "f.npz")]) == 2
    assert "of one kind" in capsys.readouterr().err

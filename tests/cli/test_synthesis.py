# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import json

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_private, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.synthesis.limits import INTRINSIC_LIMITS

POLICY = """schema_version: "1"
title: t
limits:
  - {check: synthesis.memorization_membership, estimate: p_value, at_least: 0.05, source: {title: house rule}}
"""


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("home") / "keys"))


def write_folders(path):
    """Folders of smooth random images; eight synthetic ones repeat a training image exactly or with noise."""
    rng = np.random.default_rng(0)
    images = rng.random((3, 30, 16, 16)).repeat(2, axis=2).repeat(2, axis=3)
    images[2, :4] = images[0, :4]
    images[2, 4:8] = images[0, 4:8] + 0.001 * rng.random((4, 32, 32))
    for name, rows in zip(("train", "holdout", "synthetic"), images, strict=True):
        (path / name).mkdir()
        for number, image in enumerate(rows):
            np.save(path / name / f"{name}DOE{number}_x.npy", image)
    return path


@pytest.fixture
def folders(tmp_path):
    return write_folders(tmp_path)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """One audit of folders with everything on, and what it printed."""
    path = write_folders(tmp_path_factory.mktemp("audit"))
    (path / "p.yaml").write_text(POLICY)
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setenv("MONAI_ETHICS_KEY_HOME", str(path / "keys"))
        assert main(words(path, "--split-random", "--policy", str(path / "p.yaml"))) == 0
    return path, printed.getvalue()


def words(folder, *more):
    sets = [word for name in ("train", "holdout", "synthetic") for word in (f"--{name}", str(folder / name))]
    return ["synthesis", *sets, "--out", str(folder / "evidence"), "--no-text", *more]


def of(report, check):
    (finding,) = [finding for finding in report.findings if finding.check == f"synthesis.{check}"]
    return finding


def stored(path, **more):
    """Three feature files of 60 patients, half of whose synthetic images of women are off."""
    rng = np.random.default_rng(0)
    n = 120
    rows = rng.standard_normal((3, n, 8))
    rows[2, ::2, 0] += 2.0
    names = [f"--{name}" for name in ("train", "holdout", "synthetic")]
    for name, features in zip(names, rows, strict=True):
        file = path / f"{name[2:]}.npz"
        np.savez(file, features=features, patient=[f"{name}{i}" for i in range(n)], sex=["F", "M"] * (n // 2), **more)
    return [word for name in names for word in (name, str(path / f"{name[2:]}.npz"))]


@pytest.mark.slow
def test_copies_are_found_and_leave_verified_evidence(audited):
    path, printed = audited
    assert "of 30 training patients lie closer" in printed
    report = read_report(path / "evidence")
    finding = of(report, "memorization_membership")
    assert {estimate.name: estimate.value for estimate in finding.estimates}["identical_images"] == 4
    assert verify_evidence(path / "evidence").intact
    assert set(report.inputs) == {"train", "holdout", "synthetic"}
    assert (path / "evidence" / "report.html").is_file()
    assert {"memorization_planted", "fidelity", "coverage", "diversity", "real_overlap"} <= {
        finding.check.split(".")[1] for finding in report.findings
    }


@pytest.mark.slow
def test_every_finding_says_the_intrinsic_limits_of_synthetic_images(audited):
    report = read_report(audited[0] / "evidence")
    assert all(tuple(finding.limitations[:3]) == INTRINSIC_LIMITS for finding in report.findings)
    page = (audited[0] / "evidence" / "report.html").read_text()
    assert all(text in page for text in INTRINSIC_LIMITS)


@pytest.mark.slow
def test_no_file_name_is_in_the_public_evidence_and_the_private_list_leads_back(audited):
    folder = audited[0] / "evidence"
    public = [path for path in folder.iterdir() if path.is_file()]
    assert not [path for path in public if b"DOE" in path.read_bytes()]
    ((_, payload),) = read_private(folder, "items")
    names = {row["item"]: row["name"] for row in json.loads(payload)}
    finding = of(read_report(folder), "memorization_membership")
    pairs = [[names[item] for item in pair.items] for pair in finding.observations if pair.label == "identical pair"]
    assert sorted(pairs) == [[f"trainDOE{i}_x.npy", f"syntheticDOE{i}_x.npy"] for i in range(4)]


@pytest.mark.slow
def test_images_are_on_a_private_page_only(audited):
    folder = audited[0] / "evidence"
    assert "image/png" not in (folder / "report.html").read_text()
    ((_, page),) = read_private(folder, "gallery")
    assert page.count(b"data:image/png") >= 30 + 2 * 8
    assert b"trainDOE" not in page
    assert b"syntheticDOE" not in page
    assert b"identical pair" in page


@pytest.mark.slow
def test_a_policy_judges_and_the_gate_refuses(audited):
    path, _ = audited
    finding = of(read_report(path / "evidence"), "memorization_membership")
    assert finding.verdict == "failed"
    assert main(["gate", str(path / "evidence"), "--policy", str(path / "p.yaml")]) == 1


@pytest.mark.slow
def test_feature_files_are_audited_by_group_and_without_a_random_split_membership_is_not(tmp_path, capsys):
    assert main(["synthesis", *stored(tmp_path), "--out", str(tmp_path / "e"), "--json"]) == 0
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    membership = findings["synthesis.memorization_membership"]
    assert membership["verdict"] == "not_assessable"
    assert "not on record" in membership["reason"]
    realism = findings["synthesis.group_realism"]
    p_value = next(row["value"] for row in realism["estimates"] if row["name"] == "p_value")
    assert p_value < 0.01
    assert "for sex F" in realism["statement"]
    assert "synthesis.memorization_planted" not in findings


@pytest.mark.slow
def test_rows_without_a_patient_are_a_patient_each_and_not_the_same_in_two_sets(tmp_path, capsys):
    words = stored(tmp_path)
    for name in ("train", "holdout", "synthetic"):
        with np.load(tmp_path / f"{name}.npz") as content:
            np.savez(tmp_path / f"{name}.npz", features=content["features"])
    assert main(["synthesis", *words, "--out", str(tmp_path / "e"), "--json", "--split-random"]) == 0
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["synthesis.memorization_membership"]["verdict"] == "measured"
    assert next(row["n"] for row in findings["synthesis.memorization_membership"]["estimates"]) == 240


@pytest.mark.parametrize("asked", [["sex"], ["age", "sex"]])
def test_only_the_groups_asked_for_are_compared(tmp_path, capsys, asked):
    given = stored(tmp_path, age=["old"] * 60 + ["young"] * 60)
    words = [*given, "--out", str(tmp_path / "e"), "--json", "--strata", ",".join(asked)]
    assert main(["synthesis", *words]) == 0
    found = [of for of in json.loads(capsys.readouterr().out)["findings"] if of["check"] == "synthesis.group_realism"]
    assert sorted({name for finding in found for row in finding["estimates"] for name in row["group"]}) == asked


def test_groups_that_no_image_has_are_refused_before_anything_is_written(tmp_path, capsys):
    assert main(["synthesis", *stored(tmp_path), "--out", str(tmp_path / "e"), "--strata", "DOE^JANE"]) == 2
    said = capsys.readouterr().err
    assert "Known: sex." in said
    assert "DOE" not in said
    assert not (tmp_path / "e").exists()


def test_features_computed_otherwise_are_not_compared(tmp_path, capsys):
    words = stored(tmp_path)
    np.savez(tmp_path / "synthetic.npz", features=np.ones((9, 5)))
    assert main(["synthesis", *words, "--out", str(tmp_path / "e")]) == 2
    assert "equally many features" in capsys.readouterr().err
    assert not (tmp_path / "e").exists()


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
    assert main(words(folders, "--extractor", "pixels", "--no-views", *more)) == 2
    assert (
        len(
            [
                line
                for line in capsys.readouterr().err.splitlines()
                if not line.startswith(("features of", "train:", "holdout:", "synthetic:"))
            ]
        )
        == 1
    )
    assert not (folders / "evidence").exists()


def test_sets_of_different_kinds_are_unusable(folders, capsys):
    np.savez(folders / "f.npz", features=np.eye(3))
    assert main([*words(folders, "--extractor", "pixels"), "--synthetic", str(folders / "f.npz")]) == 2
    assert "of one kind" in capsys.readouterr().err


def test_an_out_that_is_a_file_is_refused_before_anything_is_computed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("monai_ethics.synthesis.data.folder.read_image_set", lambda *_, **__: pytest.fail("read"))
    (tmp_path / "e").write_text("keep")
    assert main(["synthesis", *stored(tmp_path), "--out", str(tmp_path / "e")]) == 2
    assert main(["synthesis", *stored(tmp_path), "--out", str(tmp_path / "e" / "below")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert (tmp_path / "e").read_text() == "keep"


@pytest.mark.parametrize("name", ["k" * 60_000, "\x1b[31mred", "two\nlines"])
def test_an_attribute_without_a_usable_name_is_refused_before_anything_is_written(tmp_path, capsys, name):
    words = stored(tmp_path, **{name: ["A", "B"] * 60})
    assert main(["synthesis", *words, "--out", str(tmp_path / "e")]) == 2
    err = capsys.readouterr().err
    assert "200 letters" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "e").exists()


@pytest.mark.slow
def test_labels_that_name_patients_are_in_no_public_file(tmp_path, capsys):
    names = [f"DOE^JANE{i}" if i < 15 else "" for i in range(120)]
    words = stored(tmp_path, note=names)
    assert main(["synthesis", *words, "--out", str(tmp_path / "e"), "--strata", "note,sex"]) == 0
    printed = capsys.readouterr()
    public = [path for path in (tmp_path / "e").iterdir() if path.is_file()]
    assert not [path.name for path in public if b"DOE" in path.read_bytes()]
    assert "DOE" not in printed.out + printed.err

# SPDX-License-Identifier: Apache-2.0
import json

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.images.digest import digest_file
from monai_ethics.provenance.log.reading.entries import read_entries


@pytest.fixture(autouse=True)
def key_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)


def write(path, seed):
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 40)] * 3, indexing="ij"))
    image = 500.0 * ((grid**2).sum(axis=0) < 0.8) + rng.normal(0, 8, (40, 40, 40))
    nib.save(nib.Nifti1Image(image.astype(np.float32), np.diag([2, 2, 2, 1])), path)
    return path


@pytest.fixture
def made(tmp_path):
    """One synthetic image, stamped, and its evidence."""
    (tmp_path / "made").mkdir()
    path = write(tmp_path / "made" / "doe.nii.gz", 0)
    assert main(["stamp", str(path), "--synthetic", "--out", str(tmp_path / "evidence")]) == 0
    return path, tmp_path / "evidence"


def test_the_original_stays_as_it_is(made, tmp_path):
    path, evidence = made
    before = path.read_bytes()
    assert main(["watermark", "embed", str(path), "--out", str(tmp_path / "out"), "--evidence", str(evidence)]) == 0
    assert path.read_bytes() == before


def test_what_was_found_is_told_by_position(made, tmp_path, capsys):
    path, evidence = made
    main(["watermark", "embed", str(path), "--out", str(tmp_path / "out"), "--evidence", str(evidence)])
    capsys.readouterr()
    assert main(["watermark", "detect", str(tmp_path / "out" / "doe.nii.gz"), "--json"]) == 0
    assert [row["found"] for row in json.loads(capsys.readouterr().out)] == [True]
    assert main(["watermark", "detect", str(path)]) == 0
    said = capsys.readouterr().out
    assert "1: not found" in said
    assert "doe" not in said


def test_the_record_names_key_strength_and_original(made, tmp_path):
    path, evidence = made
    main(["watermark", "embed", str(path), "--out", str(tmp_path / "out"), "--evidence", str(evidence)])
    records = [entry.body for entry in read_entries(evidence) if entry.kind == "record"]
    first, last = records[0], records[-1]
    assert last["type"] == "transform"
    assert last["activity"]["watermark"]["scheme"] == "me-block2/1"
    assert last["parents"] == [{"id": first["id"], "role": "source image"}]
    copy = digest_file(tmp_path / "out" / "doe.nii.gz")
    assert copy.marks.synthetic == "yes"
    assert copy.voxel_v1 != digest_file(path).voxel_v1
    assert main(["verify", str(tmp_path / "out" / "doe.nii.gz")]) == 0


def test_an_image_that_nobody_called_synthetic_is_refused(made, tmp_path, capsys):
    _, evidence = made
    real = write(tmp_path / "doe-real.nii.gz", 1)
    words = ["--out", str(tmp_path / "out"), "--evidence", str(evidence)]
    assert main(["watermark", "embed", str(real), *words]) == 2
    said = capsys.readouterr().err
    assert "Image 1 must be known to be synthetic" in said
    assert "doe" not in said
    assert not (tmp_path / "out").exists()


def test_bad_input_gives_one_sentence(made, tmp_path, capsys):
    path, evidence = made
    words = ["watermark", "embed", str(path), "--evidence", str(evidence), "--out"]
    assert main([*words, str(tmp_path / "made")]) == 2
    assert "Choose another" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "out"), "--strength", "2"]) == 2
    assert "strength" in capsys.readouterr().err
    assert main(["watermark", "embed", str(path), "--out", str(tmp_path / "o"), "--evidence", str(tmp_path)]) == 2
    open_key = tmp_path / "open.key"
    open_key.write_bytes(b"k" * 32)
    open_key.chmod(0o644)
    assert main(["watermark", "detect", str(path), "--key", str(open_key)]) == 2
    assert "only its owner" in capsys.readouterr().err

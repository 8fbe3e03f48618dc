# SPDX-License-Identifier: Apache-2.0
"""How well the bundle does on real lesion shapes and on two real brains: printed, never hidden."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.cohort import Cohort, Lesions, write_cohort

pytestmark = pytest.mark.real


def overlaps(data, out):
    """By patient or subject, one row per slice: overlap, predicted and true pixels."""
    rows = {}
    for item in json.loads((data / "datalist.json").read_text())["testing"]:
        truth = np.asarray(nib.load(data / item["label"]).dataobj) > 0
        mask = np.asarray(nib.load(out / item["image"].replace(".nii.gz", "_lesion.nii.gz")).dataobj) > 0
        rows.setdefault(item["image"].split("_")[0], []).append(((truth & mask).sum(), mask.sum(), truth.sum()))
    return {name: np.array(values, dtype=float) for name, values in rows.items()}


def dice(counts):
    both, predicted, true = counts
    return 2 * both / (predicted + true)


def test_real_lesion_shapes_are_found_in_the_cohort(lesion_bank, predict, tmp_path, capsys):
    cohort = Cohort(n=200, seed=7800, lesions=Lesions(prevalence=1.0, bank=lesion_bank))
    write_cohort(cohort, tmp_path / "data")
    predict(tmp_path / "data", tmp_path / "out")
    counts = [rows[0] for rows in overlaps(tmp_path / "data", tmp_path / "out").values()]
    values = np.array([dice(row) for row in counts if row[2] > 0])
    error = values.std(ddof=1) / np.sqrt(len(values))
    with capsys.disabled():
        print(f"\nreal shapes in the cohort: Dice {values.mean():.3f} +- {1.96 * error:.3f} (95 %), n {len(values)}")
    assert values.mean() >= 0.55


def test_dice_on_the_two_held_out_real_patients_is_printed(flair_slices, predict, tmp_path, capsys):
    predict(flair_slices, tmp_path)
    found = overlaps(flair_slices, tmp_path)
    assert sorted(found) == ["patient07", "patient19"]
    for patient, rows in found.items():
        by_slice = [dice(row) for row in rows if row[2] > 0]
        with capsys.disabled():
            print(
                f"\n{patient}: Dice {dice(rows.sum(0)):.3f} over all slices, mean {np.mean(by_slice):.3f} over "
                f"{len(by_slice)} slices with lesion, {rows[:, 1].sum():.0f} pixels outlined, "
                f"{rows[:, 2].sum():.0f} true; "
                f"{(rows[rows[:, 2] == 0, 1] > 0).sum()} of {(rows[:, 2] == 0).sum()} slices without lesion flagged"
            )
        assert rows[:, 2].sum() > 0


def test_lung_slices_are_read_with_their_tumors(lung_slices):
    items = json.loads((lung_slices / "datalist.json").read_text())["testing"]
    assert len(items) == 109
    tumor = {"lung1": 0, "lung2": 0}
    for item in items:
        image, label = (nib.load(lung_slices / item[key]) for key in ("image", "label"))
        assert image.shape == label.shape == (128, 128)
        tumor[item["image"].split("_")[0]] += int(np.asarray(label.dataobj).sum())
    assert all(tumor.values())
    assert np.asarray(image.dataobj).min() < -800

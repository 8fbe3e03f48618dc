# SPDX-License-Identifier: Apache-2.0
"""The table of NIH ChestX-ray14 (112,120 images of 30,805 patients), with simulated scores of a known gap."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.attributes import join, read_side_table, stratify
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.family import score_gaps
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.score_gap import ScoreGap
from monai_ethics.statistics.intervals import clustered_rate

pytestmark = pytest.mark.real
NAME = "Data_Entry_2017_v2020.csv.gz"


def _table():
    given = os.environ.get("MONAI_ETHICS_NIH_TABLE")
    if given:
        return given if given.endswith((".csv", ".csv.gz")) else f"zip://torchxrayvision/data/{NAME}::{given}"
    spec = importlib.util.find_spec("torchxrayvision")  # found, never imported: it loads torchvision
    found = Path(spec.submodule_search_locations[0]) / "data" / NAME if spec else None
    return str(found) if found and found.is_file() else None


@pytest.fixture(scope="module")
def frame():
    source = _table()
    if source is None:
        pytest.skip("set MONAI_ETHICS_NIH_TABLE to the table, or to the wheel of torchxrayvision 1.5.7")
    if source.startswith("zip://"):
        import zipfile

        inner, wheel = source.removeprefix("zip://").split("::")
        with zipfile.ZipFile(wheel) as archive, archive.open(inner) as file:
            return pd.read_csv(file, compression="gzip")
    return pd.read_csv(source)


@pytest.fixture(scope="module")
def cohort(frame, tmp_path_factory):
    """All images with their attributes, joined from a side table, and scores whose truth is known."""
    rows = frame
    sex = next(name for name in rows if "Gender" in name or "Sex" in name)
    path = tmp_path_factory.mktemp("nih") / "table.csv"
    rows[["Image Index", "Patient ID", sex, "Patient Age", "View Position"]].to_csv(path, index=False)
    cases = [f"/somewhere/images/{name}" for name in rows["Image Index"]]
    joined = join(read_side_table(path), cases, cases)
    assert joined.accounting["without_row"] == 0
    groups = stratify(joined.groups, strata=[sex, "View Position", "Patient Age_band"])
    return cases, joined.patients, groups.groups, sex


def scores(cohort, gap, *, seed=0, images=0.05, patients=0.05):
    cases, owners, groups, sex = cohort
    rng = np.random.default_rng(seed)
    own = dict(zip(sorted(set(owners)), rng.normal(0, patients, len(set(owners))), strict=True))
    base = np.array([0.5 + own[patient] for patient in owners]) + rng.normal(0, images, len(cases))
    base -= gap * (np.array(groups[sex]) == "F")
    return ScoreTable(
        metric="auc_like",
        unit="1",
        higher_is_better=True,
        cases=tuple(cases),
        patients=owners,
        values=tuple(np.clip(base, 0.001, 1).tolist()),
        outcomes=("scored",) * len(cases),
        groups=groups,
    )


def test_the_table_has_the_patients_it_is_known_for(frame):
    assert len(frame) == 112_120
    assert frame["Patient ID"].nunique() == 30_805


def test_patients_are_counted_once_and_not_their_images(cohort):
    found = GroupScores()(scores(cohort, 0.0))
    overall = next(item for item in found.estimates if item.name == "median" and not item.group)
    assert overall.n == len(set(cohort[1])) == 30_805


def test_a_planted_gap_is_found_and_none_is_not(cohort):
    sex = cohort[3]
    planted = ScoreGap(attribute=sex, n_permutations=1999)(scores(cohort, 0.03))
    assert next(e.value for e in planted.estimates if e.name == "p_adjusted") < 0.01
    difference = next(e for e in planted.estimates if e.name == "difference")
    assert abs(difference.value + 0.03) < 0.003  # four standard errors
    quiet = score_gaps([scores(cohort, 0.0)], check=ScoreGap(n_permutations=1999))
    assert all(finding.verdict is Verdict.MEASURED for finding in quiet)
    assert min(e.value for finding in quiet for e in finding.estimates if e.name == "p_adjusted") > 0.05


def test_views_share_patients_and_are_compared_as_such(cohort):
    found = ScoreGap(attribute="View Position", n_permutations=999)(scores(cohort, 0.0))
    assert found.parameters["patients_in_several_groups"] > 5000
    assert "random signs" in found.estimates[0].method


def test_a_rate_that_goes_with_the_patient_has_a_design_effect(frame):
    rows = frame
    finding = (rows["Finding Labels"] != "No Finding").tolist()
    found = clustered_rate(finding, [str(patient) for patient in rows["Patient ID"]])
    alone = clustered_rate(finding, [str(i) for i in range(len(finding))])
    effect = ((found.high - found.low) / (alone.high - alone.low)) ** 2
    print(f"design effect of 'any finding' over {len(rows)} images: {effect:.1f}")
    assert effect > 2

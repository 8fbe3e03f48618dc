# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.sweep_table import SweepTable
from monai_ethics.synthesis.group_correctness import GroupCorrectness
from monai_ethics.synthesis.group_coverage import GroupCoverage
from monai_ethics.synthesis.group_realism import GroupRealism
from monai_ethics.synthesis.methods.labels import why_no_grouping
from monai_ethics.synthesis.utility import SynthesisUtility

PEOPLE = [f"p{i}" for i in range(40)]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([f"DOE^JANE{i}" for i in range(40)], "40 labels"),
        ([f"DOE^JANE{i}" for i in range(18)] + ["none"] * 22, "Fewer than two patients"),
        ([f"DOE^JANE{i}" for i in range(12)] + [None] * 28, "Fewer than two patients"),
        (["ZZPATIENT7 " * 50, "b"] * 20, "texts"),
        (["one\ntwo", "b"] * 20, "texts"),
    ],
)
def test_names_dates_and_texts_form_no_groups_and_are_not_repeated(labels, reason):
    told = why_no_grouping("note", labels, PEOPLE)
    assert reason in told
    assert "DOE" not in told
    assert "ZZ" not in told


def test_groups_that_recur_are_groups_and_so_are_a_few_sexes_and_regions_that_every_patient_has():
    assert why_no_grouping("site", ["a", "b", None, "a"] * 10, PEOPLE) is None
    assert why_no_grouping("Sex", ["F", "M"], ["p", "q"]) is None
    assert why_no_grouping("region", ["liver", "spleen", "liver", "spleen"], ["p", "p", "q", "q"]) is None


@pytest.mark.parametrize("check", [GroupCoverage, GroupRealism])
def test_checks_by_group_do_not_publish_labels_that_name_patients(check):
    rng = np.random.default_rng(0)
    names = {"group": [f"DOE^JANE{i}" for i in range(15)] + [None] * 45}
    sets = FeatureSets(
        train=rng.standard_normal((60, 4)),
        train_patients=[f"t{i}" for i in range(60)],
        holdout=rng.standard_normal((60, 4)),
        holdout_patients=[f"h{i}" for i in range(60)],
        synthetic=rng.standard_normal((60, 4)),
        holdout_attributes=names,
        synthetic_attributes=names,
    )
    finding = check(min_group_size=20)(sets)
    assert finding.verdict == "not_assessable"
    assert "DOE" not in json.dumps(finding.to_dict())


def test_what_was_requested_by_file_name_is_not_compared():
    n = 60
    data = replace(GroupCorrectness.example(n, 0), groups={"file": [f"DOE^JANE{i // 4}" for i in range(n)]},
                   units=[f"u{i // 4}" for i in range(n)])  # fmt: skip
    finding = GroupCorrectness(attribute="file", min_group_size=4)(data)
    assert finding.verdict == "not_assessable"
    assert "DOE" not in json.dumps(finding.to_dict())


def sweep(**changes):
    rows = [(share, seed, case) for share in (0.0, 1.0) for seed in (0, 1) for case in range(12)]
    columns = {
        "metric": "dice",
        "designs": ["fixed_total"] * len(rows),
        "real_fractions": [share for share, _, _ in rows],
        "seeds": [seed for _, seed, _ in rows],
        "cases": [f"c{case}" for *_, case in rows],
        "patients": [f"p{case}" for *_, case in rows],
        "values": [0.5 + case / 100 for *_, case in rows],
        "groups": {"file": [f"DOE^JANE{case}" for *_, case in rows], "sex": ["FM"[case % 2] for *_, case in rows]},
    }
    return SweepTable(**(columns | changes))


def test_a_sweep_with_a_column_of_file_names_leaves_it_out_and_says_so():
    finding = SynthesisUtility(min_seeds=2, min_group_size=5)(sweep())
    assert "DOE" not in json.dumps(finding.to_dict())
    assert set(finding.parameters["columns_left_out"]) == {"file"}
    assert {row.group["sex"] for row in finding.estimates if "sex" in row.group} == {"F", "M"}


def test_scores_whose_squares_are_not_finite_are_refused():
    with pytest.raises(InputError, match="below 1e15"):
        sweep(values=[1.7e308] * 48)


def test_features_of_half_precision_are_taken_without_a_warning():
    rows = np.full((3, 2), 60_000, dtype=np.float16)
    FeatureSets(train=rows, train_patients="abc", holdout=rows, holdout_patients="def", synthetic=-rows)


def test_features_whose_powers_are_not_finite_are_refused():
    rows = np.ones((3, 2))
    with pytest.raises(InputError, match="below 1e"):
        FeatureSets(train=rows * -3e38, train_patients="abc", holdout=rows, holdout_patients="def", synthetic=rows)

# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.sweep_file import read_sweep, size_bands
from monai_ethics.synthesis.data.sweep_table import SweepTable
from monai_ethics.synthesis.methods.crossed import models_spread, recipe_spread, smallest_margin
from monai_ethics.synthesis.utility import SynthesisUtility

CHECK = SynthesisUtility()


def table(*, n=40, seeds=5, shares=(0.0, 0.5, 1.0), gain=-0.1, seed=0, tested_on="real", shift=0.0):
    rng = np.random.default_rng(seed)
    trainings = [(share, run) for share in shares for run in range(seeds)]
    case = rng.normal(0.8, 0.05, n)
    scores = [case + gain * (1 - share) + shift + rng.normal(0, 0.01, n) for share, _ in trainings]
    return SweepTable(
        metric="dice",
        designs=["fixed_total"] * (n * len(trainings)),
        real_fractions=[share for share, _ in trainings for _ in range(n)],
        seeds=[run for _, run in trainings for _ in range(n)],
        cases=[f"{tested_on}{i}" for _ in trainings for i in range(n)],
        patients=[f"{tested_on}{i}" for _ in trainings for i in range(n)],
        values=np.concatenate(scores).tolist(),
        tested_on=[tested_on] * (n * len(trainings)),
        groups={"roi_size_band": ["small" if i % 2 else "large" for _ in trainings for i in range(n)]},
    )


def both(first, second):
    columns = ("designs", "real_fractions", "seeds", "cases", "patients", "values", "tested_on")
    joined = {name: (*getattr(first, name), *getattr(second, name)) for name in columns}
    groups = {name: (*first.groups[name], *second.groups[name]) for name in first.groups}
    return replace(first, **joined, groups=groups)


def found(finding, name, share, **group):
    wanted = {"design": "fixed_total", "real_fraction": share, **group}
    (row,) = [row for row in finding.estimates if row.name == name and dict(row.group) == wanted]
    return row


def test_a_loss_is_measured_with_two_intervals_and_by_size():
    finding = CHECK(table())
    recipe, models = (found(finding, f"difference_{whose}", "0") for whose in ("recipe", "models"))
    assert recipe.value == models.value == pytest.approx(-0.1, abs=0.01)
    assert recipe.low < recipe.value < recipe.high < 0
    assert found(finding, "difference_recipe", "0", roi_size_band="small").n == 20
    assert finding.verdict is Verdict.MEASURED
    assert finding.reason is None
    assert "worst in a group" in finding.statement
    assert [
        row for row in finding.estimates if row.name == "difference_recipe" and row.group["real_fraction"] == "1"
    ] == []


def test_the_margin_is_the_smallest_that_two_one_sided_tests_would_pass():
    finding = CHECK(table(gain=-0.02))
    margin = found(finding, "equivalence_margin_recipe", "0.5").value
    cut = table(gain=-0.02)
    values = np.array(cut.values).reshape(3, 5, 40)
    spread = recipe_spread([values[1] - values[2]])

    def passes(limit):
        sides = [(spread.value + limit) / spread.se, (limit - spread.value) / spread.se]
        return max(stats.t.sf(side, spread.df) for side in sides) <= 0.05

    assert passes(margin + 1e-9)
    assert not passes(margin - 1e-9)
    assert smallest_margin(spread) == pytest.approx(margin)


def test_three_seeds_say_nothing_of_the_recipe_and_the_reason_is_there():
    finding = CHECK(table(seeds=3))
    row = found(finding, "difference_recipe", "0")
    assert finding.verdict is Verdict.MEASURED
    assert (row.low, row.value is not None) == (None, True)
    assert "3 seeds" in row.reason
    assert "3 seeds" in finding.reason
    assert found(finding, "equivalence_margin_recipe", "0").value is None
    assert found(finding, "difference_models", "0").low is not None


def test_the_gap_between_real_and_synthetic_tests_is_given_for_each_recipe_and_region():
    finding = CHECK(both(table(), table(tested_on="synthetic", shift=0.05, seed=1)))
    gap = found(finding, "real_synthetic_gap", "0.5")
    assert gap.value == pytest.approx(-0.05, abs=0.03)
    assert gap.low < gap.value < gap.high
    assert "40 units of synthetic test images" in gap.estimand
    assert found(finding, "real_synthetic_gap", "0.5", roi_size_band="small").n == 20
    assert found(finding, "difference_recipe", "0").n == 40, "synthetic test images decide nothing"


def test_a_case_missing_in_one_training_is_left_out_of_the_comparison_and_counted():
    data = table()
    finding = CHECK(replace(data, values=(None, *data.values[1:])))
    assert found(finding, "difference_recipe", "0").n == 39
    assert found(finding, "difference_recipe", "0.5").n == 40
    assert dict(finding.accounting) == {
        "scores_of_cases_in_every_training": 585,
        "scores_of_cases_missing_in_some_training": 14,
        "scores_undefined": 1,
    }


def test_several_cases_of_a_patient_count_as_one_patient():
    data = table()
    finding = CHECK(replace(data, patients=[f"p{int(name[4:]) // 2}" for name in data.cases]))
    assert found(finding, "difference_recipe", "0").n == 20


def test_small_groups_and_missing_arms_have_a_reason():
    small = CHECK(table(n=18))
    row = found(small, "difference_recipe", "0", roi_size_band="small")
    assert row.value is None
    assert "9 patients" in row.reason
    assert CHECK(table(shares=(0.0, 0.5))).verdict is Verdict.NOT_ASSESSABLE
    assert "nothing can be compared" in CHECK(table(shares=(1.0,))).reason
    alone = table(shares=(0.0, 1.0))
    seeds = [seed + 10 * (share == 1) for seed, share in zip(alone.seeds, alone.real_fractions, strict=True)]
    assert "no seed was trained in both" in CHECK(replace(alone, seeds=seeds)).reason


def test_few_patients_or_equal_scores_have_no_interval_and_no_margin():
    few = CHECK(table(n=58))
    for name in ("difference_models", "difference_recipe"):
        row = found(few, name, "0", roi_size_band="small")
        assert (row.n, row.low, row.value is None) == (29, None, False)
        assert "fewer than 30 patients" in row.reason
    assert found(few, "difference_recipe", "0").low is not None
    data = table()
    equal = CHECK(replace(data, values=(0.9,) * len(data.values)))
    assert found(equal, "difference_models", "0").value == 0
    assert found(equal, "difference_models", "0").low is None
    assert found(equal, "equivalence_margin_recipe", "0").value is None
    assert "all scores are equal" in found(equal, "equivalence_margin_recipe", "0").reason


def test_of_a_distance_the_largest_rise_is_the_worst():
    finding = CHECK(replace(table(gain=0.1), higher_is_better=False))
    assert "real_fraction 0," in finding.statement.partition(";")[0]


def test_intervals_of_one_table_agree_with_a_plain_t_test():
    rows = np.random.default_rng(0).normal(0, 1, (1, 12))
    ends = stats.ttest_1samp(rows[0], 0).confidence_interval()
    assert models_spread([rows]).interval(0.95) == pytest.approx((ends.low, ends.high))
    assert recipe_spread([rows]) is None
    assert models_spread([rows[:, :1]]) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patients": ["a"]}, "one entry for each of the 600 rows"),
        ({"designs": ["free"] * 600}, "A design must be"),
        ({"real_fractions": [2.0] * 600}, "between 0"),
        ({"values": [float("inf")] * 600}, "finite"),
        ({"cases": ["a"] * 600}, "once in each training"),
    ],
)
def test_tables_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(table(), **changes)


def write(path, text):
    path.write_text(text)
    return path


def test_a_csv_needs_four_columns_and_takes_the_others_as_groups(tmp_path):
    rows = "\n".join(f"{share},{seed},c{i},0.{i + 5},F,{i}" for share in (0, 1) for seed in (0, 1) for i in range(3))
    read = read_sweep(write(tmp_path / "s.csv", f"real_fraction,seed,case,score,sex,roi_size\n{rows}\n"))
    assert read.patients == read.cases
    assert read.groups["roi_size_band"][:3] == ("small", "medium", "large")
    assert set(read.groups["sex"]) == {"F"}
    assert read.designs[0] == "fixed_total"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected rows"),
        ("seed,case,score\n1,a,1\n", "none named real_fraction"),
        ("real_fraction,seed,case,score\n1,a,b,1\n", "Column seed"),
        ("real_fraction,seed,case,score\n1,1,b\n", "as many cells"),
        ("real_fraction,seed,case,score,arm\n1,1,b,1,train-mixed\n", "An arm must be"),
        ("real_fraction,seed,case,score,roi_size,roi_size_band\n1,1,b,1,1,small\n", "Leave one out"),
    ],
)
def test_a_csv_that_does_not_fit_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_sweep(write(tmp_path / "s.csv", text))


def test_sizes_are_banded_within_a_region_by_the_cases_that_cut():
    sizes, cases = [1, 2, 3, 100, 200, 300, 9.0], ["a", "b", "c", "d", "e", "f", "g"]
    bands = size_bands(sizes, cases, within=["t"] * 3 + ["w"] * 4, cut_by=[True] * 6 + [False])
    assert bands == ["small", "medium", "large", "small", "medium", "large", "small"]
    assert size_bands([1, None, 1], ["a", "b", "c"]) == [None, None, None]


def test_the_finding_is_the_same_whatever_the_order():
    data = table()
    again = data.reordered(np.random.default_rng(1).permutation(600).tolist())
    assert json.dumps(CHECK(data).to_dict()) == json.dumps(CHECK(again).to_dict())

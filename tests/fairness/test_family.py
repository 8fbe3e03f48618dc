# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.family import max_t, score_gaps, with_misses
from monai_ethics.fairness.score_gap import ScoreGap
from monai_ethics.statistics.corrections import benjamini_hochberg, holm


@pytest.fixture
def tables(scores):
    rng = np.random.default_rng(0)
    groups = {
        "sex": ["F", "M"] * 30,
        "site": ["A"] * 30 + ["B"] * 30,
        "sex*site": ["F*A", "M*A"] * 15 + ["F*B", "M*B"] * 15,
    }
    outcomes = ["missed" if i % 6 == 1 else "scored" for i in range(60)]
    dice = [0.0 if outcome == "missed" else float(rng.beta(8, 2)) for outcome in outcomes]
    distance = [None if outcome == "missed" else float(rng.gamma(3)) for outcome in outcomes]
    return [
        scores(dice, groups, outcomes=outcomes, bounds=(0, 1)),
        scores(distance, groups, outcomes=outcomes, metric="hd95", unit="mm", higher=False),
    ]


def test_misses_of_the_same_cases_are_compared_once(tables):
    assert [table.metric for table in with_misses(tables)] == ["mean_dice", "hd95", "mean_dice_missed"]


def test_all_metrics_over_all_attributes_are_one_family_and_intersections_another(tables, pick):
    found = score_gaps(tables, check=ScoreGap(n_permutations=199))
    sizes = {(finding.subjects[0], finding.subjects[1]): finding.parameters["family"] for finding in found}
    assert len(sizes) == 9
    assert sizes["mean_dice", "sex"] == 6
    assert sizes["mean_dice", "sex*site"] == 3
    planned = [finding for finding in found if "*" not in finding.subjects[1]]
    raw = [pick(finding, "p_value").value for finding in planned]
    assert [pick(finding, "p_adjusted").value for finding in planned] == pytest.approx(holm(raw))
    missed = next(finding for finding in found if finding.subjects == ("mean_dice_missed", "sex"))
    assert pick(missed, "difference", {"sex": "F - M"}).value == pytest.approx(-1 / 3)
    assert pick(missed, "p_adjusted").value <= 0.05


def test_the_family_is_told_how_far_it_is(tables):
    steps = []
    few = ScoreGap(n_permutations=99)
    findings = score_gaps(tables, check=few, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (9, 9)
    assert [finding.check for finding in findings] == ["fairness.score_gap"] * 9


def test_what_cases_show_is_compared_only_when_asked_for(scores):
    groups = {
        "roi_size_band": ["small", "large"] * 30,
        "sex": ["F"] * 30 + ["M"] * 30,
        "roi_size_band*sex": ["small*F", "large*F"] * 15 + ["small*M", "large*M"] * 15,
    }
    table = scores([float(v) for v in np.random.default_rng(0).beta(8, 2, 60)], groups)
    check = ScoreGap(n_permutations=99)
    assert [tuple(found.subjects) for found in score_gaps([table], check=check)] == [("mean_dice", "sex")]
    asked = score_gaps([table], ["roi_size_band"], check=check)
    assert asked[0].subjects == ("mean_dice", "roi_size_band")


def test_a_family_may_be_corrected_by_benjamini_and_hochberg_and_says_so(tables, pick):
    found = score_gaps(tables, ["sex", "site"], check=ScoreGap(n_permutations=199), correction="bh")
    raw = [pick(finding, "p_value").value for finding in found]
    assert [pick(finding, "p_adjusted").value for finding in found] == pytest.approx(benjamini_hochberg(raw))
    assert all(pick(finding, "p_adjusted").method.startswith("Benjamini-Hochberg") for finding in found)
    assert {finding.parameters["family_correction"] for finding in found} == {"bh"}
    with pytest.raises(InputError, match="holm, bh"):
        score_gaps(tables, correction="max_t")


def test_max_t_keeps_what_metrics_share_and_is_never_below_their_own_p_values(tables, pick):
    tables = [table.reordered(range(60)) for table in tables]
    check = ScoreGap(n_permutations=499)
    found = max_t(tables, "sex", check=check)
    raw = [pick(finding, "p_value").value for finding in found]
    adjusted = [pick(finding, "p_adjusted").value for finding in found]
    assert len(found) == 3
    assert all(p <= q <= h + 0.01 for p, q, h in zip(raw, adjusted, holm(raw), strict=True))
    assert all("max-T" in pick(finding, "p_adjusted").method for finding in found)
    assert found[0].parameters["family_name"] == "all metrics over sex"
    assert [q.to_dict() for q in max_t([t.reordered(range(59, -1, -1)) for t in tables], "sex", check=check)] == [
        q.to_dict() for q in found
    ]


def test_max_t_needs_the_same_patients_in_one_group_each(tables):
    with pytest.raises(InputError, match="same patients"):
        max_t([tables[0], tables[1].reordered(range(50))], "sex")
    twice = [table.with_patients([f"p{i // 2}" for i in range(60)]) for table in tables]
    with pytest.raises(InputError, match="several"):
        max_t(twice, "sex")


def test_max_t_without_groups_to_compare_is_not_assessable(tables):
    few = [table.reordered(range(8)) for table in tables]
    assert {finding.verdict.value for finding in max_t(few, "sex")} == {"not_assessable"}

# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.family import gap_findings
from monai_ethics.fairness.ranking_gap import MEASURES, RankingGap


def checks(**settings):
    return RankingGap(n_permutations=199, **settings)


@pytest.fixture
def planted():
    """120 patients; the scores of group B hardly tell the classes apart."""
    data = RankingGap.example(120, seed=1)
    labels = tuple("AB"[i % 2] for i in range(120))
    noise = np.random.default_rng(2).standard_normal(120)
    scores = tuple(float(noise[i]) + 2 * data.y_true[i] * (label == "A") for i, label in enumerate(labels))
    return replace(data, y_score=scores, groups={"g": labels})


@pytest.mark.parametrize("measure", MEASURES)
def test_a_comparison_speaks_the_vocabulary_of_gaps(measure):
    data = RankingGap.example(80, seed=0)
    found = checks(measure=measure)(data)
    assert found.verdict is Verdict.MEASURED
    assert found.subjects == (f"finding_{measure}", "sex")
    names = {item.name for item in found.estimates}
    assert {"p_value", "p_adjusted", "max_min_gap", "gap_null_mean", "minimum_detectable_gap", "difference"} <= names
    assert found.parameters["groups"] == {"F": 29, "M": 51}
    assert found.parameters["draws"] == 199
    assert [curve.name for curve in found.curves] == ["gap_null"]
    assert sum(found.accounting.values()) == 80
    assert "Not shown is not no gap" in found.statement


def test_a_planted_gap_is_found_with_its_sign(planted, pick):
    found = checks()(planted)
    assert pick(found, "p_value").value < 0.01
    assert pick(found, "difference", {"g": "A - B"}).low > 0
    assert "it differs by g" in found.statement
    assert "(lowest B, highest A)" in found.statement


def test_a_shift_of_scores_shows_across_groups_only(pick):
    data = RankingGap.example(120, seed=3)
    higher = [score + 1.5 * (label == "F") for score, label in zip(data.y_score, data.groups["sex"], strict=True)]
    shifted = replace(data, y_score=tuple(higher))
    assert pick(checks()(shifted), "p_value").value > 0.05
    down, up = (checks(measure=measure)(shifted) for measure in ("auc_bpsn", "auc_bnsp"))
    assert pick(down, "p_value").value < 0.01
    ends = pick(down, "difference", {"sex": "F - M"}), pick(up, "difference", {"sex": "F - M"})
    assert ends[0].value == pytest.approx(-ends[1].value)
    assert (ends[0].high < 0, ends[1].low > 0) == (True, True)


def test_names_of_groups_and_patients_do_not_move_the_p_value(planted, pick):
    turned = planted.with_groups({"g": tuple("zy"["AB".index(label)] for label in planted.groups["g"])})
    renamed = turned.with_patients([f"x{1000 - i}" for i in range(120)])
    assert pick(checks()(renamed), "p_value").value == pick(checks()(planted), "p_value").value


def test_patients_in_two_groups_are_compared_by_random_signs(planted, pick):
    paired = planted.with_patients([f"p{i // 2}" for i in range(120)])
    found = checks()(paired)
    assert "random signs" in pick(found, "p_value").method
    assert "several groups" in pick(found, "minimum_detectable_gap").reason
    assert "covariance" in pick(found, "difference", {"g": "A - B"}).method
    assert "random signs" in pick(checks(measure="auc_bpsn")(paired), "p_value").method


def test_small_groups_are_listed_and_belong_to_backgrounds_only(planted):
    labels = tuple("C" if i < 8 else label for i, label in enumerate(planted.groups["g"]))
    data = planted.with_groups({"g": labels})
    for measure in MEASURES:
        found = checks(measure=measure)(data)
        assert found.parameters["small_groups"] == ("C",)
        assert dict(found.accounting) == {"compared": 112, "in_groups_too_small": 8, "without_a_comparison": 0}


def test_three_groups_have_adjusted_pairs(planted, pick):
    data = planted.with_groups({"g": tuple("ABC"[i % 3] for i in range(120))})
    found = checks(measure="auc_bpsn")(data)
    assert len([item for item in found.estimates if item.name == "pairwise_p_adjusted"]) == 3
    assert pick(found, "smallest_parity_margin").value > 0


def test_very_many_cases_use_the_limit(monkeypatch, planted, pick):
    monkeypatch.setattr("monai_ethics.fairness.methods.area_tests.LIMIT_CELLS", 1)
    monkeypatch.setattr("monai_ethics.fairness.methods.area_tests.ENOUGH", 10)
    for measure in MEASURES:
        item = pick(RankingGap(measure=measure)(planted), "p_value")
        assert "chi-square limit" in item.method
        assert item.value < 0.05


def test_a_perfect_ranking_everywhere_is_no_gap(planted, pick):
    perfect = replace(planted, y_score=tuple(float(truth) for truth in planted.y_true))
    found = checks()(perfect)
    assert pick(found, "p_value").value == 1
    assert pick(found, "max_min_gap").value == 0


def test_the_detectable_gap_does_not_depend_on_the_observed_one(planted, pick):
    other = replace(planted, y_score=tuple(reversed(planted.y_score)))
    first, second = (pick(checks()(data), "minimum_detectable_gap").value for data in (planted, other))
    assert first == second
    assert pick(checks(expected_area=0.95)(planted), "minimum_detectable_gap").value < first


def test_what_cannot_be_compared_has_a_reason(planted):
    alone = checks()(planted.with_groups({"g": ("A",) * 120}))
    assert "0 of" not in alone.reason
    assert "needs two such groups" in alone.reason
    assert "none was named" in checks()(planted.without_groups()).reason
    without = replace(planted, y_score=(), y_pred=planted.y_true, decided_by="x")
    assert "no scores" in checks()(without).reason
    with pytest.raises(InputError, match="measure of ranking"):
        RankingGap(measure="average_precision")
    with pytest.raises(InputError, match="expected_area"):
        RankingGap(expected_area=1)


def test_families_are_adjusted_together(planted, pick):
    found = gap_findings([(checks(attribute="g", measure=measure), planted) for measure in MEASURES])
    assert {finding.parameters["family"] for finding in found} == {3}
    assert pick(found[0], "p_adjusted").value >= pick(found[0], "p_value").value

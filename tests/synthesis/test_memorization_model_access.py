# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from monai_ethics.evidence import Finding, Verdict
from monai_ethics.statistics.auc import newcombe_area
from monai_ethics.synthesis.data.attack_scores import AttackScores
from monai_ethics.synthesis.memorization_model_access import MemorizationModelAccess
from monai_ethics.synthesis.methods.member_ranking import area, hits_at, permuted_areas

CHECK = MemorizationModelAccess(permutations=999)


def scores(*, n=60, shift=1.5, images=1, seed=0, attacks=("pia",), **kept):
    rng = np.random.default_rng(seed)
    is_member = np.repeat(np.arange(n) % 2 == 0, images)
    errors = {name: rng.normal(size=n * images) - shift * is_member for name in attacks}
    patients = [f"p{i}" for i in range(n) for _ in range(images)]
    return AttackScores(
        **{"errors": errors, "is_member": is_member, "patients": patients, "split_random": True, **kept}
    )


def only(finding, name):
    (found,) = [estimate for estimate in finding.estimates if estimate.name == name]
    return found


def test_smaller_errors_on_training_patients_raise_an_alarm():
    finding = CHECK(scores())
    assert only(finding, "p_value_model_access").value < 0.01
    auc = only(finding, "auc")
    data = scores()
    errors, labels = data.errors["pia"], data.is_member
    expected = mannwhitneyu(-errors[labels], -errors[~labels]).statistic / 900
    assert auc.value == pytest.approx(expected)
    assert auc.low < auc.value < auc.high
    assert "never an all-clear" in finding.statement
    assert finding.accounting == {"train_images": 30, "holdout_images": 30}


def test_larger_errors_on_training_patients_give_them_away_too():
    finding = CHECK(scores(shift=-1.5))
    assert only(finding, "auc").high < 0.5
    assert only(finding, "p_value_model_access").value < 0.01


def test_no_difference_raises_no_alarm():
    assert only(CHECK(scores(shift=0)), "p_value_model_access").value > 0.05


def test_hits_are_given_only_with_ten_held_out_patients_to_the_threshold():
    finding = CHECK(scores(n=240))
    assert 0 < only(finding, "tpr_at_fpr_0.1").value < 1
    refused = only(finding, "tpr_at_fpr_0.01")
    assert refused.value is None
    assert "needs 1000 held-out patients" in refused.reason
    assert only(CHECK(scores(n=198)), "tpr_at_fpr_0.1").value is None


def test_hits_leave_at_most_the_rate_of_false_alarms():
    rng = np.random.default_rng(1)
    values, labels = rng.normal(size=400), np.arange(400) % 2 == 0
    threshold = np.sort(values[~labels])[::-1][20]
    assert (values[~labels] > threshold).sum() == 20
    assert hits_at(values, labels, rate=0.1) == (values[labels] > threshold).sum()
    assert hits_at(np.zeros(400), labels, rate=0.1) == 0


def test_several_images_of_a_patient_count_as_one_patient():
    finding = CHECK(scores(n=40, images=5))
    assert only(finding, "auc").n == 40
    assert sum(finding.accounting.values()) == 200


def test_the_best_of_two_attacks_is_paid_for():
    finding = CHECK(scores(shift=0.5, attacks=("pia", "secmi")))
    own = [estimate.value for estimate in finding.estimates if estimate.name == "p_value_attack"]
    assert only(finding, "p_value_model_access").value >= min(own)
    assert [e.group["attack"] for e in finding.estimates if e.name == "auc"] == ["pia", "secmi"]


def test_an_area_of_one_keeps_an_interval():
    low, high = newcombe_area(1.0, 10, 10, 0.95)
    assert 0.6 < low < 0.9
    assert high == 1.0
    assert newcombe_area(0.0, 10, 10, 0.95) == pytest.approx((0.0, 1 - low))


def test_labels_move_within_their_site():
    values = np.repeat([5.0, 0.0], 20)[:, None]
    labels = np.tile([True, False], 20)
    labels[:5] = True  # the first site gave more to training, and its values are high
    strata = ["a"] * 20 + ["b"] * 20
    within = permuted_areas(values, labels, strata=strata, permutations=50, seed=0)
    assert np.allclose(within, area(values[:, 0], labels))
    assert permuted_areas(values, labels, strata=None, permutations=50, seed=0).std() > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"split_random": False}, "not on record"),
        ({"patients": ["p"] * 60}, "in training and in the holdout"),
        ({"is_member": np.ones(60, bool)}, "got 60 and 0 patients"),
        ({"sites": ["a", "b"] * 30}, "move within a site"),
    ],
)
def test_a_broken_condition_is_not_assessable(changes, reason):
    finding = CHECK(scores(**changes))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert reason in finding.reason


def test_too_few_patients_for_any_alarm_are_not_assessable():
    assert "not even a perfect attack" in CHECK(scores(n=6)).reason
    assert CHECK(scores(n=8)).verdict is Verdict.MEASURED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patients": ["a"]}, "one value for each image"),
        ({"errors": {"pia": np.full(60, np.nan)}}, "must be finite"),
        ({"patients": ["a"] * 60, "sites": ["a", "b"] * 30}, "a patient with two"),
    ],
)
def test_scores_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        scores(**changes)


def test_the_finding_is_the_same_whatever_the_order_and_survives_json():
    data = scores(sites=["a"] * 30 + ["b"] * 30, attacks=("secmi", "pia"))
    first = CHECK(data)
    again = CHECK(data.reordered(np.random.default_rng(1).permutation(60).tolist()))
    assert json.dumps(first.to_dict(), sort_keys=True) == json.dumps(again.to_dict(), sort_keys=True)
    assert Finding.from_dict(json.loads(json.dumps(first.to_dict()))) == first


def of_numbers(seed, numbers, *, shift=0.0):
    """Skewed errors of patients with so many images each; the first half of them are members."""
    rng = np.random.default_rng(seed)
    member = [i < len(numbers) / 2 for i, number in enumerate(numbers) for _ in range(number)]
    errors = {"loss": rng.exponential(size=len(member)) - shift * np.array(member)}
    patients = [f"p{i}" for i, number in enumerate(numbers) for _ in range(number)]
    return AttackScores(errors=errors, is_member=np.array(member), patients=patients, split_random=True)


def test_more_images_of_training_patients_are_no_evidence():
    finding = CHECK(of_numbers(0, [5] * 40 + [1] * 40))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "a number of images" in finding.reason
    mixed = [10] * 60 + [1] * 20 + [10] * 20 + [1] * 60  # without strata, .29 of such raise an alarm
    check = MemorizationModelAccess(permutations=199)
    alarms = sum(only(check(of_numbers(seed, mixed)), "p_value_model_access").value <= 0.05 for seed in range(60))
    assert alarms <= 9
    found = CHECK(of_numbers(0, mixed, shift=0.7))
    assert only(found, "p_value_model_access").value <= 0.05
    assert "0.5 = no difference" not in only(found, "auc").estimand

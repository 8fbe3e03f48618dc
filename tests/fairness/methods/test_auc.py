# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.group_auc import group_auc
from monai_ethics.fairness.methods.auc import area_under_curve

TRUTH, SCORES = [1, 1, 1, 0, 0, 0, 0], [0.9, 0.6, 0.5, 0.5, 0.4, 0.7, 0.1]
KEYS = [str(i) for i in range(7)]


def test_the_area_is_the_share_of_pairs_in_order():
    pairs = [(p > q) + 0.5 * (p == q) for p in SCORES[:3] for q in SCORES[3:]]
    found = area_under_curve(TRUTH, SCORES, KEYS)
    assert found.value == pytest.approx(np.mean(pairs))
    assert 0 < found.low < found.value < found.high < 1


def test_delongs_variance_is_that_of_the_placements():
    positive, negative = np.array(SCORES[:3]), np.array(SCORES[3:])
    kernel = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = kernel.mean(1).var(ddof=1) / 3 + kernel.mean(0).var(ddof=1) / 4
    found = area_under_curve(TRUTH, SCORES, KEYS)
    area = kernel.mean()
    logit = np.log(area / (1 - area)) + 1.959964 * np.sqrt(variance) / (area * (1 - area))
    assert found.high == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_an_area_of_one_has_newcombes_interval():
    found = area_under_curve([1] * 20 + [0] * 20, list(range(40, 0, -1)), [str(i) for i in range(40)])
    assert (found.value, found.high) == (1, 1)
    assert 0.85 < found.low < 0.95
    assert "Newcombe" in found.method
    turned = area_under_curve([0] * 20 + [1] * 20, list(range(40, 0, -1)), [str(i) for i in range(40)])
    assert (turned.value, turned.low) == (0, 0)


def test_one_class_or_one_patient_has_a_reason():
    assert "absent" in area_under_curve([1, 1], [1, 2], ["a", "b"]).reason
    assert "fewer than 2 patients" in area_under_curve([1, 1, 0, 0], [1, 3, 2, 0], ["a", "a", "b", "c"]).reason


def table(n=40, **changes):
    rng = np.random.default_rng(0)
    truth = tuple(bool(i % 2) for i in range(n))
    keys = tuple(str(i) for i in range(n))
    base = {"cases": keys, "patients": keys, "y_true": truth, "target": "y", "y_pred": truth, "decided_by": "x"}
    score = tuple(float(x) for x in rng.normal(size=n) + np.array(truth))
    return BinaryScores(
        **{**base, "y_score": score, "groups": {"sex": tuple("FFMM"[i % 4] for i in range(n))}, **changes}
    )


def test_areas_are_given_overall_and_within_groups(pick):
    found = group_auc(table())
    assert found.verdict is Verdict.MEASURED
    assert pick(found, "auc", {"sex": "M"}).n == 20
    assert sum(found.accounting.values()) == 40


def test_groups_of_one_class_are_undefined_and_never_dropped(pick):
    truth = tuple(i % 4 == 1 for i in range(40))
    found = group_auc(table(y_true=truth))
    assert pick(found, "auc", {"sex": "M"}).value is None
    assert pick(found, "auc", {"sex": "F"}).value is not None


def test_too_few_patients_or_no_scores_are_not_assessable():
    assert group_auc(table(4)).verdict is Verdict.NOT_ASSESSABLE
    assert "no scores" in group_auc(table(y_score=())).reason
    with pytest.raises(InputError, match="one entry per case"):
        table(y_pred=(True,))

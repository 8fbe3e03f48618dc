# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.binary_before_after import BinaryBeforeAfter, measures_of
from monai_ethics.statistics.auc import area_under_curve


@pytest.fixture
def measured():
    """60 patients with 1 to 3 cases and other scores afterwards."""
    rng = np.random.default_rng(0)
    patients = [f"p{i:02d}" for i in range(60) for _ in range(1 + i % 3)]
    truth = rng.random(len(patients)) < 0.5
    sides = [(truth + rng.normal(0, 1, len(patients))).tolist() for _ in (0, 1)]
    first, second = (
        BinaryScores(
            target="nodule",
            cases=tuple(f"c{i:03d}" for i in range(len(patients))),
            patients=tuple(patients),
            y_true=tuple(truth.tolist()),
            y_score=tuple(side),
            groups={"sex": tuple("FM"[int(p[1:]) % 2] for p in patients)},
        ).decided(0.5, decided_by="fixed beforehand")
        for side in sides
    )
    return BinaryBeforeAfter(before=first, after=second, measure="tpr")


def of(measured, measure, label):
    data = replace(measured, measure=measure)
    (group,) = [group for group in data.groups("sex") if group.label == label]
    return group


@pytest.mark.parametrize(
    ("measure", "wanted"), [("tpr", (True,)), ("fpr", (False,)), ("selection_rate", (True, False))]
)
def test_a_rate_before_and_after_is_that_of_the_cases(measured, measure, wanted):
    group = of(measured, measure, "F")
    for side, column in ((measured.before, group.before), (measured.after, group.after)):
        rows = zip(side.groups["sex"], side.y_true, side.y_pred, strict=True)
        decided = [decision for label, truth, decision in rows if label == "F" and truth in wanted]
        assert column.mean() == pytest.approx(np.mean(decided), abs=1e-12)
    assert group.change.mean() == pytest.approx((group.after - group.before).mean(), abs=1e-12)
    assert group.size == 30


def test_an_area_before_and_after_is_that_of_the_cases(measured):
    group = of(measured, "auc", "M")
    for side, column in ((measured.before, group.before), (measured.after, group.after)):
        own = [i for i, label in enumerate(side.groups["sex"]) if label == "M"]
        part = side.reordered(own)
        assert column.mean() == pytest.approx(
            area_under_curve(part.y_true, part.y_score, part.patients).value, abs=1e-12
        )


def test_parts_of_a_rate_have_the_linearized_variance(measured):
    from monai_ethics.fairness.methods.ratios import RatioGroup

    group = of(measured, "selection_rate", "F")
    rows = [i for i, label in enumerate(measured.before.groups["sex"]) if label == "F"]
    moved, cases = dict.fromkeys(group.patients, 0.0), dict.fromkeys(group.patients, 0.0)
    for i in rows:
        patient = measured.before.patients[i]
        moved[patient] += measured.after.y_pred[i] - measured.before.y_pred[i]
        cases[patient] += 1
    plain = RatioGroup(
        label="F", patients=group.patients, tops=np.array([*moved.values()]), bottoms=np.array([*cases.values()])
    )
    n = len(group.patients)
    assert np.sqrt(group.change.var(ddof=1) / n) == pytest.approx(np.sqrt((plain.parts**2).sum()), abs=1e-12)


def test_other_labels_are_refused(measured):
    turned = (not measured.after.y_true[0], not measured.after.y_true[1], *measured.after.y_true[2:])
    with pytest.raises(
        InputError, match=r"other labels for 2 of 120 cases\. A change of labels is no change of the model"
    ):
        replace(measured, after=replace(measured.after, y_true=turned))


def test_other_targets_measures_and_negative_counts_are_refused(measured):
    with pytest.raises(InputError, match="one target"):
        replace(measured, after=replace(measured.after, target="effusion"))
    with pytest.raises(InputError, match="another measure"):
        replace(measured, measure="ppv")
    with pytest.raises(InputError, match="count of uses"):
        replace(measured, uses_declared=-1)


def test_a_group_needs_patients_and_cases_of_the_kind_counted(measured):
    few = measured.before.reordered([i for i in range(len(measured)) if measured.before.patients[i] < "p08"])
    data = replace(measured, before=few)
    (women, _) = data.groups("sex")
    assert "4 patients: listed" in data.too_small(women, 10)
    none = replace(few, y_true=(False,) * len(few))
    data = BinaryBeforeAfter(before=none, after=none, measure="tpr")
    (women, _) = data.groups("sex")
    assert data.too_small(women, 2) == "0 patients with positive cases: listed, not judged (at least 5)"
    data = replace(data, measure="auc")
    (women, _) = data.groups("sex")
    assert "rarer class" in data.too_small(women, 2)


def test_of_whether_the_class_is_right_the_accuracy_alone_is_compared(measured):
    sides = [
        replace(
            side,
            target="kind_top_one",
            y_true=(True,) * len(side),
            y_score=(),
            threshold=None,
            y_pred=tuple(p == t for p, t in zip(side.y_pred, side.y_true, strict=True)),
        )
        for side in (measured.before, measured.after)
    ]
    assert measures_of(sides) == ["accuracy"]
    assert measures_of([measured.before]) == ["tpr", "fpr", "selection_rate", "auc"]
    right = BinaryBeforeAfter(before=sides[0], after=sides[1], measure="accuracy").groups("sex")
    plain = replace(measured, measure="accuracy").groups("sex")
    for one, other in zip(right, plain, strict=True):
        assert one.change == pytest.approx(other.change, abs=1e-15)

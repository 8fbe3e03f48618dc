# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.classes import ClassScores
from monai_ethics.fairness.plan import Plan, read_plan
from monai_ethics.fairness.run import run_findings


@pytest.fixture
def labels():
    rng = np.random.default_rng(4)
    n = 160
    truth = rng.random(n) < 0.5
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 2 * truth - 1)))
    keys = tuple(f"c{i}" for i in range(n))
    groups = {"sex": tuple("FM"[i % 2] for i in range(n)), "site": tuple("ABC"[i % 3] for i in range(n))}
    groups["sex*site"] = tuple(f"{a}*{b}" for a, b in zip(groups["sex"], groups["site"], strict=True))
    data = BinaryScores(
        target="lesion", cases=keys, patients=keys, y_true=truth, y_score=score, probabilities=True, groups=groups
    )
    return data.decided(0.5, decided_by="other data")


def asked(findings):
    return [(f.check.removeprefix("fairness."), *f.subjects) for f in findings]


def test_a_classifier_is_described_and_what_was_planned_is_compared_over_single_attributes(labels):
    found = asked(run_findings([], [labels]))
    described = ["representation", "group_rates", "group_ranking", "calibration", "threshold_sweep", "threshold_sweep"]
    assert [name for name, *_ in found[:6]] == described
    compared = {(subjects[0].removeprefix("lesion_"), subjects[1]) for _, *subjects in found[6:]}
    quantities = ("tpr", "fpr", "selection_rate", "ppv", "auc", "calibration_in_the_large")
    assert compared == {(quantity, attribute) for quantity in quantities for attribute in ("sex", "site")}


def test_one_correction_covers_the_family_and_intersections_have_their_own(labels):
    plan = read_plan({"measures": "tpr,auc"}, strata="sex,site,sex*site")
    findings = [f for f in run_findings([], [labels], plan=plan) if f.check.endswith("_gap")]
    names = {f.subjects[1]: (f.parameters["family"], f.parameters["family_name"]) for f in findings}
    assert names["sex"] == names["site"] == (4, "all metrics over all attributes")
    assert names["sex*site"][1] == "all metrics over all intersections (exploratory)"


def test_every_measure_has_its_check(labels):
    from monai_ethics.fairness.plan import FURTHER, PLANNED

    plan = Plan(measures=(*PLANNED, *FURTHER), asked=("sex",))
    table = run_findings([], [labels], plan=plan)
    said = " ".join(f.subjects[0] for f in table if f.subjects)
    for measure in set(PLANNED) | set(FURTHER) - {"score", "equity_scaled"}:
        assert measure in ("score", "equity_scaled") or measure in said


def test_a_control_is_held_fixed_for_decisions_and_scores_alike(labels, scores):
    groups = {name: labels.groups[name] for name in ("sex", "site")}
    dice = scores(np.linspace(0.1, 0.9, 160).tolist(), groups)
    plan = read_plan({"control": "site"}, strata="sex")
    secondary = [f for f in run_findings([dice], [labels], plan=plan) if f.check == "fairness.standardized_gap"]
    assert [f.subjects[0] for f in secondary] == ["mean_dice", "lesion_tpr", "lesion_fpr"]
    assert {f.parameters["family"] for f in secondary} == {3}


def test_several_classes_are_compared_by_class_and_their_accuracy_once():
    rng = np.random.default_rng(0)
    truth = tuple("abc"[i] for i in rng.integers(0, 3, 120))
    pred = tuple("abc"[i] for i in rng.integers(0, 3, 120))
    keys = tuple(str(i) for i in range(120))
    groups = {"sex": tuple("FM"[i % 2] for i in range(120))}
    data = ClassScores(
        target="tissue",
        cases=keys,
        patients=keys,
        classes=("a", "b", "c"),
        y_true=truth,
        y_pred=pred,
        decided_by="the file",
        groups=groups,
    )
    found = asked(run_findings([], [*data.one_vs_rest(), data.top_one()]))
    assert [s for _, *s in found if "tissue_top_one" in s[0]] == [
        ["tissue_top_one"],
        ["tissue_top_one_accuracy", "sex"],
    ]
    assert ("rate_gap", "b_tpr", "sex") in found


def test_without_groups_nobody_is_compared(labels):
    found = run_findings([], [labels.without_groups()])
    assert {f.check for f in found} == {"fairness.group_rates", "fairness.group_ranking", "fairness.calibration"}

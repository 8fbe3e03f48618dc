# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.threshold_sweep import ThresholdSweep, choose_threshold, decide_elsewhere
from monai_ethics.statistics.intervals import clustered_rate
from monai_ethics.statistics.sweep import common_grid


def scored(n, seed, *, shift=1.0, groups=None, prefix="a", patients=None):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2 == 0
    keys = tuple(f"{prefix}{i}" for i in range(n))
    return BinaryScores(
        target="finding",
        cases=keys,
        patients=keys if patients is None else tuple(patients),
        y_true=tuple(truth.tolist()),
        y_score=tuple((rng.normal(size=n) + shift * truth).tolist()),
        groups=groups or {"sex": tuple("FM"[i // 2 % 2] for i in range(n))},
    )


def curve(finding, name, group=None):
    (found,) = [item for item in finding.curves if item.name == name and dict(item.group) == (group or {})]
    return found


def test_curves_are_the_rates_at_each_threshold_over_a_common_grid():
    data = scored(120, 0)
    finding = ThresholdSweep()(data)
    assert finding.verdict is Verdict.MEASURED
    names = {item.name for item in finding.curves}
    assert names == {f"{rate}_by_threshold" for rate in ("tpr", "fpr", "selection_rate", "ppv")}
    assert len(finding.curves) == 12
    assert len({item.x for item in finding.curves}) == 1
    sensitivity = curve(finding, "tpr_by_threshold", {"sex": "F"})
    rows = [i for i, label in enumerate(data.groups["sex"]) if label == "F" and data.y_true[i]]
    for at in (3, 20, 35):
        hits = [data.y_score[i] >= sensitivity.x[at] for i in rows]
        peer = clustered_rate(hits, [data.patients[i] for i in rows])
        assert (sensitivity.y[at], sensitivity.low[at], sensitivity.high[at]) == (peer.value, peer.low, peer.high)


def test_repeated_patients_widen_the_band():
    single = scored(120, 0)
    repeated = replace(single, patients=tuple(f"p{i // 4}" for i in range(120)))
    narrow, wide = (curve(ThresholdSweep()(data), "fpr_by_threshold") for data in (single, repeated))
    assert wide.y == narrow.y
    assert "Rao-Scott" in wide.method
    assert "Rao-Scott" not in narrow.method


def test_the_threshold_that_decides_is_marked_with_who_chose_it():
    data = scored(60, 1).decided(0.123456, decided_by="the validation set")
    finding = ThresholdSweep()(data)
    assert finding.parameters["threshold"] == 0.123456
    assert finding.parameters["decided_by"] == "the validation set"
    assert 0.123456 in curve(finding, "ppv_by_threshold").x
    assert "0.123456 (the validation set)" in finding.statement
    assert "No threshold decides" in ThresholdSweep()(scored(60, 1)).statement
    assert "PPV by sex of 60 patients" in ThresholdSweep(attribute="sex")(GroupRates.example(60, 1)).statement


def test_a_rate_is_undefined_where_its_denominator_is_too_small():
    finding = ThresholdSweep()(scored(40, 2))
    precision = curve(finding, "ppv_by_threshold")
    assert precision.y[-1] is None
    assert precision.low[-1] is None
    assert precision.y[0] is not None
    none = replace(scored(40, 2), y_true=(False,) * 40)
    sensitivity = curve(ThresholdSweep()(none), "tpr_by_threshold")
    assert set(sensitivity.y) == {None}
    assert sensitivity.reason


def test_small_groups_are_listed_and_intersections_wait_to_be_asked_for():
    labels = ("F",) * 50 + ("M",) * 6 + (None,) * 4
    data = scored(60, 3, groups={"sex": labels, "sex*site": labels, "roi_size_band": labels})
    finding = ThresholdSweep()(data)
    assert finding.parameters["groups"] == {"sex": {"F": 50, "M": 6, "(not recorded)": 4}}
    withheld = [item for item in finding.estimates if dict(item.group) == {"sex": "M"}]
    assert len(withheld) == 4
    assert all(item.value is None and "6 patients" in item.reason for item in withheld)
    assert ThresholdSweep(attribute="sex*site")(data).parameters["attributes"] == ("sex*site",)


def test_decisions_alone_cannot_be_swept():
    data = replace(scored(40, 0), y_score=(), y_pred=(True,) * 40, decided_by="a reader")
    finding = ThresholdSweep()(data)
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "only decisions" in finding.reason
    with pytest.raises(InputError, match="2 to 60"):
        ThresholdSweep(n_thresholds=61)(scored(40, 0))


@pytest.mark.parametrize("scores", [[0.3] * 5, [0.0] * 3, [-1e-9, 1e-9], np.linspace(-400, 900, 77), [1e6, 1e6 + 1]])
def test_the_grid_covers_scores_of_any_range(scores):
    grid = common_grid(np.array(scores, dtype=float), 41, None)
    assert 1 <= len(grid) <= 42
    assert (np.diff(grid) > 0).all()
    assert grid[0] <= np.quantile(scores, 0.01) + 1e-12
    assert len(common_grid(np.array(scores, dtype=float), 41, 0.5)) <= 43


def test_a_threshold_is_chosen_for_an_aim():
    data = BinaryScores(
        target="t",
        cases=tuple("abcdefgh"),
        patients=tuple("abcdefgh"),
        y_true=(False, False, False, False, True, True, True, True),
        y_score=(0.1, 0.2, 0.3, 0.6, 0.25, 0.5, 0.7, 0.9),
    )
    assert choose_threshold(data) == 0.25  # as good as 0.5
    assert choose_threshold(data, aim="sensitivity", at=1.0) == 0.25
    assert choose_threshold(data, aim="sensitivity", at=0.5) == 0.7
    assert choose_threshold(data, aim="specificity", at=0.75) == 0.5
    assert choose_threshold(data, aim="specificity", at=1.0) == 0.7


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"aim": "f1"}, "youden, sensitivity"),
        ({"aim": "sensitivity"}, "got none"),
        ({"aim": "specificity", "at": 2}, "0 to 1"),
    ],
)
def test_an_aim_that_says_nothing_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        choose_threshold(scored(20, 0), **settings)
    with pytest.raises(InputError, match="one of them is absent"):
        choose_threshold(replace(scored(20, 0), y_true=(True,) * 20))


def test_a_threshold_chosen_on_the_evaluated_patients_is_refused():
    data, other = scored(40, 0, prefix="a"), scored(60, 1, prefix="b")
    decided = decide_elsewhere(data, other, where="the validation set", aim="sensitivity", at=0.9)
    assert decided.threshold == choose_threshold(other, aim="sensitivity", at=0.9)
    assert "the validation set (60 other patients) for sensitivity of 0.9" in decided.decided_by
    with pytest.raises(InputError, match="3 are in both"):
        decide_elsewhere(data, replace(other, patients=data.patients[:3] + other.patients[3:]), where="x")
    with pytest.raises(InputError, match="40 are in both"):
        decide_elsewhere(data, replace(data, patients=tuple(f"b{i}" for i in range(40))), where="x")


def test_choosing_on_the_evaluated_scores_is_optimistic():
    """Youden's index of a score that knows nothing: 0 in truth, and when chosen elsewhere; .17 when chosen here."""

    def youden(data, threshold):
        hit = np.array(data.y_score) >= threshold
        truth = np.array(data.y_true)
        return hit[truth].mean() - hit[~truth].mean()

    pairs = [(scored(40, seed, shift=0.0), scored(40, 1000 + seed, shift=0.0)) for seed in range(300)]
    here = np.mean([youden(data, choose_threshold(data)) for data, _ in pairs])
    elsewhere = np.mean([youden(data, choose_threshold(other)) for data, other in pairs])
    assert 0.14 < here < 0.20
    assert abs(elsewhere) < 0.03

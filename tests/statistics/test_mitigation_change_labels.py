# SPDX-License-Identifier: Apache-2.0
"""Intervals of a classifier's change, and false alarms of its test, over simulated pairs of measurements."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.binary_before_after import BinaryBeforeAfter
from monai_ethics.fairness.methods.linearized import area_changes, rate_changes
from monai_ethics.fairness.methods.paired import changed_alike, exchange

pytestmark = pytest.mark.slow
REPLICATES = 600
MEASURES = ("tpr", "fpr", "selection_rate", "auc")
CUT, NOISE = 0.7, 0.5


def draws(rng, sizes, views, gains, *, shift=1.5):
    """Two sets of scores of the same cases: `views` a patient with intraclass correlation .5; positives gain."""
    own = 0.5 if views > 1 else 0.0
    rows = {"cases": [], "patients": [], "y_true": [], "groups": []}
    scores = [[], []]
    for label, n, gain in zip("FMX", sizes, gains, strict=False):

        def noise(n=n):
            return np.sqrt(own) * rng.normal(size=(n, 1)) + np.sqrt(1 - own) * rng.normal(size=(n, views))

        truth = rng.random((n, views)) < 0.5
        common = np.sqrt(1 - NOISE**2) * noise()
        for side, moved in zip(scores, (shift, shift + gain), strict=True):
            side += (moved * truth + common + NOISE * noise()).ravel().tolist()
        rows["cases"] += [f"{label}{i}-{j}" for i in range(n) for j in range(views)]
        rows["patients"] += [f"{label}{i}" for i in range(n) for _ in range(views)]
        rows["y_true"] += truth.ravel().tolist()
        rows["groups"] += [label] * (n * views)
    rows["groups"] = {"sex": tuple(rows["groups"])}
    made = [BinaryScores(target="x", y_score=tuple(side), **rows).decided(CUT, decided_by="fixed") for side in scores]
    return {measure: BinaryBeforeAfter(before=made[0], after=made[1], measure=measure) for measure in MEASURES}


def truth_of(measure, gain, shift):
    if measure == "auc":
        return stats.norm.cdf((shift + gain) / np.sqrt(2)) - stats.norm.cdf(shift / np.sqrt(2))
    found = stats.norm.sf(CUT - shift - gain) - stats.norm.sf(CUT - shift)
    return {"tpr": found, "fpr": 0.0, "selection_rate": found / 2}[measure]


@pytest.mark.parametrize("shift", [1.5, 2.5])
@pytest.mark.parametrize("views", [1, 4])
@pytest.mark.parametrize(("n", "replicates"), [(20, 300), (50, 300), (200, 200)])
def test_changes_of_groups_and_pairs_are_covered(n, replicates, views, shift):
    rng = np.random.default_rng(n + views)
    hits = {measure: np.zeros(3) for measure in MEASURES}
    for _ in range(replicates):
        for measure, data in draws(rng, (n, n), views, (0.5, 0.5), shift=shift).items():
            changes = area_changes if measure == "auc" else rate_changes
            (one, other), pairs = changes(data.groups("sex"))
            if None in (one.low, other.low, pairs[0, 1].low):
                continue
            true = truth_of(measure, 0.5, shift)
            hits[measure] += 1, one.low <= true <= one.high, pairs[0, 1].low <= 0 <= pairs[0, 1].high
    for measure, (count, one, pair) in hits.items():
        low = stats.binom.ppf(0.005 / 96, int(count), 0.95) / count  # 96 of them
        print(f"n={n} views={views} {measure}: change {one / count:.3f}, pair {pair / count:.3f}, of {count:.0f}")
        assert low <= one / count
        assert low <= pair / count
        assert count == replicates or measure == "auc", "a rate always has an interval"


def test_few_patients_with_a_denominator_are_covered():
    rng = np.random.default_rng(1)
    for views in (1, 4):
        hits = {measure: [] for measure in ("tpr", "fpr", "selection_rate")}
        for _ in range(200):
            for measure, data in draws(rng, (12, 12), views, (0.5, 0.5)).items():
                groups = data.groups("sex")
                if measure != "auc" and not any(data.too_small(group, 10) for group in groups):
                    (one, _), pairs = rate_changes(groups)
                    true = truth_of(measure, 0.5, 1.5)
                    hits[measure].append((one.low <= true <= one.high, pairs[0, 1].low <= 0 <= pairs[0, 1].high))
        for measure, seen in hits.items():
            print(f"12 patients, views={views} {measure}: {np.mean(seen, axis=0)}")
            assert np.mean(seen, axis=0).min() >= 0.91


def shuffled(rng, groups):
    """The same patients, dealt to groups at random: the test is exact there, at the level that its ties leave."""
    changes = rng.permutation(np.concatenate([group.change for group in groups]))
    parts = np.split(changes, np.cumsum([len(group.patients) for group in groups])[:-1])
    return [replace(group, before=0 * part, after=part, parts=part) for group, part in zip(groups, parts, strict=True)]


@pytest.mark.parametrize(
    ("name", "sizes", "views", "gain", "conservative"),
    [
        ("two of 60", (60, 60), 1, 0.0, ()),
        ("4 views", (20, 20), 4, 0.0, ()),
        ("unequal n, all gain", (150, 60, 30), 1, 0.3, ("auc",)),
        ("few of either class", (20, 20), 1, 0.3, ("auc",)),
    ],
)
def test_groups_that_changed_alike_are_rarely_told_apart(name, sizes, views, gain, conservative):
    rng = np.random.default_rng(len(name))
    rejected, attainable, outside = (dict.fromkeys(MEASURES, 0) for _ in range(3))
    for _ in range(REPLICATES):
        for measure, data in draws(rng, sizes, views, (gain,) * 3).items():
            groups = data.groups("sex")
            rejected[measure] += changed_alike(groups, n_permutations=99, rng=rng) <= 0.05 + 1e-9
            attainable[measure] += changed_alike(shuffled(rng, groups), n_permutations=99, rng=rng) <= 0.05 + 1e-9
            found = exchange(groups, higher_is_better=data.higher_is_better, n_permutations=99, rng=rng)
            low, high = found.gap_null
            outside[measure] += not low - 1e-9 <= found.gap_after - found.gap_before <= high + 1e-9
    print(f"{name}: rejected {rejected}, attainable {attainable} of {REPLICATES}, gap beyond percentiles {outside}")
    for measure, count in rejected.items():
        assert count <= stats.binom.ppf(1 - 0.005 / 16, REPLICATES, 0.05)  # 16 of them
        share = (count + attainable[measure]) / (2 * REPLICATES)
        slack = stats.norm.isf(0.005 / 16) * np.sqrt(2 * REPLICATES * share * (1 - share))
        short = attainable[measure] - count
        assert short <= slack or measure in conservative, "an area's variance is too large with few of a class"
        assert gain or outside[measure] <= stats.binom.ppf(0.995, REPLICATES, 0.1), "exact if nothing changed"


def test_a_gap_of_sensitivity_that_closed_is_found():
    rng = np.random.default_rng(5)
    seen = []
    for _ in range(150):
        data = draws(rng, (120, 120), 1, (0.8, 0.0))["tpr"]
        groups = data.groups("sex")
        moved = [group.after - group.before for group in groups]
        welch = stats.ttest_ind(*moved, equal_var=False).pvalue <= 0.05
        seen.append((changed_alike(groups, n_permutations=199, rng=rng) <= 0.05 + 1e-9, welch))
    ours, theirs = np.mean(seen, axis=0)
    print(f"power {ours:.2f}, of Welch's test {theirs:.2f}")
    assert ours >= theirs - 0.05
    assert ours > 0.5

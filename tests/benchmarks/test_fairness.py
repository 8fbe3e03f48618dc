# SPDX-License-Identifier: Apache-2.0
"""Rates and areas of many groups beside the packages that compute them without an interval or group by group."""

import time
import tracemalloc
import warnings

import fairlearn.metrics as fl
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from monai_ethics.statistics.auc import areas_by_group
from monai_ethics.statistics.counts import bootstrap_rates, cell_counts, patient_counts, rates

pytestmark = pytest.mark.slow
SEX, AGE, SITE = 2, 5, 8
CELLS = SEX * AGE * SITE
RESAMPLES = 2000
PEER_RESAMPLES = {10_000: 20, 100_000: 5, 1_000_000: 2}  # the peer is timed at these and marked as extrapolated
METRICS = {
    "selection_rate": fl.selection_rate,
    "tpr": fl.true_positive_rate,
    "fpr": fl.false_positive_rate,
    "accuracy": accuracy_score,
}


def cases(n, seed=0):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, k, n, dtype=np.uint8) for k in (SEX, AGE, SITE)]
    truth = rng.random(n) < 0.3
    score = rng.normal(size=n) + truth
    return columns, truth, score, score > 0.5


def codes_of(columns):
    sex, age, site = columns
    return (sex * np.uint8(AGE) + age) * np.uint8(SITE) + site


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.parametrize("n", [10_000, 100_000, 1_000_000])
def test_rates_of_eighty_cells_beside_fairlearn(row, repeated, n):
    columns, truth, _, decision = cases(n)
    frame = pd.DataFrame(dict(zip(("sex", "age", "site"), columns, strict=True)))

    def ours():
        return rates(cell_counts(codes_of(columns), truth, decision, CELLS))

    def theirs():
        return fl.MetricFrame(metrics=METRICS, y_true=truth, y_pred=decision, sensitive_features=frame).by_group

    kept = {}
    mine = [seconds(lambda: kept.update(ours=ours())) for _ in range(repeated(15))]
    other = [seconds(lambda: kept.update(peer=theirs())) for _ in range(repeated(3))]
    found, peer = kept["ours"], kept["peer"]
    order = [np.ravel_multi_index(index, (SEX, AGE, SITE)) for index in peer.index]
    for name in METRICS:
        assert np.allclose(found[name][order], peer[name].to_numpy(float), atol=1e-12, equal_nan=True)
    ratios = [b / np.median(mine) for b in other]
    row(
        f"point, n = {n:.0e}, {CELLS} cells",
        f"{np.median(mine) * 1e3:.2f} ms",
        f"{np.median(other):.2f} s",
        f"{np.median(ratios):.0f} ({min(ratios):.0f}-{max(ratios):.0f})",
    )


@pytest.mark.parametrize("n", [10_000, *(pytest.param(n, marks=pytest.mark.figures) for n in (100_000, 1_000_000))])
def test_two_thousand_resamples_beside_fairlearn(row, repeated, n):
    columns, truth, _, decision = cases(n)
    frame = pd.DataFrame(dict(zip(("sex", "age", "site"), columns, strict=True)))
    counts = cell_counts(codes_of(columns), truth, decision, CELLS)

    def ours():
        names = tuple(METRICS)
        return bootstrap_rates(counts, n_resamples=RESAMPLES, rng=np.random.default_rng(0), names=names)

    def theirs():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fl.MetricFrame(
                metrics=METRICS,
                y_true=truth,
                y_pred=decision,
                sensitive_features=frame,
                n_boot=PEER_RESAMPLES[n],
                ci_quantiles=[0.025, 0.975],
                random_state=0,
            ).by_group_ci

    kept = {}
    mine = [seconds(lambda: kept.update(ours=ours())) for _ in range(repeated(5))]
    other = seconds(lambda: kept.update(peer=theirs()))
    if n == 10_000:
        low, high = (end["tpr"].to_numpy(float) for end in kept["peer"])
        width = np.subtract(*kept["ours"]["tpr"][::-1])
        assert 0.6 < np.nanmedian(width) / np.nanmedian(high - low) < 1.8  # twenty draws of the peer are few
    extrapolated = other * RESAMPLES / PEER_RESAMPLES[n]
    row(
        f"{RESAMPLES} resamples, n = {n:.0e}",
        f"{np.median(mine):.3f} s",
        f"{other:.1f} s for {PEER_RESAMPLES[n]}, {extrapolated / 3600:.1f} h extrapolated",
        f"{extrapolated / np.median(mine):.2e}",
    )


@pytest.mark.parametrize("n", [100_000, pytest.param(1_000_000, marks=pytest.mark.figures)])
def test_two_thousand_resamples_of_whole_patients(row, repeated, n):
    """Four images a patient; the peer has no such resampling, so there is no ratio."""
    columns, truth, _, decision = cases(n)
    codes, patients = codes_of(columns), np.arange(n) // 4

    def ours():
        counts = cell_counts(codes, truth, decision, CELLS)
        rows = patient_counts(patients, codes, truth, decision, CELLS)
        return bootstrap_rates(
            counts, n_resamples=RESAMPLES, rng=np.random.default_rng(0), names=tuple(METRICS), patients=rows
        )

    kept = {}
    taken = [seconds(lambda: kept.update(ours())) for _ in range(repeated(3))]
    low, high = kept["tpr"]
    assert (low < high).all()
    row(f"{RESAMPLES} resamples of {n // 4} patients, n = {n:.0e}", f"{min(taken):.2f}-{max(taken):.2f} s")


@pytest.mark.parametrize("n", [100_000, 1_000_000])
def test_areas_of_eighty_groups_with_interval_beside_scikit_learn_without(paired, row, n):
    columns, truth, score, _ = cases(n)
    codes = codes_of(columns)

    def ours():
        return areas_by_group(codes, truth, score, np.arange(n), CELLS)

    def theirs():
        return np.array([roc_auc_score(truth[codes == g], score[codes == g]) for g in range(CELLS)])

    found = ours()
    assert np.allclose(found.values, theirs(), atol=1e-12)
    result = paired(ours, theirs, repeats=5)
    row(f"AUC and its variance, n = {n:.0e}, {CELLS} groups", result, f"{result.ours:.2f} s / {result.theirs:.2f} s")


def test_memory_of_a_million_cases(row):
    columns, truth, _, decision = cases(1_000_000)
    tracemalloc.start()
    counts = cell_counts(codes_of(columns), truth, decision, CELLS)
    bootstrap_rates(counts, n_resamples=RESAMPLES, rng=np.random.default_rng(0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    row("peak memory added by counts and 2,000 resamples, n = 1e+06", f"{peak / 1e6:.0f} MB")
    assert counts.sum() == 1_000_000

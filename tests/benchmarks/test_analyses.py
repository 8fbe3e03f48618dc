# SPDX-License-Identifier: Apache-2.0
"""Stratifying, permuting and rendering, beside what one would do without us; nothing is asserted of time.

Run with ``python -m pytest tests/benchmarks/test_analyses.py -m slow -s``.
"""

import statistics
import time

import numpy as np
import pytest
import torch
from monai.metrics import DiceMetric, HausdorffDistanceMetric
from scipy import stats

from monai_ethics.evidence import EvidenceReport
from monai_ethics.handlers._buffers import aggregate_rows, read_buffers
from monai_ethics.registry import load_check, registered
from monai_ethics.reporting.render import render
from monai_ethics.statistics.permutation import mean_omnibus, rank_omnibus

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*empty.*|.*nan.*")]

CASES, BATCH = 96, 8
ATTRIBUTES = {"sex": 2, "age_band": 3, "site": 3, "sex*site": 6}
DRAWS = 9999
FINDINGS = 30


def masks(size):
    """References and predictions, discs that are off by a few pixels, shape ``(CASES, 2, size, size)``."""
    rng = np.random.default_rng(0)
    grid = np.indices((size, size))[None]
    centers = rng.uniform(0.3, 0.7, (CASES, 2, 1, 1)) * size
    discs = []
    for shift in (0, rng.normal(0, 3, centers.shape)):
        inside = torch.from_numpy(((grid - centers - shift) ** 2).sum(axis=1) < (size / 8) ** 2)
        discs.append(torch.stack([~inside, inside], dim=1).float())
    return discs


def labels():
    rng = np.random.default_rng(1)
    return {name: rng.permutation(np.arange(CASES) % count) for name, count in ATTRIBUTES.items()}


def feed(metric, y, y_pred, members):
    for start in range(0, len(members), BATCH):
        rows = members[start : start + BATCH]
        metric(y_pred=y_pred[rows], y=y[rows])
    return metric


def from_rows(make, y, y_pred):
    """One metric over all cases; groups from the rows it holds."""
    metric = feed(make(), y, y_pred, np.arange(CASES))
    buffers, groups = read_buffers(metric), {}
    for name, group in labels().items():
        for label in np.unique(group):
            members = torch.from_numpy(np.flatnonzero(group == label))
            groups[name, label] = float(aggregate_rows(metric, buffers, members))
    return float(metric.aggregate()), groups


def from_objects(make, y, y_pred):
    """One metric over all cases and one for each group, each fed with its own."""
    groups = {}
    for name, group in labels().items():
        for label in np.unique(group):
            metric = feed(make(), y, y_pred, np.flatnonzero(group == label))
            groups[name, label] = float(metric.aggregate())
    return float(feed(make(), y, y_pred, np.arange(CASES)).aggregate()), groups


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: DiceMetric(include_background=False), id="Dice"),
        pytest.param(lambda: HausdorffDistanceMetric(include_background=False, percentile=95), id="HD95"),
    ],
)
def test_groups_from_rows_beside_a_metric_object_for_each_group(paired, row, request, make):
    y, y_pred = masks(128)
    pair = paired(lambda: from_rows(make, y, y_pred), lambda: from_objects(make, y, y_pred), repeats=3)
    name = f"{request.node.callspec.id} of {CASES} cases in {sum(ATTRIBUTES.values())} groups, from rows / from objects"
    row(name, pair, f"{pair.ours * 1e3:.0f} / {pair.theirs * 1e3:.0f} ms")
    assert from_rows(make, y, y_pred) == from_objects(make, y, y_pred)


def wald(*samples, axis=-1):
    """Welch's statistic for any number of groups, as in `mean_omnibus`."""
    means = np.stack([sample.mean(axis=axis) for sample in samples])
    weights = np.stack([sample.shape[axis] / sample.var(axis=axis, ddof=1) for sample in samples])
    center = (weights * means).sum(axis=0) / weights.sum(axis=0)
    return (weights * (means - center) ** 2).sum(axis=0)


@pytest.mark.parametrize("sizes", [(100, 120), (40, 80, 100)])
def test_permutation_test_beside_scipys(paired, row, sizes):
    rng = np.random.default_rng(0)
    groups = [rng.normal(0.03 * i, 0.1, size) for i, size in enumerate(sizes)]
    p = {}

    def ours():
        p["ours"] = mean_omnibus(groups, n_permutations=DRAWS, rng=np.random.default_rng(0)).p

    def theirs():
        options = {"n_resamples": DRAWS, "alternative": "greater", "vectorized": True, "batch": 1000}
        p["scipy"] = stats.permutation_test(groups, wald, rng=np.random.default_rng(0), **options).pvalue

    pair = paired(ours, theirs, repeats=5)
    what = f"{DRAWS} permutations of means, groups of {', '.join(map(str, sizes))}, ours / scipy"
    row(what, pair, f"{pair.ours * 1e3:.0f} / {pair.theirs * 1e3:.0f} ms")
    start = time.process_time()
    rank_omnibus(groups, n_permutations=DRAWS, rng=np.random.default_rng(0))
    row("the same of ranks, with failures (no peer)", "", f"{(time.process_time() - start) * 1e3:.0f} ms")
    assert p["ours"] == pytest.approx(p["scipy"], abs=0.02)


def test_cost_of_rendering(row, repeated):
    checks = [load_check(name) for name in registered()]
    examples = [check()(check.example(60, seed=1)) for check in checks]
    findings = tuple(examples[i % len(examples)] for i in range(FINDINGS))
    report = EvidenceReport(created="2026-01-01T00:00:00Z", tool="x", environment={}, inputs={}, findings=findings)
    first = render(report)  # imports matplotlib
    taken = []
    for _ in range(repeated(3)):
        start = time.process_time()
        again = render(report)
        taken.append(time.process_time() - start)
    size = len(first["report.html"]) / 1e6
    row(
        f"report of {FINDINGS} findings",
        "",
        f"{statistics.median(taken):.2f} s ({min(taken):.2f}-{max(taken):.2f}), {size:.1f} MB",
    )
    assert again == first

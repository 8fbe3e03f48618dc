# SPDX-License-Identifier: Apache-2.0
"""A report of 100,000 cases and 200 groups: time, size and memory of the page."""

import gc
import resource
import time

import numpy as np
import pytest

from monai_ethics.evidence import EvidenceReport
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.score_gap import ScoreGap
from monai_ethics.reporting.render import render

pytestmark = pytest.mark.slow
LARGEST = 5_000_000  # bytes of a page that a browser opens without waiting


def table(n, groups):
    rng = np.random.default_rng(0)
    clinic = rng.integers(0, groups, n)
    values = np.clip(rng.normal(0.8 - 0.1 * (clinic == 7), 0.1), 0, 1)
    names = tuple(f"p{i}" for i in range(n))
    return ScoreTable(
        metric="dice", unit="1", higher_is_better=True, cases=names, patients=names, values=tuple(values.tolist()),
        outcomes=("scored",) * n, bounds=(0.0, 1.0),
        groups={"clinic": tuple(f"clinic {i:03d}" for i in clinic), "sex": tuple("FM"[i % 2] for i in range(n))},
    )  # fmt: skip


def timed(call):
    gc.collect()
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


def test_a_page_of_100_000_cases_and_200_groups():
    data = table(100_000, 200)
    first, described = timed(lambda: GroupScores()(data))
    second, compared = timed(lambda: ScoreGap(attribute="clinic", n_permutations=199)(data))
    report = EvidenceReport(
        created="2026-01-01T00:00:00Z", tool="t", environment={}, inputs={}, findings=[first, second]
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    files, took = timed(lambda: render(report))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before  # kilobytes on Linux
    sizes = ", ".join(f"{name} {len(content) / 1e6:.2f} MB" for name, content in sorted(files.items()))
    print(
        f"\n100,000 cases, 200 clinics, 2 sexes: described in {described:.1f} s, compared in {compared:.1f} s "
        f"(199 draws, 19,900 pairs); page rendered in {took:.1f} s, "
        f"{memory / 1e6:.0f} MB more than the analysis; {sizes}"
    )
    assert len(files["report.html"]) < LARGEST
    assert len(files["report.md"]) < LARGEST
    assert "19900 pairs" in files["report.html"].decode()


def test_a_page_of_thousands_of_numbers_shows_the_worst_and_the_best():
    data = table(5_000, 200)
    finding = GroupScores()(data)
    findings = [finding] * 30  # as many scores in one report
    report = EvidenceReport(created="2026-01-01T00:00:00Z", tool="t", environment={}, inputs={}, findings=findings)
    files, took = timed(lambda: render(report))
    page = files["report.html"].decode()
    rows = sum(len(item.estimates) for item in findings)
    print(f"\n{rows:,} numbers of 30 scores in 200 groups: {took:.1f} s, HTML {len(page) / 1e6:.2f} MB")
    assert "more numbers stand in <code>report.json</code>" in page
    assert len(page) < LARGEST

# SPDX-License-Identifier: Apache-2.0
"""A whole report about 50 patients, as `report.md` beside this file holds it; ``python tests/fairness/golden/make.py``.

Fifty patients with two images each: one with what is to be found and one without. Everything is small on purpose, so
that the report must say what it cannot show. The sensitivity for each of two targets by sex is a planned comparison and
alone in its family: 25 positives in either sex for pneumonia, of which 22 and 19 are found, and 12 for effusion, of
which 10 and 8 are found. Dice by sex and by site is a family of its own. Intersections are too small to be judged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from monai_ethics.evidence import EvidenceReport, Finding
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.roster import Roster
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.family import score_gaps
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.rate_gap import RateGap
from monai_ethics.fairness.representation import Representation
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.view import view_of

GOLDEN = Path(__file__).with_name("report.md")
PATIENTS = 50
SEX = tuple("FM"[i % 2] for i in range(PATIENTS))
SITE = tuple("ABC"[i // 2 % 3] for i in range(PATIENTS))


def groups(of: list[int]) -> dict[str, tuple[str | None, ...]]:
    """Labels of the cases whose patients these are."""
    sex, site = tuple(SEX[i] for i in of), tuple(SITE[i] for i in of)
    return {"sex": sex, "site": site, "sex*site": tuple(f"{a}*{b}" for a, b in zip(sex, site, strict=True))}


def decisions(target: str, positives: int, found: dict[str, int]) -> BinaryScores:
    """Two images of each patient, the first of them positive in the first `positives` patients of either sex."""
    seen = {"F": 0, "M": 0}
    truth, decided = [], []
    for i, sex in enumerate(SEX):
        positive = seen[sex] < positives
        truth += [positive, False]
        decided += [positive and seen[sex] < found[sex], i % 9 == 4]
        seen[sex] += 1
    of = [i for i in range(PATIENTS) for _ in range(2)]
    return BinaryScores(
        target=target,
        cases=tuple(f"image-{k:03d}" for k in range(2 * PATIENTS)),
        patients=tuple(f"patient-{i:02d}" for i in of),
        y_true=tuple(truth),
        y_pred=tuple(decided),
        decided_by="a threshold chosen on the validation set",
        groups=groups(of),
    )


def overlap() -> ScoreTable:
    """Dice of the lesion of each patient; two are missed."""
    rng = np.random.default_rng(50)
    values = np.round(rng.beta(8, 2, PATIENTS), 3)
    missed = {17, 40}
    return ScoreTable(
        metric="mean_dice",
        unit="1",
        higher_is_better=True,
        cases=tuple(f"image-{2 * i:03d}" for i in range(PATIENTS)),
        patients=tuple(f"patient-{i:02d}" for i in range(PATIENTS)),
        values=tuple(0.0 if i in missed else float(value) for i, value in enumerate(values)),
        outcomes=tuple("missed" if i in missed else "scored" for i in range(PATIENTS)),
        groups=groups(list(range(PATIENTS))),
        bounds=(0.0, 1.0),
    )


def findings() -> list[Finding]:
    """All findings of the report."""
    tables = [decisions("pneumonia", 25, {"F": 22, "M": 19}), decisions("effusion", 12, {"F": 10, "M": 8})]
    found: list[Finding] = []
    for table in tables:
        found.append(Representation()(Roster.of_labels(table)))
        found.append(GroupRates()(table))
        found.append(RateGap(attribute="sex", rate="tpr", n_permutations=1999)(table))
    return [*found, GroupScores()(overlap()), *score_gaps([overlap()])]


def render() -> str:
    """The report in Markdown, without figures."""
    report = EvidenceReport(
        created="2026-01-01T00:00:00Z", tool="monai_ethics", environment={}, inputs={}, findings=findings()
    )
    return render_markdown(view_of(report))


if __name__ == "__main__":
    GOLDEN.write_text(render(), encoding="utf-8")

# SPDX-License-Identifier: Apache-2.0
"""Area under the ROC curve overall and per group: a value of a set of cases, which no table of cases can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.methods.auc import area_under_curve
from monai_ethics.fairness.methods.intervals import Result

__all__ = ["group_auc"]

SOURCES = (
    Source(title="DeLong et al. 1988 (Biometrics 44); Obuchowski 1997 (Biometrics 53)"),
    Source(title="Newcombe 2006 (Stat. Med. 25)", locator="method 5"),
)


def group_auc(data: BinaryScores, *, min_group_size: int = 10, level: float = 0.95) -> Finding:
    """Area under the ROC curve of everyone and of each group, within the group.

    Args:
        data: labels and scores with their groups.
        min_group_size: patients that a group needs for its number to be given.
        level: nominal coverage.

    Returns:
        A finding without a comparison; ``not_assessable`` with too few patients, one class, or no scores.
    """
    everyone = list(range(len(data.cases)))
    estimates = [_estimate(data, everyone, {}, level=level, least=1)]
    for attribute, labels in data.groups.items():
        for label in sorted(set(labels), key=lambda label: (label is None, label or "")):
            rows = [i for i, own in enumerate(labels) if own == label]
            estimates.append(_estimate(data, rows, {attribute: label}, level=level, least=min_group_size))
    overall = estimates[0]
    n = len(set(data.patients))
    reason = overall.reason if overall.value is None else None
    if n < min_group_size:
        reason = f"{n} patients are fewer than the {min_group_size} a statement needs"
    text = (
        "The area under the ROC curve cannot be given." if reason else f"Area under the ROC curve {overall.value:.3g}"
    )
    if not reason:
        text += " overall; areas of groups stand beside it with their intervals, and are not compared."
    return Finding(
        check="fairness.group_scores",
        title="How well does the classifier rank cases in each group?",
        stage=Stage.EVALUATION,
        verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
        statement=text,
        requirements=("FMF-03", "LIF-E1"),
        subjects=("auc",),
        estimates=estimates,
        accounting={"positive": sum(data.y_true), "negative": len(data.cases) - sum(data.y_true)},
        parameters={"min_group_size": min_group_size, "level": level, "higher_is_better": True},
        reason=reason,
        limitations=("Areas within groups do not see that one group's scores lie higher than another's.",),
        sources=SOURCES,
    )


def _estimate(
    data: BinaryScores, rows: Sequence[int], name: Mapping[str, str | None], *, level: float, least: int
) -> Estimate:
    patients = [data.patients[i] for i in rows]
    if not data.y_score:
        result = Result(value=None, reason="the file has decisions and no scores")
    elif len(set(patients)) < least:
        result = Result(value=None, reason=f"fewer than {least} patients: listed, not judged")
    else:
        truth, scores = [data.y_true[i] for i in rows], [data.y_score[i] for i in rows]
        result = area_under_curve(truth, scores, patients, level=level)
    return Estimate(
        name="auc",
        unit="1",
        n=len(rows),
        n_unit="cases",
        estimand="probability that a positive case of the group scores higher than a negative one of it, case-weighted",
        group=name,
        level=None if result.low is None else level,
        **asdict(result),
    )

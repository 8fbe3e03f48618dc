# SPDX-License-Identifier: Apache-2.0
"""Scores that another program stored: MONAI's ``MetricsSaver`` files, and tables of labels and scores."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import (
    CASE_COLUMNS,
    PATIENT_COLUMNS,
    clean_label,
    normal_name,
    read_rows,
)
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.scores import ScoreTable

__all__ = ["decision_tables", "kind_of", "read_binary", "read_score_tables"]

_LOWER = re.compile(r"hausdorff|hd\d*|assd|asd|surface_?dist|loss|mae|mse|error|distance", re.I)
_HIGHER = re.compile(r"dice|iou|jaccard|nsd|accuracy|precision|recall|f1|auc|psnr|ssim|sensitivity|specificity", re.I)
_OVERLAP = re.compile(r"dice|iou|jaccard|nsd|accuracy|precision|recall|f1|auc|sensitivity|specificity", re.I)


def kind_of(metric: str) -> tuple[str, bool | None]:
    """Unit and direction of a metric, as far as its name tells them.

    Args:
        metric: name such as ``val_mean_dice``.

    Returns:
        ``"1"`` or ``"unknown"`` (a distance may be in pixels or millimeters), and whether higher is better.
    """
    if _LOWER.search(metric):
        return "unknown", False
    if _HIGHER.search(metric):
        return ("1" if _OVERLAP.search(metric) else "unknown"), True
    return "unknown", None


def read_score_tables(path: str | Path) -> list[ScoreTable]:
    """Read a file of per-case scores: ``{metric}_raw.csv`` of MONAI's ``MetricsSaver``, or a column per metric.

    The first of case, filename, image, ... names the cases; a patient column gives the cluster; every other column is
    a metric. NaN, infinity and empty cells are undefined: such a file does not say whether a lesion was missed, so no
    case counts as missed and the failure rate is not known.

    Args:
        path: CSV or TSV, UTF-8.

    Returns:
        One table per column of scores.

    Raises:
        InputError: if no column names the cases, none holds scores, or a cell is no number.
    """
    names, rows = read_rows(path)
    cases, patients, used = _cases(names, rows)
    stem = Path(path).stem
    prefix = f"{stem.removesuffix('_raw')}_" if stem.endswith("_raw") else ""
    if prefix and len(names) - len(used) == 2:
        used.add(len(names) - 1)  # the mean over a single class repeats it
    tables = []
    for column, name in enumerate(names):
        if column in used:
            continue
        metric = re.sub(r"[^A-Za-z0-9_.-]+", "_", prefix + name)
        unit, higher = kind_of(metric)
        values = [_number(row[column], position) for position, row in enumerate(rows)]
        tables.append(
            ScoreTable(
                metric=metric,
                unit=unit,
                higher_is_better=higher,
                cases=cases,
                patients=patients,
                values=tuple(values),
                outcomes=tuple("undefined" if value is None else "scored" for value in values),
                misses_known=False,
            )
        )
    if not tables:
        raise InputError("Expected at least one column of scores: got none. Give columns with a metric's name.")
    return tables


def read_binary(path: str | Path, *, threshold: float | None = None) -> BinaryScores | None:
    """Read ``case,y_true,y_score[,y_pred][,patient]``; ``None`` if the file has no column ``y_true``.

    Args:
        path: CSV or TSV, UTF-8.
        threshold: a case is called positive from this score on, where the file has no ``y_pred``.

    Returns:
        Labels, scores and decisions.

    Raises:
        InputError: if a label is not 0 or 1, a score is absent, or there is neither ``y_score`` nor ``y_pred``.
    """
    names, rows = read_rows(path)
    place = {normal_name(name): column for column, name in enumerate(names)}
    if "y_true" not in place:
        return None
    cases, patients, _ = _cases(names, rows)
    truth = [_binary(row[place["y_true"]], position) for position, row in enumerate(rows)]
    scores: list[float] = []
    if "y_score" in place:
        found = [_number(row[place["y_score"]], position) for position, row in enumerate(rows)]
        if None in found:
            raise InputError(f"Every case needs a y_score: row {found.index(None)} has none. Fill it or drop the case.")
        scores = [value for value in found if value is not None]
    data = BinaryScores(
        target="y",
        cases=cases,
        patients=patients,
        y_true=tuple(truth),
        y_score=tuple(scores),
        probabilities=bool(scores) and all(0 <= score <= 1 for score in scores),
    )
    if "y_pred" in place:
        decisions = tuple(_binary(row[place["y_pred"]], position) for position, row in enumerate(rows))
        return replace(data, y_pred=decisions, decided_by="the file's own decisions")
    if scores and threshold is not None:
        return data.decided(threshold, decided_by=f"scores from {threshold:g} on, as given")
    if not scores:
        raise InputError("Expected scores or decisions: got neither a column `y_score` nor `y_pred`. Add one of them.")
    return data


def decision_tables(data: BinaryScores) -> list[ScoreTable]:
    """Sensitivity over the positive cases and specificity over the negative ones, 1 = decided rightly."""
    if not data.y_pred:
        return []
    tables = []
    for metric, positive in (("sensitivity", True), ("specificity", False)):
        rows = [i for i, truth in enumerate(data.y_true) if truth is positive]
        tables.append(
            ScoreTable(
                metric=metric,
                unit="1",
                higher_is_better=True,
                cases=tuple(data.cases[i] for i in rows),
                patients=tuple(data.patients[i] for i in rows),
                values=tuple(float(data.y_pred[i] is positive) for i in rows),
                outcomes=("scored",) * len(rows),
                groups={name: tuple(labels[i] for i in rows) for name, labels in data.groups.items()},
                bounds=(0.0, 1.0),
                misses_known=False,
            )
        )
    return tables


def _cases(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> tuple[tuple[str, ...], tuple[str, ...], set[int]]:
    """Case and patient of each row, and the columns that say so."""
    normal = [normal_name(name) for name in names]
    case = next((normal.index(name) for name in CASE_COLUMNS if name in normal), None)
    patient = next((normal.index(name) for name in PATIENT_COLUMNS if name in normal), None)
    named = patient if case is None else case
    if named is None:
        raise InputError("Expected a column that names the cases: got none. Add a column `case`.")
    cases = [clean_label(row[named]) for row in rows]
    if None in cases:
        raise InputError(f"Every row must name its case: row {cases.index(None)} does not. Name it.")
    keys = tuple(str(key) for key in cases)
    owners = keys if patient is None else tuple(clean_label(row[patient]) for row in rows)
    filled = tuple(key if owner is None else owner for key, owner in zip(keys, owners, strict=True))
    return keys, filled, {column for column in (case, patient) if column is not None}


def _number(cell: Any, position: int) -> float | None:
    label = clean_label(cell)
    if label is None:
        return None
    try:
        value = float(label)
    except ValueError as error:
        raise InputError(
            f"Scores must be numbers: row {position} has a word. Remove the column or correct it."
        ) from error
    return value if math.isfinite(value) else None


def _binary(cell: Any, position: int) -> bool:
    value = _number(cell, position)
    if value not in (0.0, 1.0):
        raise InputError(f"Labels must be 0 or 1: row {position} has another value. Correct it.")
    return value == 1.0

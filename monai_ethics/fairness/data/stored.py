# SPDX-License-Identifier: Apache-2.0
"""Scores that another program stored: MONAI's ``MetricsSaver`` files, and tables of labels and scores."""

from __future__ import annotations

import re
from pathlib import Path

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import read_rows
from monai_ethics.fairness.data.columns import name_rows, read_numbers
from monai_ethics.fairness.data.labels import read_binary, read_labels
from monai_ethics.fairness.data.scores import ScoreTable

__all__ = ["kind_of", "read_binary", "read_labels", "read_score_tables"]

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
    cases, patients, used = name_rows(names, rows)
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
        values = read_numbers([row[column] for row in rows])
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

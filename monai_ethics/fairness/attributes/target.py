# SPDX-License-Identifier: Apache-2.0
"""The population a model is meant for, from a CSV file ``attribute,label,share[,source]``."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import clean_label
from monai_ethics.fairness.data.roster import TargetPopulation

__all__ = ["read_target"]

COLUMNS = ("attribute", "label", "share")


def read_target(path: str | Path, *, source: str = "") -> dict[str, TargetPopulation]:
    """Read the shares that a set of images is compared with.

    Args:
        path: CSV with columns ``attribute``, ``label``, ``share`` (0 to 1) and optionally ``source``.
        source: who says so, where the file does not.

    Returns:
        Attribute to its target population.

    Raises:
        InputError: if a column is missing, a share is no number, a label repeats, or there is no source.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("Expected a readable CSV file of a target population: got none. Check the path.") from error
    if not rows or any(name not in rows[0] for name in COLUMNS):
        raise InputError(
            "A target population needs the columns attribute,label,share: got others, or no row. Add them."
        )
    shares: defaultdict[str, dict[str, float]] = defaultdict(dict)
    sources: defaultdict[str, set[str]] = defaultdict(set)
    for line, row in enumerate(rows, start=2):
        name, label = clean_label(row["attribute"]), clean_label(row["label"])
        if name is None or label is None or label in shares[name]:
            raise InputError(
                f"Each row must name an attribute and a label of its own: line {line} does not. Correct it."
            )
        shares[name][label] = _share(row["share"], line)
        sources[name].add((row.get("source") or "").strip() or source)
    return {
        name: TargetPopulation(shares=labels, source="; ".join(sorted(text for text in sources[name] if text)))
        for name, labels in shares.items()
    }


def _share(text: str | None, line: int) -> float:
    try:
        return float(text or "")
    except ValueError as error:
        raise InputError(f"A share must be a number such as 0.51: line {line} has none. Correct it.") from error

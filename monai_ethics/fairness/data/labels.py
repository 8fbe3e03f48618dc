# SPDX-License-Identifier: Apache-2.0
"""Tables of labels, scores and decisions that another program stored: one target, several, or several classes.

Columns, besides those that name case and patient:

- ``y_true`` with ``y_score`` and/or ``y_pred``: one target, labels 0 or 1;
- ``y_true_<target>`` with ``y_score_<target>`` and/or ``y_pred_<target>``: several targets, labels 0 or 1;
- ``y_true`` of words or whole numbers with ``y_score_<class>`` for every class, and/or ``y_pred``: several classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import clean_label, normal_name, read_rows
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.classes import ClassScores, clean_name
from monai_ethics.fairness.data.columns import name_rows, read_numbers, read_yes_no

__all__ = ["read_binary", "read_labels"]

_KINDS = ("y_true", "y_score", "y_pred")
MOST_CLASSES = 100
FROM_FILE = "the file's own decisions"
Threshold = float | Mapping[str, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A file's columns by kind and suffix; the suffix of ``y_true`` itself is empty."""

    cases: tuple[str, ...]
    patients: tuple[str, ...]
    columns: Mapping[str, Mapping[str, tuple[Any, ...]]]
    names: Mapping[str, str]  # suffix as it is compared to suffix as it is written


def read_labels(
    path: str | Path, *, threshold: Threshold = None, target: str = "y"
) -> list[BinaryScores] | list[ClassScores]:
    """Read a table of labels with scores and/or decisions; the module's text lists the columns.

    Args:
        path: CSV, TSV or datalist JSON, UTF-8.
        threshold: decide positive from this score on where the file has no decisions; one number, or one for each
            target by name. It must have been chosen on other data. Not used for several classes.
        target: name of the target of a plain ``y_true``.

    Returns:
        One table for each target; or one table of several classes; empty if no column is called ``y_true``. Scores
        that all lie between 0 and 1 count as probabilities.

    Raises:
        InputError: if a label or a score is missing or of another kind, a column has no partner, or a threshold names
            no target.
    """
    table = _sort_columns(path)
    if table is None:
        return []
    truth, plain = table.columns["y_true"], table.columns["y_true"].get("")
    if plain is not None and len(truth) == 1 and _has_classes(table, plain):
        return [_classes(table, plain, target)]
    _check_partners(table)
    names = {suffix: clean_name(table.names[suffix]) if suffix else target for suffix in truth}
    if len(set(names.values())) != len(names):
        raise InputError("Targets must have different names: got one twice. Rename a column.")
    if isinstance(threshold, Mapping) and (unknown := set(threshold) - set(names.values())):
        raise InputError(f"A threshold must name a target of the file: {len(unknown)} do not. Correct the name.")
    return [_one_target(table, suffix, name, _threshold_of(threshold, name)) for suffix, name in names.items()]


def read_binary(path: str | Path, *, threshold: float | None = None, target: str = "y") -> BinaryScores | None:
    """Read a table of labels 0 and 1 of a single target.

    Args:
        path: CSV, TSV or datalist JSON, UTF-8.
        threshold: decide positive from this score on if the file has no decisions; chosen on other data.
        target: name of the target of a plain ``y_true``.

    Returns:
        Labels, scores and decisions; ``None`` if no column is called ``y_true``.

    Raises:
        InputError: if `read_labels` refuses the file, or it has several targets or classes.
    """
    found = read_labels(path, threshold=threshold, target=target)
    if not found:
        return None
    if len(found) > 1:
        raise InputError(f"Expected one target: got {len(found)}. Read the file with `read_labels`.")
    if isinstance(found[0], ClassScores):
        position = next(i for i, label in enumerate(found[0].y_true) if label not in ("0", "1"))
        raise InputError(f"Labels must be 0 or 1: row {position} has another value. Read classes with `read_labels`.")
    return found[0]


def _sort_columns(path: str | Path) -> _Table | None:
    header, rows = read_rows(path)
    columns: dict[str, dict[str, tuple[Any, ...]]] = {kind: {} for kind in _KINDS}
    names: dict[str, str] = {}
    turned = list(zip(*rows, strict=True))
    for name, cells in zip(header, turned, strict=True):
        normal = normal_name(name)
        kind = next((kind for kind in _KINDS if normal == kind or normal.startswith(f"{kind}_")), None)
        if kind is not None:
            suffix = normal[len(kind) + 1 :]
            columns[kind][suffix] = cells
            written = name.strip()[len(kind) + 1 :]
            names.setdefault(suffix, written if normal_name(written) == suffix else suffix)
    if not columns["y_true"]:
        return None
    cases, patients, _ = name_rows(header, rows)
    return _Table(cases=cases, patients=patients, columns=columns, names=names)


def _has_classes(table: _Table, truth: Sequence[Any]) -> bool:
    """Whether a file with a plain ``y_true`` is about several classes: scores per class, or labels that are no 0 or 1.

    Labels beside a single ``y_score`` are of one target, whatever they are.
    """
    if any(suffix for suffix in table.columns["y_score"]):
        return True
    if "" in table.columns["y_score"] or "" not in table.columns["y_pred"]:
        return False
    return any(_class_name(cell, position) not in ("0", "1") for position, cell in enumerate(truth))


def _class_name(cell: Any, position: int) -> str:
    """A class as it is named: words as they are, whole numbers without a point."""
    label = clean_label(cell)
    if label is None:
        raise InputError(f"Every case needs a label: row {position} has none. Fill it or drop the case.")
    try:
        value = float(label)
    except ValueError:
        return label
    if not value.is_integer():
        raise InputError(f"Classes must be words or whole numbers: row {position} has another number. Correct it.")
    return str(int(value))


def _by_number(name: str) -> tuple[bool, int, str]:
    number = name.lstrip("-").isdecimal()
    return not number, int(name) if number else 0, name


def _classes(table: _Table, cells: Sequence[Any], target: str) -> ClassScores:
    truth = tuple(_class_name(cell, position) for position, cell in enumerate(cells))
    decided: tuple[str, ...] = ()
    if "" in table.columns["y_pred"]:
        decided = tuple(_class_name(cell, position) for position, cell in enumerate(table.columns["y_pred"][""]))
    scored = {suffix: column for suffix, column in table.columns["y_score"].items() if suffix}
    if "" in table.columns["y_score"] or any(table.columns["y_pred"].keys() - {""}):
        raise InputError(
            "Expected a column `y_score_<class>` for each class, and `y_pred`: got a column of another target. "
            "Give the targets files of their own."
        )
    if not scored and not decided:
        raise InputError("Expected scores or decisions: got neither `y_score_<class>` nor `y_pred`. Add one of them.")
    named = {*truth, *decided}
    if len(named) > MOST_CLASSES or len(scored) > MOST_CLASSES:
        raise InputError(
            f"There may be at most {MOST_CLASSES} classes: got {max(len(named), len(scored))}. Merge them, or give "
            "labels in place of names or notes."
        )
    if len(named) > 20 and 2 * len(named) > len(truth):
        raise InputError("Classes must recur: got nearly one for each case, as names have. Give labels in `y_true`.")
    spelled = {normal_name(name): name for name in sorted(named)}
    if scored and len(spelled) != len(named):
        raise InputError("Classes must differ in letters or digits where they have columns: got two alike. Rename one.")
    if scored and (lacking := spelled.keys() - scored.keys()):
        raise InputError(
            f"Every class needs a column `y_score_<class>`: {len(lacking)} of {len(named)} have none. Add them."
        )
    columns = {spelled.get(suffix, table.names[suffix]): column for suffix, column in scored.items()}
    classes = tuple(sorted(columns or named, key=_by_number))
    rows = tuple(zip(*(_filled(columns[name], "y_score") for name in classes), strict=True)) if columns else ()
    return ClassScores(
        target=target,
        cases=table.cases,
        patients=table.patients,
        classes=classes,
        y_true=truth,
        y_score=rows,
        y_pred=decided,
        probabilities=bool(rows) and all(0 <= score <= 1 for row in rows for score in row),
        decided_by=FROM_FILE if decided else "",
    )


def _check_partners(table: _Table) -> None:
    """Refuse a column of scores or decisions without labels: it would be dropped silently."""
    lonely = {name for kind in _KINDS[1:] for name in table.columns[kind] if name not in table.columns["y_true"]}
    if lonely:
        raise InputError(
            f"Every target needs its labels: {len(lonely)} have scores or decisions and no column `y_true_<target>`. "
            "Add it or remove them."
        )


def _filled(cells: Sequence[Any], name: str) -> tuple[float, ...]:
    found = read_numbers(cells)
    if None in found:
        raise InputError(f"Every case needs a {name}: row {found.index(None)} has none. Fill it or drop the case.")
    return tuple(value for value in found if value is not None)


def _threshold_of(threshold: Threshold, name: str) -> float | None:
    return threshold.get(name) if isinstance(threshold, Mapping) else threshold


def _one_target(table: _Table, suffix: str, name: str, threshold: float | None) -> BinaryScores:
    column = {kind: table.columns[kind].get(suffix) for kind in _KINDS}
    scores = () if column["y_score"] is None else _filled(column["y_score"], "y_score")
    data = BinaryScores(
        target=name,
        cases=table.cases,
        patients=table.patients,
        y_true=tuple(read_yes_no(column["y_true"] or ())),
        y_score=scores,
        probabilities=bool(scores) and min(scores) >= 0 and max(scores) <= 1,
    )
    if column["y_pred"] is not None:
        return replace(data, y_pred=tuple(read_yes_no(column["y_pred"])), decided_by=FROM_FILE)
    if scores and threshold is not None:
        return data.decided(threshold, decided_by=f"scores from {threshold:g} on, as given")
    if not scores:
        raise InputError("Expected scores or decisions: got neither a column `y_score` nor `y_pred`. Add one of them.")
    return data

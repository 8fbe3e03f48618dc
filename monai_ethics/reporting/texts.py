# SPDX-License-Identifier: Apache-2.0
"""The sentences of a finding, to be read through or told in other words; its numbers and its subjects stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from monai_ethics.evidence import Finding

__all__ = ["retold", "texts"]

ROWS = {
    "estimates": ("estimand", "method", "reason"),
    "curves": ("x_name", "y_name", "method", "reason"),
    "observations": ("label", "note"),
}


def texts(finding: Finding) -> Iterator[str]:
    """Every sentence, and every name of an axis."""
    yield from (finding.title, finding.statement, finding.reason or "", *finding.limitations)
    for kind, names in ROWS.items():
        for row in getattr(finding, kind):
            yield from (getattr(row, name) or "" for name in names)


def retold(finding: Finding, change: Callable[[str], str]) -> Finding:
    """The finding with every sentence changed."""
    said = cache(change)

    def told(row: Any, names: tuple[str, ...]) -> Any:
        new = {name: said(text) for name in names if (text := getattr(row, name)) and said(text) != text}
        return replace(row, **new) if new else row

    rows: dict[str, Any] = {
        kind: tuple(told(row, names) for row in getattr(finding, kind)) for kind, names in ROWS.items()
    }
    return replace(
        finding,
        title=said(finding.title),
        statement=said(finding.statement),
        reason=None if finding.reason is None else said(finding.reason),
        limitations=tuple(map(said, finding.limitations)),
        **rows,
    )

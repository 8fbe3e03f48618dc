# SPDX-License-Identifier: Apache-2.0
"""Give stored scores their groups afterwards, from a side table, without running inference again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from monai_ethics.fairness.attributes.join import Joined, join
from monai_ethics.fairness.attributes.rules import Bins
from monai_ethics.fairness.attributes.side_table import SideTable
from monai_ethics.fairness.attributes.strata import Strata, stratify
from monai_ethics.fairness.data.cases import CaseTable

__all__ = ["regroup"]


Table = TypeVar("Table", bound=CaseTable)


def regroup(
    tables: Sequence[Table],
    side: SideTable | None,
    *,
    strata: Sequence[str] | None = None,
    bins: Bins | None = None,
    maps: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[list[Table], Joined | None, Strata]:
    """Join a side table to all tables at once and stratify.

    Attributes the tables already have are kept unless the side table has one of the same name; their intersections are
    made again when `strata` asks for them.

    Args:
        tables: score tables, or labels and scores of classifiers, of one run; their cases may differ.
        side: attributes; ``None`` = those of the tables only.
        strata: groupings; ``None`` = every attribute.
        bins: attribute to edges, or to a number of quantile groups.
        maps: attribute to recorded label to the label that stands for it.

    Returns:
        The tables with the new groups, what became of the cases, and the groupings over all cases.
    """
    patients: dict[str, str] = {}
    known: dict[str, dict[str, str | None]] = {}
    for table in tables:
        patients.update(zip(table.cases, table.patients, strict=True))
        for name, labels in table.groups.items():
            if "*" not in name:
                known.setdefault(name, {}).update(zip(table.cases, labels, strict=True))
    cases = sorted(patients)
    columns: dict[str, tuple[str | None, ...]] = {
        name: tuple(labels.get(case) for case in cases) for name, labels in known.items()
    }
    joined = None
    if side is not None:
        joined = join(side, cases, [patients[case] for case in cases])
        columns.update(joined.groups)
        patients = dict(zip(cases, joined.patients, strict=True))
    found = stratify(columns, strata=strata, bins=bins, maps=maps, patients=[patients[case] for case in cases])
    place = {case: position for position, case in enumerate(cases)}
    regrouped = []
    for table in tables:
        rows = [place[case] for case in table.cases]
        groups = {name: tuple(labels[row] for row in rows) for name, labels in found.groups.items()}
        bare = table.without_groups().with_patients([patients[case] for case in table.cases])
        regrouped.append(bare.with_groups(groups))
    return regrouped, joined, found

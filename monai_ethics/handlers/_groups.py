# SPDX-License-Identifier: Apache-2.0
"""Where the groups of cases come from: keys of the batch, the meta of an image, or a table beside the data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.rules import CASE_MIX

__all__ = ["GroupSource", "Grouped", "RowUse"]

Groups = dict[str, tuple[str | None, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowUse:
    """What became of a side table's rows in one engine.

    Args:
        rows: rows of the table.
        used: positions of those that match a case.
        with_row: images that have a row.
        without_row: images that have none.
    """

    rows: int
    used: frozenset[int]
    with_row: int
    without_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """What is known of each case.

    Args:
        attributes: attribute as recorded to the label of each case.
        groups: grouping (bands, intersections ``a*b``) to the label of each case.
        patients: cluster of each case.
        table: what became of the side table's rows; ``None`` without one.
    """

    attributes: Groups
    groups: Groups
    patients: tuple[str, ...]
    table: RowUse | None = None


class GroupSource:
    """Attributes of cases by name.

    Args:
        attributes: path of a side table, or names of batch or meta keys; ``None`` for none.
        strata: attributes and intersections to compare, such as ``"sex,site,sex*site"``; their attributes are also
            looked up in the batch.
        plan: bins, maps and more, some of `monai_ethics.fairness.plan.SETTINGS`.
    """

    def __init__(
        self,
        attributes: str | os.PathLike[str] | Sequence[str] | None,
        strata: Any = None,
        plan: Mapping[str, Any] | None = None,
    ) -> None:
        self.plan = plan
        self.path: str | None = None
        self._listed: tuple[str, ...] = ()
        if isinstance(attributes, (str, os.PathLike)):
            self.path = os.fspath(attributes)
        elif attributes is not None:
            self._listed = tuple(str(name) for name in attributes)
        self.strata, self._mixed = _without_mix(strata, own=self._listed)
        crossed = (part for part in stratum_parts(self._mixed) if part not in CASE_MIX)
        self.names = tuple(dict.fromkeys((*self._listed, *base_attributes(self.strata), *crossed)))
        self._side: Any = None
        self._known: tuple[tuple[str, ...], Any, list[int]] | None = None

    @property
    def given(self) -> bool:
        """Whether any attribute was asked for."""
        return bool(self.names) or self.path is not None

    def load(self) -> None:
        """Read the side table now, so that a mistake in it stops the run before it starts.

        Raises:
            InputError: if the table cannot be read.
        """
        if self.path is not None and self._side is None:
            from monai_ethics.fairness.attributes import read_side_table

            self._side = read_side_table(self.path)

    def used_rows(self, cases: Sequence[str], patients: Sequence[str]) -> tuple[frozenset[int], int]:
        """Which rows of the side table match cases that are to come, and how many rows it has.

        Raises:
            InputError: if the table cannot be read, repeats a name, or a match is ambiguous.
        """
        from monai_ethics.fairness.attributes import match_rows

        self.load()
        found = match_rows(self._side, cases, patients)
        return frozenset(row for row in found if row is not None), len(self._side.keys)

    def check_strata(self, labels: Sequence[Sequence[str | None]]) -> None:
        """Ask after the first batch whether each stratum names something, so that no evaluation is run in vain.

        Args:
            labels: per case of the batch, the label of each of `names`.

        Raises:
            InputError: if a side table is given and a stratum, or the control of the plan, names neither a column of
                it nor a key of the batch.
        """
        if self._side is None:
            return
        seen = {name for i, name in enumerate(self.names) if any(row[i] is not None for row in labels)}
        known = seen | set(self._side.columns)
        fixed = stratum_parts((self.plan or {}).get("control") or None)
        for name in (*stratum_parts(self.strata), *(name for name in fixed if name not in CASE_MIX)):
            if name not in known and name.removesuffix("_band") not in known:
                raise InputError(
                    "Expected the names of attributes as strata: got one that is neither in the side table nor in the "
                    f"batch. Known: {', '.join(sorted(known))}."
                )

    def resolve(
        self, labels: Sequence[Sequence[str | None]], cases: Sequence[str], patients: Sequence[str | None]
    ) -> Grouped:
        """Groups and patient of each case.

        Args:
            labels: per case, the label of each of `names` as the batch had it.
            cases: the case that each row belongs to.
            patients: patient as the batch had it; ``None`` if it had none.

        Returns:
            Attributes, groups and the cluster of each case. A column of the side table replaces the batch's; its rows
            without a case here, and cases without a row, are counted.

        Raises:
            InputError: if a match with the side table is ambiguous, or a stratum names no attribute.
        """
        attributes: Groups = {name: tuple(row[i] for row in labels) for i, name in enumerate(self.names)}
        attributes = {name: column for name, column in attributes.items() if any(v is not None for v in column)}
        clusters = tuple(p if p is not None else c for p, c in zip(patients, cases, strict=True))
        self.load()
        use = None
        if self._side is not None:
            joined, place = self._join(tuple(cases), clusters)
            clusters = tuple(joined.patients[i] for i in place)
            # a column of the table replaces the batch's labels: two vocabularies in one attribute would split groups
            attributes.update({name: tuple(column[i] for i in place) for name, column in joined.groups.items()})
            use = RowUse(rows=len(self._side.keys), used=joined.used_rows, **joined.accounting)
        if not self.given:
            return Grouped(attributes={}, groups={}, patients=clusters, table=use)
        from monai_ethics.fairness.attributes import stratify
        from monai_ethics.fairness.plan import read_plan

        missing = {n: (None,) * len(cases) for n in self._listed if n not in attributes}
        plan = read_plan(self.plan, strata=self.strata)
        columns = {**attributes, **missing}
        groups = dict(stratify(columns, strata=plan.made, bins=plan.bins, maps=plan.maps, patients=clusters).groups)
        return Grouped(attributes=attributes, groups=groups, patients=clusters, table=use)

    def crossed(self, groups: Groups) -> Groups:
        """Intersections with what the cases themselves show, such as ``sex*roi_size_band``, where that is known."""
        from monai_ethics.fairness.attributes import cross

        asked = {name: name.split("*") for name in self._mixed if "*" in name}
        return {name: cross(groups, parts) for name, parts in asked.items() if set(parts) <= set(groups)}

    def _join(self, cases: tuple[str, ...], clusters: tuple[str, ...]) -> tuple[Any, list[int]]:
        """The table joined to each image once, and the place of each case in it: crops share their image's row."""
        if self._known is None or self._known[0] != cases:
            from monai_ethics.fairness.attributes import join

            patient_of = dict(zip(reversed(cases), reversed(clusters), strict=True))
            images = sorted(patient_of)
            position = {image: i for i, image in enumerate(images)}
            joined = join(self._side, images, [patient_of[image] for image in images], strict=False)
            self._known = (cases, joined, [position[case] for case in cases])
        return self._known[1], self._known[2]


def _without_mix(strata: Any, *, own: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """Strata that attributes give, and those that name what cases show, which are known only after an epoch."""
    if strata is None:
        return None, ()
    names = [name.strip() if isinstance(name, str) else "*".join(name) for name in _items(strata)]
    mixed = tuple(name for name in names if set(name.split("*")) & (set(CASE_MIX) - set(own)))
    return (strata if not mixed else [name for name in names if name not in mixed] or None), mixed


def _items(strata: Any) -> list[Any]:
    return strata.split(",") if isinstance(strata, str) else list(strata)


def stratum_parts(strata: Any) -> tuple[str, ...]:
    """Names in a list of strata; an intersection ``a*b`` names two."""
    if strata is None:
        return ()
    parts = [part for item in _items(strata) for part in (item.split("*") if isinstance(item, str) else item)]
    return tuple(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))


def base_attributes(strata: Any) -> tuple[str, ...]:
    """Attributes that a list of strata may need: ``age_band`` may be ``age`` in bands."""
    names = (name for part in stratum_parts(strata) for name in (part, part.removesuffix("_band")))
    return tuple(dict.fromkeys(names))

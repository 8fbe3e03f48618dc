# SPDX-License-Identifier: Apache-2.0
"""Who is in the data, who is not, and which groups no result speaks of."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from monai_ethics.evidence import UNJUDGED, Estimate, Finding
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.published import GROUPS
from monai_ethics.reporting.quantity import counted, group_label, name_label
from monai_ethics.reporting.shapes import is_rate, scores
from monai_ethics.reporting.telling import COUNTED, brief

__all__ = ["Absent", "Count", "Open", "Represented", "represented"]

NAMED = 3  # missing numbers of one result that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The counts of one group, in the order of `Represented.columns`; ``None`` where there is none."""

    group: str
    cells: tuple[Estimate | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A combination or a label that nobody in the data has."""

    what: str
    who: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A group for which at least one result gives no number."""

    group: str
    n: str
    what: tuple[str, ...]
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Represented:
    """The section "Who is not represented".

    Args:
        anchor: the finding it stands on, empty if there is none.
        statement: what that finding says.
        columns: names of the counts.
        counts: groups with their counts.
        absent: who is not there at all.
        open: groups without a number somewhere.
        judged: groups with every number.
        public: whether this is a copy for the public, which leaves groups out.
    """

    anchor: str
    statement: str
    columns: tuple[str, ...]
    counts: tuple[Count, ...]
    absent: tuple[Absent, ...]
    open: tuple[Open, ...]
    judged: int
    public: bool = False

    @property
    def sentence(self) -> str:
        """How many groups were judged."""
        if self.public:
            return GROUPS
        total = self.judged + len(self.open)
        if not total:
            return ""
        if not self.open:
            return f"All {counted(total, 'groups')} have a number in every result."
        return (
            f"{counted(len(self.open), 'groups')} of {total} could not be judged in at least one result: for them, "
            "this page does not answer that question."
        )


def represented(asked: Sequence[Asked], *, public: bool = False) -> Represented | None:
    """The section, or ``None`` if no result has groups."""
    item = next((item for item in asked if _counts_groups(item.finding)), None)
    open_, judged = _judged(asked)
    if item is None and not open_ and not judged:
        return None
    finding = item.finding if item is not None else None
    columns, counts = _table(finding.estimates if finding is not None else ())
    return Represented(
        anchor=item.anchor if item is not None else "",
        statement=finding.statement if finding is not None else "",
        columns=columns,
        counts=counts,
        absent=tuple(_absent(finding)) if finding is not None else (),
        open=open_,
        judged=judged,
        public=public,
    )


def _counts_groups(finding: Finding) -> bool:
    """Whether a finding describes who is there, rather than how well anything works for them."""
    named = any(row.name == "patients" for row in finding.estimates)
    if finding.check.startswith("fairness.") and finding.check != "fairness.representation":
        return False  # checks of performance count patients too
    return (
        named and not scores(finding) and not any(row.name not in COUNTED and is_rate(row) for row in finding.estimates)
    )


def _table(rows: Iterable[Estimate]) -> tuple[tuple[str, ...], tuple[Count, ...]]:
    found: dict[str, dict[str, Estimate]] = {}
    columns: dict[str, None] = {}
    for row in rows:
        if row.name in COUNTED:
            columns.setdefault(row.name)
            found.setdefault(group_label(row.group), {})[row.name] = row
    counts = (Count(group=group, cells=tuple(cells.get(name) for name in columns)) for group, cells in found.items())
    return tuple(columns), tuple(counts)


def _absent(finding: Finding) -> Iterator[Absent]:
    """Combinations and labels that are listed, and groups that count nobody; all recorded is nobody missing."""
    for listed in finding.observations:
        yield Absent(what=name_label(listed.label), who=": ".join(listed.items), note=listed.note)
    for row in finding.estimates:
        if row.name == "patients" and row.value == 0 and row.group and None not in row.group.values():
            yield Absent(what="nobody", who=group_label(row.group), note="")


def _judged(asked: Sequence[Asked]) -> tuple[tuple[Open, ...], int]:
    """Groups without a number in some result, smallest first, and how many have all of theirs."""
    seen: dict[str, None] = {}
    held: dict[str, list[tuple[Asked, Estimate]]] = {}
    scored: set[tuple[str, str]] = set()
    for item in asked:
        if item.gap is not None or item.finding.verdict in UNJUDGED:
            continue
        for row in _of_groups(item.finding):
            seen.setdefault(group_label(row.group))
            if row.value is None:
                held.setdefault(group_label(row.group), []).append((item, row))
            elif row.name not in COUNTED:
                scored.add((item.anchor, group_label(row.group)))
    open_ = sorted((_open(group, rows, scored) for group, rows in held.items()), key=lambda pair: pair[0])
    return tuple(found for _, found in open_), len(seen) - len(held)


def _of_groups(finding: Finding) -> Iterator[Estimate]:
    for row in finding.estimates:
        if row.group and (row.name not in COUNTED or (row.name == "patients" and row.value != 0)):
            yield row


def _open(
    group: str, rows: Sequence[tuple[Asked, Estimate]], scored: Container[tuple[str, str]]
) -> tuple[tuple[int, str], Open]:
    judged = [row for _, row in rows if row.name not in COUNTED]
    most = max(judged or [row for _, row in rows], key=lambda row: row.n)
    by_item: dict[str, tuple[Asked, list[str]]] = {}
    for item, row in rows:
        by_item.setdefault(item.anchor, (item, []))[1].append(brief(row.name))
    what = tuple(
        dict.fromkeys(_missing(item, names, some=(at, group) in scored) for at, (item, names) in by_item.items())
    )
    return (most.n if judged else 0, group), Open(
        group=group, n=counted(most.n, most.n_unit) if judged else "withheld", what=what, anchor=rows[0][0].anchor
    )


def _missing(item: Asked, names: Sequence[str], *, some: bool) -> str:
    """A result without a number for a group; if it has others for it, which ones are missing."""
    held = tuple(dict.fromkeys(names))
    if not item.label or not some:
        return item.label or ", ".join(held)
    more = f" and {len(held) - NAMED} more" if len(held) > NAMED else ""
    return f"{item.label}: {', '.join(held[:NAMED])}{more}"

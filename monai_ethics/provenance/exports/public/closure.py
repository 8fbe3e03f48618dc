# SPDX-License-Identifier: Apache-2.0
"""Which groups must be hidden so that no small cell can be worked out from what is left."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from operator import add

from monai_ethics.provenance.exports.public.cells import (
    DECISIONS,
    EVERYONE,
    LABELS,
    LESS,
    NONE,
    ROOM,
    SIZE,
    Count,
    bases_of,
    is_crossing,
    is_unsafe,
    parts_of,
)

__all__ = ["Hidden", "hidden_rows"]

#: those of everyone whom no row of an attribute holds
REST = "rest"
MANY = 100_000  # sums of groups that are tried
Quantity = tuple[int, str, str]
Table = dict[Quantity, dict[tuple[str, str], int | None]]


@dataclass(kw_only=True)
class Hidden:
    """What may not be shown.

    Args:
        families: families of which nothing may be shown, because a cell of everyone is small.
        findings: by family of decisions, places of findings of which none of it may be shown, for the same reason.
        rows: by family, the rows that may not be shown.
        whole: places of findings of which nothing may be shown: their cases are those of another but for a few.
        attributes: by family, attributes with a row that may not be shown: nothing that compares their groups either.
    """

    families: set[str] = field(default_factory=set)
    findings: dict[str, set[int]] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)
    rows: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    attributes: dict[str, set[str]] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        """Whether anything is hidden."""
        return bool(
            self.families
            or self.whole
            or any(map(any, (self.findings.values(), self.rows.values(), self.attributes.values())))
        )


def hidden_rows(cells: Sequence[Count], *, subjects: Sequence[str], least: int) -> Hidden:
    """Choose what to hide.

    A group is hidden with every number of its family, in the whole report. The groups that are hidden of one attribute
    are at least two, and each count of all of them together is 0 or at least `least`: it is what everyone less the
    published groups gives. Of crossed attributes all groups are shown, or none.

    Args:
        cells: every count that the report tells.
        subjects: what each finding is about.
        least: smallest count that may be shown, but for 0.

    Returns:
        The least that this rule hides, smallest groups first.

    Notes:
        With sizes r of hidden groups shown, a count s of all hidden groups together and T their size, the count of one
        of them lies between max(0, r + s - T) and min(r, s), and every whole number between is possible (Fréchet).
        Since r, s, T - r and T - s are at least `least` or tell nothing, at least `least` + 1 numbers are.
    """
    hidden = Hidden(whole=_repeated(cells, least))
    hidden.findings = {family: set(hidden.whole) for family in DECISIONS}
    tables = _tables([cell for cell in cells if not hidden.whole.intersection(_places(cell))])
    _everyone(tables, hidden, subjects=subjects, least=least)
    for metric in {family.partition(":")[2] for family in hidden.families}:
        if f"failure_rate:{metric}" in hidden.families and (table := tables.get(f"score:{metric}")):
            for quantity in [one for one in table if one[1] == NONE]:
                del table[quantity]
    attributes = sorted({cell.row[0] for cell in cells} - {EVERYONE[0]})
    families = [SIZE, *DECISIONS, *sorted(set(tables) - {SIZE, *DECISIONS})]
    for family in families:
        hidden.rows.setdefault(family, set())
        hidden.attributes.setdefault(family, set())
    for attribute in attributes:
        if not is_crossing(attribute):
            _single(attribute, families, tables, hidden, least=least)
    hide_nested([name for name in attributes if not is_crossing(name)], tables, hidden)
    for attribute in attributes:
        if is_crossing(attribute):
            _crossed(attribute, families, tables, hidden, least=least)
    return hidden


def _places(cell: Count) -> set[int]:
    """The findings that a count takes to work out."""
    place, _, part = cell.quantity
    return {place, int(part.rpartition(LESS)[2])} if LESS in part else {place}


def _repeated(cells: Sequence[Count], least: int) -> set[int]:
    """Of findings whose numbers of cases differ by a few, all but the one with the most."""
    found = set()
    for cell in cells:
        if cell.family == SIZE and cell.row == EVERYONE and LESS in cell.quantity[2] and is_unsafe(cell.value, least):
            fewer = cell.quantity[0] if (cell.value or 0) < 0 else int(cell.quantity[2].rpartition(LESS)[2])
            found.add(fewer)
    return found


def _tables(cells: Sequence[Count]) -> dict[str, Table]:
    tables: dict[str, Table] = {family: {} for family in (SIZE, *DECISIONS)}
    for cell in cells:
        rows = tables.setdefault(cell.family, {}).setdefault(cell.quantity, {})
        known = rows.get(cell.row, cell.value)
        rows[cell.row] = None if known is None or cell.value is None else cell.value
    return tables


def _everyone(tables: Mapping[str, Table], hidden: Hidden, *, subjects: Sequence[str], least: int) -> None:
    """Leave out whole tables whose cells are small for everyone: no choice of groups could hide them."""
    for family, table in tables.items():
        bad = {quantity for quantity, rows in table.items() if EVERYONE in rows and is_unsafe(rows[EVERYONE], least)}
        if not bad:
            continue
        if family == SIZE:
            hidden.families |= set(tables)
        elif family not in DECISIONS:
            hidden.families.add(family)
        else:
            about = {subjects[place] for place, *_ in bad}
            places = {place for place, subject in enumerate(subjects) if subject in about}
            for other in DECISIONS if family == LABELS else (family,):
                hidden.findings[other] |= places
    if any(hidden.findings.values()) and _partition(tables, subjects):
        hidden.families |= set(DECISIONS)  # classes that exclude each other add up to all cases
    for family, table in tables.items():
        for quantity in [q for q in table if family in hidden.families or q[0] in hidden.findings.get(family, ())]:
            del table[quantity]


def _partition(tables: Mapping[str, Table], subjects: Sequence[str]) -> bool:
    positives: dict[str, int] = {}
    for (place, name, part), rows in tables[LABELS].items():
        if name == "positives" and not part and EVERYONE in rows:
            positives[subjects[place]] = rows[EVERYONE] or 0
    cases = {rows.get(EVERYONE) for (_, name, _), rows in tables[SIZE].items() if name == "cases"}
    return len(positives) > 1 and sum(positives.values()) in cases


def hide_nested(attributes: Sequence[str], tables: Mapping[str, Table], hidden: Hidden) -> None:
    """Where every group of one attribute is made of groups of another, and one of the two is broken, hide the finer.

    A group of the coarser less those of its parts that are shown would give the others away.
    """
    broken = {name for names in hidden.attributes.values() for name in names}
    fine = {
        one for one, other in permutations(attributes, 2) if {one, other} & broken and is_nested(one, other, tables)
    }
    fine -= {min(one, other) for one, other in permutations(fine, 2) if is_nested(other, one, tables)}
    for attribute in fine:
        for family, table in tables.items():
            hidden.attributes[family].add(attribute)
            hidden.rows[family] |= {row for rows in table.values() for row in rows if row[0] == attribute}


def is_nested(fine: str, coarse: str, tables: Mapping[str, Table]) -> bool:
    """Whether each group of `coarse` has, in all its numbers at once, the sum of some groups of `fine`."""
    quantities = [
        rows
        for family in (SIZE, *DECISIONS)
        for quantity, rows in tables[family].items()
        if LESS not in quantity[2] and {name for name, _ in rows} >= {fine, coarse} and None not in rows.values()
    ]
    groups = {name: sorted({row for rows in quantities for row in rows if row[0] == name}) for name in (fine, coarse)}
    told = {row: tuple(rows.get(row, 0) or 0 for rows in quantities) for rows_of in groups.values() for row in rows_of}
    sums = {(0,) * len(quantities)}
    for row in groups[fine]:
        sums |= {tuple(map(add, before, told[row])) for before in sums}
        if len(sums) > MANY:
            return True  # too many to try: taken to be
    return (
        bool(quantities)
        and len(groups[fine]) >= len(groups[coarse]) > 0
        and all(told[row] in sums for row in groups[coarse])
    )


def _single(
    attribute: str, families: Sequence[str], tables: Mapping[str, Table], hidden: Hidden, *, least: int
) -> None:
    sizes = _sizes(attribute, tables)
    for family in families:
        rows = _rows(attribute, tables[family], least)
        start = {row for base in bases_of(family) for row in hidden.rows[base] if row[0] == attribute}
        chosen = _close(rows, sizes, start, least=least)
        hidden.rows[family] |= chosen
        if chosen or family in hidden.families:
            hidden.attributes[family].add(attribute)


def _rows(attribute: str, table: Table, least: int) -> dict[tuple[str, str], dict[Quantity, int | None]]:
    """Counts of each row by quantity, those who are in no row as a row of their own.

    Patients with images in several groups make the sum greater than the total, which then gives no group away; how
    many they are must be safe itself.
    """
    found: dict[tuple[str, str], dict[Quantity, int | None]] = {}
    for quantity, rows in table.items():
        mine = {row: value for row, value in rows.items() if row[0] == attribute}
        if not mine:
            continue
        for row, value in mine.items():
            found.setdefault(row, {})[quantity] = value
        total = rows.get(EVERYONE)
        if total is not None and None not in mine.values() and quantity[2] != ROOM:
            rest = total - sum(value or 0 for value in mine.values())
            several = rest <= -least and LESS not in quantity[2]
            if rest and not several:
                found.setdefault((attribute, REST), {})[quantity] = rest
    return {row: counts for row, counts in found.items() if any(value != 0 for value in counts.values())}


def _sizes(attribute: str, tables: Mapping[str, Table]) -> dict[tuple[str, str], int]:
    sizes: dict[tuple[str, str], int] = {}
    for rows in tables[SIZE].values():
        for row, value in rows.items():
            if row[0] == attribute:
                sizes[row] = max(sizes.get(row, 0), value or 0)
    return sizes


def _close(
    rows: Mapping[tuple[str, str], Mapping[Quantity, int | None]],
    sizes: Mapping[tuple[str, str], int],
    start: Collection[tuple[str, str]],
    *,
    least: int,
) -> set[tuple[str, str]]:
    """The rows to hide: unsafe ones, those of `start`, and the smallest others until all of them together are safe."""
    chosen = {row for row, counts in rows.items() if any(is_unsafe(value, least) for value in counts.values())}
    chosen |= set(start)
    if any(row[1] == REST and _overlaps(counts) for row, counts in rows.items()):
        return set(rows) | chosen  # few are in two groups: two groups and the total would tell how many
    order = sorted(rows, key=lambda row: (sizes.get(row) or max(abs(v or 0) for v in rows[row].values()), row))
    for row in order:
        if not chosen or _holds(chosen, rows, least):
            break
        chosen.add(row)
    return chosen


def _overlaps(counts: Mapping[Quantity, int | None]) -> bool:
    return any((value or 0) < 0 and LESS not in quantity[2] for quantity, value in counts.items())


def _holds(
    chosen: Collection[tuple[str, str]], rows: Mapping[tuple[str, str], Mapping[Quantity, int | None]], least: int
) -> bool:
    """Whether, in each finding, at least two rows are hidden and their counts together are safe."""
    sums: dict[Quantity, int] = {}
    withheld: set[Quantity] = set()
    there: dict[int, int] = {}
    for row in chosen:
        counts = rows.get(row, {})
        for quantity, value in counts.items():
            sums[quantity] = sums.get(quantity, 0) + (value or 0)
            if value is None:
                withheld.add(quantity)
        for place in {quantity[0] for quantity, value in counts.items() if value != 0}:
            there[place] = there.get(place, 0) + 1
    if any(number < 2 for number in there.values()):
        return False
    return not any(is_unsafe(value, least) for value in sums.values()) and all(sums[q] >= least for q in withheld)


def _crossed(
    attribute: str, families: Sequence[str], tables: Mapping[str, Table], hidden: Hidden, *, least: int
) -> None:
    """All groups of crossed attributes, or none: they must be safe, hold everyone, and have margins that are shown."""
    margins = {part for family in families for part in parts_of(attribute) if part in hidden.attributes[family]}
    rows = [(row, counts) for family in families for row, counts in _rows(attribute, tables[family], least).items()]
    small = any(is_unsafe(value, least) for _, counts in rows for value in counts.values())
    open_rest = any(row == (attribute, REST) for row, _ in rows)
    if not (margins or small or open_rest or hidden.families or any(hidden.findings.values())):
        return
    for family in families:
        hidden.attributes[family].add(attribute)
        hidden.rows[family] |= {row for rows_of in tables[family].values() for row in rows_of if row[0] == attribute}

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
Rows = Sequence[Mapping[tuple[str, str], int | None]]
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
        The least that this rule hides, groups in the order of their names.

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
    every = {row for rows in tables[SIZE].values() for row in rows}
    parts, wholes = (sorted(row for row in every if row[0] == name) for name in (fine, coarse))
    sizes = [rows for rows in tables[SIZE].values() if all(rows.get(row) is not None for row in (*parts, *wholes))]
    sizes = sizes if len(parts) >= len(wholes) > 0 else []
    more = [
        rows
        for family in DECISIONS
        for quantity, rows in tables[family].items()
        if quantity[2] in ("", "hits") and all(rows.get(row) is not None for row in wholes)
    ]
    sums = {((0,) * len(sizes), (0,) * len(more), 0)}  # sizes, counts, and how many cases have counts that are withheld
    for row in parts if sizes else ():
        size, counts = tuple(rows[row] or 0 for rows in sizes), tuple(rows.get(row) or 0 for rows in more)
        unknown = max(size) if any(rows.get(row) is None for rows in more) else 0
        sums |= {(tuple(map(add, a, size)), tuple(map(add, b, counts)), c + unknown) for a, b, c in sums}
        if len(sums) > MANY:
            return True  # too many to try: taken to be
    return bool(sizes) and all(any(_fits(row, one, sizes, more) for one in sums) for row in wholes)


def _fits(row: tuple[str, str], one: tuple[tuple[int, ...], tuple[int, ...], int], sizes: Rows, more: Rows) -> bool:
    size, counts, unknown = one
    if size != tuple(rows[row] for rows in sizes):
        return False
    return all(0 <= (rows[row] or 0) - count <= unknown for rows, count in zip(more, counts, strict=True))


def _single(
    attribute: str, families: Sequence[str], tables: Mapping[str, Table], hidden: Hidden, *, least: int
) -> None:
    for family in families:
        rows = _rows(attribute, tables[family], least)
        start = {row for base in bases_of(family) for row in hidden.rows[base] if row[0] == attribute}
        chosen = _close(rows, start, least=least)
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


def _close(
    rows: Mapping[tuple[str, str], Mapping[Quantity, int | None]],
    start: Collection[tuple[str, str]],
    *,
    least: int,
) -> set[tuple[str, str]]:
    """The rows to hide: unsafe ones, those of `start`, and others by name until all of them together are safe."""
    chosen = {row for row, counts in rows.items() if any(is_unsafe(value, least) for value in counts.values())}
    chosen |= set(start)
    if any(row[1] == REST and _overlaps(counts) for row, counts in rows.items()):
        return set(rows) | chosen  # few are in two groups: two groups and the total would tell how many
    # by name: which group is hidden with a small one must not tell how large either is; those in no group first
    order = sorted(rows, key=lambda row: (row[1] != REST, row))
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
    counts: dict[Quantity, list[int | None]] = {}
    there: dict[int, int] = {}
    for row in chosen:
        mine = {quantity: value for quantity, value in rows.get(row, {}).items() if value != 0}
        for quantity, value in mine.items():
            counts.setdefault(quantity, []).append(value)
        for place in {quantity[0] for quantity in mine}:
            there[place] = there.get(place, 0) + 1
    return min(there.values(), default=2) >= 2 and all(_safe(values, least) for values in counts.values())


def _safe(values: Sequence[int | None], least: int) -> bool:
    """Whether the sum of hidden counts tells none of them, to somebody also who knows that all of them are small."""
    total, others = sum(value or 0 for value in values), len(values) - 1
    if is_unsafe(total, 2 * least - 1) or (None in values and total < least):
        return False
    small = others > 1 and all(value is not None and 0 < value < least for value in values)
    return not small or (total - others * (least - 1) <= 1 and total - others >= least - 1)


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

# SPDX-License-Identifier: Apache-2.0
"""Which row of a side table belongs to which case, decided without guessing.

Names are compared as paths: split at ``/``, without an image extension. A row *is* a case when one of the two paths is
a suffix of the other: ``sub-01/image.nii.gz`` matches ``/data/sub-01/image.nii.gz`` and not
``/data/sub-02/image.nii.gz``; ``image`` alone would match both, which is an error, so a row needs the shortest path
suffix that is unique. A row of a table of *patients* matches every case whose known patient it is, or with a folder of
that name, or whose file name is it, or begins with it before one of ``_-.``: ``sub-0001`` matches
``sub-0001_FLAIR.nii.gz`` and ``sub-0001/anat/image.nii.gz`` and not ``sub-00011.nii.gz``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import SideTable

__all__ = ["Joined", "join", "match_rows", "no_match", "refuse_repeated"]

_EXTENSION = re.compile(
    r"\.(nii|nii\.gz|mha|mhd|nrrd|nhdr|dcm|dicom|png|jpe?g|bmp|tiff?|npy|npz|pt|h5|hdf5|gz)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Attributes brought to the cases of a run.

    Args:
        groups: attribute to the label of each case, ``None`` = not recorded or no row.
        patients: patient of each case, from the table where it says so.
        accounting: cases ``with_row`` and ``without_row``, which add up to all cases.
        unused_rows: rows that match no case of the run.
        used_rows: positions of the rows that match a case.
    """

    groups: Mapping[str, tuple[str | None, ...]]
    patients: tuple[str, ...]
    accounting: Mapping[str, int]
    unused_rows: int
    used_rows: frozenset[int] = frozenset()


def _parts(name: str) -> tuple[str, ...]:
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts:
        return (name,)
    last = parts[-1]
    while (shorter := _EXTENSION.sub("", last)) not in ("", last):
        last = shorter
    return (*parts[:-1], last)


def _suffixes(parts: tuple[str, ...]) -> list[str]:
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _tokens(parts: tuple[str, ...]) -> set[str]:
    """What a patient's name may be in a case's path: its folders, its file name and that name's beginnings."""
    stem = parts[-1]
    heads = (stem[: match.start()] for match in re.finditer(r"[_\-.]", stem))
    return {*parts, *heads}


def join(side: SideTable, case_keys: Sequence[str], patients: Sequence[str], *, strict: bool = True) -> Joined:
    """Bring a side table's labels to the cases.

    Args:
        side: the table.
        case_keys: unique key of each case, often its path, length ``N``.
        patients: patient of each case as known so far, length ``N``.
        strict: whether some row must match, and every row of a column ``case``; an engine of a run may see only some
            of the cases that the table is about.

    Returns:
        Labels and patients of each case, and what became of cases and rows.

    Raises:
        InputError: if a name is repeated in the table, a case matches several rows, a row of cases several cases, or,
            if `strict`, a row of a column ``case`` none, or nothing matches at all. Rows are given by their position.
    """
    rows = match_rows(side, case_keys, patients)
    used = frozenset(row for row in rows if row is not None)
    if strict:
        _refuse_unused(side, used, len(case_keys))
    groups = {
        name: tuple(None if row is None else labels[row] for row in rows) for name, labels in side.columns.items()
    }
    matched = sum(row is not None for row in rows)
    return Joined(
        groups=groups,
        patients=_patients(side, rows, patients),
        accounting={"with_row": matched, "without_row": len(rows) - matched},
        unused_rows=len(side.keys) - len(used),
        used_rows=used,
    )


def match_rows(side: SideTable, case_keys: Sequence[str], patients: Sequence[str]) -> list[int | None]:
    """Position of the row that each case has; ``None`` where it has none.

    Raises:
        InputError: if a name is repeated in the table, or a match is ambiguous.
    """
    found = _candidates(side, case_keys, patients)
    _refuse_ambiguous(side, found)
    return [next(iter(match)) if match else None for match in found]


def no_match(n_rows: int, n_cases: int) -> InputError:
    """The error for a table of which no row matches any case."""
    return InputError(
        f"Expected rows that name cases of this run: none of {n_rows} rows matches any of {n_cases} cases. "
        "Name them by file name, by path below the data folder, or by participant."
    )


def refuse_repeated(side: SideTable) -> None:
    """Refuse a table in which a name stands twice.

    Raises:
        InputError: with the position of the first repetition.
    """
    met: set[str] = set()
    for row, key in enumerate(side.keys):
        if key in met:
            repeated = len(side.keys) - len(set(side.keys))
            raise InputError(
                f"Names in a side table must be unique: {repeated} are repeated, the first is row {row}. "
                "Keep one row for each."
            )
        met.add(key)


def _refuse_unused(side: SideTable, used: frozenset[int], n_cases: int) -> None:
    if not used:
        raise no_match(len(side.keys), n_cases)
    unused = [row for row in range(len(side.keys)) if row not in used]
    if side.exact and unused:
        raise InputError(
            f"Every entry of the column `case` must be a case of this run: {len(unused)} are not, "
            f"the first is row {unused[0]}. Remove these rows, or name the column `filename`."
        )


def _candidates(side: SideTable, case_keys: Sequence[str], patients: Sequence[str]) -> list[set[int]]:
    refuse_repeated(side)
    exact = {key: row for row, key in enumerate(side.keys)}
    paths: defaultdict[str, set[int]] = defaultdict(set)
    ends: defaultdict[str, set[int]] = defaultdict(set)
    for row, key in enumerate(side.keys):
        whole, *rest = _suffixes(_parts(key))
        paths[whole].add(row)
        for suffix in rest if not side.by_patient else ():
            ends[suffix].add(row)
    return [
        _match(side, case, patient, (exact, paths, ends)) for case, patient in zip(case_keys, patients, strict=True)
    ]


def _match(
    side: SideTable,
    case: str,
    patient: str,
    index: tuple[Mapping[str, int], Mapping[str, set[int]], Mapping[str, set[int]]],
) -> set[int]:
    exact, paths, ends = index
    for name in (case, patient) if side.by_patient else (case,):
        if name in exact:
            return {exact[name]}
    parts = _parts(case)
    names = _suffixes(parts)
    found = set(ends.get(names[0], ()))
    for name in (*names, *_tokens(parts)) if side.by_patient else names:
        found |= paths.get(name, set())
    return found


def _refuse_ambiguous(side: SideTable, found: Sequence[set[int]]) -> None:
    several = [case for case, match in enumerate(found) if len(match) > 1]
    if several:
        raise InputError(
            f"Each case must match one row: {len(several)} match several, the first is case {several[0]}. "
            "Name the rows by the longer path below the data folder."
        )
    if side.by_patient:
        return
    counts: defaultdict[int, int] = defaultdict(int)
    for match in found:
        for row in match:
            counts[row] += 1
    shared = sorted(row for row, count in counts.items() if count > 1)
    if shared:
        raise InputError(
            f"Each row must match one case: {len(shared)} match several, the first is row {shared[0]}. "
            "Name the rows by the longer path below the data folder, or by participant_id."
        )


def _patients(side: SideTable, rows: Sequence[int | None], patients: Sequence[str]) -> tuple[str, ...]:
    known = side.patients
    if known is None:
        return tuple(patients)
    labels = (None if row is None else known[row] for row in rows)
    return tuple(old if new is None else new for new, old in zip(labels, patients, strict=True))

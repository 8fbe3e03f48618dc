# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.mark_propagation`: whether all that was made from synthetic images is marked as well."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Finding, Observation, Source, Stage, Verdict
from monai_ethics.provenance.marks.taint import carries_synthetic
from monai_ethics.provenance.records.counts import IN_LOGS, counted
from monai_ethics.registry import question_of

__all__ = ["Derivations", "MarkPropagation"]

KINDS = ("marked", "unmarked child of a marked one", "unmarked further on", "nothing synthetic before it", "image only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivations:
    """Records and images, each with those that it was made from.

    Args:
        items: ids, shape ``(N,)``, each once.
        synthetic: what each record says: ``"yes"``, ``"no"``, ``"partial"``, ``"unknown"``; ``None`` for an image
            without a record of its own, which passes on what it is and is not judged.
        parents: ids of those whose content went into it; ids that are no item are ignored.
    """

    items: Sequence[str]
    synthetic: Sequence[str | None]
    parents: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        if not len(self.items) == len(self.synthetic) == len(self.parents) == len(set(self.items)):
            raise InputError("Each item must stand once, with its mark and its parents: got other numbers. Match them.")

    def reordered(self, order: Sequence[int]) -> Derivations:
        """The same records in another order."""
        return Derivations(
            items=[self.items[place] for place in order],
            synthetic=[self.synthetic[place] for place in order],
            parents=[self.parents[place] for place in order],
        )


@dataclass(frozen=True, kw_only=True)
class MarkPropagation:
    """Which records are not marked although something that they were made from is.

    Args:
        listed: most such records that the finding lists, those right behind a marked one first.

    Notes:
        A mark goes with content: source and conditioning images, inputs, labels, members of a set. It does not go with
        a model: the result of a model on an acquired image is no synthetic image, whatever the model learned from.

    References:
        DICOM PS3.3 C.12.1 (Synthetic Data): content derived from synthetic data is expected to be marked too; Ethical
        Medical Image Synthesis (arXiv 2508.09293), requirement MIS-02.
    """

    listed: int = 100

    id: ClassVar[str] = "provenance.mark_propagation"
    title: ClassVar[str] = "Is everything that was made from synthetic images marked as well?"
    stage: ClassVar[Stage] = Stage.PROCESSING
    requirements: ClassVar[tuple[str, ...]] = ("MIS-02",)

    def classify(self, data: Derivations) -> list[str]:
        """One of `KINDS` for each item."""
        places = {item: place for place, item in enumerate(data.items)}
        children: list[list[int]] = [[] for _ in data.items]
        for child, parents in enumerate(data.parents):
            for parent in parents:
                if parent in places:
                    children[places[parent]].append(child)
        marked = [place for place, state in enumerate(data.synthetic) if carries_synthetic(state)]
        right_behind = _behind(marked, children, data, through_records=False)
        tainted = _behind(marked, children, data, through_records=True)
        kinds = []
        for place, state in enumerate(data.synthetic):
            if state is None:
                kinds.append(KINDS[4])
            elif carries_synthetic(state):
                kinds.append(KINDS[0])
            elif place in right_behind:
                kinds.append(KINDS[1])
            else:
                kinds.append(KINDS[2] if place in tainted else KINDS[3])
        return kinds

    def __call__(self, data: Derivations, /) -> Finding:
        """Judge nothing, count everything."""
        rows = sorted(zip(data.items, self.classify(data), strict=True))
        counts = Counter(kind for _, kind in rows)
        accounting = {kind: counts[kind] for kind in KINDS if counts[kind]}
        records = len(rows) - counts[KINDS[4]]
        if records < 2:
            reason = f"The logs hold {records} records of images and sets; two are needed for a derivation."
            return self._finding(Verdict.NOT_ASSESSABLE, reason, reason=reason, accounting=accounting)
        first = [item for item, kind in rows if kind == KINDS[1]]
        later = [item for item, kind in rows if kind == KINDS[2]]
        statement = (
            f"{len(first)} of {records} records are not marked although something that they were made from is; "
            f"{len(later)} more come after those."
        )
        return self._finding(
            Verdict.MEASURED,
            statement,
            estimates=[
                counted(
                    name, value, records, unit="records", estimand="number of records in the given logs", why=IN_LOGS
                )
                for name, value in (
                    ("unmarked_children", len(first)),
                    ("unmarked_descendants", len(first) + len(later)),
                )
            ],
            observations=[
                Observation(label=kind, items=(item,), value=None, unit="1", note="")
                for kind, items in ((KINDS[1], first), (KINDS[2], later))
                for item in items
            ][: self.listed],
            accounting=accounting,
        )

    def _finding(self, verdict: Verdict, statement: str, **content: Any) -> Finding:
        return Finding(
            **question_of(self),
            verdict=verdict,
            statement=statement,
            parameters={"listed": self.listed},
            limitations=(
                "Only derivations that were recorded are seen.",
                "What a record says is judged; `monai-ethics verify` says whether a file still carries its mark.",
            ),
            sources=(Source(title="DICOM PS3.3", locator="C.12.1 SOP Common Module, Synthetic Data (0008,001C)"),),
            **content,
        )

    @staticmethod
    def example(n: int, seed: int) -> Derivations:
        """`n` records in chains of four: marked, marked, unmarked, unmarked."""
        names = ["sha256:" + hashlib.sha256(f"{seed}/{index}".encode()).hexdigest() for index in range(n)]
        return Derivations(
            items=names,
            synthetic=["yes" if index % 4 < 2 else "unknown" for index in range(n)],
            parents=[[names[index - 1]] if index % 4 else [] for index in range(n)],
        )


def _behind(
    starts: Sequence[int], children: Sequence[Sequence[int]], data: Derivations, *, through_records: bool
) -> set[int]:
    """What follows from the starts: through images always, through records only if asked."""
    seen: set[int] = set()
    front = list(starts)
    while front:
        found = {child for place in front for child in children[place]} - seen
        seen |= found
        front = [place for place in found if through_records or data.synthetic[place] is None]
    return seen

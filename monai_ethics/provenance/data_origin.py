# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.data_origin`: is it recorded of every training item where it comes from?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from monai_ethics.evidence import Finding, Source, Stage, Verdict
from monai_ethics.provenance.records.field_coverage import FieldTable, field_estimates, field_observations, missing_of

__all__ = ["ORIGIN_FIELDS", "DataOrigin"]

SOURCE = Source(title="Ethical Framework for Responsible Foundational Models in Medical Imaging", locator="FMF-01")
ORIGIN_FIELDS = ("source", "license", "consent", "digest", "acquisition", "deidentification")


@dataclass(frozen=True, kw_only=True)
class DataOrigin:
    """Of how many training items source, licence, basis of consent, digest, acquisition and de-identification stand.

    Args:
        listed: most items without a field that the finding lists.

    Notes:
        A field counts as recorded of an item if its own record has it, or the record of the whole set. `digest` is the
        `voxel_v1` of its values: an image without one (constant, or unreadable) cannot be recognized again.

    References:
        Requirement FMF-01, data provenance for all training data.
    """

    listed: int = 100

    id: ClassVar[str] = "provenance.data_origin"
    title: ClassVar[str] = "Is it recorded where every training item comes from?"
    stage: ClassVar[Stage] = Stage.COLLECTION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-01", "GEN-09")

    def __call__(self, data: FieldTable, /) -> Finding:
        """Count a `FieldTable`."""
        rows = missing_of(data, ORIGIN_FIELDS)
        if len(rows) < 2:
            reason = "Fewer than two training items are recorded."
            return self._finding(Verdict.NOT_ASSESSABLE, reason, len(rows), 0, reason=reason)
        whole = sum(not missing for _, missing in rows)
        lacking = {name: sum(name in missing for _, missing in rows) for name in ORIGIN_FIELDS}
        told = ", ".join(f"{name} {count}" for name, count in lacking.items() if count)
        return self._finding(
            Verdict.MEASURED,
            f"{whole} of {len(rows)} training items have every field." + (f" Missing: {told}." if told else ""),
            len(rows),
            whole,
            estimates=field_estimates(rows, ORIGIN_FIELDS, estimand="training items"),
            observations=field_observations(rows, listed=self.listed),
        )

    def _finding(self, verdict: Verdict, statement: str, n: int, whole: int, **content: object) -> Finding:
        return Finding(
            check=self.id,
            title=self.title,
            stage=self.stage,
            verdict=verdict,
            statement=statement,
            requirements=self.requirements,
            accounting={"complete": whole, "incomplete": n - whole},
            parameters={"listed": self.listed},
            limitations=("A field that is recorded is what somebody said; that it is true is not checked.",),
            sources=(SOURCE,),
            **content,  # type: ignore[arg-type]
        )

    @staticmethod
    def example(n: int, seed: int) -> FieldTable:
        """`n` items of which every third lacks one field in turn."""
        whole = frozenset(ORIGIN_FIELDS)
        names: Sequence[str] = ORIGIN_FIELDS
        return FieldTable(
            items=[f"{seed:08x}{i:024x}" for i in range(n)],
            present=[whole if i % 3 else whole - {names[(i // 3) % len(names)]} for i in range(n)],
        )

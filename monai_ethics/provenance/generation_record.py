# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.generation_record`: is it recorded of every synthetic item how it was generated?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from monai_ethics.evidence import Finding, Source, Stage, Verdict
from monai_ethics.provenance.records.field_coverage import FieldTable, field_estimates, field_observations, missing_of

__all__ = ["GENERATION_FIELDS", "GenerationRecord"]

GENERATION_FIELDS = ("generator", "version", "conditioning", "seed", "sampler", "training_set")


@dataclass(frozen=True, kw_only=True)
class GenerationRecord:
    """Of how many synthetic items generator, version, conditioning, seed, sampler and training set stand.

    Args:
        listed: most items without a field that the finding lists.

    Notes:
        `version` may be the digest of the weights; `conditioning` may say ``"none"``; `training_set` is its root or
        a parent record of the training. What is not recorded is missing, whatever could be guessed from the files.

    References:
        Requirement TRU-11, transparency of generation; MIS-04.
    """

    listed: int = 100

    id: ClassVar[str] = "provenance.generation_record"
    title: ClassVar[str] = "Is it recorded how every synthetic item was generated?"
    stage: ClassVar[Stage] = Stage.DEPLOYMENT
    requirements: ClassVar[tuple[str, ...]] = ("TRU-11", "MIS-04")

    def __call__(self, data: FieldTable, /) -> Finding:
        """Count a `FieldTable`."""
        rows = missing_of(data, GENERATION_FIELDS)
        if len(rows) < 2:
            reason = "Fewer than two synthetic items are recorded."
            return self._finding(Verdict.NOT_ASSESSABLE, reason, len(rows), 0, reason=reason)
        whole = sum(not missing for _, missing in rows)
        lacking = {name: sum(name in missing for _, missing in rows) for name in GENERATION_FIELDS}
        told = ", ".join(f"{name} {count}" for name, count in lacking.items() if count)
        return self._finding(
            Verdict.MEASURED,
            f"{whole} of {len(rows)} synthetic items have every field." + (f" Missing: {told}." if told else ""),
            len(rows),
            whole,
            estimates=field_estimates(rows, GENERATION_FIELDS, estimand="synthetic items"),
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
            sources=(
                Source(title="Building Trust in Synthetic Data for Clinical AI, arXiv 2502.02076", locator="TRU-11"),
            ),
            **content,  # type: ignore[arg-type]
        )

    @staticmethod
    def example(n: int, seed: int) -> FieldTable:
        """`n` items of which every third lacks one field in turn."""
        whole = frozenset(GENERATION_FIELDS)
        names: Sequence[str] = GENERATION_FIELDS
        return FieldTable(
            items=[f"{seed:08x}{i:024x}" for i in range(n)],
            present=[whole if i % 3 else whole - {names[(i // 3) % len(names)]} for i in range(n)],
        )

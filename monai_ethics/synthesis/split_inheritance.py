# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.split_inheritance`: does a synthetic training image come from a patient who is held out?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of

__all__ = ["CONFLICT", "SplitInheritance", "SplitList", "inherited_split"]

SOURCES = (
    Source(title="Raja Babu et al., Building trust in synthetic data", url="https://arxiv.org/abs/2502.02076"),
    Source(title="Ethical medical image synthesis", url="https://arxiv.org/abs/2508.09293"),
)
LIMITATIONS = (
    "It rests on the recorded sources: an image whose source is not on record is counted as unknown, never as clean.",
    "An image made without a condition still comes from the patients its generator was trained on.",
)
COUNTED = "a count of this list, not an estimate from a sample"
CONFLICT = "conflict"


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitList:
    """Items of all splits.

    Args:
        splits: split or fold of each item, such as ``"train"``, shape ``(N,)``.
        synthetic: whether each is synthetic; ``None`` = not known.
        patients: patient of each acquired item; ``None`` of a synthetic one.
        sources: patients whose image or mask each synthetic item was conditioned on: ``()`` if it was generated
            without any, ``None`` if that is not on record.
        generator_patients: patients the generator was trained on; ``None`` if that is not on record.

    Raises:
        InputError: if lengths differ, or an acquired item has no patient.
    """

    splits: Sequence[str]
    synthetic: Sequence[bool | None]
    patients: Sequence[str | None]
    sources: Sequence[Sequence[str] | None]
    generator_patients: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for name in ("synthetic", "patients", "sources"):
            if len(getattr(self, name)) != len(self.splits):
                raise InputError(
                    f"`{name}` must have one entry per item: got {len(getattr(self, name))} for {len(self.splits)}. "
                    "Match them."
                )
        if any(flag is False and patient is None for flag, patient in zip(self.synthetic, self.patients, strict=True)):
            raise InputError("An acquired item must name its patient: got one without. Add the patient.")

    def reordered(self, order: Sequence[int]) -> SplitList:
        """The same items in another order."""
        names = ("splits", "synthetic", "patients", "sources")
        return replace(self, **{name: [getattr(self, name)[i] for i in order] for name in names})


def inherited_split(sources: Sequence[str], split_of: Mapping[str, str]) -> str | None:
    """The split that a synthetic item takes from the patients it was conditioned on.

    Args:
        sources: those patients.
        split_of: patient to split.

    Returns:
        Their split; `CONFLICT` if they have several, which leaves no side for the item; ``None`` if none is known.
    """
    found = {split_of[patient] for patient in sources if patient in split_of}
    return None if not found else found.pop() if len(found) == 1 else CONFLICT


@dataclass(frozen=True, kw_only=True)
class SplitInheritance:
    """Does a synthetic training item come from a patient who is held out?

    A synthetic item inherits the patient and the split of every source it was conditioned on. Source patients of
    synthetic training items who are in another split are counted by split, and so are patients of the generator.

    Args:
        training_split: name of the split that is trained on; every other split is held out.

    Notes:
        It gives counts only: which items they are is for the owner of the list to find, with `inherited_split`.

    References:
        Requirement TRU-10 is our conclusion from arXiv 2502.02076.
    """

    id: ClassVar[str] = "synthesis.split_inheritance"
    title: ClassVar[str] = "Do synthetic training images come from patients who are held out?"
    stage: ClassVar[Stage] = Stage.PROCESSING
    requirements: ClassVar[tuple[str, ...]] = ("TRU-10", "MIS-06")

    training_split: str = "train"

    def __call__(self, data: SplitList, /) -> Finding:
        """Follow every synthetic training item to the split of its sources.

        Args:
            data: items of all splits.

        Returns:
            Verdict `measured`; `not_assessable` without a synthetic training item of known source, or without a
            held-out patient.
        """
        made = [i for i, flag in enumerate(data.synthetic) if flag and data.splits[i] == self.training_split]
        known = [i for i in made if data.sources[i] is not None]
        held = self._held_out(data)
        reason = self._reason(made, known, held)
        estimates = [] if reason else self._estimates(data, known, held)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=_statement(estimates, len(made), len(made) - len(known), reason),
            subjects=(self.training_split,),
            estimates=estimates,
            accounting=self._accounting(data),
            parameters={**asdict(self), "generator_patients_on_record": data.generator_patients is not None},
            reason=reason,
            limitations=LIMITATIONS,
            sources=SOURCES,
        )

    @staticmethod
    def example(n: int, seed: int) -> SplitList:
        """`n` items: half acquired, half made from an acquired one; every eleventh made from a test patient."""
        real = max(n // 2, 1)
        splits = ["test" if i % 4 == seed % 4 else "train" for i in range(min(real, n))]
        patients: list[str | None] = [f"p{i}" for i in range(len(splits))]
        sources: list[Sequence[str] | None] = [()] * len(splits)
        for i in range(n - len(splits)):
            own = [f"p{k}" for k, name in enumerate(splits[:real]) if (name == "test") == (i % 11 == 0)]
            splits.append("train")
            patients.append(None)
            sources.append(None if i % 7 == 3 else own[i % max(len(own), 1) :][:1])
        return SplitList(
            splits=splits, synthetic=[patient is None for patient in patients], patients=patients, sources=sources
        )

    def _held_out(self, data: SplitList) -> dict[str, set[str]]:
        """Acquired patients of every split that is not trained on."""
        out: dict[str, set[str]] = {}
        for flag, split, patient in zip(data.synthetic, data.splits, data.patients, strict=True):
            if not flag and patient is not None and split != self.training_split:
                out.setdefault(split, set()).add(patient)
        return dict(sorted(out.items()))

    def _reason(self, made: Sequence[int], known: Sequence[int], held: Mapping[str, set[str]]) -> str | None:
        if not made:
            return "no synthetic item is trained on"
        if not known:
            return f"the sources of none of the {len(made)} synthetic training items are on record"
        return None if held else "no acquired item is held out"

    def _estimates(self, data: SplitList, known: Sequence[int], held: Mapping[str, set[str]]) -> list[Estimate]:
        sources = {i: {*(data.sources[i] or ())} for i in known}
        everyone = set().union(*sources.values())
        trained = {
            p
            for p, s, f in zip(data.patients, data.splits, data.synthetic, strict=True)
            if p and not f and s == self.training_split
        }
        rows = []
        for split, patients in held.items():
            group = {"split": split}
            items = sum(bool(own & patients) for own in sources.values())
            rows += [
                _count("source_patients_held_out", len(everyone & patients), len(patients), "patients", group),
                _count("synthetic_items_from_held_out_patients", items, len(known), "items", group),
                _count("acquired_patients_on_both_sides", len(trained & patients), len(patients), "patients", group),
            ]
            if data.generator_patients is not None:
                of = len({*data.generator_patients} & patients)
                rows.append(_count("generator_patients_held_out", of, len(patients), "patients", group))
        every = {p: s for s, patients in held.items() for p in patients} | dict.fromkeys(trained, self.training_split)
        torn = sum(inherited_split([*own], every) == CONFLICT for own in sources.values())
        return [
            *rows,
            _count("synthetic_items_of_several_splits", torn, len(known), "items", {}),
            _count("source_patients_not_listed", len(everyone - {*every}), len(everyone), "patients", {}),
        ]

    def _accounting(self, data: SplitList) -> dict[str, int]:
        def fate(i: int) -> str:
            flag = data.synthetic[i]
            if flag is None:
                return "items_of_unknown_source"
            if not flag:
                return "acquired_items"
            if data.splits[i] != self.training_split:
                return "synthetic_items_held_out"
            kept = data.sources[i]
            if kept is None:
                return "synthetic_training_items_of_unrecorded_condition"
            return "synthetic_training_items_conditioned" if kept else "synthetic_training_items_unconditioned"

        return dict(sorted(Counter(map(fate, range(len(data.splits)))).items()))


MEANINGS = {
    "source_patients_held_out": "held-out patients of this split from whom synthetic training items were made",
    "synthetic_items_from_held_out_patients": "synthetic training items made from a held-out patient of this split",
    "acquired_patients_on_both_sides": "patients with acquired items in training and in this split",
    "generator_patients_held_out": "held-out patients of this split on whom the generator was trained",
    "source_patients_not_listed": "patients from whom synthetic training items were made and whose split is not known, "
    "as they have no item in the list",
    "synthetic_items_of_several_splits": "synthetic training items whose sources are in several splits",
}


def _count(name: str, value: int, n: int, unit: str, group: dict[str, str]) -> Estimate:
    return Estimate(
        name=name, value=value, unit=unit, n=n, n_unit=unit, estimand=MEANINGS[name], group=group, reason=COUNTED
    )


def _statement(estimates: Sequence[Estimate], made: int, unknown: int, reason: str | None) -> str:
    if reason:
        return f"Whether synthetic training images come from held-out patients cannot be said: {reason}."
    parts = [
        f"{row.value:g} of {row.n} patients of split {row.group['split']}"
        for row in estimates
        if row.name == "source_patients_held_out"
    ]
    strangers = next(row for row in estimates if row.name == "source_patients_not_listed")
    of = f" Of {strangers.n} patients they were made from, {strangers.value:g} are in no split of the list."
    return (
        f"Synthetic training items were made from {' and '.join(parts)}. Of {made} such items, the sources of "
        f"{unknown} are not on record.{of if strangers.value else ''}"
    )

# SPDX-License-Identifier: Apache-2.0
"""What was made of a person's images: the models and synthetic images that a withdrawal touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ethics.provenance.consent.registry import Person
from monai_ethics.provenance.lineage.answers import Answer, lineage_of_patient
from monai_ethics.provenance.lineage.index import refresh
from monai_ethics.provenance.lineage.store import open_store

__all__ = ["Affected", "affected_by"]

NOTHING = "no evidence was given: nothing was searched. `monai-ethics lineage EVIDENCE --patient ...` does it later."
MODEL = "training"  # a model is disposed of by the record of its training


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """Models and synthetic images that derive from a person.

    Args:
        models: id of a training's record to its grade: ``"direct"``, ``"transitive"`` or ``"unknown"``.
        synthetic: number of synthetic images by grade.
        unseen: what cannot be seen, in words.
    """

    models: dict[str, str]
    synthetic: dict[str, int]
    unseen: tuple[str, ...]

    @property
    def derived(self) -> tuple[str, ...]:
        """Models that derive from the person for certain: a disposition is asked for each."""
        return tuple(record for record, grade in self.models.items() if grade != "unknown")

    def to_dict(self) -> dict[str, Any]:
        """The answer for programs."""
        return {"models": self.models, "synthetic_images": self.synthetic, "unseen": list(self.unseen)}

    @property
    def text(self) -> str:
        """The answer for people."""
        if NOTHING in self.unseen:
            return NOTHING[0].upper() + NOTHING[1:]
        made = ", ".join(f"{number} {grade}" for grade, number in self.synthetic.items()) or "none"
        return "\n".join(
            [
                f"models that derive from this person, as far as the given logs tell: {len(self.derived)}",
                *(f"  {grade:10} {record}" for record, grade in self.models.items()),
                f"synthetic images made by them or of this person: {made}",
                *(f"cannot be seen: {why}" for why in self.unseen),
            ]
        )


def affected_by(person: Person, folders: Sequence[Path], *, trusted: Sequence[bytes] = ()) -> Affected:
    """Search evidence folders and site logs for what derives from a person.

    Args:
        person: who; looked for under each folder's own pseudonym key, and not stored.
        folders: logs to search, each once; without one the answer is that nothing was looked at.
        trusted: keys by which the logs must be signed.

    Raises:
        GateError: if a log is not as it was signed.
        InputError: if a folder holds no log.
    """
    places = list(dict.fromkeys(Path(folder) for folder in folders))
    if not places:
        return Affected(models={}, synthetic={}, unseen=(NOTHING,))
    store = open_store(None)
    try:
        indexed = refresh(store, places, trusted=trusted)
        answer = lineage_of_patient(store, indexed, places, person.patient_id, issuer=person.issuer)
    finally:
        store.close()
    return _affected(answer)


def _affected(answer: Answer) -> Affected:
    models = {str(row.id): row.grade for row in answer.reached if row.what == MODEL and row.id is not None}
    synthetic: dict[str, int] = {}
    for row in answer.reached:
        if row.what == "synthesis":
            synthetic[row.grade] = synthetic.get(row.grade, 0) + row.count
    return Affected(models=models, synthetic=synthetic, unseen=answer.unseen)

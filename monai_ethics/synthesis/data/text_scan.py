# SPDX-License-Identifier: Apache-2.0
"""What was found of text in training, held-out and synthetic images; the readings may be names and stay private."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_sets import ROLES

__all__ = ["Box", "Flags", "StaticMarks", "TextHit", "TextScan"]

#: Top, left, bottom and right as shares of the image's height and width.
Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextHit:
    """One text-like region of an image.

    Args:
        box: where it is.
        text: what was read there; private.
        score: how sure the reader was, from 0 to 1.
        patch: the region as a small standardized picture, flattened; empty if not kept.
    """

    box: Box
    text: str
    score: float
    patch: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticMarks:
    """Fine marks that more synthetic than held-out images have at one place.

    Args:
        boxes: where they are.
        synthetic_rates: share of synthetic images with strong fine detail there, by box.
        holdout_rates: share of held-out images, by box.
        threshold: difference of shares that patient-disjoint halves of the held-out images did not exceed.
    """

    boxes: Sequence[Box]
    synthetic_rates: Sequence[float]
    holdout_rates: Sequence[float]
    threshold: float


Hits: TypeAlias = tuple[tuple[TextHit, ...], ...]
Flags: TypeAlias = Sequence[tuple[str | None, str | None]]


@dataclass(frozen=True, kw_only=True, eq=False)
class TextScan:
    """Text-like regions of sets of images.

    Args:
        hits: role (``train``, ``holdout``, ``synthetic``) to the hits of each image.
        units: role to the patient of each real image, or what synthetic images belong to; by default each image alone.
        reader: name and version of what read the images; ``None`` if nothing did.
        masks: where training images were blacked out.
        masked_texts: what is known to have stood under masks, such as the names in the headers; private.
        marks: result of looking for static marks; ``None`` if nobody did.
        flags: role to the DICOM values BurnedInAnnotation and RecognizableVisualFeatures of each image.
        items: pseudonym of each synthetic image, for the list of regions to look at.

    Raises:
        InputError: if lengths do not match or a role is unknown.
    """

    hits: Mapping[str, Sequence[Sequence[TextHit]]]
    units: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reader: str | None = None
    masks: Sequence[Box] = ()
    masked_texts: Sequence[str] = ()
    marks: StaticMarks | None = None
    flags: Mapping[str, Flags] = field(default_factory=dict)
    items: Sequence[str] | None = None

    def __post_init__(self) -> None:
        known = {*self.hits, *self.units, *self.flags}
        hits: dict[str, Hits] = {role: tuple(map(tuple, self.hits.get(role, ()))) for role in ROLES}
        units = {role: tuple(self.units.get(role, tuple(f"{i:09d}" for i in range(len(hits[role]))))) for role in ROLES}
        flags = {role: tuple(tuple(pair) for pair in values) for role, values in self.flags.items()}
        object.__setattr__(self, "hits", hits)
        object.__setattr__(self, "units", units)
        object.__setattr__(self, "flags", flags)
        object.__setattr__(self, "items", None if self.items is None else tuple(self.items))
        columns: list[tuple[str, Sequence[object]]] = [*units.items(), *flags.items()]
        if self.items is not None:
            columns.append(("synthetic", self.items))
        if known - {*ROLES} or any(len(values) != len(hits[role]) for role, values in columns):
            raise InputError(
                "Hits, units, flags and items must have one entry for each training, holdout or synthetic image: got "
                "others. Give an empty tuple of hits where nothing was found."
            )

    def size(self, role: str) -> int:
        """Images of one set."""
        return len(self.hits[role])

    def reordered(self, order: Sequence[int]) -> TextScan:
        """The same sets in another order; a set shorter than `order` uses the part it can."""
        chosen = {
            role: [*(i for i in order if i < self.size(role)), *range(len(order), self.size(role))] for role in ROLES
        }
        return self._taken(chosen)

    def canonical(self) -> TextScan:
        """The same sets in an order that depends on their content only."""
        chosen = {}
        for role in ROLES:
            flags, units = self.flags.get(role), self.units[role]
            named = self.items if role == "synthetic" and self.items is not None else units
            keys = [
                (units[i], named[i], repr(flags[i] if flags else None), repr(found))
                for i, found in enumerate(self.hits[role])
            ]
            chosen[role] = sorted(range(len(keys)), key=keys.__getitem__)
        return self._taken(chosen)

    def _taken(self, chosen: Mapping[str, Sequence[int]]) -> TextScan:
        return replace(
            self,
            hits={role: tuple(self.hits[role][i] for i in rows) for role, rows in chosen.items()},
            units={role: tuple(self.units[role][i] for i in rows) for role, rows in chosen.items()},
            flags={role: tuple(values[i] for i in chosen[role]) for role, values in self.flags.items()},
            items=None if self.items is None else tuple(self.items[i] for i in chosen["synthetic"]),
        )

# SPDX-License-Identifier: Apache-2.0
"""Features of training, held-out and synthetic images, with what has to be known of how they came about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.pair_similarity import PairSimilarity
from monai_ethics.synthesis.data.protocol import FeatureProtocol

__all__ = ["ROLES", "Attributes", "FeatureSets", "Features"]

Features = Mapping[str, np.ndarray]
Attributes = Mapping[str, Sequence[str | None]]
ROLES = ("train", "holdout", "synthetic")
COLUMNS = {
    "train": ("patients", "sites", "items", "digests"),
    "holdout": ("patients", "sites", "items", "digests"),
    "synthetic": ("units", "sources", "items", "digests"),
}
UNNAMED = "features"
LONGEST = 200  # characters of the name of an attribute
LARGEST = 1e20  # of a feature: kernels take sixth powers, which have to stay finite


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureSets:
    """Three sets of images as feature rows, in one or more spaces.

    Args:
        train: images the generator was trained on: an array of shape ``(N, d)``, float, or a mapping from the name of
            a space to one; the first space is the main one.
        train_patients: patient of each training row.
        holdout: real images the generator never saw, in the same spaces.
        holdout_patients: patient of each held-out row.
        synthetic: the generator's images, in the same spaces.
        synthetic_units: what is resampled as one: the volume of a slice, the batch of a condition; by default each
            row stands alone.
        synthetic_sources: the real patient from whose image or mask each synthetic row was generated, ``None`` where
            from none; not given if that is not on record.
        split_random: whether it is on record that patients were assigned to training or holdout at random.
        train_sites: site of each training row, if the split was random within sites.
        holdout_sites: site of each held-out row.
        encoder_trained_on_train: whether anything that computes a space was fitted to the training images.
        conditioned_on_train: whether the synthetic images were generated from inputs of training patients only, such
            as their masks.
        train_views: the same images flipped, shifted and the like, in some of the spaces, shape ``(N, views, d)``.
        holdout_views: likewise.
        synthetic_views: likewise.
        train_attributes: attribute to its value in each training row; ``None`` = not recorded.
        holdout_attributes: likewise.
        synthetic_attributes: attribute to the value that was asked of the generator for each synthetic row.
        train_items: pseudonym of each training row, for the lists of pairs.
        holdout_items: pseudonym of each held-out row.
        synthetic_items: pseudonym of each synthetic row.
        train_digests: digest of each training image's content, ``None`` where it has none.
        holdout_digests: likewise.
        synthetic_digests: likewise.
        protocols: how the features of a space were computed, by name of the space.
        pair_similarity: how alike pairs of synthetic and pairs of held-out images are, computed from the images.

    Raises:
        InputError: if lengths, spaces or widths do not match, a number is not finite or above 1e20, or a patient has
            two sites.
    """

    train: Features | np.ndarray
    train_patients: Sequence[str]
    holdout: Features | np.ndarray
    holdout_patients: Sequence[str]
    synthetic: Features | np.ndarray
    synthetic_units: Sequence[str] | None = None
    synthetic_sources: Sequence[str | None] | None = None
    split_random: bool = False
    train_sites: Sequence[str] | None = None
    holdout_sites: Sequence[str] | None = None
    encoder_trained_on_train: bool = False
    conditioned_on_train: bool = False
    train_views: Features = field(default_factory=dict)
    holdout_views: Features = field(default_factory=dict)
    synthetic_views: Features = field(default_factory=dict)
    train_attributes: Attributes = field(default_factory=dict)
    holdout_attributes: Attributes = field(default_factory=dict)
    synthetic_attributes: Attributes = field(default_factory=dict)
    train_items: Sequence[str] | None = None
    holdout_items: Sequence[str] | None = None
    synthetic_items: Sequence[str] | None = None
    train_digests: Sequence[str | None] | None = None
    holdout_digests: Sequence[str | None] | None = None
    synthetic_digests: Sequence[str | None] | None = None
    protocols: Mapping[str, FeatureProtocol] = field(default_factory=dict)
    pair_similarity: PairSimilarity | None = None

    def __post_init__(self) -> None:
        for role in ROLES:
            object.__setattr__(self, role, _spaces(getattr(self, role), role))
            for column in self._columns(role):
                object.__setattr__(self, column, tuple(getattr(self, column)))
                self._of_length(role, column, len(getattr(self, column)))
            object.__setattr__(self, f"{role}_attributes", self._attributes(role))
            object.__setattr__(self, f"{role}_views", self._views(role))
        if (self.train_sites is None) != (self.holdout_sites is None):
            raise InputError("Sites must be given for training and holdout or for neither: got one. Give both.")
        for space in self.spaces:
            widths = {self.rows(role, space).shape[1] for role in ROLES if self.size(role)}
            if len(widths) > 1:
                raise InputError("The sets must have equally many features: got different ones. Use one extractor.")
        _one_site_each(self)

    @classmethod
    def one_each(cls, train: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray, **known: Any) -> FeatureSets:
        """Sets in which every real image is of a patient of its own, each of shape ``(N, d)``."""
        return cls(
            train=train,
            train_patients=[f"t{i}" for i in range(len(train))],
            holdout=holdout,
            holdout_patients=[f"h{i}" for i in range(len(holdout))],
            synthetic=synthetic,
            **known,
        )

    @property
    def spaces(self) -> tuple[str, ...]:
        """Names of the spaces, the main one first."""
        return tuple(self.train)

    def rows(self, role: str, space: str) -> np.ndarray:
        """Features of one set in one space, shape ``(N, d)``."""
        features: Features = getattr(self, role)
        if space not in features:
            raise InputError("Training, holdout and synthetic images must have the same spaces: one is missing.")
        return features[space]

    def views(self, role: str, space: str) -> np.ndarray:
        """Features of the images and of their views, shape ``(N, 1 + views, d)``; the images themselves come first."""
        rows = self.rows(role, space)[:, None, :]
        more: Features = getattr(self, f"{role}_views")
        return np.concatenate([rows, more[space]], axis=1) if space in more else rows

    def attributes(self, role: str) -> dict[str, tuple[str | None, ...]]:
        """Attributes of one set by name."""
        given: dict[str, tuple[str | None, ...]] = getattr(self, f"{role}_attributes")
        return given

    def units(self, role: str) -> tuple[str, ...]:
        """What is resampled as one, for each row: patients of real images, `synthetic_units` of synthetic ones."""
        given = self.synthetic_units if role == "synthetic" else getattr(self, f"{role}_patients")
        return tuple(given) if given is not None else tuple(f"{i:09d}" for i in range(self.size(role)))

    def size(self, role: str) -> int:
        """Images in one set."""
        return len(next(iter(getattr(self, role).values())))

    def taken(self, **rows: Sequence[int] | np.ndarray) -> FeatureSets:
        """Some rows of some sets, in the order given: ``taken(train=[2, 0])``."""
        changes: dict[str, Any] = {}
        for role, chosen in rows.items():
            index = np.asarray(chosen, dtype=np.int64)
            changes[role] = {space: self.rows(role, space)[index] for space in self.spaces}
            views: Features = getattr(self, f"{role}_views")
            changes[f"{role}_views"] = {space: array[index] for space, array in views.items()}
            named = self.attributes(role)
            changes[f"{role}_attributes"] = {name: tuple(column[i] for i in index) for name, column in named.items()}
            for column in self._columns(role):
                changes[column] = tuple(getattr(self, column)[i] for i in index)
        return replace(self, **changes)

    def within(self, spaces: Sequence[str]) -> FeatureSets:
        """The same sets in some of the spaces, in the order given."""
        changes: dict[str, Any] = {role: {space: self.rows(role, space) for space in spaces} for role in ROLES}
        for role in ROLES:
            views: Features = getattr(self, f"{role}_views")
            changes[f"{role}_views"] = {space: array for space, array in views.items() if space in spaces}
        return replace(self, **changes)

    def reordered(self, order: Sequence[int]) -> FeatureSets:
        """The same sets with the rows of each in another order; a set shorter than `order` uses the part it can."""
        rows = {role: [i for i in order if i < self.size(role)] for role in ROLES}
        return self.taken(**{role: [*kept, *range(len(order), self.size(role))] for role, kept in rows.items()})

    def canonical(self) -> FeatureSets:
        """The same sets in an order that depends on their content only."""
        return self.taken(**{role: sorted(range(self.size(role)), key=self._keys(role).__getitem__) for role in ROLES})

    def facts(self) -> dict[str, Any]:
        """What a finding says of the sets: what is on record, and the digest of each space's protocol."""
        on_record = ("split_random", "encoder_trained_on_train", "conditioned_on_train")
        known = {space: self.protocols[space].digest for space in self.spaces if space in self.protocols}
        return {**{fact: getattr(self, fact) for fact in on_record}, "main_space": self.spaces[0], "protocols": known}

    def _columns(self, role: str) -> list[str]:
        return [f"{role}_{name}" for name in COLUMNS[role] if getattr(self, f"{role}_{name}") is not None]

    def _of_length(self, role: str, name: str, length: int) -> None:
        if length != self.size(role):
            raise InputError(
                f"`{name}` must have one entry for each of the {self.size(role)} {role} images: got {length}. "
                "Give one for each."
            )

    def _attributes(self, role: str) -> dict[str, tuple[str | None, ...]]:
        given: Attributes = getattr(self, f"{role}_attributes")
        for name, column in given.items():
            if len(name) > LONGEST or not name.isprintable():
                raise InputError(f"Attributes must have names of at most {LONGEST} letters: got others. Rename them.")
            self._of_length(role, f"{role}_attributes[{name}]", len(column))
        return {name: tuple(column) for name, column in given.items()}

    def _views(self, role: str) -> dict[str, np.ndarray]:
        given: Features = getattr(self, f"{role}_views")
        for space, array in given.items():
            rows = self.rows(role, space)
            if array.ndim != 3 or (len(array), array.shape[2]) != rows.shape or not np.isfinite(array).all():
                raise InputError(
                    f"`{role}_views` must have shape (images, views, features) and finite numbers: got another. "
                    "Compute the views with the extractor of the images."
                )
        return dict(given)

    def _keys(self, role: str) -> list[tuple[str, ...]]:
        columns = [[str(value) for value in getattr(self, name)] for name in self._columns(role)]
        columns += [[str(value) for value in column] for _, column in sorted(self.attributes(role).items())]
        contents = [hashlib.sha256() for _ in range(self.size(role))]
        for space in self.spaces:
            for content, row in zip(contents, self.rows(role, space), strict=True):
                content.update(np.ascontiguousarray(row).tobytes())
        return [(*(c[i] for c in columns), content.hexdigest()) for i, content in enumerate(contents)]


def _spaces(features: Features | np.ndarray, role: str) -> dict[str, np.ndarray]:
    named = dict(features) if isinstance(features, Mapping) else {UNNAMED: features}
    rows = {name: np.asarray(array) for name, array in named.items()}
    sizes = {len(array) for array in rows.values() if array.ndim == 2}
    if len(sizes) != 1 or any(array.ndim != 2 for array in rows.values()):
        raise InputError(f"`{role}` must have shape (images, features), equal in all spaces: got another. Reshape it.")
    if not all(np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all() for array in rows.values()):
        raise InputError(f"Features of `{role}` must be finite floating-point numbers: got others. Convert them.")
    if any(array.size and max(float(array.max()), -float(array.min())) > LARGEST for array in rows.values()):
        raise InputError(f"Features of `{role}` must be below {LARGEST:g} in size: got larger ones. Rescale them.")
    return rows


def _one_site_each(sets: FeatureSets) -> None:
    if sets.train_sites is None or sets.holdout_sites is None:
        return
    pairs = {*zip(sets.train_patients, sets.train_sites, strict=True)}
    pairs |= {*zip(sets.holdout_patients, sets.holdout_sites, strict=True)}
    if len(pairs) != len({patient for patient, _ in pairs}):
        raise InputError("A patient must have one site: got a patient with two. Correct the table of sites.")

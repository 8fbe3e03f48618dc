# SPDX-License-Identifier: Apache-2.0
"""Features of training, held-out and synthetic images, with what has to be known of how they came about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from monai_ethics.errors import InputError

__all__ = ["FeatureSets", "Features"]

Features = Mapping[str, np.ndarray]
ROLES = ("train", "holdout", "synthetic")
COLUMNS = ("patients", "sites", "items", "digests")
UNNAMED = "features"


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
        split_random: whether it is on record that patients were assigned to training or holdout at random.
        train_sites: site of each training row, if the split was random within sites.
        holdout_sites: site of each held-out row.
        encoder_trained_on_train: whether anything that computes a space was fitted to the training images.
        conditioned_on_train: whether the synthetic images were generated from inputs of training patients only, such
            as their masks.
        train_items: pseudonym of each training row, for the list of pairs.
        synthetic_items: pseudonym of each synthetic row.
        train_digests: digest of each training image's content, ``None`` where it has none.
        holdout_digests: likewise.
        synthetic_digests: likewise.

    Raises:
        InputError: if lengths, spaces or widths do not match, a number is not finite, or a patient has two sites.
    """

    train: Features | np.ndarray
    train_patients: Sequence[str]
    holdout: Features | np.ndarray
    holdout_patients: Sequence[str]
    synthetic: Features | np.ndarray
    split_random: bool = False
    train_sites: Sequence[str] | None = None
    holdout_sites: Sequence[str] | None = None
    encoder_trained_on_train: bool = False
    conditioned_on_train: bool = False
    train_items: Sequence[str] | None = None
    synthetic_items: Sequence[str] | None = None
    train_digests: Sequence[str | None] | None = None
    holdout_digests: Sequence[str | None] | None = None
    synthetic_digests: Sequence[str | None] | None = None

    def __post_init__(self) -> None:
        for role in ROLES:
            object.__setattr__(self, role, _spaces(getattr(self, role), role))
            for column in self._columns(role):
                object.__setattr__(self, column, tuple(getattr(self, column)))
                if len(getattr(self, column)) != self.size(role):
                    raise InputError(
                        f"`{column}` must have one entry for each of the {self.size(role)} {role} images: got "
                        f"{len(getattr(self, column))}. Give one for each."
                    )
        if (self.train_sites is None) != (self.holdout_sites is None):
            raise InputError("Sites must be given for training and holdout or for neither: got one. Give both.")
        for space in self.spaces:
            widths = {self.rows(role, space).shape[1] for role in ROLES if self.size(role)}
            if len(widths) > 1:
                raise InputError("The sets must have equally many features: got different ones. Use one extractor.")
        _one_site_each(self)

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

    def size(self, role: str) -> int:
        """Images in one set."""
        return len(next(iter(getattr(self, role).values())))

    def taken(self, **rows: Sequence[int] | np.ndarray) -> FeatureSets:
        """Some rows of some sets, in the order given: ``taken(train=[2, 0])``."""
        changes: dict[str, object] = {}
        for role, chosen in rows.items():
            index = np.asarray(chosen, dtype=np.int64)
            changes[role] = {space: self.rows(role, space)[index] for space in self.spaces}
            for column in self._columns(role):
                changes[column] = tuple(getattr(self, column)[i] for i in index)
        return replace(self, **changes)  # type: ignore[arg-type]

    def reordered(self, order: Sequence[int]) -> FeatureSets:
        """The same sets with the rows of each in another order; a set shorter than `order` uses the part it can."""
        rows = {role: [i for i in order if i < self.size(role)] for role in ROLES}
        return self.taken(**{role: [*kept, *range(len(order), self.size(role))] for role, kept in rows.items()})

    def canonical(self) -> FeatureSets:
        """The same sets in an order that depends on their content only."""
        return self.taken(**{role: sorted(range(self.size(role)), key=self._keys(role).__getitem__) for role in ROLES})

    def _columns(self, role: str) -> list[str]:
        names = {item.name for item in fields(self)}
        wanted = [f"{role}_{column}" for column in COLUMNS if f"{role}_{column}" in names]
        return [name for name in wanted if getattr(self, name) is not None]

    def _keys(self, role: str) -> list[tuple[str, ...]]:
        columns = [[str(value) for value in getattr(self, name)] for name in self._columns(role)]
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
    return rows


def _one_site_each(sets: FeatureSets) -> None:
    if sets.train_sites is None or sets.holdout_sites is None:
        return
    pairs = {*zip(sets.train_patients, sets.train_sites, strict=True)}
    pairs |= {*zip(sets.holdout_patients, sets.holdout_sites, strict=True)}
    if len(pairs) != len({patient for patient, _ in pairs}):
        raise InputError("A patient must have one site: got a patient with two. Correct the table of sites.")

# SPDX-License-Identifier: Apache-2.0
"""One set of images as features, with what is known of each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.protocol import FeatureProtocol

__all__ = ["ImageSet"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """One set of images, as features in one or more spaces.

    Args:
        features: features by space, shape ``(N, d)``, float; the first space is the main one.
        patients: patient of each row.
        names: what the row is called where it comes from: a file's path in its folder, or a position; private.
        views: features of the same images flipped, shifted and the like, in some of the spaces, ``(N, views, d)``.
        sites: site of each row; ``None`` if none is given.
        attributes: attribute to its value in each row; ``None`` = not recorded.
        files: the files of each row, several for a DICOM series; empty for stored features.
        digests: digest of each image's content, ``None`` where it has none; ``None`` if not given.
        sources: the real patient from whom each row was generated, ``None`` where from none; ``None`` if not given.
        protocols: how the features of a space were computed, by name of the space.

    Raises:
        InputError: if there is no space, or lengths do not match.
    """

    features: Mapping[str, np.ndarray]
    patients: tuple[str, ...]
    names: tuple[str, ...]
    views: Mapping[str, np.ndarray] = field(default_factory=dict)
    sites: tuple[str, ...] | None = None
    attributes: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    files: tuple[tuple[Path, ...], ...] = ()
    digests: tuple[str | None, ...] | None = None
    sources: tuple[str | None, ...] | None = None
    protocols: Mapping[str, FeatureProtocol] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.features:
            raise InputError("A set of images needs features in at least one space: got none. Compute some.")
        columns = [self.names, self.sites, self.files or None, self.digests, self.sources]
        sized = [*self.features.values(), *self.views.values(), *self.attributes.values(), *columns]
        if any(len(column) != len(self.patients) for column in sized if column is not None):
            raise InputError(
                f"Every column of a set must have one entry for each of {len(self.patients)} rows: got another "
                "number. Give one for each."
            )

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def spaces(self) -> tuple[str, ...]:
        """Names of the spaces, the main one first."""
        return tuple(self.features)

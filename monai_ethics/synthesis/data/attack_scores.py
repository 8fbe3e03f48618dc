# SPDX-License-Identifier: Apache-2.0
"""Errors that membership attacks measured on a generator, for images it was trained on and for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from monai_ethics.errors import InputError

__all__ = ["AttackScores"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AttackScores:
    """One row for each image that an attack was tried on.

    Args:
        errors: name of an attack to its error on each image, shape ``(N,)``, finite; small errors speak for membership.
        is_member: whether the generator was trained on the image, shape ``(N,)``, bool.
        patients: patient of each image.
        sites: site of each image, if the split was random within sites.
        split_random: whether it is on record that patients were assigned to training or holdout at random.
        settings: what the attacks were run with, as JSON.

    Raises:
        InputError: if lengths do not match, a number is not finite, or a patient has two sites.
    """

    errors: Mapping[str, np.ndarray]
    is_member: np.ndarray
    patients: Sequence[str]
    sites: Sequence[str] | None = None
    split_random: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        errors = {name: np.asarray(values, dtype=np.float64) for name, values in self.errors.items()}
        labels, patients = np.asarray(self.is_member, dtype=bool), tuple(self.patients)
        sites = None if self.sites is None else tuple(self.sites)
        object.__setattr__(self, "errors", errors)
        object.__setattr__(self, "is_member", labels)
        object.__setattr__(self, "patients", patients)
        object.__setattr__(self, "sites", sites)
        shapes = {values.shape for values in errors.values()} | {labels.shape, (len(patients),)}
        if not errors or len(shapes) != 1 or (sites is not None and len(sites) != len(patients)):
            raise InputError(
                f"Errors, labels, patients and sites must have one value for each image: got shapes {sorted(shapes)}. "
                "Give one for each."
            )
        if not all(np.isfinite(values).all() for values in errors.values()):
            raise InputError("Errors of an attack must be finite: got NaN or infinity. Run the attack in float32.")
        if sites is not None and len({*zip(patients, sites, strict=True)}) != len({*patients}):
            raise InputError("A patient must have one site: got a patient with two. Correct the table of sites.")

    @property
    def attacks(self) -> tuple[str, ...]:
        """Names of the attacks, in alphabetical order."""
        return tuple(sorted(self.errors))

    def reordered(self, order: Sequence[int]) -> AttackScores:
        """The same rows in another order."""
        index = np.asarray(order, dtype=np.int64)
        return replace(
            self,
            errors={name: values[index] for name, values in self.errors.items()},
            is_member=self.is_member[index],
            patients=tuple(self.patients[i] for i in index),
            sites=None if self.sites is None else tuple(self.sites[i] for i in index),
        )

    def canonical(self) -> AttackScores:
        """The same rows in an order that depends on their content only."""
        columns = [self.errors[name] for name in self.attacks]
        keys = [
            (patient, bool(member), *row)
            for patient, member, *row in zip(self.patients, self.is_member.tolist(), *columns, strict=True)
        ]
        return self.reordered(sorted(range(len(keys)), key=keys.__getitem__))

# SPDX-License-Identifier: Apache-2.0
"""What the demo simulates: sizes, seeds and the planted faults, so that each finding can be compared with the truth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from monai_ethics._resources import policy_path
from monai_ethics.cohort import Bias, Cohort, FaultyGenerator

__all__ = ["DemoPlan"]


@dataclass(frozen=True, kw_only=True)
class DemoPlan:
    """Sizes, seeds and planted faults of the demo.

    Args:
        n_test: subjects of each of the two test cohorts.
        n_train: subjects that the generator was "trained" on.
        n_holdout: subjects of the same cohort that it never saw.
        n_synthetic: images of each of the two synthetic sets.
        copies: share of the first synthetic set that repeats a training subject with 1 % noise.
        bias: the disadvantage planted in the first test cohort.
        seed: of every random number.
    """

    n_test: int = 220
    n_train: int = 60
    n_holdout: int = 60
    n_synthetic: int = 80
    copies: float = 0.15
    bias: Bias = field(default_factory=lambda: Bias(contrast=0.5))
    seed: int = 2026

    @staticmethod
    def policy() -> Path:
        """The policy file by which the demo's findings are judged."""
        return policy_path("demo")

    def test_cohort(self, *, planted: bool) -> Cohort:
        """A cohort on which the model is evaluated, with or without the planted disadvantage of one sex."""
        return Cohort(n=self.n_test, seed=self.seed + (0 if planted else 1), bias=self.bias if planted else Bias())

    def reference(self) -> Cohort:
        """The cohort that is split at random into training and held-out subjects: subject i is independent of i."""
        return Cohort(n=self.n_train + self.n_holdout, seed=self.seed + 2)

    def generator(self, *, faulty: bool) -> FaultyGenerator:
        """A generator "trained" on the first `n_train` subjects of the reference cohort, copying some or none."""
        honest = FaultyGenerator(
            reference=self.reference(), training=range(self.n_train), n=self.n_synthetic, seed=self.seed + 3
        )
        return replace(honest, copies=self.copies) if faulty else replace(honest, seed=self.seed + 4)

# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.coverage`: which real images have synthetic ones near them, and the other way round?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.gram import Gram
from monai_ethics.synthesis.methods.comparison import SetComparison, estimates_of, mostly_equal
from monai_ethics.synthesis.methods.floor import Design, Statistic

__all__ = ["SynthesisCoverage"]

SOURCES = (
    Source(
        title="T. Kynkaanniemi et al., Improved precision and recall metric for assessing generative models (2019)",
        locator="section 2",
        url="https://arxiv.org/abs/1904.06991",
    ),
    Source(
        title="M. F. Naeem et al., Reliable fidelity and diversity metrics for generative models (2020)",
        locator="section 3",
        url="https://arxiv.org/abs/2002.09797",
    ),
)
LIMITATIONS = (
    "None of these numbers is 1 for a perfect generator: only the floor says what real images of other patients reach.",
    "The values are shares at this number of images and neighbors, and are not corrected towards any other number.",
    "Recall can rise as synthetic images become fewer kinds, because neighborhoods grow: read it beside coverage.",
    "Copies of training patients lie where real images lie and are counted as any other image.",
    "Intervals are wider than they would have to be, up to about three times: small differences are missed.",
)


@dataclass(frozen=True, kw_only=True)
class SynthesisCoverage(SetComparison):
    r"""Which real images have synthetic images near them, and which synthetic images lie where real ones do?

    The neighborhood of an image is the ball that reaches its k-th neighbor in its own set. Precision is the share of
    synthetic images in the neighborhood of a real one, recall the share of real images in that of a synthetic one,
    density the mean number of real neighborhoods around a synthetic image over ``k``, coverage the share of real
    neighborhoods with a synthetic image. Each stands beside the same number for real images of other patients, at the
    same number of images, with a delete-group jackknife by patient and synthetic unit over both.

    Args:
        neighbors: ``k``.

    Notes:
        The estimand is the number at this many images; it is not bias-corrected, which would leave [0, 1].
        It is not assessable with fewer than 20 held-out patients or 10 synthetic units, or if a side has no more
        images than neighbors once a group is left out.

    References:
        MIS-17 asks for it; Kynkaanniemi et al. (2019), section 2; Naeem et al. (2020), section 3.
    """

    id: ClassVar[str] = "synthesis.coverage"
    title: ClassVar[str] = "Which real images are represented by the synthetic ones?"
    requirements: ClassVar[tuple[str, ...]] = ("MIS-17",)

    neighbors: int = 5

    def __call__(self, data: FeatureSets, /) -> Finding:
        """Measure precision, recall, density and coverage with their floors in each space.

        Args:
            data: held-out and synthetic features.

        Returns:
            A finding, `measured` or `not_assessable`; the same whatever the order of the images.
        """
        sets = data.canonical()
        try:
            used = self.used(sets)
            drawn = self._drawn(used)
        except NotAssessableError as error:
            statement = "Which real images are represented by the synthetic ones could not be assessed."
            return self.finding(sets, statement=statement, reason=str(error))
        estimates: list[Estimate] = []
        for _, group, gram in self.grams(used):
            found = self.beside(self._statistic(gram, drawn), drawn)
            for (name, what), one in zip(self._shares().items(), found, strict=True):
                bounds = (0.0, math.inf if name == "density" else 1.0)
                estimates += estimates_of(name, one, drawn, estimand=what, group=group, bounds=bounds)
        return self.finding(
            sets,
            used,
            statement=_statement(estimates, drawn, space=used.spaces[0], k=self.neighbors),
            estimates=tuple(estimates),
            limitations=LIMITATIONS,
            sources=SOURCES,
        )

    @staticmethod
    def example(n: int, seed: int) -> FeatureSets:
        """`n` training, held-out and synthetic images of as many patients; one of two kinds is never generated."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        for real in (train, holdout):
            real[: n // 2, 0] += 6
        return FeatureSets.one_each(train, holdout, synthetic)

    def _drawn(self, used: FeatureSets) -> Design:
        drawn = self.drawn(used)
        left = min(split.smallest_without(drawn.groups) for split in drawn.splits)
        if left <= self.neighbors:
            raise NotAssessableError(
                f"{drawn.size} images a side, {left} once a group is left out, are too few for {self.neighbors} "
                "neighbors."
            )
        return drawn

    def _shares(self) -> dict[str, str]:
        k = self.neighbors
        return {
            "precision": f"share of images in the neighborhood (k = {k}) of a held-out image, precision",
            "recall": f"share of held-out images in a neighborhood (k = {k}), recall",
            "density": f"mean number of held-out neighborhoods (k = {k}) around an image over k, density",
            "coverage": f"share of held-out neighborhoods (k = {k}) with an image, coverage",
        }

    def _statistic(self, gram: Gram, drawn: Design) -> Statistic:
        flat = mostly_equal(gram, drawn.real_rows)

        def statistic(real: np.ndarray, other: np.ndarray) -> Sequence[float | None]:
            if flat:
                return (None,) * 4
            found = gram.manifold(real, other, k=self.neighbors)
            return found.precision, found.recall, found.density, found.coverage

        return statistic


def _statement(found: Sequence[Estimate], drawn: Design, *, space: str, k: int) -> str:
    first = {estimate.name: estimate for estimate in reversed(found)}
    value, floor, excess = (first[f"coverage{suffix}"] for suffix in ("", "_floor", "_excess"))
    if value.value is None or floor.value is None:
        return (
            f"In {space}, most held-out images are the same, so neighborhoods have no extent and no share is defined."
        )
    counted = (
        f"In {space}, at {drawn.size} images a side and {k} neighbors, synthetic images cover {value.value:.0%} of the "
        f"held-out images, and real images of other patients {floor.value:.0%}"
    )
    if excess.low is None or excess.high is None:
        return f"{counted}; all replicates of the difference are equal."
    told = "that they leave out more is not shown" if excess.high >= 0 else "synthetic images leave out more"
    return f"{counted}; the difference lies between {excess.low:+.1%} and {excess.high:+.1%}: {told}."

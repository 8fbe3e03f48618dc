# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.diversity`: are synthetic images as varied as held-out real ones?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.gram import Gram
from monai_ethics.synthesis.methods.comparison import SetComparison, estimates_of
from monai_ethics.synthesis.methods.distinct import distinct_images
from monai_ethics.synthesis.methods.floor import Design, Statistic
from monai_ethics.synthesis.methods.pair_means import pair_estimates

__all__ = ["SynthesisDiversity"]

COUNTED = "A count in this set, not an estimate from a sample."
SOURCES = (
    Source(title="D. Friedman and A. B. Dieng, The Vendi score (2023)", url="https://arxiv.org/abs/2210.02410"),
    Source(title="O. Roy and M. Vetterli, The effective rank (2007)", locator="definition 1"),
    Source(
        title="F. Ibarrola and K. Grace, Measuring diversity in co-creative image generation (2024)",
        locator="truncated entropy",
        url="https://arxiv.org/abs/2403.13826",
    ),
)
LIMITATIONS = (
    "All these numbers grow or fall with the number of images and with noise: compare them with their floor only.",
    "Truncated entropy rises as images are copied while more different ones are left than it looks at: it is no "
    "evidence of diversity without effective rank, Vendi score and the count of distinct images beside it.",
    "Varied is not real: noise is the most varied of all. Read it beside fidelity.",
    "Images that repeat training patients are as varied as those patients are.",
)


@dataclass(frozen=True, kw_only=True)
class SynthesisDiversity(SetComparison):
    r"""Are synthetic images as varied as held-out real images, at the same number of images?

    The Vendi score and the effective rank are exponentials of the entropy of eigenvalues, of cosine similarities and
    of the covariance; truncated entropy is that of a Gaussian with the ``K`` largest eigenvalues,

    .. math:: H_K = \frac{K}{2} \ln(2 \pi e) + \frac{1}{2} \sum_{i \le K} \ln \lambda_i.

    Each stands beside the same number for held-out images and their difference, with one delete-group jackknife by
    patient and synthetic unit. Images that are one are counted once beside them. If similarities of image pairs come
    with the sets, their mean stands beside that of real pairs of different patients.

    Args:
        largest: ``K``, the eigenvalues that truncated entropy looks at.
        same_ratio: synthetic images are one if closer than this share of the median distance between a held-out image
            and the nearest one of another patient.

    Notes:
        Truncated entropy rewards copies and is never given alone; it has no value where images span fewer than ``K``
        directions in any comparison or replicate.
        It is not assessable with fewer than 20 held-out patients or 10 synthetic units.

    References:
        TRU-05 and GEN-14 ask for it; Friedman and Dieng (2023); Roy and Vetterli (2007); Ibarrola and Grace (2024).
    """

    id: ClassVar[str] = "synthesis.diversity"
    title: ClassVar[str] = "Are synthetic images as varied as real ones?"
    requirements: ClassVar[tuple[str, ...]] = ("TRU-05", "GEN-14")

    largest: int = 20
    same_ratio: float = 0.01

    def __call__(self, data: FeatureSets, /) -> Finding:
        """Measure how varied synthetic and held-out images are in each space.

        Args:
            data: held-out and synthetic features, and similarities of pairs if there are any.

        Returns:
            A finding, `measured` or `not_assessable`; the same whatever the order of the images.
        """
        sets = data.canonical()
        try:
            used = self.used(sets)
            drawn = self.drawn(used)
        except NotAssessableError as error:
            statement = "Whether synthetic images are as varied as real ones could not be assessed."
            return self.finding(sets, statement=statement, reason=str(error))
        estimates: list[Estimate] = []
        for _, group, gram in self.grams(used):
            found = self.beside(self._statistic(gram), drawn)
            for (name, what), one in zip(self._measures().items(), found, strict=True):
                estimates += estimates_of(name, one, drawn, estimand=what, group=group, paired=False)
            estimates.append(self._distinct(used, gram, group=group))
        if sets.pair_similarity is not None:
            estimates += pair_estimates(sets.pair_similarity, groups=self.groups, level=self.level, seed=self.seed)
        return self.finding(
            sets,
            used,
            statement=_statement(estimates, drawn, space=used.spaces[0]),
            estimates=tuple(estimates),
            limitations=LIMITATIONS,
            sources=SOURCES,
        )

    @staticmethod
    def example(n: int, seed: int) -> FeatureSets:
        """`n` training, held-out and synthetic images of as many patients; each synthetic one occurs twice."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 30))
        synthetic[n // 2 : 2 * (n // 2)] = synthetic[: n // 2]
        return FeatureSets.one_each(train, holdout, synthetic)

    def _measures(self) -> dict[str, str]:
        return {
            "vendi_score": "Vendi score, the effective number of different images by cosine similarity,",
            "effective_rank": "effective rank of the covariance",
            "truncated_entropy": f"entropy of the {self.largest} largest eigenvalues of the covariance",
        }

    def _statistic(self, gram: Gram) -> Statistic:
        def statistic(real: np.ndarray, other: np.ndarray) -> Sequence[float | None]:
            entropy = gram.truncated_entropy(other, self.largest)
            return _or_none(gram.vendi, other), _or_none(gram.effective_rank, other), entropy

        return statistic

    def _distinct(self, used: FeatureSets, gram: Gram, *, group: dict[str, str]) -> Estimate:
        real, made = np.arange(used.size("holdout")), used.size("holdout") + np.arange(used.size("synthetic"))
        apart = self.same_ratio * _usual_distance(gram.distances(real, real), used.units("holdout"))
        count = distinct_images(gram.distances(made, made), apart=apart, digests=used.synthetic_digests)
        return Estimate(
            name="distinct_images",
            value=count,
            unit="images",
            n=len(made),
            n_unit="synthetic images",
            estimand=f"synthetic images, those counted once that are closer than {self.same_ratio:g} of the usual "
            "distance between real images of different patients, or have the same content",
            group=group,
            reason=COUNTED,
        )


def _or_none(measure: Callable[[np.ndarray], float], rows: np.ndarray) -> float | None:
    try:
        return float(measure(rows))
    except (InputError, NotAssessableError):  # a row without a direction, or all rows the same
        return None


def _usual_distance(between: torch.Tensor, patients: Sequence[str]) -> float:
    """Median distance from an image to the nearest one of another patient, in the unit of the features."""
    codes = torch.as_tensor(np.unique(np.asarray(patients), return_inverse=True)[1], device=between.device)
    others = between.masked_fill(codes[:, None] == codes[None, :], torch.inf)
    return float(others.min(dim=1).values.median())


def _statement(found: Sequence[Estimate], drawn: Design, *, space: str) -> str:
    first = {estimate.name: estimate for estimate in reversed(found)}
    rank, floor, excess = (first[f"effective_rank{suffix}"] for suffix in ("", "_floor", "_excess"))
    distinct = first["distinct_images"]
    counted = f"{distinct.value:.0f} of {distinct.n} synthetic images are distinct"
    if rank.value is None or floor.value is None or excess.low is None or excess.high is None:
        return f"In {space}, at {drawn.size} images a side, effective rank is undefined; {counted}."
    told = "that they are less varied is not shown, which is not to say that they are as varied"
    if excess.high < 0:
        told = "they are less varied"
    elif excess.low > 0:
        told = "they are more varied, as noise is, too"
    entropy = first["truncated_entropy_excess"].value
    copied = ""
    if entropy is not None and entropy > 0 and excess.high < 0:
        copied = " Truncated entropy is higher than among real images all the same, as it is with copies."
    return (
        f"In {space}, at {drawn.size} images a side, synthetic images have an effective rank of {rank.value:.3g}, "
        f"where held-out images have {floor.value:.3g}; the difference lies between {excess.low:+.3g} and "
        f"{excess.high:+.3g}: {told}; {counted}.{copied}"
    )

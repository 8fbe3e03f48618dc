# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.fidelity`: how far are synthetic images from held-out real ones, beside real ones of others?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.gram import Gram
from monai_ethics.synthesis.kernels.two_sample import classifier_auc
from monai_ethics.synthesis.methods.comparison import EVERYWHERE, SetComparison, estimate_of, estimates_of
from monai_ethics.synthesis.methods.floor import Design, drawn_rows
from monai_ethics.synthesis.methods.projected import projected_frechet

__all__ = ["SynthesisFidelity"]

DISTANCES = {
    "frechet_distance": "Frechet distance",
    "kid": "kernel distance with the cubic kernel, unbiased",
    "mmd": "squared maximum mean discrepancy with Gaussian kernels, unbiased",
    "nearest_neighbor_accuracy": "balanced leave-one-out accuracy of the nearest neighbor at telling two sets apart",
}
BOUNDS = {
    "frechet_distance": EVERYWHERE,
    "kid": EVERYWHERE,
    "mmd": EVERYWHERE,
    "nearest_neighbor_accuracy": (0.0, 1.0),
}
FIXING = 1000  # training images that fix the directions
NO_SPREAD = (
    "A classifier is fitted anew for each split; the spread over splits that share patients is no standard error."
)
SOURCES = (
    Source(
        title="M. Heusel et al., GANs trained by a two time-scale update rule (2017)",
        locator="section 3",
        url="https://arxiv.org/abs/1706.08500",
    ),
    Source(title="M. Binkowski et al., Demystifying MMD GANs (2018)", url="https://arxiv.org/abs/1801.01401"),
    Source(title="A. Gretton et al., A kernel two-sample test, JMLR 13 (2012)", locator="equation 3"),
    Source(
        title="D. Lopez-Paz and M. Oquab, Revisiting classifier two-sample tests (2017)",
        url="https://arxiv.org/abs/1610.06545",
    ),
    Source(
        title="F. M. T. A. Busing, E. Meijer and R. van der Leeden, Delete-m jackknife for unequal m, "
        "Statistics and Computing 9 (1999)"
    ),
)
LIMITATIONS = (
    "Images that repeat training patients look as real as real ones: read it beside the memorization checks only.",
    "Values hold at this number of images and for these features; with others they are other values.",
    "At a given number of images less varied images have a smaller Frechet distance: an excess below 0 is no merit.",
    "That no excess is shown does not mean that there is none: features see only part of an image.",
    "Near equality intervals are up to about three times as wide as they would have to be, and miss small differences.",
)


@dataclass(frozen=True, kw_only=True)
class SynthesisFidelity(SetComparison):
    r"""How far are synthetic images from held-out real images, beside real images of other patients?

    Held-out patients are split into disjoint halves ``A`` and ``B`` again and again; from the synthetic images as many
    are drawn. For a distance ``m`` between two sets,

    .. math:: m = \overline{m(S, A)}, \quad m_\mathrm{floor} = \overline{m(B, A)}, \quad
        m_\mathrm{excess} = m - m_\mathrm{floor},

    with one delete-group jackknife by patient and synthetic unit over all three. Training images are never compared
    with: a generator that repeats them would come out best.

    Args:
        classified: splits in which a classifier is fitted.

    Notes:
        All but one of the numbers are differences at this number of images. The Frechet distance between populations
        is given in at most N/10 directions, fixed on the training images, where its bias can be taken off.
        It is not assessable with fewer than 20 held-out patients or 10 synthetic units.

    References:
        TRU-04 and MIS-18 ask for it; see `SOURCES` for the distances.
    """

    id: ClassVar[str] = "synthesis.fidelity"
    title: ClassVar[str] = "How far are synthetic images from real ones of patients the generator never saw?"
    requirements: ClassVar[tuple[str, ...]] = ("TRU-04", "MIS-18")

    classified: int = 4

    def __call__(self, data: FeatureSets, /) -> Finding:
        """Measure distances, floors and excesses in each space.

        Args:
            data: held-out and synthetic features; training features fix the directions of the projection.

        Returns:
            A finding, `measured` or `not_assessable`; the same whatever the order of the images.
        """
        sets = data.canonical()
        try:
            used = self.used(sets)
            drawn = self.drawn(used)
        except NotAssessableError as error:
            return self.finding(
                sets, statement="How far synthetic images are from real ones could not be assessed.", reason=str(error)
            )
        estimates: list[Estimate] = []
        for space, group, gram in self.grams(used):
            estimates += self._distances(gram, drawn, group=group)
            estimates += self._classifier(gram, drawn, group=group)
            estimates.append(self._projected(used, space, group=group))
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
        """`n` training, held-out and synthetic images of as many patients, the synthetic ones a little less varied."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        return FeatureSets.one_each(train, holdout, 0.8 * synthetic)

    def _distances(self, gram: Gram, drawn: Design, *, group: Mapping[str, str]) -> list[Estimate]:
        widths = _widths(gram, drawn)

        def statistic(real: np.ndarray, other: np.ndarray) -> Sequence[float | None]:
            return (
                gram.frechet(real, other),
                gram.kid(real, other),
                None if widths is None else gram.mmd(real, other, widths),
                gram.nearest_neighbor_accuracy(real, other),
            )

        found = self.beside(statistic, drawn)
        return [
            estimate
            for (name, what), one in zip(DISTANCES.items(), found, strict=True)
            for estimate in estimates_of(name, one, drawn, estimand=what, group=group, bounds=BOUNDS[name])
        ]

    def _classifier(self, gram: Gram, drawn: Design, *, group: Mapping[str, str]) -> list[Estimate]:
        areas = []
        for split in drawn.splits[: max(1, self.classified)]:
            units = [f"{i}" for i in range(drawn.size)]
            areas.append(
                [
                    classifier_auc(
                        gram.rows[split.real],
                        gram.rows[other],
                        x_units=units,
                        y_units=[f"other-{unit}" for unit in units],
                        seed=self.seed,
                    )
                    for other in (split.synthetic, split.other)
                ]
            )
        value, floor = np.mean(areas, axis=0).tolist()
        against = f"held-out images, at {drawn.size} a side; mean over {len(areas)} splits"
        rows = (
            ("", value, f"area under the ROC curve of a linear classifier of synthetic against {against}"),
            ("_floor", floor, f"the same area for real images of other patients against {against}"),
            ("_excess", value - floor, f"classifier_auc less classifier_auc_floor, at {drawn.size} a side"),
        )
        return [
            Estimate(
                name=f"classifier_auc{suffix}",
                value=number,
                unit="1",
                n=drawn.patients + drawn.units,
                n_unit="patients and synthetic units",
                estimand=what,
                group=group,
                reason=NO_SPREAD,
            )
            for suffix, number, what in rows
        ]

    def _projected(self, used: FeatureSets, space: str, *, group: Mapping[str, str]) -> Estimate:
        name, n = "frechet_distance_projected", len({*used.units("holdout")}) + len({*used.units("synthetic")})
        fixing = drawn_rows(used.units("train"), most=FIXING, rng=np.random.default_rng(self.seed))
        try:
            found = projected_frechet(
                used.rows("holdout", space),
                used.rows("synthetic", space),
                used.rows("train", space)[fixing],
                patients=used.units("holdout"),
                units=used.units("synthetic"),
                groups=self.groups,
                level=self.level,
                seed=self.seed,
            )
        except NotAssessableError as error:
            return Estimate(
                name=name,
                value=None,
                unit="1",
                n=n,
                n_unit="patients and synthetic units",
                estimand="Frechet distance between the populations",
                group=group,
                reason=str(error),
            )
        return estimate_of(
            name,
            found.estimate,
            unit="1",
            n=n,
            n_unit="patients and synthetic units",
            estimand="Frechet distance between the populations of synthetic and of held-out images in "
            f"{found.dimensions} directions fixed on the training images; 0 if the generator is perfect",
            group=group,
        )


def _widths(gram: Gram, drawn: Design) -> tuple[float, ...] | None:
    """Widths of the kernels from all held-out images; ``None`` where these are mostly equal and set no scale."""
    try:
        return gram.bandwidths(np.arange(drawn.real_rows))
    except NotAssessableError:
        return None


def _statement(found: Sequence[Estimate], drawn: Design, *, space: str) -> str:
    """The unbiased discrepancy decides what is said; the Frechet distance stands beside it with its floor."""
    first = {estimate.name: estimate for estimate in reversed(found)}
    value, floor, excess = (first[f"mmd{suffix}"] for suffix in ("", "_floor", "_excess"))
    if value.value is None or floor.value is None or excess.low is None or excess.high is None:
        return f"At {drawn.size} images a side, the discrepancy in {space} is undefined."
    told = "a difference is not shown, which is not to say there is none"
    if excess.low > 0:
        told = "a difference is shown"
    elif excess.high < 0:
        told = "they lie nearer to held-out images than other patients' images do, as copies of those would"
    near, apart = first["frechet_distance"].value, first["frechet_distance_floor"].value
    beside = f" The Frechet distance at this number is {near:.3g}, where it is {apart:.3g} among real images"
    no_merit = first["frechet_distance_excess"].high
    lower = "; to be below is no merit, as less varied or copied images are" if no_merit is not None else ""
    return (
        f"In {space}, at {drawn.size} images a side, the discrepancy (MMD) of synthetic from held-out images is "
        f"{value.value:.3g}, where that of real images of other patients is {floor.value:.3g}; the excess lies between "
        f"{excess.low:.3g} and {excess.high:.3g}: {told}.{beside}{lower if (no_merit or 0) < 0 else ''}."
    )

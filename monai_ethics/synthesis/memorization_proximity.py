# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.memorization_proximity`: are synthetic images closer to training than real images are?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.neighbors import nearest
from monai_ethics.synthesis.methods.beside_holdout import beside_holdout
from monai_ethics.synthesis.methods.closest import closest, views_compared
from monai_ethics.synthesis.methods.copy_measures import (
    above_correlation,
    authentic,
    cells_of,
    copying_z,
    copying_z_of_halves,
)
from monai_ethics.synthesis.methods.membership_conditions import require_sets, spaces_left_out, without_left_out
from monai_ethics.synthesis.methods.pairs import neighbor_ratio
from monai_ethics.synthesis.methods.precedence import precedence, smallest_detectable
from monai_ethics.synthesis.methods.real_duplicates import without_duplicates

__all__ = ["MemorizationProximity"]

FEWEST = 2
ATTAINED = 0.05  # a p-value that can never be as small is none; it judges nothing
SENSITIVE = (
    "images smoother or less varied than real ones, images generated from inputs of training patients, or held-out "
    "images from elsewhere"
)
SOURCES = (
    Source(title="L. S. Nelson, Tables for a precedence life test, Technometrics 5 (1963)", locator="pages 491-499"),
    Source(
        title="N. Carlini et al., Extracting training data from diffusion models (2023)",
        locator="nearest-neighbor ratio",
        url="https://arxiv.org/abs/2301.13188",
    ),
    Source(
        title="S. U. H. Dar et al., Unconditional latent diffusion models memorize patient imaging data (2024)",
        locator="correlation above the 95th percentile",
        url="https://arxiv.org/abs/2402.01054",
    ),
    Source(
        title="A. M. Alaa et al., How faithful is your synthetic data? (2022)",
        locator="authenticity",
        url="https://arxiv.org/abs/2102.08921",
    ),
    Source(
        title="C. Meehan et al., A non-parametric test to detect data-copying in generative models (2020)",
        locator="C_T",
        url="https://arxiv.org/abs/2004.05675",
    ),
)
LIMITATIONS = (
    "It is an alarm, never an all-clear: sets that pass tests of distance still disclose members to other attacks.",
    f"Its p-value is right for a generator without any fault only; it is small for {SENSITIVE} as well.",
    "The published measures have a value without any copying that depends on the data: compare each with its floor.",
    "The threshold of correlations is found on the held-out images themselves: the excess is a little above 0 without "
    "copies.",
    "It sees copies only as these features do.",
)


@dataclass(frozen=True, kw_only=True)
class MemorizationProximity:
    """Are synthetic images closer to training images than real held-out images are?

    The comparison in use elsewhere, with what is known of it said beside it: the order-statistic test of synthetic
    against held-out images by their distance to training, and four published measures, each for synthetic images and
    for held-out images in their place. `synthesis.memorization_membership` is the test that holds its level.

    Args:
        permutations: random labelings, used if there is more than one space.
        seed: seed of labelings, of cells and halves, and of the image drawn of a patient with several.
        neighbors: training images over which the nearest-neighbor ratio averages.
        ratio_scale: factor of that average; a ratio below 1 stands out.
        percentile: of the correlations of training with held-out images, the threshold after Dar et al.
        cells: cells over which C_T averages.
        splits: random halves of held-out patients for the floor of C_T.
        duplicate_ratio: see `synthesis.real_overlap`; such patients are left out first.
        device: where distances are computed, such as ``"cuda"``.

    Notes:
        Nothing here is judged. Where the p-value has no meaning (the split was not random, sites differ, images were
        generated from training patients' inputs) it has no value and says why; the measures remain as descriptions.

    References:
        Carlini et al. (2023), Dar et al. (2024), Alaa et al. (2022), Meehan et al. (2020); GEN-02.
    """

    id: ClassVar[str] = "synthesis.memorization_proximity"
    title: ClassVar[str] = "Are synthetic images closer to training than real images are?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("GEN-02", "FMF-05", "FMF-16")

    permutations: int = 9999
    seed: int = 0
    neighbors: int = 50
    ratio_scale: float = 0.5
    percentile: float = 95.0
    cells: int = 3
    splits: int = 99
    duplicate_ratio: float = 0.01
    device: str = "cpu"

    def __call__(self, data: FeatureSets) -> Finding:
        """Compare synthetic with held-out images by their distance to training images.

        Args:
            data: training, held-out and synthetic features with what is known of them.

        Returns:
            A finding, at most `measured`; the same whatever the order of the images.
        """
        sets = data.canonical()
        left_out = spaces_left_out(sets)
        try:
            require_sets(sets)
            used = without_duplicates(without_left_out(sets, left_out), ratio=self.duplicate_ratio, device=self.device)
            _require_some(used)
        except NotAssessableError as error:
            return self._finding(
                sets,
                left_out,
                verdict=Verdict.NOT_ASSESSABLE,
                statement="Whether synthetic images are closer to training than real images could not be assessed.",
                reason=str(error),
                accounting=_accounting(sets, sets),
            )
        p_value, closer = self._test(used, why=_no_p_value(sets))
        measures = [estimate for space in used.spaces for estimate in self._measures(used.within((space,)))]
        return self._finding(
            used,
            left_out,
            verdict=Verdict.MEASURED,
            statement=_statement(used, p_value=p_value, closer=closer),
            estimates=(p_value, *closer, *_in_spaces(measures, used.spaces)),
            accounting=_accounting(sets, used),
            seed=self.seed,
        )

    @staticmethod
    def example(n: int, seed: int) -> FeatureSets:
        """`n` training, held-out and synthetic images of as many patients, a tenth of the synthetic ones copied."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        synthetic[: n // 10] = train[: n // 10] + 0.001 * rng.standard_normal((n // 10, 8))
        return FeatureSets.one_each(train, holdout, synthetic, split_random=True)

    def _finding(self, sets: FeatureSets, left_out: dict[str, str], **kept: Any) -> Finding:
        views = views_compared(sets, queries=("synthetic", "holdout"), reference="train")
        return Finding(
            **question_of(self),
            subjects=sets.spaces,
            parameters={**asdict(self), **sets.facts(), "spaces_left_out": left_out, "views": views},
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )

    def _test(self, used: FeatureSets, *, why: str | None) -> tuple[Estimate, list[Estimate]]:
        """The p-value, or why there is none, and by space how many synthetic images are closer."""
        rng = np.random.default_rng(self.seed)
        made, real = (_one_of_each(used.units(role), rng) for role in ("synthetic", "holdout"))
        columns, counts = [], []
        for space in used.spaces:
            near = closest(used, space, queries=("synthetic", "holdout"), reference="train", device=self.device)
            distance, others = near["synthetic"].distance, near["holdout"].distance
            columns.append(np.concatenate([distance[made], others[real]]))
            counts.append(_closer(int((distance < others.min()).sum()), len(distance)))
        many = len(used.spaces) > 1
        if why is None and smallest_detectable(len(made), len(real), significance=ATTAINED) is None:
            why = f"With {len(made)} and {len(real)} independent images no p-value could be {ATTAINED:g} or less."
        values = np.stack(columns, axis=1)
        labels = np.arange(len(values)) < len(made)
        test = precedence(values, labels, permutations=self.permutations, seed=self.seed) if why is None else None
        p_value = Estimate(
            name="p_value_closer_to_training_than_real_images_are",
            value=None if test is None else test.p_value,
            unit="1",
            n=len(values),
            n_unit="images",
            estimand="chance of at least as many closer synthetic images if they were new real images; small also for "
            + SENSITIVE,
            method="precedence test, one image of each synthetic unit and held-out patient, "
            + (f"max-T over {self.permutations} permutations" if many else "exact"),
            reason="A p-value has no interval." if why is None else why,
        )
        return p_value, list(_in_spaces(counts, used.spaces))

    def _measures(self, used: FeatureSets) -> list[Estimate]:
        """The published measures in one space, each beside its value for held-out images."""
        (space,) = used.spaces
        made, real, train = (used.rows(role, space) for role in ("synthetic", "holdout", "train"))
        outlying = self._outlying(used)
        far = (authentic(made, train, device=self.device), authentic(real, train, device=self.device))
        found = above_correlation((made, real), train, real, percentile=self.percentile, device=self.device)
        threshold = "a threshold" if found is None else f"{found[0]:.3g}"
        return [
            *beside_holdout(
                used,
                "outlying_images",
                outlying,
                estimand=f"share with a nearest-neighbor ratio below 1 (scale {self.ratio_scale:g})",
                reason="Fewer than ten training images, or all are the same.",
            ),
            *beside_holdout(
                used,
                "authenticity",
                far,
                estimand="share farther from the nearest training image than that one from the nearest other one",
            ),
            *beside_holdout(
                used,
                "correlation_above_threshold",
                None if found is None else (found[1][0], found[1][1]),
                estimand=f"share whose largest correlation with a training image exceeds {threshold}, percentile "
                f"{self.percentile:g} of the largest correlations of training with held-out images",
                reason="Fewer than three features, or constant ones.",
            ),
            *self._copying_z(used),
        ]

    def _outlying(self, used: FeatureSets) -> tuple[np.ndarray, np.ndarray] | None:
        """Which synthetic and held-out images have a ratio below 1; ``None`` if the ratio is not defined."""
        near = closest(used, used.spaces[0], queries=("synthetic", "holdout"), reference="train", device=self.device)
        scaled: dict[str, Any] = {"neighbors": self.neighbors, "scale": self.ratio_scale, "device": self.device}
        made, real = (neighbor_ratio(used, role, near[role].distance, **scaled) for role in ("synthetic", "holdout"))
        return (made < 1, real < 1) if np.isfinite(made).any() else None

    def _copying_z(self, used: FeatureSets) -> Iterator[Estimate]:
        (space,) = used.spaces
        made, real = (
            nearest(used.rows(role, space), used.rows("train", space), device=self.device).distance[:, 0]
            for role in ("synthetic", "holdout")
        )
        cells = cells_of(used, cells=self.cells, seed=self.seed, device=self.device)
        score = copying_z(made, real, synthetic_cells=cells["synthetic"], holdout_cells=cells["holdout"])
        halves = copying_z_of_halves(real, cells["holdout"], used.holdout_patients, splits=self.splits, seed=self.seed)
        yield Estimate(
            name="copying_z",
            value=score,
            unit="standard deviations",
            n=used.size("synthetic"),
            n_unit="images",
            estimand="mean over cells of the Mann-Whitney z of distances to training, synthetic against held-out; "
            "negative = synthetic images are closer",
            reason="A z-score has no interval." if score is not None else "No cell has five images of each set.",
        )
        yield Estimate(
            name="copying_z_floor",
            value=float(np.percentile(halves, 5)) if len(halves) else None,
            unit="standard deviations",
            n=used.size("holdout"),
            n_unit="images",
            estimand=f"5th percentile of the same between random halves of held-out patients, {len(halves)} splits",
            reason="A percentile over splits has no interval." if len(halves) else "No cell has five images of a half.",
        )


def _require_some(used: FeatureSets) -> None:
    """Raise if there is too little to compare."""
    patients, images = len({*used.holdout_patients}), used.size("train")
    if min(patients, images, used.size("synthetic")) < FEWEST:
        raise NotAssessableError(
            f"At least {FEWEST} training images, held-out patients and synthetic images are needed once duplicates "
            f"are left out: got {images}, {patients} and {used.size('synthetic')}."
        )


def _no_p_value(given: FeatureSets) -> str | None:
    """Why held-out images are not what the generator should have made; ``None`` if nothing on record says so.

    Args:
        given: all that was given: the twin of a patient who was left out as a duplicate is near for the same reason.
    """
    sources = {*(given.synthetic_sources or ())} & {*given.train_patients}
    refusals = (
        (not given.split_random, "It is not on record that patients were assigned to training or holdout at random."),
        (
            given.conditioned_on_train or bool(sources),
            "Images were generated from inputs of training patients, who are near for that.",
        ),
        (given.train_sites is not None, "Patients were assigned within sites, and synthetic images have none."),
    )
    return next((reason for refused, reason in refusals if refused), None)


def _one_of_each(units: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """One row of each unit, drawn at random, shape ``(units,)``: smallest of several would be nearer for that."""
    shuffled = rng.permutation(len(units))
    _, first = np.unique(np.asarray(units, dtype=object).astype(str)[shuffled], return_index=True)
    rows: np.ndarray = np.sort(shuffled[first])
    return rows


def _closer(count: int, n: int) -> Estimate:
    return Estimate(
        name="closer_to_training_than_real_images_are",
        value=count,
        unit="images",
        n=n,
        n_unit="images",
        estimand="synthetic images nearer to a training image than every held-out image is",
        reason="A count in these sets, not an estimate from a sample.",
    )


def _in_spaces(estimates: Sequence[Estimate], spaces: Sequence[str]) -> Iterator[Estimate]:
    """The estimates, equally many of each space, with their space named if there are several."""
    each = len(estimates) // len(spaces)
    for at, estimate in enumerate(estimates):
        yield replace(estimate, group={"space": spaces[at // each]}) if len(spaces) > 1 else estimate


def _statement(used: FeatureSets, *, p_value: Estimate, closer: Sequence[Estimate]) -> str:
    most = max(closer, key=lambda estimate: estimate.value or 0)
    where = f" in {most.group['space']}" if most.group else ""
    p_text = "no p-value" if p_value.value is None else f"p = {p_value.value:.2g}"
    return (
        f"{most.value:.0f} of {most.n} synthetic images lie closer to training than every one of "
        f"{used.size('holdout')} held-out images{where}; {p_text}. Copies do that, and so do {SENSITIVE}. "
        "This can raise an alarm and is never an all-clear."
    )


def _accounting(given: FeatureSets, used: FeatureSets) -> dict[str, int]:
    counts = {}
    for role in ("train", "holdout"):
        counts[f"{role}_images_used"] = used.size(role)
        counts[f"{role}_images_left_out_as_duplicates"] = given.size(role) - used.size(role)
    return {**counts, "synthetic_images": used.size("synthetic")}

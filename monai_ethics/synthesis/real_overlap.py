# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.real_overlap`: do training and held-out images share patients or images?"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Observation, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import wilson
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.methods.real_duplicates import SharedImages, shared_images

__all__ = ["RealOverlap"]

FEWEST_PATIENTS = 2  # of each set: no distance between patients of a set exists with fewer
COUNTED = "A count in these sets, not an estimate from a sample."
SOURCES = (
    Source(
        title="K. Lee et al., Deduplicating training data makes language models better (2022)",
        url="https://arxiv.org/abs/2107.06499",
    ),
    Source(
        title="N. Carlini et al., Extracting training data from diffusion models (2023)",
        locator="what occurs often is extracted more often",
        url="https://arxiv.org/abs/2301.13188",
    ),
)
LIMITATIONS = (
    "Two images of one patient under two names are found only if they show nearly the same.",
    "It sees images as the main space of features does: an image that was cropped or changed otherwise may pass.",
    "Listed pairs carry no p-value: they are for a human to look at.",
)


@dataclass(frozen=True, kw_only=True)
class RealOverlap:
    """Do training and held-out images share patients or images?

    Patients are compared by name, images by digest and by distance in the main space, over the views that were given
    (flips, shifts). An image in both sets makes the holdout useless for whoever it belongs to; one that occurs many
    times in training is copied more easily.

    Args:
        duplicate_ratio: images of two patients are one if they are closer than this share of the median distance to
            the nearest image of another patient.
        listed: pairs listed for review of each kind.
        device: where distances are computed, such as ``"cuda"``.

    Notes:
        `synthesis.memorization_membership` finds the same pairs and leaves these patients out before it compares.
        What is found are images, not people: two examinations of one person under two names are not found.

    References:
        Carlini et al. (arXiv 2301.13188) on what repeats; GEN-02.
    """

    id: ClassVar[str] = "synthesis.real_overlap"
    title: ClassVar[str] = "Do training and held-out images share patients or images?"
    stage: ClassVar[Stage] = Stage.PROCESSING
    requirements: ClassVar[tuple[str, ...]] = ("GEN-02", "FMF-16")

    duplicate_ratio: float = 0.01
    listed: int = 10
    device: str = "cpu"

    def __call__(self, data: FeatureSets) -> Finding:
        """Count shared patients and images.

        Args:
            data: training and held-out features; synthetic images are not looked at.

        Returns:
            A finding, `measured` with two patients or more in each set; the same whatever the order of the images.
        """
        sets = data.canonical()
        train, holdout = {*sets.train_patients}, {*sets.holdout_patients}
        if min(len(train), len(holdout)) < FEWEST_PATIENTS:
            return self._finding(
                sets,
                verdict=Verdict.NOT_ASSESSABLE,
                statement="Whether training and held-out images overlap could not be assessed.",
                reason=f"At least {FEWEST_PATIENTS} patients are needed in each set: got {len(train)} and "
                f"{len(holdout)}.",
            )
        shared = shared_images(sets, ratio=self.duplicate_ratio, device=self.device)
        estimates = _estimates(sets, shared)
        both, named, _, in_train, in_holdout = (int(estimate.value or 0) for estimate in estimates[:5])
        return self._finding(
            sets,
            verdict=Verdict.MEASURED,
            statement=f"{both} of {len(holdout)} held-out patients share an image with a training patient or are one "
            f"({named} by name). {in_train} training and {in_holdout} held-out patients share an image with another of "
            "their set.",
            estimates=estimates,
            observations=_listed(sets, shared, listed=self.listed),
        )

    @staticmethod
    def example(n: int, seed: int) -> FeatureSets:
        """`n` images of as many patients in each set; one in ten held-out images is a training image."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        holdout[: n // 10] = train[: n // 10]
        return FeatureSets.one_each(
            train,
            holdout,
            synthetic,
            train_items=[f"train-{i}" for i in range(n)],
            holdout_items=[f"holdout-{i}" for i in range(n)],
        )

    def _finding(self, sets: FeatureSets, **kept: Any) -> Finding:
        seen = [sets.views(role, sets.spaces[0]).shape[1] for role in ("train", "holdout")]
        views = seen[0] - 1 if seen[0] == seen[1] else 0
        return Finding(
            **question_of(self),
            subjects=sets.spaces[:1],
            accounting={f"{role}_images": sets.size(role) for role in ("train", "holdout")},
            parameters={**asdict(self), **sets.facts(), "views": views},
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )


def _estimates(sets: FeatureSets, shared: SharedImages) -> list[Estimate]:
    """Counts of patients, in this order: both by image, both by name, share, within training, within holdout."""
    train, holdout = {*sets.train_patients}, {*sets.holdout_patients}
    within_train, within_holdout = (_joined(patients, shared) for patients in (train, holdout))
    person_in_train = {shared.person[patient] for patient in train}
    both = {patient for patient in holdout if shared.person[patient] in person_in_train}
    low, high = wilson(len(both), len(holdout))
    share = Estimate(
        name="overlapping_share",
        value=len(both) / len(holdout),
        unit="1",
        n=len(holdout),
        n_unit="patients",
        estimand="share of held-out patients who share an image with a training patient, or are one",
        low=low,
        high=high,
        level=0.95,
        method="Wilson score interval",
    )
    return [
        _patients("overlapping_patients", both, len(holdout), "held-out patients who share an image with training"),
        _patients(
            "same_patients", train & holdout, len(holdout), "held-out patients who are training patients by name"
        ),
        share,
        _patients(
            "repeated_train_patients",
            within_train,
            len(train),
            "training patients who share an image, or are joined by one",
        ),
        _patients(
            "repeated_holdout_patients",
            within_holdout,
            len(holdout),
            "held-out patients who share an image, or are joined by one",
        ),
    ]


def _joined(patients: set[str], shared: SharedImages) -> set[str]:
    """Patients who are taken for one with another of them; pairs alone miss some where one image occurs many times."""
    times = Counter(shared.person[patient] for patient in patients)
    return {patient for patient in patients if times[shared.person[patient]] > 1}


def _patients(name: str, found: set[str], n: int, estimand: str) -> Estimate:
    kept: dict[str, Any] = {"unit": "patients", "n_unit": "patients", "reason": COUNTED}
    return Estimate(name=name, value=len(found), n=n, estimand=estimand, **kept)


def _listed(sets: FeatureSets, shared: SharedImages, *, listed: int) -> list[Observation]:
    """Pairs by pseudonym, nearest first, at most `listed` of each kind; none if pseudonyms were not given."""
    if sets.train_items is None or sets.holdout_items is None:
        return []
    items, first_holdout = [*sets.train_items, *sets.holdout_items], sets.size("train")
    counts: dict[str, int] = {}
    found = []
    for at in np.argsort(shared.distance, kind="stable").tolist():
        first, second = int(shared.first[at]), int(shared.second[at])
        within = "holdout" if first >= first_holdout else "training" if second < first_holdout else None
        kind = f"pair within {within}" if within else "pair across training and holdout"
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= listed:
            same = "The same content." if shared.same_digest[at] else "Nearly the same by features."
            found.append(
                Observation(
                    label=kind,
                    items=(items[first], items[second]),
                    value=float(shared.distance[at]),
                    unit="feature distance",
                    note=f"{same} For review; no p-value belongs to a single pair.",
                )
            )
    return sorted(found, key=lambda pair: pair.label)

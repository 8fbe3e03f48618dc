# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.memorization_membership`: are training patients closer to synthetic images than others?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.methods.closest import patient_minima, views_compared
from monai_ethics.synthesis.methods.membership_conditions import (
    balanced_sources,
    require_exchangeable,
    restricted_to,
    spaces_left_out,
    strata_of,
    without_left_out,
)
from monai_ethics.synthesis.methods.pairs import Pairs, list_pairs
from monai_ethics.synthesis.methods.precedence import Precedence, precedence, smallest_detectable
from monai_ethics.synthesis.methods.real_duplicates import without_duplicates

__all__ = ["MemorizationMembership"]

NO_INTERVAL = "A p-value has no interval."
NO_RATIO = "Fewer than ten training images, or all are the same."
COUNTED = "A count in these sets, not an estimate from a sample."
SOURCES = (
    Source(title="L. S. Nelson, Tables for a precedence life test, Technometrics 5 (1963)", locator="pages 491-499"),
    Source(title="P. H. Westfall and S. S. Young, Resampling-based multiple testing (1993)", locator="max-T"),
    Source(
        title="N. Carlini et al., Extracting training data from diffusion models (2023)",
        locator="nearest-neighbor ratio",
        url="https://arxiv.org/abs/2301.13188",
    ),
    Source(
        title="Z. Yao et al., The DCR delusion (2025): distances never show that nothing leaks",
        url="https://arxiv.org/abs/2505.01524",
    ),
)
LIMITATIONS = (
    "It is an alarm, never an all-clear: images that raise none can still disclose whom the generator was trained on.",
    "It sees copies only as these features and views do: an image that was changed otherwise, or in part copied, may "
    "pass.",
    "Fewer copied patients than the smallest detectable number stay unseen.",
    "Of a generator that was given images or masks of patients, only those patients are compared.",
    "It rests on the record that patients were assigned to training and holdout at random.",
    "Images of which no source is on record are taken to be generated from none: from inputs of training patients they "
    "would raise the alarm without being copies.",
    "Listed pairs carry no p-value: they are for a human to look at.",
)


@dataclass(frozen=True, kw_only=True)
class MemorizationMembership:
    r"""Are training patients closer to the synthetic images than held-out patients are?

    If patients were assigned to training ``T`` and holdout ``H`` at random, and nothing but training told them apart,
    their distances to the synthetic images are exchangeable, however good or bad the generator is. With ``D_p`` the
    smallest distance of any image of patient ``p`` to any synthetic image, and ``m`` the training patients below every
    held-out patient,

    .. math:: p = \prod_{i<m} \frac{|T| - i}{|T| + |H| - i}.

    Views (flips, shifts) count as the image they were made of, for training and held-out patients alike. All spaces
    and order statistics are paid for in one max-T test.

    Args:
        order_statistics: for which held-out patients, by nearness, the nearer training patients are counted; 1 is the
            nearest.
        permutations: random labelings, used if there is more than one space, site or number of outputs of a patient;
            otherwise the p-value is exact.
        seed: seed of the labelings.
        significance: level for which the smallest detectable number of patients is stated; it judges nothing.
        neighbors: training images over which the nearest-neighbor ratio averages.
        ratio_scale: factor of that average; a ratio below 1 stands out.
        duplicate_ratio: real images of two patients are one image if they are closer than this share of the median
            distance to the nearest image of another patient.
        listed: pairs listed for review of each kind.
        device: where distances are computed, such as ``"cuda"``.

    Notes:
        It does not show that nothing was memorized, and says so. A split that was not random, a conditioning that
        knows the training patients only, or unequal numbers of images break exchangeability without any copying: the
        finding is then `not_assessable`. A space that was fitted to the training images, or of which that is not
        known, is left out. If images or masks of patients were given to the generator, only these patients are
        compared, and only if as many training as held-out ones with as many outputs each were used.

    References:
        arXiv 2402.01054 and the practical considerations for generative AI in medical imaging ask for it (GEN-02).
    """

    id: ClassVar[str] = "synthesis.memorization_membership"
    title: ClassVar[str] = "Are training patients closer to the synthetic images than held-out patients?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("GEN-02", "FMF-05", "FMF-06", "FMF-16")

    order_statistics: tuple[int, ...] = (1, 5)
    permutations: int = 9999
    seed: int = 0
    significance: float = 0.05
    neighbors: int = 50
    ratio_scale: float = 0.5
    duplicate_ratio: float = 0.01
    listed: int = 10
    device: str = "cpu"

    def __call__(self, data: FeatureSets) -> Finding:
        """Test exchangeability and list the pairs that stand out.

        Args:
            data: training, held-out and synthetic features with what is known of them.

        Returns:
            A finding, `measured` if the conditions of the test hold; the same whatever the order of the images.
        """
        sets = data.canonical()
        accounting = _accounting(sets, sets, sets)
        left_out = spaces_left_out(sets)
        try:
            require_exchangeable(sets)
            fit = without_left_out(sets, left_out)
            sources = balanced_sources(sets)
            used = without_duplicates(fit, ratio=self.duplicate_ratio, device=self.device)
            compared = used if sources is None else restricted_to(used, sources)
            accounting = _accounting(sets, used, compared)
            strata = strata_of(compared, sources)
            self._enough(compared, strata)
        except NotAssessableError as error:
            return self._finding(
                sets,
                left_out,
                verdict=Verdict.NOT_ASSESSABLE,
                statement="Whether training patients are closer to the synthetic images could not be assessed.",
                reason=str(error),
                accounting=accounting,
            )
        whom = "training patients" if sources is None else "training patients whose input was given to the generator"
        kept = self._measured(used, compared, strata=strata, whom=whom)
        return self._finding(used, left_out, verdict=Verdict.MEASURED, accounting=accounting, **kept)

    @staticmethod
    def example(n: int, seed: int) -> FeatureSets:
        """`n` training, held-out and synthetic images of as many patients, a tenth of the synthetic ones copied."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        synthetic[: n // 10] = train[: n // 10] + 0.001 * rng.standard_normal((n // 10, 8))
        return FeatureSets.one_each(
            train,
            holdout,
            synthetic,
            split_random=True,
            train_items=[f"train-{i}" for i in range(n)],
            synthetic_items=[f"synthetic-{i}" for i in range(n)],
        )

    def _enough(self, used: FeatureSets, strata: dict[str, str] | None) -> None:
        members, others = _numbers(used)
        enough = smallest_detectable(members, others, significance=self.significance, orders=self.order_statistics)
        if not members or not others or enough is None:
            raise NotAssessableError(
                f"With {members} training and {others} held-out patients, not even copies of all training patients "
                f"would have a p-value of {self.significance:g} or less."
            )
        if used.train_sites is not None and not {*used.train_sites} & {*(used.holdout_sites or ())}:
            raise NotAssessableError("No site has both training and held-out patients, so site and split are one.")
        if all(number is None for number in self._needed(used, strata)):
            raise NotAssessableError(
                "Labels move within sites, and in no site would copies of all its training patients have a p-value of "
                f"{self.significance:g} or less."
            )

    def _needed(self, used: FeatureSets, strata: dict[str, str] | None) -> list[int | None]:
        """Copied patients needed in each stratum with training patients; ``None`` where there are too few."""
        significance = self.significance / len(used.spaces)
        sizes = _stratum_sizes(used, strata)
        return [smallest_detectable(*size, significance=significance, orders=self.order_statistics) for size in sizes]

    def _measured(
        self, used: FeatureSets, compared: FeatureSets, *, strata: dict[str, str] | None, whom: str
    ) -> dict[str, Any]:
        """What the finding says: the test of those who are compared, and pairs of all images where it saw most."""
        test = self._test(compared, strata)
        space, _ = _most(compared, test)
        looked_at = used.within([space])
        pairs = list_pairs(
            looked_at, neighbors=self.neighbors, scale=self.ratio_scale, listed=self.listed, device=self.device
        )
        return {
            "statement": self._statement(compared, test, strata=strata, whom=whom) + _blinded(pairs),
            "estimates": self._estimates(compared, test=test, strata=strata, pairs=pairs),
            "observations": pairs.observations,
            "seed": None if test.exact else self.seed,
        }

    def _test(self, used: FeatureSets, strata: dict[str, str] | None) -> Precedence:
        patients = sorted({*used.train_patients, *used.holdout_patients})
        members = {*used.train_patients}
        return precedence(
            patient_minima(used, patients, device=self.device),
            np.array([patient in members for patient in patients]),
            strata=None if strata is None else [strata[patient] for patient in patients],
            order_statistics=self.order_statistics,
            permutations=self.permutations,
            seed=self.seed,
        )

    def _orders(self, others: int) -> list[int]:
        return sorted({order for order in self.order_statistics if 1 <= order <= others})

    def _statement(self, used: FeatureSets, test: Precedence, *, strata: dict[str, str] | None, whom: str) -> str:
        members, others = _numbers(used)
        space, column = _most(used, test)
        order, closer = self._orders(others)[column], int(test.counts[used.spaces.index(space), column])
        where = f" in {space}" if len(used.spaces) > 1 else ""
        than = f"any of {others} held-out patients" if order == 1 else f"all but {order - 1} of {others} held-out ones"
        several = " over all that was compared" if test.marginal.size > 1 else ""
        needed = self._needed(used, strata)
        fewest = None if None in needed else max(number for number in needed if number is not None)
        unseen = f": fewer than {fewest} copied patients can go unseen" if fewest and fewest > 1 else ""
        return (
            f"{closer} of {members} {whom} lie closer to a synthetic image than {than}{where}, where "
            f"{order * members / (others + 1):.1f} are expected by chance; p = {test.p_value:.2g}{several}. "
            f"This can raise an alarm and is never an all-clear{unseen}."
        )

    def _estimates(
        self, used: FeatureSets, *, test: Precedence, strata: dict[str, str] | None, pairs: Pairs
    ) -> tuple[Estimate, ...]:
        members, others = _numbers(used)
        p_value = self._p_value(test, n=members + others)
        counts = [
            _patients(
                "closer_patients" if order == 1 else f"closer_patients_order_{order}",
                int(test.counts[row, column]),
                f"training patients nearer to a synthetic image than the held-out patient of rank {order}",
                n=members,
                group={"space": space} if len(used.spaces) > 1 else {},
            )
            for row, space in enumerate(used.spaces)
            for column, order in enumerate(self._orders(others))
        ]
        expected = "mean number of training patients below every held-out patient if training made no difference"
        where = "" if strata is None else " in the stratum where most are needed"
        how = "that the test is sure to see if each is nearer than every held-out patient in one and the same space"
        fewest = f"fewest copied patients {how}, at level {self.significance:g}{where}"
        needed = self._needed(used, strata)
        unseen = sum(number is None for number in needed)
        detectable = None if unseen else max(number for number in needed if number is not None)
        return (
            p_value,
            *counts,
            _patients("expected_closer_patients", members / (others + 1), expected, n=members),
            _patients(
                "smallest_detectable",
                detectable,
                fewest,
                n=members,
                reason=f"in {unseen} of {len(needed)} strata too few patients to see any copies" if unseen else COUNTED,
            ),
            *_pair_counts(
                pairs,
                n=used.size("synthetic"),
                scale=self.ratio_scale,
                where=f" in {_most(used, test)[0]}" if len(used.spaces) > 1 else "",
            ),
        )

    def _p_value(self, test: Precedence, *, n: int) -> Estimate:
        how = "exact" if test.exact else f"max-T over {self.permutations} permutations"
        return Estimate(
            name="p_value",
            value=test.p_value,
            unit="1",
            n=n,
            n_unit="patients",
            estimand="chance of at least as many closer training patients if training made no difference",
            method=f"precedence test, {how}",
            reason=NO_INTERVAL,
        )

    def _finding(self, sets: FeatureSets, left_out: dict[str, str], **kept: Any) -> Finding:
        views = views_compared(sets, queries=("train", "holdout"), reference="synthetic")
        return Finding(
            **question_of(self),
            subjects=sets.spaces,
            parameters={**asdict(self), **sets.facts(), "spaces_left_out": left_out, "views": views},
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )


def _blinded(pairs: Pairs) -> str:
    """That the holdout is none, where synthetic images repeat it: its patients are as near as copied ones then."""
    if not pairs.of_held_out:
        return ""
    one = pairs.of_held_out == 1
    return (
        f" {pairs.of_held_out} synthetic {'image repeats' if one else 'images repeat'} a held-out image, which hides "
        "copies from this test: ask how these patients were kept away."
    )


def _most(sets: FeatureSets, test: Precedence) -> tuple[str, int]:
    """Space and place of the order statistic in which the test saw most: there pairs are worth a look."""
    row, column = np.unravel_index(test.marginal.argmin(), test.marginal.shape)
    return sets.spaces[int(row)], int(column)


def _patients(
    name: str,
    value: float | None,
    estimand: str,
    *,
    n: int,
    group: Mapping[str, str] | None = None,
    reason: str = COUNTED,
) -> Estimate:
    kept: dict[str, Any] = {"unit": "patients", "n_unit": "patients", "reason": reason}
    return Estimate(name=name, value=value, estimand=estimand, n=n, group=group or {}, **kept)


def _pair_counts(pairs: Pairs, *, n: int, scale: float, where: str) -> list[Estimate]:
    rows = (
        (
            "closer_to_training_than_real_images_are",
            pairs.closer_than_real,
            "synthetic images nearer to a training image than every held-out image is; descriptive: as a test it would "
            "hold only for a generator without any other fault",
        ),
        ("identical_images", pairs.identical, "synthetic images that repeat a training image"),
        (
            "identical_to_held_out_images",
            pairs.of_held_out,
            "synthetic images that repeat a held-out image: the generator had it, or files of two sets were mixed",
        ),
        (
            "outlying_images",
            pairs.outlying,
            f"synthetic images with a nearest-neighbor ratio below 1 (scale {scale:g})",
        ),
    )
    kept: dict[str, Any] = {"unit": "images", "n_unit": "images", "n": n}
    return [
        Estimate(
            name=name, value=value, estimand=estimand + where, reason=NO_RATIO if value is None else COUNTED, **kept
        )
        for name, value, estimand in rows
    ]


def _numbers(used: FeatureSets) -> tuple[int, int]:
    """Training and held-out patients."""
    return len({*used.train_patients}), len({*used.holdout_patients})


def _stratum_sizes(used: FeatureSets, strata: Mapping[str, str] | None) -> list[tuple[int, int]]:
    """Training and held-out patients of each stratum that has training patients."""
    if strata is None:
        return [_numbers(used)]
    members = Counter(strata[patient] for patient in {*used.train_patients})
    others = Counter(strata[patient] for patient in {*used.holdout_patients})
    return [(members[stratum], others[stratum]) for stratum in sorted(members)]


def _accounting(given: FeatureSets, used: FeatureSets, compared: FeatureSets) -> dict[str, int]:
    counts = {}
    for role in ("train", "holdout"):
        counts[f"{role}_images_used"] = compared.size(role)
        counts[f"{role}_images_left_out_as_duplicates"] = given.size(role) - used.size(role)
        if compared.size(role) < used.size(role):
            counts[f"{role}_images_of_patients_not_given_to_the_generator"] = used.size(role) - compared.size(role)
    return {**counts, "synthetic_images": used.size("synthetic")}

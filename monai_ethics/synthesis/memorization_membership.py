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
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.neighbors import nearest
from monai_ethics.synthesis.methods.pairs import Pairs, list_pairs
from monai_ethics.synthesis.methods.precedence import Precedence, precedence, smallest_detectable
from monai_ethics.synthesis.methods.real_duplicates import without_duplicates

__all__ = ["MemorizationMembership"]

NO_INTERVAL = "A p-value has no interval."
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
    "It sees copies only as these features do: a flipped, shifted or partly copied image may pass.",
    "Fewer copied patients than the smallest detectable number stay unseen.",
    "It rests on the record that patients were assigned to training and holdout at random.",
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

    Args:
        order_statistics: besides the nearest held-out patient (1), the r-th nearest to wait for.
        permutations: random labelings, used if there is more than one space, order statistic or site.
        seed: seed of the labelings.
        level: significance level for which the smallest detectable number of patients is stated; it judges nothing.
        neighbors: training images over which the nearest-neighbor ratio averages.
        ratio_scale: factor of that average; a ratio below 1 stands out.
        duplicate_ratio: real images of two patients are one image if they are closer than this share of the median
            distance to the nearest image of another patient.
        listed: pairs listed for review of each kind.
        device: where distances are computed, such as ``"cuda"``.

    Notes:
        It does not show that nothing was memorized, and says so. A split that was not random, a feature extractor or
        a conditioning that knows the training patients, or unequal numbers of images break exchangeability without
        any copying: the finding is then `not_assessable`.

    References:
        arXiv 2402.01054 and the practical considerations for generative AI in medical imaging ask for it (GEN-02).
    """

    id: ClassVar[str] = "synthesis.memorization_membership"
    title: ClassVar[str] = "Are training patients closer to the synthetic images than held-out patients?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("GEN-02", "FMF-05", "FMF-06", "FMF-16")

    order_statistics: tuple[int, ...] = (1,)
    permutations: int = 9999
    seed: int = 0
    level: float = 0.05
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
        accounting = _accounting(sets, sets)
        try:
            _conditions(sets)
            used = without_duplicates(sets, ratio=self.duplicate_ratio, device=self.device)
            accounting = _accounting(sets, used)
            self._enough(used)
        except NotAssessableError as error:
            return self._finding(
                sets,
                verdict=Verdict.NOT_ASSESSABLE,
                statement="Whether training patients are closer to the synthetic images could not be assessed.",
                reason=str(error),
                accounting=accounting,
            )
        return self._measured(used, accounting=accounting)

    @staticmethod
    def example(n: int, seed: int) -> FeatureSets:
        """`n` training, held-out and synthetic images of as many patients, a tenth of the synthetic ones copied."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        synthetic[: n // 10] = train[: n // 10] + 0.001 * rng.standard_normal((n // 10, 8))
        return FeatureSets(
            train=train,
            train_patients=[f"t{i}" for i in range(n)],
            holdout=holdout,
            holdout_patients=[f"h{i}" for i in range(n)],
            synthetic=synthetic,
            split_random=True,
            train_items=[f"train-{i}" for i in range(n)],
            synthetic_items=[f"synthetic-{i}" for i in range(n)],
        )

    def _enough(self, used: FeatureSets) -> None:
        members, others = len(set(used.train_patients)), len(set(used.holdout_patients))
        if not members or not others or smallest_detectable(members, others, level=self.level) is None:
            raise NotAssessableError(
                f"With {members} training and {others} held-out patients, not even copies of all training patients "
                f"would have a p-value of {self.level:g} or less."
            )
        if used.train_sites is not None and not {*used.train_sites} & {*(used.holdout_sites or ())}:
            raise NotAssessableError("No site has both training and held-out patients, so site and split are one.")
        if all(number is None for number in self._needed(used)):
            raise NotAssessableError(
                "Labels move within sites, and in no site would copies of all its training patients have a p-value of "
                f"{self.level:g} or less."
            )

    def _needed(self, used: FeatureSets) -> list[int | None]:
        """Copied patients needed in each site with training patients (one entry without sites); ``None`` = too few."""
        return [smallest_detectable(*sizes, level=self.level) for sizes in _site_sizes(used)]

    def _measured(self, used: FeatureSets, *, accounting: dict[str, int]) -> Finding:
        values, is_member, strata = _patient_distances(used, device=self.device)
        test = precedence(
            values,
            is_member,
            strata=strata,
            order_statistics=self.order_statistics,
            permutations=self.permutations,
            seed=self.seed,
        )
        pairs = list_pairs(
            used, neighbors=self.neighbors, scale=self.ratio_scale, listed=self.listed, device=self.device
        )
        members, others = int(is_member.sum()), int((~is_member).sum())
        statement = self._statement(used, test, members=members, others=others)
        return self._finding(
            used,
            verdict=Verdict.MEASURED,
            statement=statement,
            estimates=self._estimates(used, test=test, members=members, others=others, pairs=pairs),
            observations=pairs.observations,
            accounting=accounting,
            seed=None if test.exact else self.seed,
        )

    def _statement(self, used: FeatureSets, test: Precedence, *, members: int, others: int) -> str:
        row, column = np.unravel_index(test.marginal.argmin(), test.marginal.shape)
        orders = sorted({order for order in self.order_statistics if 1 <= order <= others})
        order, closer = orders[int(column)], int(test.counts[row, column])
        where = f" in {used.spaces[int(row)]}" if len(used.spaces) > 1 else ""
        than = (
            f"any of {others} held-out patients" if order == 1 else f"held-out patient {order} of {others} by nearness"
        )
        several = " over all that was compared" if test.marginal.size > 1 else ""
        unseen = ""
        if test.exact and order == 1:
            fewest = smallest_detectable(members, others, level=self.level)
            unseen = f": fewer than {fewest} copied patients can go unseen" if fewest and fewest > 1 else ""
        return (
            f"{closer} of {members} training patients lie closer to a synthetic image than {than}{where}, where "
            f"{order * members / (others + 1):.1f} are expected by chance; p = {test.p_value:.2g}{several}. "
            f"This can raise an alarm and is never an all-clear{unseen}."
        )

    def _estimates(
        self, used: FeatureSets, *, test: Precedence, members: int, others: int, pairs: Pairs
    ) -> tuple[Estimate, ...]:
        how = "exact" if test.exact else f"max-T over {self.permutations} permutations"
        p_value = Estimate(
            name="p_value",
            value=test.p_value,
            unit="1",
            n=members + others,
            n_unit="patients",
            estimand="chance of at least as many closer training patients if training made no difference",
            method=f"precedence test, {how}",
            reason=NO_INTERVAL,
        )
        orders = sorted({order for order in self.order_statistics if 1 <= order <= others})
        counts = [
            _patients(
                "closer_patients" if order == 1 else f"closer_patients_order_{order}",
                int(test.counts[row, column]),
                f"training patients nearer to a synthetic image than the held-out patient of rank {order}",
                n=members,
                group={"space": space} if len(used.spaces) > 1 else {},
            )
            for row, space in enumerate(used.spaces)
            for column, order in enumerate(orders)
        ]
        expected = "mean number of training patients below every held-out patient if training made no difference"
        where = "" if used.train_sites is None else " in the site where most are needed"
        seen_by = "that one exact test on the nearest held-out patient can see"
        fewest = f"fewest copied patients {seen_by} at level {self.level:g}{where}"
        needed = self._needed(used)
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
                reason=f"in {unseen} of {len(needed)} sites too few patients to see any copies" if unseen else COUNTED,
            ),
            *_pair_counts(pairs, n=used.size("synthetic"), scale=self.ratio_scale),
        )

    def _finding(self, sets: FeatureSets, **kept: Any) -> Finding:
        return Finding(
            check=self.id,
            title=self.title,
            stage=self.stage,
            requirements=self.requirements,
            subjects=sets.spaces,
            parameters={**asdict(self), **sets.facts()},
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )


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


def _pair_counts(pairs: Pairs, *, n: int, scale: float) -> list[Estimate]:
    rows = (
        (
            "closer_to_training_than_real_images_are",
            pairs.closer_than_real,
            "synthetic images nearer to a training image than every held-out image is; descriptive: as a test it would "
            "hold only for a generator without any other fault",
        ),
        ("identical_images", pairs.identical, "synthetic images that repeat a training image"),
        (
            "outlying_images",
            pairs.outlying,
            f"synthetic images with a nearest-neighbor ratio below 1 (scale {scale:g})",
        ),
    )
    kept: dict[str, Any] = {"unit": "images", "n_unit": "images", "reason": COUNTED}
    return [Estimate(name=name, value=value, estimand=estimand, n=n, **kept) for name, value, estimand in rows]


def _conditions(sets: FeatureSets) -> None:
    """Raise unless exchangeability follows from what is on record."""
    sizes = [sets.size(role) for role in ("train", "holdout", "synthetic")]
    if not all(sizes):
        raise NotAssessableError(
            f"Training, held-out and synthetic images are all needed: got {sizes[0]}, {sizes[1]} and {sizes[2]}."
        )
    refusals = (
        (not sets.split_random, "It is not on record that patients were assigned to training or holdout at random."),
        (
            sets.encoder_trained_on_train,
            "The features were fitted to the training images, which alone sets them apart.",
        ),
        (
            sets.conditioned_on_train,
            "The images were generated from inputs of training patients, who are near for that.",
        ),
        (bool({*sets.train_patients} & {*sets.holdout_patients}), "Some patients are in training and in the holdout."),
    )
    for refused, reason in refusals:
        if refused:
            raise NotAssessableError(reason)
    per_patient = np.unique([*sets.train_patients, *sets.holdout_patients], return_counts=True)[1]
    if len(set(per_patient.tolist())) > 1:
        raise NotAssessableError(
            f"Patients have between {per_patient.min()} and {per_patient.max()} images, and who has more is near more "
            "easily: give equally many images of each."
        )


def _site_sizes(used: FeatureSets) -> list[tuple[int, int]]:
    """Training and held-out patients of each site that has training patients; of everyone without sites."""
    if used.train_sites is None or used.holdout_sites is None:
        return [(len(set(used.train_patients)), len(set(used.holdout_patients)))]
    members = Counter(site for _, site in {*zip(used.train_patients, used.train_sites, strict=True)})
    others = Counter(site for _, site in {*zip(used.holdout_patients, used.holdout_sites, strict=True)})
    return [(members[site], others[site]) for site in sorted(members)]


def _accounting(given: FeatureSets, used: FeatureSets) -> dict[str, int]:
    return {
        "train_images_used": used.size("train"),
        "train_images_left_out_as_duplicates": given.size("train") - used.size("train"),
        "holdout_images_used": used.size("holdout"),
        "holdout_images_left_out_as_duplicates": given.size("holdout") - used.size("holdout"),
        "synthetic_images": used.size("synthetic"),
    }


def _patient_distances(used: FeatureSets, *, device: str) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    """Smallest distance of each patient to the synthetic images by space, the labels, and the sites."""
    patients = sorted({*used.train_patients} | {*used.holdout_patients})
    row = {patient: i for i, patient in enumerate(patients)}
    owners = np.array([row[patient] for patient in [*used.train_patients, *used.holdout_patients]])
    values = np.full((len(patients), len(used.spaces)), np.inf)
    for column, space in enumerate(used.spaces):
        synthetic = used.rows("synthetic", space)
        both = np.concatenate([used.rows("train", space), used.rows("holdout", space)])
        np.minimum.at(values[:, column], owners, nearest(both, synthetic, device=device).distance[:, 0])
    members = {*used.train_patients}
    is_member = np.array([patient in members for patient in patients])
    if used.train_sites is None or used.holdout_sites is None:
        return values, is_member, None
    site = dict(zip(used.train_patients, used.train_sites, strict=True))
    site |= dict(zip(used.holdout_patients, used.holdout_sites, strict=True))
    return values, is_member, [site[patient] for patient in patients]

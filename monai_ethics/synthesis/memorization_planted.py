# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.memorization_planted`: would the membership test have seen copies in these very sets?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import clopper_pearson
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.planted_copies import PlantedCopies
from monai_ethics.synthesis.methods.closest import patient_minima
from monai_ethics.synthesis.methods.membership_conditions import (
    balanced_sources,
    require_exchangeable,
    restricted_to,
    spaces_left_out,
    strata_of,
    without_left_out,
)
from monai_ethics.synthesis.methods.planting import MembershipTest, copy_distances, share_of_alarms
from monai_ethics.synthesis.methods.real_duplicates import without_duplicates

__all__ = ["MemorizationPlanted"]

NO_INTERVAL = "A p-value has no interval."
SOURCES = (
    Source(title="L. S. Nelson, Tables for a precedence life test, Technometrics 5 (1963)", locator="pages 491-499"),
    Source(
        title="S. U. H. Dar et al., Unconditional latent diffusion models memorize patient imaging data (2024)",
        url="https://arxiv.org/abs/2402.01054",
    ),
)
LIMITATIONS = (
    "It says how sharp the membership test is on these sets, not whether anything was memorized: an alarm is never an "
    "all-clear either way.",
    "A generator may alter what it repeats in other ways than those planted, and then the share does not apply.",
    "The sets are held fixed: the interval is of the random choice of patients only.",
)


@dataclass(frozen=True, kw_only=True)
class MemorizationPlanted:
    """With what share of random choices would the membership test see copies planted into these sets?

    Copies of one image of each of ``k`` random training patients, altered in a stated way, join the synthetic images,
    and the test of `synthesis.memorization_membership` is repeated at its level. The share of alarms over the choices
    is the power on the user's own data.

    Args:
        copied_patients: the numbers ``k``.
        repetitions: random choices of patients for each number and kind of copy.
        order_statistics: as in the membership test.
        permutations: labelings with several spaces or sites, once for each kind and number of copies.
        seed: seed of the choices and labelings.
        significance: significance level of the test; it judges nothing here.
        duplicate_ratio: as in the membership test.
        level: nominal coverage of the intervals.
        device: where the distances of the sets are computed.

    Notes:
        If the test raises an alarm without planted copies, or its conditions do not hold, its power cannot be seen:
        the finding is `not_assessable`.

    References:
        The requirement that no replica was found "with detection power stated from planted copies" (GEN-02).
    """

    id: ClassVar[str] = "synthesis.memorization_planted"
    title: ClassVar[str] = "Would copies of training images have been seen in these sets?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("GEN-02", "FMF-05", "FMF-06", "FMF-16")

    copied_patients: tuple[int, ...] = (1, 3, 5, 10)
    repetitions: int = 200
    order_statistics: tuple[int, ...] = (1, 5)
    permutations: int = 999
    seed: int = 0
    significance: float = 0.05
    duplicate_ratio: float = 0.01
    level: float = 0.95
    device: str = "cpu"

    def __call__(self, data: PlantedCopies, /) -> Finding:
        """Plant copies, repeat the membership test, and count its alarms.

        Args:
            data: the sets, and features of altered copies of training images.

        Returns:
            A finding, `measured` if the conditions of the test hold; the same whatever the order of the images.
        """
        given = data.canonical()
        try:
            return self._measured(given)
        except NotAssessableError as error:
            return self._finding(
                given.sets,
                verdict=Verdict.NOT_ASSESSABLE,
                statement="Whether copies would have been seen in these sets could not be assessed.",
                reason=str(error),
                accounting=_accounting(given.sets, given.sets),
            )

    @staticmethod
    def example(n: int, seed: int) -> PlantedCopies:
        """`n` training, held-out and synthetic images of as many patients; copies exact and noisy, none in the set."""
        rng = np.random.default_rng(seed)
        train, holdout, synthetic = rng.standard_normal((3, n, 8))
        sets = FeatureSets.one_each(train, holdout, synthetic, split_random=True)
        noisy = train + 0.1 * rng.standard_normal(train.shape)
        copies = {"exact": {"features": train}, "noisy": {"features": noisy}}
        return PlantedCopies(sets=sets, patients=sets.train_patients, copies=copies)

    def _measured(self, given: PlantedCopies) -> Finding:
        require_exchangeable(given.sets)
        fit = without_left_out(given.sets, spaces_left_out(given.sets))
        sources = balanced_sources(fit)
        cleaned = without_duplicates(fit, ratio=self.duplicate_ratio, device=self.device)
        used = cleaned if sources is None else restricted_to(cleaned, sources)
        patients = sorted({*used.train_patients, *used.holdout_patients})
        rows = [i for i, patient in enumerate(given.patients) if patient in {*used.train_patients}]
        if not rows or not given.copies or not used.holdout_patients:
            raise NotAssessableError("Copies of images of training patients that are compared are needed: got none.")
        test = self._test(used, patients, sources)
        values = patient_minima(used, patients, device=self.device)
        estimates = [self._unplanted(test, values)]
        for kind, spaces in sorted(given.copies.items()):
            parts = [copy_distances(used, spaces[space][rows], space, patients) for space in used.spaces]
            owners, distances = [given.patients[i] for i in rows], np.stack(parts, axis=2)
            estimates += [self._share(test, values, distances, owners, kind=kind, k=k) for k in self.copied_patients]
        return self._finding(
            used,
            verdict=Verdict.MEASURED,
            statement=self._statement(estimates),
            estimates=estimates,
            accounting=_accounting(given.sets, used),
            seed=self.seed,
        )

    def _unplanted(self, test: MembershipTest, values: np.ndarray) -> Estimate:
        """The p-value of the sets as they are, if an alarm can be ascribed to copies and is possible at all."""
        members, others = int(test.is_member.sum()), int((~test.is_member).sum())
        all_copied = np.where(test.is_member[:, None], 0.0, 1.0) * np.ones_like(values)
        if not test.alarms(all_copied, test.limit(all_copied)):
            raise NotAssessableError(
                f"With {members} training and {others} held-out patients, not even copies of all training patients "
                f"would have a p-value of {self.significance:g} or less."
            )
        p_value = test.p_value(values)
        if p_value <= self.significance:
            raise NotAssessableError(
                f"The membership test raises an alarm without planted copies (p = {p_value:.2g}): no alarm could be "
                "ascribed to them."
            )
        return Estimate(
            name="p_value_without_copies",
            value=p_value,
            unit="1",
            n=members + others,
            n_unit="patients",
            estimand="p-value of the membership test in the sets as they are",
            reason=NO_INTERVAL,
        )

    def _test(self, used: FeatureSets, patients: list[str], sources: Mapping[str, int] | None) -> MembershipTest:
        strata, members = strata_of(used, sources), {*used.train_patients}
        return MembershipTest(
            is_member=np.array([patient in members for patient in patients]),
            strata=None if strata is None else [strata[patient] for patient in patients],
            order_statistics=self.order_statistics,
            permutations=self.permutations,
            seed=self.seed,
            significance=self.significance,
        )

    def _share(
        self,
        test: MembershipTest,
        values: np.ndarray,
        distances: np.ndarray,
        owners: list[str],
        *,
        kind: str,
        k: int,
    ) -> Estimate:
        kept: dict[str, Any] = {
            "name": "share_of_alarms",
            "unit": "1",
            "n": self.repetitions,
            "n_unit": "repetitions",
            "estimand": f"share of random choices of {k} training patients at whose copies the test raises an alarm",
            "group": {"copies": kind, "copied_patients": str(k)},
        }
        if k > len(set(owners)):
            reason = f"copies of only {len(set(owners))} patients were given"
            return Estimate(value=None, n_valid=0, reason=reason, **kept)
        count = share_of_alarms(
            test, values, distances, owners, copied=k, repetitions=self.repetitions, seed=self.seed + k
        )
        low, high = clopper_pearson(count, self.repetitions, level=self.level)
        how = "planted copies; Clopper-Pearson over the random choices, the sets held fixed"
        return Estimate(value=count / self.repetitions, low=low, high=high, level=self.level, method=how, **kept)

    def _statement(self, estimates: list[Estimate]) -> str:
        known = [estimate for estimate in estimates[1:] if estimate.value is not None]
        kinds: dict[str, list[Estimate]] = {}
        for estimate in known:
            kinds.setdefault(str(estimate.group["copies"]), []).append(estimate)
        parts = [
            f"{kind} copies of {', '.join(str(row.group['copied_patients']) for row in rows)} patients: "
            f"{', '.join(f'{row.value:.0%}' for row in rows)}"
            for kind, rows in kinds.items()
        ]
        return (
            f"How often the membership test, at level {self.significance:g}, sees copies that were planted: "
            f"{'; '.join(parts) or 'none could be tried'}. What it misses here it would miss there: no alarm is never "
            "an all-clear."
        )

    def _finding(self, sets: FeatureSets, **kept: Any) -> Finding:
        return Finding(
            **question_of(self),
            subjects=sets.spaces,
            parameters={**asdict(self), **sets.facts()},
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )


def _accounting(given: FeatureSets, used: FeatureSets) -> dict[str, int]:
    counts = Counter({f"{role}_images_used": used.size(role) for role in ("train", "holdout")})
    for role in ("train", "holdout"):
        counts[f"{role}_images_left_out"] = given.size(role) - used.size(role)
    return {**counts, "synthetic_images": used.size("synthetic")}

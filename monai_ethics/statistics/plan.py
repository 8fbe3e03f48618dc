# SPDX-License-Identifier: Apache-2.0
"""How many patients per group would show a gap of a stated size, and the reverse: before any data are seen.

Two groups lie apart by the gap and the others at their mean, which is the hardest case. Several images of a patient
count as fewer independent ones by the design effect ``1 + (images - 1) * icc``. Tests of one family share the level:
it is divided by their number, which is what Holm's first step asks.

References:
    [1] Cohen 1988, Statistical Power Analysis, sections 6.2 (rates: arcsine) and 8 (means: non-central F).
    [2] Hanley & McNeil 1982, Radiology 143: the variance of an area under the ROC curve.
    [3] Noether 1987, JASA 82: ranks.
    [4] Donner & Klar 2000, Cluster Randomization Trials, chapter 5: the design effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize, stats

from monai_ethics.errors import InputError

__all__ = ["QUANTITIES", "Plan"]

QUANTITIES = ("rate", "mean", "auc", "rank")
MOST = 10_000_000
LARGEST = 1_000_000  # groups, images of a patient, tests
MOST_NONCENTRAL = 1e9  # scipy's distributions hold up to here, and the power is 1 long before
MOST_EFFECT = 1e6
_METHODS = {
    "rate": "arcsine difference of two rates (Cohen)",
    "mean": "non-central F of a comparison of means",
    "auc": "Hanley and McNeil's variance of an area",
    "rank": "Noether's approximation for ranks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A comparison of groups of equal size that is still to be made.

    Args:
        quantity: ``"rate"``, ``"mean"``, ``"auc"`` or ``"rank"``: the probability that a patient of one group scores
            higher than one of the other, whose gap is its distance from one half.
        base: the rate or the area that groups have without a gap, stated beforehand; not used for means and ranks.
        sd: standard deviation of the score over images, for means.
        share: share of images that count: of positives for a true positive rate, of positives for an area.
        groups: number of groups.
        images: images of each patient.
        icc: correlation of two images of one patient, 0 to 1.
        level: nominal coverage; tests are at one minus it.
        power: probability of showing the gap.
        tests: number of tests in the family.

    Raises:
        InputError: if a setting is missing or out of its range.
    """

    quantity: str
    base: float | None = None
    sd: float | None = None
    share: float | None = None
    groups: int = 2
    images: int = 1
    icc: float = 0.0
    level: float = 0.95
    power: float = 0.8
    tests: int = 1

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise InputError(f"A quantity must be one of {', '.join(QUANTITIES)}: got another. Choose one of them.")
        low = 0.5 if self.quantity == "auc" else 0.0
        if self.quantity in ("rate", "auc") and not low < (self.base or 0.0) < 1:
            raise InputError(f"A plan for a {self.quantity} needs its base between {low:g} and 1: give `base`.")
        if (self.base is not None and self.quantity not in ("rate", "auc")) or (
            self.sd is not None and self.quantity != "mean"
        ):
            raise InputError(
                "`base` belongs to a rate or an auc and `sd` to a mean: got one beside another quantity. Leave it out."
            )
        if self.quantity == "mean" and not 0 < (self.sd or 0.0) < math.inf:
            raise InputError("A plan for a mean needs the standard deviation of the score: give `sd` above 0.")
        if self.share is not None and not 0 < self.share <= 1 - (self.quantity == "auc") * 1e-9:
            raise InputError("The share of images that count must lie between 0 and 1: got another. Correct `share`.")
        self._check_design()

    def _check_design(self) -> None:
        if self.groups < 2 or self.images < 1 or self.tests < 1:
            raise InputError("A plan needs 2 groups, 1 image and 1 test or more: got fewer. Correct the number.")
        if max(self.groups, self.images, self.tests) > LARGEST:
            raise InputError(f"Groups, images and tests may be up to {LARGEST:,}: got more. Correct the number.")
        if not 0 <= self.icc <= 1 or not 0 < self.level < 1 or not 1 - self.level < self.power < 1:
            raise InputError(
                "`icc` and `level` must lie between 0 and 1, and `power` between the level of the test and 1: got "
                "another. Correct it."
            )

    @property
    def alpha(self) -> float:
        """Level of each test."""
        return round(1 - self.level, 12) / self.tests

    @property
    def design_effect(self) -> float:
        """Variance with these images of a patient, by that of as many independent ones [4]."""
        return 1 + (self.images - 1) * self.icc

    @property
    def method(self) -> str:
        """The approximation used, in words."""
        return _METHODS[self.quantity]

    @property
    def largest_gap(self) -> float:
        """The largest gap that there can be."""
        base = self.base or 0.5
        return {"mean": math.inf, "rank": 0.5, "auc": base - 0.5}.get(self.quantity, max(base, 1 - base))

    @property
    def _share(self) -> float:
        return self.share if self.share is not None else (0.5 if self.quantity == "auc" else 1.0)

    def effective(self, patients: float) -> float:
        """Independent images that count in one group of so many patients."""
        share = 1.0 if self.quantity == "auc" else self._share
        return patients * self.images * share / self.design_effect

    def power_at(self, patients: float, gap: float) -> float:
        """Probability that the test of the whole attribute shows this gap.

        Args:
            patients: in each group.
            gap: between two of the groups, above 0 and at most `largest_gap`.
        """
        n, between = self.effective(patients), self.groups - 1
        if self.quantity in ("mean", "rank"):
            sd = math.sqrt(1 / 12) if self.quantity == "rank" else self.sd or 0.0
            effect = min(gap / sd, MOST_EFFECT)
            within = self.groups * patients - self.groups
            if within < 1:
                return 0.0
            critical = stats.f.isf(self.alpha, between, within)
            return float(stats.ncf.sf(critical, between, within, _bounded(effect**2 * n / 2)))
        noncentrality = self._rate_distance(gap) ** 2 * n / 2
        if self.quantity == "auc":
            noncentrality = gap**2 / self._area_variance(n, gap)
        return float(stats.ncx2.sf(stats.chi2.isf(self.alpha, between), between, _bounded(noncentrality)))

    def other(self, gap: float) -> float:
        """The value at the other end of the gap: below the base, or above it for a rate below one half."""
        base = self.base or 0.5
        return base + gap if self.quantity == "rate" and base < 0.5 else base - gap

    def _rate_distance(self, gap: float) -> float:
        other = min(max(self.other(gap), 0.0), 1.0)
        return abs(2 * math.asin(math.sqrt(self.base or 0.0)) - 2 * math.asin(math.sqrt(other)))

    def _area_variance(self, n: float, gap: float) -> float:
        base = self.base or 0.5
        return sum(_hanley_mcneil(area, n * self._share, n * (1 - self._share)) for area in (base, base - gap))

    def patients_per_group(self, gap: float) -> int | None:
        """Fewest patients in each group that show a gap of this size with the stated power.

        Args:
            gap: in the quantity's unit, above 0.

        Returns:
            Patients; ``None`` if ten million are too few.

        Raises:
            InputError: if the gap is larger than there can be.
        """
        if not 0 < gap <= self.largest_gap:
            raise InputError(
                f"A gap must be above 0 and at most {self.largest_gap:.3g} for this quantity: got another. Correct it."
            )
        high = 2
        while self.power_at(high, gap) < self.power:
            high *= 2
            if high > MOST:
                return None
        low = max(high // 2, 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power_at(middle, gap) >= self.power else (middle, high)
        return high

    def smallest_gap(self, patients: int) -> float | None:
        """Smallest gap that so many patients in each group show with the stated power.

        Args:
            patients: in each group, 2 or more.

        Returns:
            The gap; ``None`` if there can be none that large.

        Raises:
            InputError: if there are fewer than 2 patients, or more than ten million.
        """
        if not 2 <= patients <= MOST:
            raise InputError(f"A group needs 2 to {MOST:,} patients: got another number. Correct it.")
        unit = (self.sd or 1.0) if self.quantity == "mean" else 1.0

        def missing(gap: float) -> float:
            return self.power_at(patients, gap * unit) - self.power

        top = self.largest_gap
        if math.isinf(top):
            top = 1.0
            while missing(top) < 0:
                top *= 2
                if top > MOST_EFFECT:
                    return None
        elif missing(top) < 0:
            return None
        return unit * float(optimize.brentq(missing, top * 1e-9, top))


def _bounded(noncentrality: float) -> float:
    return min(noncentrality, MOST_NONCENTRAL)


def _hanley_mcneil(area: float, positives: float, negatives: float) -> float:
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (first - area**2) + (negatives - 1) * (second - area**2)
    return max(spread, 1e-12) / (positives * negatives)

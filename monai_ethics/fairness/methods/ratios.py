# SPDX-License-Identifier: Apache-2.0
"""Case-weighted ratios over patients: a sum of numerators by a sum of denominators, as every rate is.

A patient's row holds its numerator and its denominator, such as positive cases found and positive cases. Patients
without a denominator have no row, so that permuting patients permutes within the class for a TPR and within the
decision for a PPV. Patients with equal rows are exchanged by counting, so that one case a patient costs no more than a
table of counts.

References:
    [1] Chung & Romano 2013, Ann. Stat. 41(2); Pauly, Brunner & Konietschke 2015, JRSS-B 77(2): studentised permutation.
    [2] Newcombe 1998, Stat. Med. 17, method 10; Donner & Zou 2012, Stat. Methods Med. Res. 21: MOVER, which puts the
        ends of two single intervals into one of their difference.
    [3] Rao & Scott 1992, Biometrics 48; Liang & Zeger 1986, Biometrika 73: repeated patients.
    [4] Cochran 1977, Sampling Techniques, section 6.3: the linearised variance of a ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from monai_ethics.fairness.methods.crossed import signed_sums, wald
from monai_ethics.statistics.differences import Ends, Pair, mover
from monai_ethics.statistics.exchange import Counts, count_rows, exchanged_sums, shuffles
from monai_ethics.statistics.intervals import Floats, Result, effective_cases, patient_rate
from monai_ethics.statistics.permutation import FirstLook, Omnibus, summary
from monai_ethics.statistics.power import minimum_detectable_gap
from monai_ethics.statistics.rate_power import detectable_rate_gap

__all__ = [
    "RatioGroup",
    "Studentized",
    "design_effect",
    "ratio_detectable",
    "ratio_difference",
    "ratio_influence",
    "ratio_omnibus",
    "ratio_parts",
    "ratio_value_interval",
    "signed_statistics",
]

PRIOR = 10.0  # simulated: groups of 400, 400 and 8 with .85, .75 and .85 are then found in .88 in place of .52
_FEWEST_P = 1e-12  # an inverted interval is looked for down to this level


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioGroup:
    """The patients of one group that have a denominator.

    Args:
        label: label of the attribute; ``None`` = not recorded.
        patients: each patient once, length ``n``.
        tops: numerator of each patient, shape ``(n,)``.
        bottoms: denominator of each patient, above 0, shape ``(n,)``.
    """

    label: str | None
    patients: tuple[str, ...]
    tops: Floats
    bottoms: Floats

    @property
    def value(self) -> float:
        """Sum of numerators by sum of denominators."""
        return math.fsum(self.tops) / math.fsum(self.bottoms)

    @property
    def parts(self) -> Floats:
        """What each patient contributes to the error of the value [4], shape ``(n,)``, n of 2 or more."""
        n = len(self.tops)
        scale = math.sqrt(n / (n - 1)) / math.fsum(self.bottoms)
        result: Floats = (self.tops - self.value * self.bottoms) * scale
        return result


def ratio_value_interval(group: RatioGroup, *, level: float = 0.95, counts: bool) -> Result:
    """The ratio of one group with its interval.

    Args:
        group: its patients.
        level: nominal coverage.
        counts: numerators count some of the cases that denominators count, as in a rate.

    Returns:
        Wilson's interval for counts, at the Rao-Scott effective number of cases where patients repeat [3]; else the
        linearised Student t interval [4]; the reason where there is none.
    """
    n = len(group.tops)
    if not n:
        return Result(value=None, reason="no case can be counted")
    if counts:
        return patient_rate(group.tops, group.bottoms, level=level)
    if n < 2:
        return Result(value=group.value, method="ratio of sums", reason="all cases belong to one patient")
    error = math.sqrt(math.fsum(group.parts**2))
    if error <= 1e-12 * max(abs(group.value), 1e-300):
        return Result(value=group.value, method="ratio of sums", reason="no spread between patients")
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    method = f"linearised Student t interval of a ratio over patients ({n - 1} df)"
    return Result(value=group.value, low=group.value - half, high=group.value + half, method=method)


def ratio_omnibus(groups: Sequence[RatioGroup], *, n_permutations: int, rng: np.random.Generator) -> Omnibus:
    """Test of equal ratios, studentised [1]: whole patients are permuted, or their signs where they are in several.

    Args:
        groups: at least 2 groups with 2 or more patients each.
        n_permutations: number of random draws.
        rng: source of random numbers.

    Returns:
        The p-value, and the gap of the ratios beside its distribution when labels are exchanged.
    """
    everyone = [patient for group in groups for patient in group.patients]
    if len(set(everyone)) < len(everyone):
        return _crossed(groups, n_permutations, rng)
    rows, observed = count_rows([np.column_stack([group.tops, group.bottoms]) for group in groups])
    test = Studentized(rows[:, 0], rows[:, 1], observed)
    statistics, gaps = [], []
    look = FirstLook(int(observed.sum()), n_permutations if shuffles(observed) else 0)
    for sums in exchanged_sums(observed, test.features, n_permutations=n_permutations, rng=rng):
        statistic, gap = test(sums)
        statistics.append(statistic)
        gaps.append(gap)
        if look.enough(statistics):
            break
    return summary(np.concatenate(statistics), np.concatenate(gaps))


class Studentized:
    """Wald statistic of equal ratios from sums over patients [1].

    Each group's variance is moderated by that of everyone: as if that many degrees of freedom of it had been seen
    elsewhere. Few hits of few say little of their spread, and without it a small group rules the statistic. For one
    case a patient a rate fixes its variance, and the statistic is the chi-square of a table. Cases of a rate vary as
    the rate says, pairs of cases of a patient by what is left over everyone: a group of one case a patient is not held
    to be as unsure as one of eight. (20 patients with 1 case beside 100 with 8 were rejected in .003 without it.)

    Args:
        tops: numerator of each kind of patients, shape ``(R,)``.
        bottoms: denominator, shape ``(R,)``; kinds without one count nothing.
        observed: how often each group has each kind, shape ``(K, R)``.
    """

    def __init__(self, tops: Floats, bottoms: Floats, observed: Counts) -> None:
        counted = bottoms > 0
        total = observed.sum(axis=0)
        pooled = math.fsum(total * tops) / math.fsum(total * bottoms)
        rest = np.where(counted, tops - pooled * bottoms, 0.0)  # small numbers: sums of squares lose nothing
        self.sizes = observed[:, counted].sum(axis=1)
        self.shared = math.fsum(total * rest**2) / math.fsum(total * bottoms)  # variance for each case
        self.prior = _prior(tops[counted], bottoms[counted])
        pairs = math.fsum(total * bottoms * (bottoms - 1))
        counts = self.prior == PRIOR and pairs > 0
        self.alone = min(pooled * (1 - pooled), self.shared) if counts else self.shared
        self.paired = (self.shared - self.alone) * math.fsum(total * bottoms) / pairs if counts else 0.0
        #: what is summed over patients, shape ``(R, 5)``
        self.features = np.column_stack([bottoms, rest, rest * rest, rest * bottoms, bottoms * bottoms])

    def __call__(self, sums: Floats) -> tuple[Floats, Floats]:
        """Statistic and gap, shape ``(draws,)``, from sums of `features`, shape ``(draws, K, 5)``."""
        bottoms, rest, rest2, cross, bottoms2 = np.moveaxis(sums, -1, 0)
        shift = rest / bottoms  # ratio minus pooled ratio
        spread = (self.alone + self.paired * (bottoms2 - bottoms) / bottoms) / bottoms
        if math.isfinite(self.prior):
            own = (rest2 - 2 * shift * cross + shift * shift * bottoms2) * (self.sizes / (self.sizes - 1)) / bottoms**2
            degrees = self.sizes - 1
            spread = (self.prior * spread + degrees * own) / (self.prior + degrees)
        weights = 1 / np.where(spread > 0, spread, 1.0)
        center = (weights * shift).sum(axis=1) / weights.sum(axis=1)
        return (weights * (shift - center[:, None]) ** 2).sum(axis=1), shift.max(axis=1) - shift.min(axis=1)


def _prior(tops: Floats, bottoms: Floats) -> float:
    """Degrees of freedom of the variance of everyone: all for one case a patient, few for measured numerators."""
    counts = bool((tops == np.rint(tops)).all() and (tops >= 0).all() and (tops <= bottoms).all())
    if counts and (bottoms == 1).all():
        return math.inf
    return PRIOR if counts else 1.0


def _crossed(groups: Sequence[RatioGroup], n_permutations: int, rng: np.random.Generator) -> Omnibus:
    parts = ratio_parts(groups)
    drawn = signed_sums(parts, n_permutations=n_permutations, rng=rng)
    return summary(*signed_statistics(groups, np.concatenate([parts.sum(axis=0)[None], *drawn])))


def ratio_parts(groups: Sequence[RatioGroup], patients: Sequence[str] = ()) -> Floats:
    """What each patient adds to every group's ratio minus the ratio of all; arguments as for `ratio_influence`.

    Their sum over patients is what is observed, so that random signs of whole patients exchange it with itself.
    """
    tops, bottoms = (math.fsum(math.fsum(getattr(group, name)) for group in groups) for name in ("tops", "bottoms"))
    rests = [group.tops - tops / bottoms * group.bottoms for group in groups]
    return _by_patient(groups, [rest / math.fsum(g.bottoms) for rest, g in zip(rests, groups, strict=True)], patients)


def signed_statistics(groups: Sequence[RatioGroup], moved: Floats) -> tuple[Floats, Floats]:
    """Statistic and gap of sums of `ratio_parts` with some signs, shape ``(draws, K)``."""
    parts = ratio_parts(groups)
    rest2 = math.fsum((parts * [math.fsum(group.bottoms) for group in groups]).ravel() ** 2)
    residual = max(rest2 / sum(len(group.tops) for group in groups), 1e-30)
    least = np.array([residual / math.fsum(group.bottoms) ** 2 for group in groups])
    return wald(moved, parts, least, drawn=True), moved.max(axis=1) - moved.min(axis=1)


def ratio_influence(groups: Sequence[RatioGroup], patients: Sequence[str] = ()) -> Floats:
    """What each patient contributes to the error of every group's ratio.

    Args:
        groups: groups with 2 or more patients each.
        patients: the patients of the rows; all of `groups`, sorted, if empty.

    Returns:
        Contributions, shape ``(patients, K)``.
    """
    return _by_patient(groups, [group.parts for group in groups], patients)


def _by_patient(groups: Sequence[RatioGroup], columns: Sequence[Floats], patients: Sequence[str]) -> Floats:
    everyone = patients or sorted({patient for group in groups for patient in group.patients})
    position = {patient: row for row, patient in enumerate(everyone)}
    parts = np.zeros((len(everyone), len(groups)))
    for column, (group, values) in enumerate(zip(groups, columns, strict=True)):
        parts[[position[patient] for patient in group.patients], column] = values
    return parts


def ratio_difference(first: RatioGroup, second: RatioGroup, *, level: float = 0.95, counts: bool) -> Pair:
    """Ratio of the first minus ratio of the second.

    Args:
        first: one group.
        second: another.
        level: nominal coverage.
        counts: numerators count some of the cases that denominators count, as in a rate.

    Returns:
        The difference with Newcombe's interval for counts, at the effective number of cases where patients repeat
        [2, 3]; the cluster sandwich's where patients are in both; the linearised Welch interval otherwise. The p-value
        is the level at which the interval touches 0.
    """
    if not len(first.tops) or not len(second.tops):
        return Result(value=None, reason="a group has no case that can be counted"), None
    if {*first.patients} & {*second.patients}:
        return _sandwich(first, second, level)
    if counts:
        return _mover(first, second, level)
    return _welch(first, second, level)


def _mover(first: RatioGroup, second: RatioGroup, level: float) -> Pair:
    rates = first.value, second.value
    difference = rates[0] - rates[1]

    def ends(at: float) -> Ends | None:
        a, b = (patient_rate(group.tops, group.bottoms, level=at) for group in (first, second))
        if a.low is None or a.high is None or b.low is None or b.high is None:
            return None
        return mover(rates, (a.low, a.high), (b.low, b.high))

    found = ends(level)
    if found is None:
        return Result(value=difference, method="difference of rates", reason="a group has one patient only"), None

    def touches(log_p: float) -> float:
        low, high = ends(1 - math.exp(log_p)) or (0.0, 0.0)
        return low if difference > 0 else -high

    lowest = math.log(_FEWEST_P)
    p = 1.0
    if difference != 0:
        p = _FEWEST_P if touches(lowest) > 0 else math.exp(optimize.brentq(touches, lowest, -1e-9, xtol=1e-6))
    repeat = any(float(group.bottoms.sum()) > len(group.bottoms) for group in (first, second))
    method = "Newcombe interval of two rates"
    method += " (MOVER) at the Rao-Scott effective numbers of cases with Student t" if repeat else ""
    return Result(value=difference, low=found[0], high=found[1], method=method), p


def _welch(first: RatioGroup, second: RatioGroup, level: float) -> Pair:
    difference = first.value - second.value
    n, m = len(first.tops), len(second.tops)
    if min(n, m) < 2:
        return Result(value=difference, method="difference of ratios", reason="a group has one patient only"), None
    a, b = math.fsum(first.parts**2), math.fsum(second.parts**2)
    if a + b <= 0:
        return Result(value=difference, method="difference of ratios", reason="no spread within either group"), None
    df = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    return _student(difference, math.sqrt(a + b), df, level, "linearised Welch interval of two ratios over patients")


def _sandwich(first: RatioGroup, second: RatioGroup, level: float) -> Pair:
    difference = first.value - second.value
    n = min(len(first.tops), len(second.tops))
    if n < 2:
        return Result(value=difference, method="difference of ratios", reason="a group has one patient only"), None
    parts = ratio_influence((first, second))
    error = math.sqrt(math.fsum((parts[:, 0] - parts[:, 1]) ** 2))
    if error == 0:
        return Result(value=difference, method="difference of ratios", reason="no spread within either group"), None
    method = f"cluster-robust interval over patients, some in both groups (Student t, {n - 1} df)"
    return _student(difference, error, n - 1, level, method)


def _student(difference: float, error: float, df: float, level: float, method: str) -> Pair:
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    p = float(2 * stats.t.sf(abs(difference) / error, df))
    return Result(value=difference, low=difference - half, high=difference + half, method=method), p


def ratio_detectable(groups: Sequence[RatioGroup], *, alpha: float, base_rate: float | None = None) -> Result:
    """Smallest gap between the two smallest groups that is found with 80 % power, never from the observed gap.

    Args:
        groups: at least 2 groups with 2 or more patients each.
        alpha: level of the test, already adjusted for the number of tests.
        base_rate: rate stated beforehand, for ratios that are rates: cases of each group are then divided by its
            design effect within groups; ``None`` = the spread between patients within groups.

    Returns:
        The gap, or the reason why there is none.
    """
    everyone = [patient for group in groups for patient in group.patients]
    if repeated := len(everyone) - len(set(everyone)):
        return Result(value=None, reason=f"{repeated} patients are in several groups: not computed")
    if base_rate is None:
        return _detectable_by_spread(groups, alpha)
    cases = [float(group.bottoms.sum()) for group in groups]
    effect = design_effect(groups)
    value = detectable_rate_gap(cases, base_rate, alpha=alpha, design_effect=effect)
    method = f"normal approximation at a base rate of {base_rate:g} and a design effect of {effect:.3g}, 80 % power"
    if value is None:
        return Result(value=None, method=method, reason="no gap of any size would be found with 80 % power")
    return Result(value=value, method=method)


def design_effect(groups: Sequence[RatioGroup]) -> float:
    """Variance of the rates over patients, by that of as many independent cases, pooled within groups; 1 or above."""
    cases = sum(float(group.bottoms.sum()) for group in groups)
    worth = sum(effective_cases(group.tops, group.bottoms) or 1.0 for group in groups)
    return max(cases / worth, 1.0)


def _detectable_by_spread(groups: Sequence[RatioGroup], alpha: float) -> Result:
    sizes = [len(group.tops) for group in groups]
    degrees = sum(sizes) - len(sizes)
    means = [math.fsum(group.bottoms) / len(group.bottoms) for group in groups]
    within = math.fsum(
        math.fsum(((group.tops - group.value * group.bottoms) / mean) ** 2)
        for group, mean in zip(groups, means, strict=True)
    )
    deviation = math.sqrt(within / degrees)
    if deviation <= 1e-9 * max(abs(group.value) for group in groups):
        return Result(value=None, reason="no spread within any group: it says nothing about new patients")
    value = minimum_detectable_gap(sizes, deviation, alpha=alpha)
    return Result(value=value, method="non-central F at the pooled spread between patients within groups, 80 % power")

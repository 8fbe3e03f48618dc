# SPDX-License-Identifier: Apache-2.0
"""Change of groups between two measurements of the same patients: intervals, and what no change would look like.

The gap of several groups is never below zero, and a bootstrap of it is biased near zero. So intervals are given to each
group's change and to the change of each pair's signed difference; the change of the gap stands beside its distribution
when before and after are exchanged within patients. That is exact if nothing changed, but no good test: the change of a
gap is at most twice the gap, so that exchanges tie. Whether the groups changed alike is tested on patients' changes.

References:
    [1] Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 12.5: the studentized bootstrap.
    [2] Waudby-Smith & Ramdas 2024, JRSS-B 86(1), section 4: bounded means, through `bounded_mean`.
    [3] Lehmann & Romano 2005, Testing Statistical Hypotheses, section 15.2: randomization tests, here by random signs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement

import numpy as np

from monai_ethics.fairness.data.before_after import PairedGroup
from monai_ethics.fairness.data.groups import Group
from monai_ethics.fairness.methods.crossed import crossed_omnibus
from monai_ethics.statistics.intervals import T_FROM, Floats, Result, bounded_mean
from monai_ethics.statistics.permutation import mean_omnibus

__all__ = ["Exchange", "changed_alike", "exchange", "layout", "paired_changes"]

CHUNK = 4_000_000  # numbers held at a time
_GUARANTEED = "guaranteed interval by betting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A change beside what exchanging before and after gives.

    Args:
        gap_before: largest minus smallest group mean before.
        gap_after: the same after.
        worst_before: position of the worst group before; ``None`` if the direction is not known.
        worst_after: position of the worst group after.
        worst_change: worst mean after minus worst mean before.
        gap_null: 5th and 95th percentile of the change of the gap under exchange.
        worst_null: the same of the worst group's change.
    """

    gap_before: float
    gap_after: float
    worst_before: int | None
    worst_after: int | None
    worst_change: float | None
    gap_null: tuple[float, float]
    worst_null: tuple[float, float] | None


def layout(groups: Sequence[PairedGroup], *, linear: bool = True) -> tuple[Floats, Floats, bool]:
    """Membership and change, shape ``(P, G)`` each, and whether any patient is in several groups.

    Args:
        groups: the groups.
        linear: whether the change is the linearized one, which tells the error; of plain means both are the same.
    """
    row = {patient: i for i, patient in enumerate(sorted({p for group in groups for p in group.patients}))}
    member = np.zeros((len(row), len(groups)))
    change = np.zeros_like(member)
    for column, group in enumerate(groups):
        at = [row[patient] for patient in group.patients]
        member[at, column] = 1
        change[at, column] = group.change if linear else group.after - group.before
    return member, change, bool((member.sum(1) > 1).any())


def paired_changes(
    groups: Sequence[PairedGroup],
    *,
    bounds: tuple[float, float] | None,
    n_bootstraps: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> tuple[list[Result], dict[tuple[int, int], Result]]:
    """Change of each group's mean and of each pair's difference, with intervals.

    Patients are resampled once for both measurements, within each group, or all together where a patient is in
    several; the interval is studentized [1]. With fewer than 30 patients, or a miss, it is the guaranteed one of scores
    between `bounds` [2]; of a pair it is then made of two, each at half the error.

    Args:
        groups: the groups, each of at least 2 patients.
        bounds: lowest and highest possible score; ``None`` = not bounded.
        n_bootstraps: resamples.
        rng: source of the resamples.
        level: nominal coverage.

    Returns:
        One result per group, and one per pair of positions: first minus second.
    """
    member, change, crossed = layout(groups)
    n = len(groups)
    contrasts = np.vstack([np.eye(n), *(np.eye(n)[i] - np.eye(n)[j] for i, j in combinations(range(n), 2))])
    value, error = _moments(np.ones((1, len(member))), member, change, contrasts)
    drawn = _studentized((value, error), member, change, contrasts, crossed=crossed, n=n_bootstraps, rng=rng)
    drawn.sort(axis=0)
    tail = max(int((n_bootstraps + 1) * (1 - level) / 2 + 1e-9), 1)  # the quantile of the n + 1 exchangeable values
    low, high = drawn[tail - 1], drawn[-tail]
    with np.errstate(invalid="ignore"):  # resamples of equal changes have no error
        ends = np.stack([value[0] - high * error[0], value[0] - low * error[0]], axis=1)
    safe = [len(group.patients) >= T_FROM and not group.failures for group in groups]
    out = []
    for position, contrast in enumerate(contrasts):
        involved = [i for i in range(n) if contrast[i]]
        if all(safe[i] for i in involved) and error[0, position] > 0 and np.isfinite(ends[position]).all():
            method = f"studentized bootstrap of patients, paired, {n_bootstraps} resamples"
            at = tuple(float(end) for end in ends[position])
            out.append(Result(value=float(value[0, position]), low=at[0], high=at[1], method=method))
        else:
            out.append(_guaranteed(groups, contrast, float(value[0, position]), bounds, level))
    return out[:n], dict(zip(combinations(range(n), 2), out[n:], strict=True))


def _moments(counts: Floats, member: Floats, change: Floats, contrasts: Floats) -> tuple[Floats, Floats]:
    """Contrasts of group means and their standard errors, shape ``(B, K)`` each, for resamples ``(B, P)``."""
    sizes = counts @ member
    n = member.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        means = (counts @ change) / sizes
        variance = np.zeros((len(counts), len(contrasts)))
        for i, j in combinations_with_replacement(range(n), 2):
            both = member[:, i] * member[:, j]
            if not both.any():
                continue
            product = counts @ (change[:, i] * change[:, j]) - means[:, j] * (counts @ (change[:, i] * both))
            product += means[:, i] * means[:, j] * (counts @ both) - means[:, i] * (counts @ (both * change[:, j]))
            scale = sizes[:, i] * (sizes[:, i] - 1) if i == j else sizes[:, i] * sizes[:, j]
            weight = contrasts[:, i] * contrasts[:, j] * (1 if i == j else 2)
            variance[:, weight != 0] += (product / scale)[:, None] * weight[weight != 0]
        value = means @ contrasts.T
    floor = 1e-24 * max(float(np.square(change).max(initial=0.0)), 1e-300)
    return value, np.sqrt(np.where(variance > floor, variance, 0.0))


def _studentized(
    observed: tuple[Floats, Floats],
    member: Floats,
    change: Floats,
    contrasts: Floats,
    *,
    crossed: bool,
    n: int,
    rng: np.random.Generator,
) -> Floats:
    strata = [np.arange(len(member))] if crossed else [np.flatnonzero(column) for column in member.T]
    step = max(1, CHUNK // max(len(member), 1))
    parts = []
    for start in range(0, n, step):
        rows = min(step, n - start)
        counts = np.zeros((rows, len(member)))
        for stratum in strata:
            counts[:, stratum] = rng.multinomial(len(stratum), np.full(len(stratum), 1 / len(stratum)), size=rows)
        value, error = _moments(counts, member, change, contrasts)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (value - observed[0]) / error
        parts.append(np.where(np.isnan(ratio), 0.0, ratio))
    return np.concatenate(parts)


def _guaranteed(
    groups: Sequence[PairedGroup], contrast: Floats, value: float, bounds: tuple[float, float] | None, level: float
) -> Result:
    involved = [int(i) for i in np.flatnonzero(contrast)]
    if bounds is None or not all(map(math.isfinite, bounds)):
        why = f"fewer than {T_FROM} patients, a miss, or equal changes, and scores that are not known to be bounded"
        return Result(value=value, reason=f"{why}: no interval is sure")
    reach = bounds[1] - bounds[0]
    each = 1 - (1 - level) / len(involved)
    low = high = 0.0
    for i in involved:
        ends = bounded_mean(groups[i].after - groups[i].before, bounds=(-reach, reach), level=each)
        ends = ends if contrast[i] > 0 else (-ends[1], -ends[0])
        low, high = low + ends[0], high + ends[1]
    return Result(value=value, low=min(low, value), high=max(high, value), method=_GUARANTEED)


def changed_alike(groups: Sequence[PairedGroup], *, n_permutations: int, rng: np.random.Generator) -> float:
    """p-value that all groups changed alike: the studentized omnibus test of `score_gap`, on patients' changes.

    Args:
        groups: two or more groups of at least 2 patients.
        n_permutations: permutations of patients, or random signs where patients are in several groups.
        rng: source of them.
    """
    changes = [group.change for group in groups]
    if not layout(groups)[2]:
        return mean_omnibus(changes, n_permutations=n_permutations, rng=rng).p
    rows = [
        Group(label=g.label, patients=g.patients, values=change, n_patients=len(g.patients), missed=False)
        for g, change in zip(groups, changes, strict=True)
    ]
    return crossed_omnibus(rows, ranks=False, n_permutations=n_permutations, rng=rng).p


def exchange(
    groups: Sequence[PairedGroup], *, higher_is_better: bool | None, n_permutations: int, rng: np.random.Generator
) -> Exchange:
    """The change of the gap and of the worst group, and both when before and after are exchanged within patients [3].

    Args:
        groups: two or more groups.
        higher_is_better: direction of the metric; ``None`` = not known.
        n_permutations: random exchanges.
        rng: source of them.

    Returns:
        The changes with their distributions. Whole patients are exchanged, in all groups they are in.
    """
    member, change, _ = layout(groups, linear=False)
    half = change / 2 / member.sum(0)
    middle = np.array([math.fsum((g.before + g.after) / 2) / len(g.patients) for g in groups])
    found = _summaries(np.ones((1, len(member))), half, middle, higher_is_better)
    step = max(1, CHUNK // max(len(member), 1))
    parts = []
    for start in range(0, n_permutations, step):
        signs = rng.choice(np.array([-1.0, 1.0]), size=(min(step, n_permutations - start), len(member)))
        parts.append(_summaries(signs, half, middle, higher_is_better))
    gaps, worsts = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    ends = [math.fsum(side) / len(side) for g in groups for side in (g.before, g.after)]
    earlier, later = ends[::2], ends[1::2]
    known = higher_is_better is not None
    pick = min if higher_is_better else max
    places = [side.index(pick(side)) if known else None for side in (earlier, later)]
    return Exchange(
        gap_before=max(earlier) - min(earlier),
        gap_after=max(later) - min(later),
        worst_before=places[0],
        worst_after=places[1],
        worst_change=float(found[1][0]) if known else None,
        gap_null=_percentiles(gaps),
        worst_null=_percentiles(worsts) if known else None,
    )


def _summaries(signs: Floats, half: Floats, middle: Floats, higher: bool | None) -> tuple[Floats, Floats]:
    """Change of the gap and of the worst group's mean, shape ``(B,)`` each, under the given signs ``(B, P)``."""
    shift = signs @ half
    after, before = middle + shift, middle - shift
    gaps = np.ptp(after, axis=1) - np.ptp(before, axis=1)
    worst = after.min(1) - before.min(1) if higher else after.max(1) - before.max(1)
    return gaps, worst


def _percentiles(null: Floats) -> tuple[float, float]:
    low, high = np.quantile(null, [0.05, 0.95])
    return float(low), float(high)

# SPDX-License-Identifier: Apache-2.0
"""Somebody who reasons: from medians and means, from which groups are hidden, from attributes made of each other."""

from collections import Counter
from functools import cache
from itertools import product
from math import floor

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.stats import binom

from monai_ethics.evidence import Estimate, Finding, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.provenance.exports.public.suppress import LEAST, for_the_public

SIZES = ("patients", "cases")
# numerator and denominator of the rates that are read, by label and decision
RATES = {
    "tpr": (lambda y, d: y and d, lambda y, d: y),
    "fpr": (lambda y, d: d and not y, lambda y, d: not y),
    "ppv": (lambda y, d: d and y, lambda y, d: d),
    "npv": (lambda y, d: not d and not y, lambda y, d: not d),
    "accuracy": (lambda y, d: bool(y) == bool(d), lambda y, d: True),
}


def misses(rows):
    """Least and greatest number of misses (score 0) that median, its interval and mean of a group allow."""
    least, most = 0, 10**9
    for each in rows:
        if each.name == "mean" and each.value is not None:
            most = min(most, floor(each.n * (1 - each.value) + each.n * 6e-4))  # it is rounded
        if each.name == "median" and each.value is not None:
            places = [(each.value, each.n // 2 + 1)]
            if each.low is not None:
                rank = next(k for k in range(each.n) if binom.cdf(k, each.n, 0.5) > (1 - each.level) / 2)
                places.append((each.low, rank))
            for score, place in places:
                least, most = (max(least, place), most) if score == 0 else (least, min(most, place - 1))
    return least, most


def scores_of(seed):
    rng = np.random.default_rng([seed, 77])
    n = int(rng.integers(60, 600))
    groups = {
        name: tuple(map(str, rng.choice(list(labels), n, p=rng.dirichlet(np.full(len(labels), 2)))))
        for name, labels in (("sex", "FM"), ("site", "ABCDEF"), ("age", "123"))
    }
    missed = rng.random(n) < rng.uniform(0.01, 0.12)
    values = np.where(missed, 0.0, rng.beta(rng.uniform(6, 14), 2, n))
    ids = tuple(map(str, range(n)))
    table = ScoreTable(
        metric="dice", unit="1", higher_is_better=True, cases=ids, patients=ids, values=tuple(map(float, values)),
        outcomes=tuple("missed" if one else "scored" for one in missed), groups=groups, bounds=(0.0, 1.0),
    )  # fmt: skip
    return table, missed, values


def read_scores(seeds):
    widths, told = [], Counter()
    for seed in seeds:
        table, missed, values = scores_of(seed)
        finding = GroupScores()(table)
        public = for_the_public([finding])
        told += {"shown": public.shown, "all": len(finding.estimates)}
        groups = {}
        for each in public.findings[0].estimates:
            groups.setdefault(tuple(each.group.items()), []).append(each)
        for group, rows in groups.items():
            inside = np.all([np.ones(len(missed), bool), *(np.array(table.groups[a]) == b for a, b in group)], axis=0)
            numbers = [x for each in rows if each.name == "median" for x in (each.value, each.low, each.high)]
            told["scores of one patient"] += sum(
                x is not None and bool(x) and bool(np.any(values == x)) for x in numbers
            )
            true = int(missed[inside].sum())
            if 0 < true < LEAST and not any(each.name == "failure_rate" for each in rows):
                least, most = misses(rows)
                assert least <= true <= most
                widths.append(most - least)
    print(f"\n{len(widths)} small counts of misses, possible less one: {np.quantile(widths, [0, 0.05, 0.5])}; {told}")
    return widths, told


def test_medians_and_means_do_not_tell_how_many_were_missed_nor_the_score_of_one_patient():
    widths, told = read_scores(range(5))
    assert min(widths) >= LEAST
    assert told["scores of one patient"] == 0


def nested(seed):
    """Rates by site and by country, which is made of sites; how far each small count can be narrowed."""
    rng = np.random.default_rng([seed, 9])
    n, sites = int(rng.integers(80, 600)), list("ABCDEF")[: int(rng.integers(3, 7))]
    country = {site: "PQ"[i % 2] for i, site in enumerate(sites)}
    site, y = rng.choice(sites, n, p=rng.dirichlet(np.ones(len(sites)))), rng.random(n) < rng.uniform(0.2, 0.6)
    called = y + rng.normal(0, 1, n) > 0.5
    ids, groups = tuple(map(str, range(n))), {"site": tuple(map(str, site)), "country": tuple(country[s] for s in site)}
    table = BinaryScores(
        cases=ids,
        patients=ids,
        target="f",
        y_true=tuple(map(bool, y)),
        y_score=tuple(map(float, called)),
        groups=groups,
    )
    finding = GroupRates()(table.decided(0.5, decided_by="protocol"))
    public = for_the_public([finding])
    atoms = list(product(sites, (0, 1), (0, 1)))
    known = {(1.0,) * len(atoms): n}
    for each in public.findings[0].estimates:

        def among(holds, each=each):
            inside = [all((a if k == "site" else country[a]) == v for k, v in each.group.items()) for a, _, _ in atoms]
            return tuple(float(i and bool(holds(y, d))) for i, (_, y, d) in zip(inside, atoms, strict=True))

        if each.name in ("cases", "positives"):
            known[among(lambda y, d, one=each.name: y or one == "cases")] = each.value
        elif each.name in RATES and each.value is not None:
            known[among(RATES[each.name][1])] = each.n
            known[among(RATES[each.name][0])] = round(each.value * each.n)
    truth = np.array([((site == a) & (y == b) & (called == c)).sum() for a, b, c in atoms])
    rows, counts = np.array(list(known)), np.array(list(known.values()))
    assert np.allclose(rows @ truth, counts)
    cells = [[a[0] == s and (len(p) < 1 or a[1] == p[0]) and (len(p) < 2 or a[2] == p[1]) for a in atoms]
             for s in sites for p in ((), (0,), (1,), *product((0, 1), (0, 1)))]  # fmt: skip
    widths = []
    for cell in (np.array(one, float) for one in cells):
        if 0 < cell @ truth < LEAST:
            given = {"constraints": LinearConstraint(rows, counts, counts), "bounds": Bounds(0, n), "integrality": 1}
            low, high = (round(sign * milp(sign * cell, **given).fun) for sign in (1, -1))
            widths.append(high - low)
    return widths


def read_nested(seeds):
    widths = [width for seed in seeds for width in nested(seed)]
    print(f"\nnested: {len(widths)} small counts, possible values less one: {np.quantile(widths, [0, 0.05, 0.5])}")
    return widths


def test_a_country_less_its_sites_tells_no_site():
    assert min(read_nested([1, 2])) >= LEAST


@cache
def shown(sizes, least):
    rows = []
    for label, size in ((None, sum(sizes)), *enumerate(sizes)):
        group = {} if label is None else {"site": "ABCDE"[label]}
        words = {"unit": "1", "n_unit": "cases", "reason": "a count"}
        rows += [
            Estimate(name=x, value=size, n=size, estimand=f"number of {x}", group=group, **words)
            for x in ("patients", "cases")
        ]
    about = {"check": "fairness.representation", "title": "Who?", "stage": Stage.EVALUATION, "subjects": ("f",)}
    finding = Finding(**about, verdict=Verdict.MEASURED, statement="They.", estimates=rows)
    left = for_the_public([finding], least=least).findings[0].estimates
    return tuple(sorted((str(dict(each.group)), each.value) for each in left if each.name == "cases"))


def candidates(sizes, least):
    """For each small group how many sizes give the same public copy: all tables are tried."""
    public = dict(shown(sizes, least))
    known = [public.get(str({"site": "ABCDE"[i]})) for i in range(len(sizes))]
    hidden = [i for i, size in enumerate(known) if size is None]
    if not hidden or "{}" not in public:
        return []
    left = sum(sizes) - sum(size or 0 for size in known)
    possible = {i: set() for i in hidden}
    for some in product(range(int(left) + 1), repeat=len(hidden) - 1):
        if sum(some) <= left:
            filled = dict(zip(hidden, (*some, int(left) - sum(some)), strict=True))
            table = tuple(int(filled.get(i, size or 0)) for i, size in enumerate(known))
            if shown(table, least) == shown(sizes, least):
                for i in hidden:
                    possible[i].add(table[i])
    return [len(possible[i]) for i in hidden if 0 < sizes[i] < least]


def read_hidden(tables, least, seed):
    rng = np.random.default_rng(seed)
    found = [
        number for _ in range(tables)
        for number in candidates(tuple(map(int, rng.integers(1, 12, int(rng.integers(2, 5))))), least)
    ]  # fmt: skip
    print(f"\nwhich groups are hidden, no count below {least}: {len(found)} sizes, values that give the same copy: "
          f"{np.quantile(found, [0, 0.05, 0.5])}")  # fmt: skip
    return found


def test_which_groups_are_hidden_leaves_every_small_size_possible():
    assert min(read_hidden(6, 4, 5)) >= 3


@pytest.mark.slow
def test_reasoning_at_full_size():
    widths, told = read_scores(range(60))
    assert min(widths) >= LEAST
    assert told["scores of one patient"] == 0
    assert min(read_nested(range(20))) >= LEAST
    assert min(read_hidden(60, 5, 6)) >= 4

# SPDX-License-Identifier: Apache-2.0
"""An adversary who takes every published number for a constraint and asks how far each small cell can be narrowed."""

from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.roster import Roster
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.rate_gap import RateGap
from monai_ethics.fairness.representation import Representation
from monai_ethics.provenance.exports.public.suppress import LEAST, for_the_public

#: random reports of the full size; each has some 20 small cells, and two integer programs for each
REPORTS = 16
# how often a case falls under each threshold: label, calls at the lower and at the higher one
OUTCOMES = tuple(product((0, 1), (0, 1, 2)))
#: in place of a label: counted are patients, not cases
PERSON = 2
# numerator and denominator of each rate, as functions of label and decision
RATES = {
    "tpr": (lambda y, d: y and d, lambda y, d: y),
    "fnr": (lambda y, d: y and not d, lambda y, d: y),
    "fpr": (lambda y, d: d and not y, lambda y, d: not y),
    "tnr": (lambda y, d: not d and not y, lambda y, d: not y),
    "ppv": (lambda y, d: d and y, lambda y, d: d),
    "npv": (lambda y, d: not d and not y, lambda y, d: not d),
    "selection_rate": (lambda y, d: d, lambda y, d: True),
    "prevalence": (lambda y, d: y, lambda y, d: True),
    "accuracy": (lambda y, d: bool(y) == bool(d), lambda y, d: True),
}


@dataclass
class Cohort:
    """Labels of two attributes, and for each case its label, how many of two thresholds it passes, and whose it is."""

    sex: np.ndarray
    site: np.ndarray
    y: np.ndarray
    passed: np.ndarray
    patient: np.ndarray | None = None

    @property
    def atoms(self):
        """Cells of the whole table: sex, site, label, thresholds passed; and patients, where they have many cases."""
        outcomes = OUTCOMES if self.patient is None else (*OUTCOMES, (PERSON, 0))
        return [(a, b, y, t) for a in sorted(set(self.sex)) for b in sorted(set(self.site)) for y, t in outcomes]

    def count(self, holds):
        every = list(zip(self.sex, self.site, self.y, self.passed, strict=True))
        if self.patient is not None:
            first = np.unique(self.patient, return_index=True)[1]
            every += [(self.sex[i], self.site[i], PERSON, 0) for i in first]
        return sum(bool(holds(*one)) for one in every)


def cohort(seed, *, many=False):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 700))
    sexes, sites = (
        rng.dirichlet(np.full(int(rng.integers(2, 4)), 1.5)),
        rng.dirichlet(np.full(int(rng.integers(2, 7)), 1)),
    )
    sex = np.array(["F", "M", "?"])[rng.choice(len(sexes), n, p=sexes)]
    site = np.array(list("ABCDE?"))[rng.choice(len(sites), n, p=sites)]
    y = rng.random(n) < rng.uniform(0.2, 0.6)
    score = np.where(y, rng.normal(rng.uniform(0.5, 1.5), 1, n), rng.normal(0, 1, n))
    low, high = np.quantile(score, [rng.uniform(0.3, 0.6), rng.uniform(0.6, 0.8)])
    patient = None
    if many:  # several cases of a patient, all of one group
        patient = np.sort(rng.integers(0, max(n // 3, 1), n))
        first = np.unique(patient, return_index=True)[1]
        sex, site = (labels[first][np.unique(patient, return_inverse=True)[1]] for labels in (sex, site))
    return Cohort(sex, site, y.astype(int), (score > low).astype(int) + (score > high), patient)


def report(data, *, crossed, thresholds):
    """Findings of the real checks."""
    n = len(data.y)
    ids = tuple(map(str, range(n)))
    named = {name: tuple(None if v == "?" else str(v) for v in getattr(data, name)) for name in ("sex", "site")}
    if crossed:
        named["sex*site"] = tuple(
            None if None in pair else ", ".join(pair) for pair in zip(*named.values(), strict=True)
        )
    truth = tuple(map(bool, data.y))
    patients = ids if data.patient is None else tuple(map(str, data.patient))
    who = {"cases": ids, "patients": patients}
    base = BinaryScores(**who, target="finding", y_true=truth, y_score=tuple(map(float, data.passed)), groups=named)
    single = {name: labels for name, labels in named.items() if "*" not in name}
    roster = Roster(**who, groups=single, positives=truth, outcome="finding")
    found = [Representation(n_draws=99)(roster)] if crossed else []
    for threshold in thresholds:
        decided = base.decided(threshold, decided_by="a threshold chosen beforehand")
        found.append(GroupRates()(decided))
        found += [RateGap(rate="tpr", attribute=name, n_permutations=99)(decided) for name in named]
    return found


def member(group):
    """Who belongs to a published group, as a predicate."""

    def holds(sex, site, *_):
        there = {"sex": sex, "site": site, "sex*site": "?" if "?" in (sex, site) else f"{sex}, {site}"}
        return all(there[name] == ("?" if label is None else label) for name, label in group.items())

    return holds


def facts(findings, *, many):
    """Every count that the published numbers tell, as (predicate, count): written apart from what hides them."""
    for finding in findings:
        least = 1 if finding.parameters.get("threshold") == 0.5 else 2
        for row in finding.estimates:
            if any(" - " in (label or "") for label in row.group.values()):
                continue  # a difference of groups that are both published
            inside = member(row.group)
            if finding.check == "fairness.rate_gap" and not row.group:
                continue
            if row.name in ("patients", "cases") and row.value is not None:
                whose = many and row.name == "patients"
                yield (lambda a, b, y, t, i=inside, p=whose: i(a, b) and (y == PERSON) == p), round(row.value)
            elif row.name == "positives" and row.value is not None:
                yield (lambda a, b, y, t, i=inside: i(a, b) and y == 1), round(row.value)
            elif row.name in RATES and row.value is not None:
                top, bottom = RATES[row.name]
                yield (lambda a, b, y, t, i=inside, f=bottom, u=least: i(a, b) and y < PERSON and f(y, t >= u)), row.n
                count = round(row.value * row.n)
                yield (lambda a, b, y, t, i=inside, f=top, u=least: i(a, b) and y < PERSON and f(y, t >= u)), count


def ranges(data, findings, cells, tell=facts):
    """Least and greatest value of each cell that everything published allows."""
    atoms = data.atoms
    known = {}
    for holds, count in tell(findings, many=data.patient is not None):
        known[tuple(bool(holds(*atom)) for atom in atoms)] = count
    assert all(data.count(lambda *case, r=row: r[atoms.index(case)]) == count for row, count in known.items())
    if not known:
        known[(True,) * len(atoms)] = len(data.y)  # nothing is published: how many there are may be known
    rows = csr_array(np.array(list(known), dtype=float).reshape(len(known), len(atoms)))
    counts = np.array(list(known.values()), dtype=float)
    given = [LinearConstraint(rows, counts, counts)]
    if data.patient is not None:  # nobody is counted who has no case
        places = sorted({atom[:2] for atom in atoms})
        more = np.array([[(-1.0 if a[2] == PERSON else 1.0) * (a[:2] == place) for a in atoms] for place in places])
        given.append(LinearConstraint(csr_array(more), 0, np.inf))
    for holds in cells:
        weight = np.array([float(bool(holds(*atom))) for atom in atoms])
        ends = []
        for sign in (1, -1):
            solved = milp(sign * weight, constraints=given, bounds=Bounds(0, np.inf), integrality=np.ones(len(atoms)))
            ends.append(np.inf if solved.x is None else round(sign * solved.fun))
        yield tuple(ends)


def small_cells(data, *, crossed, thresholds):
    """Small cells of every group: its size, its outcomes and decisions."""
    labels = [{"sex": a} for a in set(data.sex)] + [{"site": b} for b in set(data.site)]
    labels += [{"sex": a, "site": b} for a, b in product(set(data.sex), set(data.site))] if crossed else []
    for group in labels:

        def inside(a, b, group=group):
            return group.get("sex", a) == a and group.get("site", b) == b

        cells = [lambda a, b, y, t, i=inside, p=p: i(a, b) and (y == PERSON) == p for p in (False, True)]
        cells += [lambda a, b, y, t, i=inside, v=v: i(a, b) and y == v for v in (0, 1)]
        for least in (1, 2)[: len(thresholds)]:
            for v, d in product((0, 1), (False, True)):
                cells.append(lambda a, b, y, t, i=inside, v=v, d=d, u=least: i(a, b) and y == v and (t >= u) == d)
        yield from (holds for holds in cells if 0 < data.count(holds) < LEAST)


def attack_many(seed):
    """The same, where patients have several cases."""
    return attack(seed, many=True)


def attack(seed, *, many=False):
    """Widths of the feasible ranges of the small cells of one random report, and how much of it is published."""
    rng = np.random.default_rng([seed, 1])
    crossed, thresholds = bool(rng.random() < 0.6), [0.5, 1.5][: int(rng.integers(1, 3))]
    data = cohort(seed, many=many)
    findings = report(data, crossed=crossed, thresholds=thresholds)
    public = for_the_public(findings)
    cells = list(small_cells(data, crossed=crossed, thresholds=thresholds))
    widths = [high - low for low, high in ranges(data, public.findings, cells)]
    before = [high - low for low, high in ranges(data, findings, cells[:12])]
    return widths, before, public.shown, sum(len(finding.estimates) for finding in findings)


def scored(data, seed):
    """Scores of the same cases with misses, and the counts that tell of them."""
    rng = np.random.default_rng([seed, 2])
    missed = rng.random(len(data.y)) < rng.uniform(0.02, 0.2)
    n = len(data.y)
    ids = tuple(map(str, range(n)))
    named = {name: tuple(None if v == "?" else str(v) for v in getattr(data, name)) for name in ("sex", "site")}
    values = np.where(missed, 0.0, rng.beta(8, 2, n))
    table = ScoreTable(
        metric="mean_dice", unit="1", higher_is_better=True, cases=ids, patients=ids,
        values=tuple(map(float, values)), outcomes=tuple("missed" if m else "scored" for m in missed), groups=named,
        bounds=(0.0, 1.0),
    )  # fmt: skip
    return replace(data, y=missed.astype(int), passed=np.zeros(n, dtype=int)), GroupScores()(table)


def failures(findings, *, many):
    """Counts that published scores tell: patients of a group, and how many of them were missed."""
    for row in (row for finding in findings for row in finding.estimates):
        inside = member(row.group)
        yield inside, row.n
        if row.name == "failure_rate" and row.value is not None:
            yield (lambda a, b, y, t, i=inside: i(a, b) and y), round(row.value * row.n)


def attack_scores(seed):
    data, finding = scored(cohort(seed), seed)
    public = for_the_public([finding])
    labels = [{"sex": a} for a in set(data.sex)] + [{"site": b} for b in set(data.site)]
    cells = [
        lambda a, b, y, t, g=group, v=v: g.get("sex", a) == a and g.get("site", b) == b and v in (None, y)
        for group in labels
        for v in (None, 0, 1)
    ]
    small = [holds for holds in cells if 0 < data.count(holds) < LEAST]
    widths = [high - low for low, high in ranges(data, public.findings, small, tell=failures)]
    before = [high - low for low, high in ranges(data, [finding], small, tell=failures)]
    return widths, before, public.shown, len(finding.estimates)


@cache
def attacked(first, last, how=attack):
    return [how(seed) for seed in range(first, last)]


def told(what, results):
    widths = np.concatenate([np.array(found[0], dtype=float) for found in results])
    before = np.concatenate([np.array(found[1], dtype=float) for found in results])
    shares = np.array([found[2] / found[3] for found in results])
    quantiles = ", ".join(f"{q:g}" for q in np.quantile(widths, [0, 0.05, 0.25, 0.5, 0.75, 1]))
    parts = ", ".join(f"{q:.0%}" for q in np.quantile(shares, [0, 0.25, 0.5, 0.75, 1]))
    print(
        f"\n{what}: {len(results)} reports, {len(widths)} small cells: greatest less least possible value "
        f"(0, 5, 25, 50, 75, 100 %): {quantiles}; determined {int((widths == 0).sum())}, "
        f"narrower than {LEAST}: {int((widths < LEAST).sum())}; "
        f"unsuppressed: determined {int((before == 0).sum())} of {len(before)}; "
        f"estimates published (0, 25, 50, 75, 100 %): {parts}"
    )
    return widths, before


def test_no_small_cell_of_a_random_report_can_be_narrowed():
    widths, before = told("decisions", attacked(2, 3))
    assert len(widths) > 5
    assert widths.min() >= LEAST
    assert (before == 0).mean() > 0.5  # the adversary is able: what is not suppressed it finds out


@pytest.mark.slow
def test_no_small_cell_can_be_narrowed_where_patients_have_several_cases():
    widths, before = told("decisions, several cases a patient", attacked(1, 2, attack_many))
    assert len(widths) > 5
    assert widths.min() >= LEAST
    assert (before == 0).mean() > 0.5


def test_no_count_of_misses_can_be_narrowed():
    widths, before = told("scores", attacked(0, 2, attack_scores))
    assert widths.min() >= LEAST
    assert (before == 0).mean() > 0.5


@pytest.mark.slow
def test_no_small_cell_of_random_reports_can_be_narrowed():
    for what, last, how in (("decisions", REPORTS, attack), ("several cases a patient", REPORTS // 2, attack_many)):
        widths, _ = told(what, attacked(0, last, how))
        assert widths.min() >= LEAST


@pytest.mark.slow
def test_no_count_of_misses_of_random_reports_can_be_narrowed():
    widths, _ = told("scores", attacked(0, 2 * REPORTS, attack_scores))
    assert widths.min() >= LEAST


def test_the_order_of_findings_does_not_matter():
    findings = report(cohort(3), crossed=True, thresholds=[0.5])
    forward, backward = for_the_public(findings), for_the_public(findings[::-1])
    assert list(backward.findings[::-1]) == list(forward.findings)


@pytest.mark.parametrize("seed", range(3))
def test_more_findings_never_show_what_fewer_hide(seed):
    data = cohort(seed)
    findings = report(data, crossed=True, thresholds=[0.5])
    alone, among = for_the_public(findings[1:2]).findings[0], for_the_public(findings).findings[1]
    assert {(e.name, str(e.group)) for e in among.estimates} <= {(e.name, str(e.group)) for e in alone.estimates}

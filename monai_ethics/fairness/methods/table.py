# SPDX-License-Identifier: Apache-2.0
"""The one table of methods: for each metric what is exchangeable, how it is estimated and when it is not assessable.

``docs/reference/methods.md`` is this table in print; ``python -m monai_ethics.fairness.methods.table`` prints it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["METHODS", "MethodRow", "as_markdown"]

PACKAGE = "monai_ethics."


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow:
    """How one kind of number is computed.

    Args:
        metric: what it is.
        checks: ids of the checks that give it.
        exchanged: what may be exchanged when groups do not differ, and what stays.
        independent: interval and test when each patient has one case.
        clustered: the same when patients have several cases, or are in several groups.
        not_assessable: when there is no number, no interval or no test.
        functions: ``module:function`` within this package that do it.
    """

    metric: str
    checks: tuple[str, ...]
    exchanged: str
    independent: str
    clustered: str
    not_assessable: str
    functions: tuple[str, ...]


_PERMUTED = "studentized permutation"
_SIGNS = "random signs of whole patients where they are in several groups"
_SMALL = "fewer than 10 patients in a group, or fewer than 2 such groups"
_NEEDED = f"{_SMALL}; fewer than 5 patients with a denominator"
_RATIO = (
    "fairness.methods.ratios:ratio_value_interval",
    "fairness.methods.ratios:ratio_omnibus",
    "fairness.methods.ratios:ratio_difference",
    "fairness.methods.ratios:ratio_detectable",
)
_WILSON = f"Wilson; Newcombe for pairs; {_PERMUTED}"
_RAO_SCOTT = (
    f"Wilson at the Rao-Scott effective number, Student t; MOVER of both for pairs; whole patients permuted, {_SIGNS}"
)


def _rate(metric: str, exchanged: str, check: str = "fairness.rate_gap") -> MethodRow:
    return MethodRow(
        metric=metric,
        checks=("fairness.group_rates", check),
        exchanged=exchanged,
        independent=_WILSON,
        clustered=_RAO_SCOTT,
        not_assessable=_NEEDED,
        functions=_RATIO,
    )


METHODS = (
    _rate("selection rate, accuracy", "patients"),
    _rate("TPR, FNR", "patients with positive cases: within the class"),
    _rate("FPR, TNR", "patients with negative cases: within the class"),
    _rate("PPV", "patients with positive decisions: within the decision"),
    _rate("NPV", "patients with negative decisions: within the decision"),
    MethodRow(
        metric="prevalence",
        checks=("fairness.group_rates",),
        exchanged="nothing: described, not tested",
        independent="Wilson",
        clustered="Wilson at the Rao-Scott effective number, Student t",
        not_assessable="fewer than 10 patients in a group",
        functions=("fairness.methods.ratios:ratio_value_interval",),
    ),
    MethodRow(
        metric="PPV at a reference prevalence",
        checks=("fairness.group_rates",),
        exchanged="nothing: described, not tested",
        independent="MOVER for the ratio of TPR and FPR, through Bayes' rule",
        clustered="the same, of Rao-Scott intervals",
        not_assessable=_NEEDED,
        functions=("fairness.methods.reference_ppv:reference_ppv",),
    ),
    MethodRow(
        metric="equalized odds",
        checks=("fairness.equalized_odds",),
        exchanged="patients among those with the same classes",
        independent=f"larger of both studentized statistics on the same draws ({_PERMUTED})",
        clustered=f"whole patients permuted, {_SIGNS}",
        not_assessable=f"{_SMALL}; fewer than 5 patients with positive or with negative cases",
        functions=("fairness.methods.odds:odds_omnibus", "fairness.methods.odds:average_odds"),
    ),
    MethodRow(
        metric="differential fairness",
        checks=("fairness.differential_fairness",),
        exchanged="patients",
        independent=f"smoothed ratio beside its null distribution; {_PERMUTED} of selection rates",
        clustered=f"whole patients permuted, {_SIGNS} (test only)",
        not_assessable=_SMALL,
        functions=("fairness.methods.epsilon:smoothed_epsilon", "fairness.methods.epsilon:epsilon_by_chance"),
    ),
    MethodRow(
        metric="rates over thresholds",
        checks=("fairness.threshold_sweep",),
        exchanged="nothing: a description, the threshold is fixed on other data",
        independent="Wilson at each threshold",
        clustered="Wilson at the Rao-Scott effective number at each threshold",
        not_assessable="no scores; a group below the smallest size is listed",
        functions=("statistics.sweep:sweep",),
    ),
    MethodRow(
        metric="mean of scores",
        checks=("fairness.group_scores", "fairness.score_gap"),
        exchanged="patients (one value each)",
        independent=(
            "Student t from 30 patients without a failure, otherwise guaranteed by betting for bounded scores; Welch "
            f"for pairs; {_PERMUTED} of Welch's statistic"
        ),
        clustered="one value per patient (mean of its cases); cluster sandwich and random signs across groups",
        not_assessable=f"{_SMALL}; no interval for unbounded scores of few patients or with misses",
        functions=(
            "statistics.intervals:mean_over_patients",
            "statistics.differences:mean_difference",
            "statistics.permutation:mean_omnibus",
            "fairness.methods.crossed:crossed_omnibus",
        ),
    ),
    MethodRow(
        metric="median of scores",
        checks=("fairness.group_scores",),
        exchanged="nothing: tests are of means or of ranks",
        independent="exact order-statistic interval",
        clustered="one value per patient",
        not_assessable="fewer than 6 patients have no interval; half or more missed have no finite median",
        functions=("statistics.intervals:median_over_patients",),
    ),
    MethodRow(
        metric="relative effect (scores with failures)",
        checks=("fairness.score_gap",),
        exchanged="patients (one value each), a miss as the worst score",
        independent=f"Brunner-Munzel on the logit scale; {_PERMUTED} of pseudo-rank effects",
        clustered="one value per patient; cluster sandwich and random signs across groups, then no interval of pairs",
        not_assessable=f"{_SMALL}; no interval where groups do not overlap",
        functions=(
            "statistics.differences:relative_effect",
            "statistics.permutation:rank_omnibus",
            "statistics.power:minimum_detectable_relative_effect",
        ),
    ),
    MethodRow(
        metric="failure rate, false positives on healthy cases",
        checks=("fairness.group_scores", "fairness.score_gap"),
        exchanged="patients",
        independent="Wilson; Newcombe for pairs",
        clustered="Wilson at the Rao-Scott effective number, Student t; the share per patient is tested",
        not_assessable="stored scores that do not tell misses from low scores",
        functions=("statistics.intervals:clustered_rate", "statistics.differences:newcombe"),
    ),
    MethodRow(
        metric="AUC within a group",
        checks=("fairness.group_ranking", "fairness.ranking_gap"),
        exchanged="patients among those with cases of the same classes",
        independent=f"DeLong on the logit scale with Student t, Newcombe's method 5 at the edge; {_PERMUTED}",
        clustered=f"Obuchowski, with the covariance where a patient is in two groups; {_SIGNS}",
        not_assessable=f"{_SMALL}; one class absent, or fewer than 5 patients of either",
        functions=(
            "statistics.auc:area_under_curve",
            "statistics.auc:area_difference",
            "fairness.methods.area_tests:area_omnibus",
            "fairness.methods.area_tests:area_detectable",
        ),
    ),
    MethodRow(
        metric="AUC across groups (xAUC: BPSN, BNSP)",
        checks=("fairness.group_ranking", "fairness.ranking_gap"),
        exchanged="patients among those with cases of the same classes",
        independent=f"DeLong on the logit scale with Student t; {_PERMUTED}",
        clustered=f"Obuchowski; {_SIGNS}",
        not_assessable=f"{_SMALL}; one class absent, or fewer than 5 patients of either",
        functions=("statistics.auc:cross_areas", "fairness.methods.area_tests:cross_omnibus"),
    ),
    MethodRow(
        metric="average precision",
        checks=("fairness.group_ranking",),
        exchanged="nothing: it depends on prevalence, so that groups are described and not tested",
        independent="infinitesimal jackknife on the logit scale",
        clustered="the same over patients",
        not_assessable="fewer than 10 patients of either class have no interval",
        functions=("statistics.average_precision:average_precision",),
    ),
    MethodRow(
        metric="ABROCA",
        checks=("fairness.abroca",),
        exchanged="patients among those with cases of the same classes, scores put in their places within their group",
        independent="area between two ROC curves beside its null distribution; no interval of pairs",
        clustered="whole patients exchanged",
        not_assessable=f"{_SMALL}; fewer than 5 patients of either class; patients in several groups",
        functions=("fairness.methods.roc:curve_area", "fairness.methods.roc:curve_omnibus"),
    ),
    MethodRow(
        metric="ECE (common edges, equal mass, debiased)",
        checks=("fairness.calibration", "fairness.calibration_gap"),
        exchanged="nothing: the null is 'each group is calibrated', outcomes are drawn from the probabilities",
        independent="consistency resampling; each error less its mean under calibration",
        clustered="described beside its null; not tested",
        not_assessable=f"{_SMALL}; scores that are no probabilities; the gap where patients repeat",
        functions=(
            "statistics.calibration:errors",
            "statistics.calibration:null_errors",
            "fairness.methods.calibration_gaps:ece_gap",
        ),
    ),
    MethodRow(
        metric="calibration in the large, Brier",
        checks=("fairness.calibration", "fairness.calibration_gap"),
        exchanged="patients",
        independent=f"linearized Student t over patients; {_PERMUTED}",
        clustered=f"linearized Student t of a ratio over patients; whole patients permuted, {_SIGNS}",
        not_assessable=f"{_SMALL}; scores that are no probabilities",
        functions=_RATIO,
    ),
    MethodRow(
        metric="calibration slope",
        checks=("fairness.calibration", "fairness.calibration_gap"),
        exchanged="signs of whole patients",
        independent="logistic slope with the sandwich; Wald statistic",
        clustered="the sandwich over patients; random signs of whole patients",
        not_assessable=f"{_SMALL}; fewer than 5 patients of either outcome; classes that are separated",
        functions=(
            "statistics.calibration_slope:calibration_slope",
            "statistics.calibration_slope:slope_interval",
            "fairness.methods.calibration_gaps:slope_omnibus",
        ),
    ),
    MethodRow(
        metric="equity-scaled score, skewed error ratio, spread between groups",
        checks=("fairness.equity_scaled",),
        exchanged="patients (one value each)",
        independent="no interval: beside its distribution when labels are exchanged; in no family of tests",
        clustered="one value per patient",
        not_assessable=(
            f"{_SMALL}; scores not of 0 to 1 with more better; no null where patients are in several groups"
        ),
        functions=("statistics.scaled:scaled_scores", "statistics.shrunk:between_group_variance"),
    ),
    MethodRow(
        metric="standardized gap",
        checks=("fairness.standardized_gap",),
        exchanged="patients within a stratum of the control",
        independent=f"Student t of weighted strata; {_PERMUTED} within strata",
        clustered=f"one value per patient and stratum; {_SIGNS}",
        not_assessable=f"{_SMALL} in the strata kept; strata where a judged group has too few are named and left out",
        functions=(
            "fairness.methods.standardized:standardized_value",
            "fairness.methods.standardized:standardized_difference",
            "fairness.methods.standardized:standardized_omnibus",
        ),
    ),
    MethodRow(
        metric="shrunk mean",
        checks=("fairness.group_scores",),
        exchanged="nothing: never judged, because pooling hides a harmed group",
        independent="empirical Bayes; no interval, because it would not cover",
        clustered="one value per patient",
        not_assessable="fewer than 5 judged groups, or a score that is not finite",
        functions=("statistics.shrunk:shrunk_means",),
    ),
    MethodRow(
        metric="change of a gap (mitigation)",
        checks=("fairness.mitigation_change",),
        exchanged="before and after within a patient",
        independent=(
            "of scores a studentized bootstrap over patients of each group's and pair's change; of rates a linearized "
            "t interval with one patient more in each direction; of areas MOVER of their logit intervals with their "
            "correlation; the gap's change beside exchanges of before and after"
        ),
        clustered="one value per patient; rates and areas weigh cases, and sum over each patient",
        not_assessable=f"{_SMALL}; other patients before than after; 5 patients with a denominator for rates and areas",
        functions=(
            "fairness.methods.paired:paired_changes",
            "fairness.methods.linearized:rate_changes",
            "fairness.methods.linearized:area_changes",
            "fairness.methods.paired:exchange",
        ),
    ),
)
_HEAD = ("metric", "what is exchanged", "one case a patient", "repeated patients", "not assessable", "checks", "by")
_INTRO = """# Methods

What every number is computed with, by one table that the code holds too (`monai_ethics.fairness.methods.table`).
The unit is the patient throughout: a patient's cases are never exchanged or resampled apart.
Below 10 patients a group is listed, not judged and never dropped.
Each gap stands beside its mean and 95th percentile when groups do not differ, and the gap that could have been found.

Pairs of groups are adjusted by Holm, or where asked for by Benjamini-Hochberg or max-T (Westfall-Young).
They never fall below the adjusted p-value of the whole attribute.
All tests of a report are one family; intersections are a family of their own, which is exploratory.
Parity is claimed only by a sourced limit on the smallest margin: see [write a policy](../how-to/write-a-policy.md).
How many patients a comparison needs is said by `monai-ethics plan`: see [command line](command-line.md).

"""

_OUTRO = """
## Draws of very many patients

Permutation tests of means, and of ratios whose patients are shuffled (calibration in the large, Brier), \
make 10,000 draws.
Where draws times patients exceed 200 million, they look once, after as many draws as 200 million allow and \
at least 1,999: a sequential Monte Carlo test (Besag and Clifford 1991, Biometrika 78(2)) with a single \
look.
If at least 20 draws reach the observed statistic, p is (1 + those) / (1 + draws so far); otherwise all \
draws are made and count.
A p-value of the look is at least 21 / (1 + draws so far). At a level below that number only the full test \
can reject; at one above it the test rejects only where the first draws alone would. Each of both holds the \
level.
In 3,000 tables without a difference, with an early look, shares of p-values at or below .01, .05, .1, .2, \
.25 and .5 stay within three standard errors above (`tests/statistics/test_first_look.py`).
The number of draws made is printed with each p-value.
"""


def as_markdown() -> str:
    """The page ``docs/reference/methods.md``."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    for row in METHODS:
        checks = ", ".join(f"[{check.split('.')[1]}](checks/{check.replace('.', '/')}.md)" for check in row.checks)
        functions = ", ".join(f"`{name.removeprefix('methods.').replace(':', '.')}`" for name in row.functions)
        cells = (row.metric, row.exchanged, row.independent, row.clustered, row.not_assessable, checks, functions)
        lines.append("| " + " | ".join(cells) + " |")
    return _INTRO + "\n".join(lines) + "\n" + _OUTRO


if __name__ == "__main__":
    print(as_markdown(), end="")

# SPDX-License-Identifier: Apache-2.0
"""Rates of decisions: where other packages agree with ours to 1e-9, and where they do not, with both numbers."""

import math

import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.classes import ClassScores
from monai_ethics.fairness.equalized_odds import EqualizedOdds
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.methods.ratios import RatioGroup, ratio_omnibus
from monai_ethics.fairness.rate_gap import RateGap
from monai_ethics.statistics.auc import area_under_curve

pytestmark = pytest.mark.peers
EXACT = {"abs": 1e-9}


def table(truth, decided, labels, *, scores=()):
    keys = tuple(f"c{i}" for i in range(len(truth)))
    return BinaryScores(
        target="t",
        cases=keys,
        patients=keys,
        y_true=tuple(bool(value) for value in truth),
        y_pred=tuple(bool(value) for value in decided),
        y_score=tuple(float(value) for value in scores),
        decided_by="fixed beforehand",
        groups={"g": tuple(labels)},
    )


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    labels = rng.choice(list("ABCD"), 400, p=[0.4, 0.3, 0.2, 0.1])
    truth = rng.random(400) < 0.4
    decided = rng.random(400) < np.where(truth, 0.8, 0.25)
    return truth, decided, labels


@pytest.fixture(scope="module")
def measured(drawn):
    finding = GroupRates()(table(*drawn))
    return {(item.name, item.group["g"]): item for item in finding.estimates if item.group}


def pick(finding, name, group=None):
    (found,) = [item for item in finding.estimates if item.name == name and dict(item.group) == (group or {})]
    return found


def gap(data, rate):
    return RateGap(rate=rate, n_permutations=99)(data)


def test_rates_and_their_gaps_and_ratios_are_fairlearns(drawn, measured):
    metrics = pytest.importorskip("fairlearn.metrics")
    truth, decided, labels = drawn
    names = {
        "selection_rate": metrics.selection_rate,
        "tpr": metrics.true_positive_rate,
        "fpr": metrics.false_positive_rate,
        "tnr": metrics.true_negative_rate,
        "fnr": metrics.false_negative_rate,
        "accuracy": lambda y, p: np.mean(y == p),
    }
    frame = metrics.MetricFrame(metrics=names, y_true=truth, y_pred=decided, sensitive_features=labels)
    for name in names:
        for label in "ABCD":
            assert measured[name, label].value == pytest.approx(frame.by_group.loc[label, name], **EXACT)
        finding = gap(table(*drawn), name)
        assert pick(finding, "max_min_gap").value == pytest.approx(frame.difference()[name], **EXACT)
        assert pick(finding, "ratio").value == pytest.approx(frame.ratio()[name], **EXACT)


def test_equalized_odds_are_fairlearns(drawn):
    metrics = pytest.importorskip("fairlearn.metrics")
    truth, decided, labels = drawn
    finding = EqualizedOdds(n_permutations=99)(table(*drawn))
    for name, agg in (("max_min_gap", "worst_case"), ("mean_gap", "mean")):
        peer = metrics.equalized_odds_difference(truth, decided, sensitive_features=labels, agg=agg)
        assert pick(finding, name).value == pytest.approx(peer, **EXACT)
    ratio = min(pick(finding, "tpr_ratio").value, pick(finding, "fpr_ratio").value)
    assert ratio == pytest.approx(
        metrics.equalized_odds_ratio(truth, decided, sensitive_features=labels, agg="worst_case"), **EXACT
    )


def test_rates_are_scikit_learns(drawn, measured):
    metrics = pytest.importorskip("sklearn.metrics")
    truth, decided, labels = drawn
    for label in "ABCD":
        y, p = truth[labels == label], decided[labels == label]
        peers = {
            "tpr": metrics.recall_score(y, p),
            "tnr": metrics.recall_score(y, p, pos_label=False),
            "ppv": metrics.precision_score(y, p),
            "npv": metrics.precision_score(y, p, pos_label=False),
            "accuracy": metrics.accuracy_score(y, p),
        }
        for name, peer in peers.items():
            assert measured[name, label].value == pytest.approx(peer, **EXACT)


def test_several_classes_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    truth, decided = rng.choice(list("abcd"), 300), rng.choice(list("abcd"), 300)
    labels, keys = rng.choice(list("FM"), 300), tuple(str(i) for i in range(300))
    data = ClassScores(
        target="t",
        cases=keys,
        patients=keys,
        classes=tuple("abcd"),
        y_true=tuple(truth.tolist()),
        y_pred=tuple(decided.tolist()),
        decided_by="drawn",
        groups={"g": tuple(labels.tolist())},
    )
    of_women = labels == "F"
    accuracy = pick(GroupRates()(data.top_one()), "accuracy", {"g": "F"}).value
    assert accuracy == pytest.approx(metrics.accuracy_score(truth[of_women], decided[of_women]), **EXACT)
    recalls = metrics.recall_score(truth[of_women], decided[of_women], average=None, labels=list("abcd"))
    for one, peer in zip(data.one_vs_rest(), recalls, strict=True):
        assert pick(GroupRates()(one), "tpr", {"g": "F"}).value == pytest.approx(peer, **EXACT)


def test_intervals_are_statsmodels(drawn, measured):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    truth, decided, labels = drawn
    counts = {
        label: (int(decided[(labels == label) & truth].sum()), int((truth & (labels == label)).sum())) for label in "AB"
    }
    for label, (hits, cases) in counts.items():
        found = measured["tpr", label]
        assert (found.low, found.high) == pytest.approx(
            proportion.proportion_confint(hits, cases, method="wilson"), **EXACT
        )
    pair = pick(gap(table(*drawn), "tpr"), "difference", {"g": "A - B"})
    peer = proportion.confint_proportions_2indep(*counts["A"], *counts["B"], method="newcomb", compare="diff")
    assert (pair.low, pair.high) == pytest.approx(peer, **EXACT)


def test_counts_and_ratios_are_torchmetrics(drawn):
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    truth, decided, labels = drawn
    codes = torch.tensor(["ABCD".index(label) for label in labels])
    preds, target = torch.tensor(decided.astype(int)), torch.tensor(truth.astype(int))
    fairness = classification.binary_fairness(preds, target, codes, task="all")
    (parity,) = [value.item() for name, value in fairness.items() if name.startswith("DP")]
    (opportunity,) = [value.item() for name, value in fairness.items() if name.startswith("EO")]
    assert pick(gap(table(*drawn), "selection_rate"), "ratio").value == pytest.approx(parity, abs=1e-6)  # float32
    assert pick(gap(table(*drawn), "tpr"), "ratio").value == pytest.approx(opportunity, abs=1e-6)
    shares = classification.binary_groups_stat_rates(preds, target, codes, num_groups=4)
    own = labels == "A"
    expected = [
        np.mean(own_case)
        for own_case in (
            (truth & decided)[own],
            (~truth & decided)[own],
            (~truth & ~decided)[own],
            (truth & ~decided)[own],
        )
    ]
    assert shares["group_0"].tolist() == pytest.approx(expected, abs=1e-6)


def test_gaps_are_ignites(drawn):
    torch = pytest.importorskip("torch")
    fairness = pytest.importorskip("ignite.metrics.fairness")
    truth, decided, labels = drawn
    batch = [torch.tensor(column) for column in (decided.astype(int), truth.astype(int))]
    codes = torch.tensor(["ABCD".index(label) for label in labels])
    for metric, rate in (
        (fairness.DemographicParityDifference(groups=[0, 1, 2, 3]), "selection_rate"),
        (fairness.SubgroupAccuracyDifference(groups=[0, 1, 2, 3]), "accuracy"),
    ):
        metric.update((*batch, codes))
        assert pick(gap(table(*drawn), rate), "max_min_gap").value == pytest.approx(
            metric.compute(), abs=1e-6
        )  # float32


NO_POSITIVES = ([1] * 10 + [0] * 10 + [0] * 20, [1] * 10 + [0] * 10 + [1] * 10 + [0] * 10, ["A"] * 20 + ["B"] * 20)


def test_no_positive_case_is_zero_for_fairlearn_and_undefined_here():
    metrics = pytest.importorskip("fairlearn.metrics")
    assert metrics.true_positive_rate([0, 0], [1, 0]) == 0.0
    truth, decided, labels = NO_POSITIVES
    assert metrics.equal_opportunity_difference(truth, decided, sensitive_features=labels) == 1.0  # the TPR of A
    data = table(*NO_POSITIVES)
    found = pick(GroupRates()(data), "tpr", {"g": "B"})
    assert found.value is None
    assert "undefined, which is not 0" in found.reason
    assert gap(data, "tpr").verdict is Verdict.NOT_ASSESSABLE


def test_no_positive_case_is_zero_for_torchmetrics_and_undefined_here():
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    truth, decided, labels = NO_POSITIVES
    codes = torch.tensor(["AB".index(label) for label in labels])
    found = classification.binary_fairness(torch.tensor(decided), torch.tensor(truth), codes, task="equal_opportunity")
    assert {name: value.item() for name, value in found.items()} == {"EO_1_0": 0.0}
    assert not [item for item in gap(table(*NO_POSITIVES), "tpr").estimates if item.name == "ratio"]


@pytest.mark.filterwarnings("ignore:All-NaN slice encountered:RuntimeWarning")
def test_a_group_of_one_class_hides_a_gap_of_areas_in_fairlearn_and_is_undefined_here():
    metrics = pytest.importorskip("fairlearn.metrics")
    area = pytest.importorskip("sklearn.metrics").roc_auc_score

    def quiet(y, p):
        return area(y, p) if len(set(y)) == 2 else math.nan

    rng = np.random.default_rng(0)
    truth, scores = np.r_[rng.integers(0, 2, 20), np.zeros(12, int)], rng.random(32)
    labels = np.array(["A"] * 20 + ["B"] * 12)
    frame = metrics.MetricFrame(
        metrics=quiet,
        y_true=truth,
        y_pred=scores,
        sensitive_features=labels,
        n_boot=20,
        ci_quantiles=[0.025, 0.975],
        random_state=0,
    )
    assert math.isnan(frame.by_group["B"])
    assert (frame.difference(), frame.ratio()) == (0.0, 1.0)
    assert frame.difference_ci() == [0.0, 0.0]
    own = labels == "B"
    found = area_under_curve(truth[own].astype(bool).tolist(), scores[own].tolist(), [str(i) for i in range(12)])
    assert found.value is None
    assert "one of them is absent" in found.reason


def null_set(rng, groups=5, n=30, rate=0.85):
    return rng.random((groups, n)) < rate


def bootstrap_low(hits, rng, draws):
    """Lower end of the percentile interval of the largest gap, all cases resampled together as fairlearn does."""
    groups, n = hits.shape
    cells = np.stack([hits.sum(axis=1), n - hits.sum(axis=1)], axis=1).ravel()
    counts = rng.multinomial(groups * n, cells / cells.sum(), size=draws).reshape(draws, groups, 2)
    rates = counts[..., 0] / counts.sum(axis=2)
    return np.quantile(rates.max(axis=1) - rates.min(axis=1), 0.025)


def test_fairlearns_interval_of_the_gap_always_finds_one_and_our_test_does_in_one_of_20():
    """Five groups of 30 with the same true rate of .85: no gap."""
    metrics = pytest.importorskip("fairlearn.metrics")
    rng = np.random.default_rng(3)
    labels = np.repeat(list("ABCDE"), 30)
    for seed in range(3):
        hits = null_set(rng)
        frame = metrics.MetricFrame(
            metrics=metrics.true_positive_rate,
            y_true=np.ones(150),
            y_pred=hits.ravel().astype(int),
            sensitive_features=labels,
            n_boot=100,
            ci_quantiles=[0.025, 0.975],
            random_state=seed,
        )
        low = frame.difference_ci()[0]
        assert low > 0
        assert low == pytest.approx(bootstrap_low(hits, rng, 2000), abs=0.03)
    theirs = ours = 0
    keys = [tuple(f"{g}{i}" for i in range(30)) for g in range(5)]
    for replicate in range(600):
        hits = null_set(rng)
        theirs += bootstrap_low(hits, rng, 200) > 0
        groups = [
            RatioGroup(label=str(g), patients=keys[g], tops=hits[g].astype(float), bottoms=np.ones(30))
            for g in range(5)
        ]
        ours += ratio_omnibus(groups, n_permutations=499, rng=np.random.default_rng(replicate)).p <= 0.05
    print(f"\nfairlearn's lower end above 0 in {theirs / 6:.1f} %, our alarms in {ours / 6:.1f} %")
    assert theirs >= 594
    assert 16 <= ours <= 46


def test_torchmetrics_gives_a_group_another_name_and_ours_keeps_it():
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    shares = classification.binary_groups_stat_rates(
        torch.tensor([1, 0]), torch.tensor([1, 1]), torch.tensor([2, 2]), num_groups=3
    )
    assert list(shares) == ["group_0"]  # it was group 2
    finding = GroupRates(min_group_size=2)(table([1, 1], [1, 0], ["2", "2"]))
    assert {item.group["g"] for item in finding.estimates if item.group} == {"2"}


def test_torchmetrics_rates_are_shares_of_all_cases_and_ours_of_the_class():
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    truth, decided = [1] * 5 + [0] * 15, [1] * 5 + [0] * 15
    shares = classification.binary_groups_stat_rates(
        torch.tensor(decided), torch.tensor(truth), torch.zeros(20, dtype=torch.long), num_groups=1
    )
    assert shares["group_0"][0].item() == 0.25  # "tp" of a classifier that finds every positive case
    assert pick(GroupRates()(table(truth, decided, ["0"] * 20)), "tpr", {"g": "0"}).value == 1.0


@pytest.mark.parametrize(("order", "peer"), [([0, 1], 0.0), ([1, 0], math.nan)])
def test_ignites_gap_with_an_undefined_group_depends_on_the_order_of_groups(order, peer):
    torch = pytest.importorskip("torch")
    fairness = pytest.importorskip("ignite.metrics.fairness")
    metrics = pytest.importorskip("ignite.metrics")

    def area(scores, truth):
        return 0.7 if len(set(truth.tolist())) == 2 else math.nan

    metric = fairness.SubgroupDifference(metrics.EpochMetric(area, check_compute_fn=False), groups=order)
    truth, codes = [1, 0, 0, 0], [0, 0, 1, 1]
    metric.update((torch.tensor([0.1, 0.9, 0.5, 0.4]), torch.tensor(truth), torch.tensor(codes)))
    assert metric.compute() == pytest.approx(peer, nan_ok=True)
    names = {0: ["a", "b"], 1: ["b", "a"]}[order[0]]
    truth, decided, labels = NO_POSITIVES
    renamed = [names["AB".index(label)] for label in labels]
    finding = gap(table(truth, decided, renamed), "tpr")
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "1 of 2 groups" in finding.reason


def test_ignite_drops_a_group_that_was_not_listed_and_ours_lists_it():
    torch = pytest.importorskip("torch")
    fairness = pytest.importorskip("ignite.metrics.fairness")
    metrics = pytest.importorskip("ignite.metrics")
    metric = fairness.SubgroupMetric(metrics.Accuracy(), groups=[0])
    metric.update((torch.tensor([1, 0, 1]), torch.tensor([1, 1, 0]), torch.tensor([0, 0, 1])))
    assert metric.compute() == {0: 0.5}
    finding = GroupRates()(table([1] * 13, [1] * 13, ["0"] * 12 + ["1"]))
    hidden = pick(finding, "accuracy", {"g": "1"})
    assert hidden.value is None
    assert "listed, not judged" in hidden.reason


def test_fairlearn_refuses_a_missing_attribute_and_ours_is_a_group():
    metrics = pytest.importorskip("fairlearn.metrics")
    with pytest.raises(ValueError, match=r"null|NaN|[Mm]issing|None"):
        metrics.demographic_parity_difference([1, 0], [1, 0], sensitive_features=["A", None])
    finding = GroupRates()(table([1] * 24, [1] * 24, ["A"] * 12 + [None] * 12))
    assert pick(finding, "selection_rate", {"g": None}).n == 12

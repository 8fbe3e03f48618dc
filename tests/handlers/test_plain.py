# SPDX-License-Identifier: Apache-2.0
"""Plain Ignite metrics: by case where they are means over cases, by group where not, and a reason where neither."""

import warnings

import ignite.distributed as idist
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from ignite.metrics import (
    ROC_AUC,
    Accuracy,
    Average,
    ConfusionMatrix,
    Fbeta,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Metric,
    Precision,
    Recall,
    RootMeanSquaredError,
    RunningAverage,
    TopKCategoricalAccuracy,
)
from ignite.metrics.metric import BatchWise
from torch import nn

from monai_ethics.handlers import StratifiedScores
from monai_ethics.handlers._plain import MOST_NUMBERS, alone

N = 23
HARD = {"output_transform": lambda out: (out[0].round(), out[1])}
SOFT = {"output_transform": lambda out: (out[0], out[1].float())}
LISTS = {"output_transform": lambda out: (list(out[0].round()), list(out[1]))}
CLASSES = {"output_transform": lambda out: (torch.stack([1 - out[0], out[0]], 1), out[1])}


def data(n=N, seed=0):
    rng = np.random.default_rng(seed)
    score = torch.tensor(rng.random(n), dtype=torch.float32)
    return score, torch.tensor(rng.random(n) < score.numpy()).long(), ["FM"[i % 3 == 0] for i in range(n)]


def batches(size, n=N):
    score, y, sex = data(n)
    return [
        {
            "score": score[i : i + size],
            "y": y[i : i + size],
            "sex": sex[i : i + size],
            "uid": [f"{j:03d}" for j in range(i, min(i + size, n))],
        }
        for i in range(0, n, size)
    ]


def run(metrics, *, size=5, watched=True, usage=None):
    engine = Engine(lambda _, batch: (batch["score"], batch["y"]))
    for name, metric in metrics.items():
        metric.attach(engine, name, **({"usage": usage} if usage else {}))
    scores = StratifiedScores(attributes=["sex"], case_key="uid")
    if watched:
        scores.attach(engine)
    engine.run(batches(size))
    return engine, scores


MEANS = {
    "accuracy": lambda: Accuracy(**HARD),
    "accuracy of lists": lambda: Accuracy(**LISTS),
    "top-1": lambda: TopKCategoricalAccuracy(k=1, **CLASSES),
    "squared error": lambda: MeanSquaredError(**SOFT),
    "absolute error": lambda: MeanAbsoluteError(**SOFT),
    "loss": lambda: Loss(nn.BCELoss(), **SOFT),
    "loss with arguments": lambda: Loss(nn.functional.binary_cross_entropy, lambda o: (o[0], o[1].float(), {})),
    "average": lambda: Average(output_transform=lambda out: out[0][:, None]),
}
SETS = {
    "precision": lambda: Precision(**HARD),
    "recall": lambda: Recall(**HARD),
    "rmse": lambda: RootMeanSquaredError(**SOFT),
    "roc auc": lambda: ROC_AUC(),
}
REFUSED = {
    "running average": (lambda: RunningAverage(Accuracy(**HARD)), "RunningAverage"),
    "f-beta": (lambda: Fbeta(1, **HARD), "MetricsLambda is computed from other metrics"),
    "per class": (lambda: Precision(average=False, **CLASSES), "not one number"),
    "matrix": (lambda: ConfusionMatrix(2, **CLASSES), "not one number"),
    "batch value": (lambda: Average(output_transform=lambda out: out[0].mean().item()), "no entry per case"),
    "images": (
        lambda: MeanSquaredError(output_transform=lambda out: [o.repeat(MOST_NUMBERS, 1).T for o in out]),
        "larger than",
    ),
}


@pytest.mark.parametrize("size", [1, 5, 8])
@pytest.mark.parametrize("name", MEANS)
def test_a_mean_over_cases_gives_a_table_whose_groups_are_the_metric_on_the_group_alone(name, size):
    engine, scores = run({"m": MEANS[name]()}, size=size)
    (table,) = scores.tables
    assert not scores.not_assessable
    assert table.cases == tuple(f"{i:03d}" for i in range(N))
    assert np.mean(table.values) == pytest.approx(engine.state.metrics["m"], rel=1e-6)
    for sex in "FM":
        alone_engine = Engine(lambda _, batch: (batch["score"], batch["y"]))
        MEANS[name]().attach(alone_engine, "m")
        score, y, of = data()
        own = torch.tensor([s == sex for s in of])
        alone_engine.run([{"score": score[own], "y": y[own]}])
        assert engine.state.metrics[f"m_sex_{sex}"] == pytest.approx(alone_engine.state.metrics["m"], rel=1e-6)


@pytest.mark.parametrize("name", SETS)
def test_a_metric_of_sets_gives_the_value_of_each_group_and_no_table(name):
    engine, scores = run({"m": SETS[name]()})
    assert scores.tables == ()
    assert "set of cases" in scores.not_assessable["m"]
    for sex in "FM":
        alone_engine = Engine(lambda _, batch: (batch["score"], batch["y"]))
        SETS[name]().attach(alone_engine, "m")
        score, y, of = data()
        own = torch.tensor([s == sex for s in of])
        alone_engine.run([{"score": score[own], "y": y[own]}])
        assert engine.state.metrics[f"m_sex_{sex}"] == pytest.approx(alone_engine.state.metrics["m"], rel=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_looked_at_by_case_is_named_with_the_reason(name):
    make, reason = REFUSED[name]
    _, scores = run({"m": make()})
    assert scores.tables == ()
    assert reason in scores.not_assessable["m"]


def test_a_metric_of_every_iteration_is_refused():
    _, scores = run({"m": Accuracy(**HARD)}, usage=BatchWise())
    assert scores.not_assessable["m"] == "Accuracy is computed anew in each iteration, not over an epoch"


def test_a_metric_whose_state_cannot_be_copied_is_refused():
    class Stubborn(Accuracy):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.held = (i for i in range(3))

    _, scores = run({"m": Stubborn(**HARD)})
    assert scores.not_assessable["m"] == "Stubborn: it cannot be copied (TypeError)"


@pytest.mark.parametrize("name", [*MEANS, *SETS])
def test_the_metrics_own_value_and_state_stay_as_they_are(name):
    make = (MEANS | SETS)[name]
    plain, watched = make(), make()
    seen, _ = run({"m": plain}, watched=False)
    engine, _ = run({"m": watched})
    assert engine.state.metrics["m"] == seen.state.metrics["m"]
    for key, value in vars(plain).items():
        if isinstance(value, (int, float)):
            assert vars(watched)[key] == value
        elif isinstance(value, torch.Tensor):
            assert torch.equal(vars(watched)[key], value)
    assert watched._output_transform is not None
    assert not type(watched._output_transform).__module__.startswith("monai_ethics")


def test_a_metric_under_two_names_and_two_epochs_is_counted_once_each():
    engine = Engine(lambda _, batch: (batch["score"], batch["y"]))
    metric = Accuracy(**HARD)
    metric.attach(engine, "a")
    metric.attach(engine, "b")
    scores = StratifiedScores(case_key="uid")
    scores.attach(engine)
    engine.run(batches(4), max_epochs=2)
    assert [(table.metric, len(table)) for table in scores.tables] == [("a", N), ("b", N)]


def test_the_direction_of_known_metrics_is_known():
    metrics = {"acc": Accuracy(**HARD), "mse": MeanSquaredError(**SOFT), "avg": Average(lambda out: out[0][:, None])}
    _, scores = run(metrics)
    assert [(t.higher_is_better, t.unit) for t in scores.tables] == [(True, "1"), (False, "unknown"), (None, "unknown")]


def test_a_metric_that_warns_about_a_single_case_does_so_to_nobody():
    class Loud(Accuracy):
        def compute(self):
            if self._num_examples == 1:
                warnings.warn("one case only", stacklevel=1)
            return super().compute()

    _, scores = run({"m": Loud(**HARD)})
    assert len(scores.tables) == 1


def test_within_alone_ignite_knows_one_process(monkeypatch):
    before = idist.utils._model
    monkeypatch.setattr(idist, "get_world_size", lambda: 4)
    with alone():
        assert idist.utils._model is not before
        assert idist.utils.get_world_size() == 1
    assert idist.utils._model is before


def test_a_metric_that_forgets_on_a_subset_is_no_mean():
    class Last(Metric):
        def reset(self):
            self.value = 0.0

        def update(self, output):
            self.value = float(output[0][-1])

        def compute(self):
            return self.value

    _, scores = run({"m": Last()})
    assert scores.tables == ()
    assert "set of cases" in scores.not_assessable["m"]

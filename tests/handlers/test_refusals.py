# SPDX-License-Identifier: Apache-2.0
"""Metrics of MONAI that have no value for a case: each is named with the reason."""

import pytest
import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.handlers import IgniteMetricHandler
from monai.metrics import CumulativeAverage, EmbeddingCollapseMetric, FIDMetric, MMDMetric, compute_froc_score

from monai_ethics.handlers import StratifiedScores
from monai_ethics.handlers._events import find_metrics


class Handler(IgniteMetricHandler):
    """Shows a metric that MONAI's own handler cannot drive: what matters is what is found on the engine."""

    def reset(self):
        pass

    def update(self, output):
        pass

    def compute(self):
        return 0.5


@pytest.mark.parametrize("kind", [FIDMetric, MMDMetric, EmbeddingCollapseMetric, CumulativeAverage])
def test_metrics_of_sets_of_images_keep_no_rows(kind):
    engine = Engine(lambda _, batch: (batch, batch))
    Handler(metric_fn=kind()).attach(engine, "m")
    scores = StratifiedScores()
    scores.attach(engine)
    engine.run([torch.zeros(2, 3)])
    assert scores.tables == ()
    assert scores.not_assessable["m"] == f"{kind.__name__} keeps no buffer with a row per case"
    assert engine.state.metrics == {"m": 0.5}


def test_a_froc_score_in_a_metric_of_ones_own_is_one_of_sets():
    class FROC(Metric):
        def reset(self):
            self.rates = []

        def update(self, output):
            self.rates.extend(output[0].tolist())

        def compute(self):
            n = len(self.rates)
            steps = [8 - i / n * 8 for i in range(n + 1)]
            return float(compute_froc_score(steps, [*sorted(self.rates, reverse=True), 0.0]))

    engine = Engine(lambda _, batch: (batch, batch))
    FROC().attach(engine, "froc")
    scores = StratifiedScores()
    scores.attach(engine)
    engine.run([torch.rand(6, generator=torch.Generator().manual_seed(0)) for _ in range(3)])
    assert scores.tables == ()
    assert "set of cases" in scores.not_assessable["froc"]


def test_measures_of_ignite_that_are_no_metric_of_cases_are_named():
    engine = Engine(lambda _, batch: (batch, batch))
    for name in ("FID", "InceptionScore", "MaximumMeanDiscrepancy", "Frequency"):
        kind = type(name, (Metric,), {"reset": lambda s: None, "update": lambda s, o: None, "compute": lambda s: 1.0})
        kind().attach(engine, name)
    assert [found.reason.split()[0] for found in find_metrics(engine)] == [
        *("FID", "InceptionScore", "MaximumMeanDiscrepancy", "Frequency")
    ]

# SPDX-License-Identifier: Apache-2.0
"""MONAI's wrappers of MetricsReloaded, where that package is installed; it is on no package index."""

import pytest
import torch
from monai.data import MetaTensor
from monai.handlers import from_engine
from monai.handlers.metrics_reloaded_handler import MetricsReloadedBinaryHandler, MetricsReloadedCategoricalHandler

from monai_ethics.handlers import StratifiedScores

pytest.importorskip("MetricsReloaded.metrics.pairwise_measures", reason="MetricsReloaded is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # its own 0 / 0
PAIR = from_engine(["pred", "label"])


@pytest.mark.parametrize("name", ["False Positives", "Intersection Over Union", "Sensitivity", "Cohens Kappa"])
def test_a_binary_measure_has_a_value_per_case_and_per_group(toy, name):
    scores = StratifiedScores(attributes=["sex"])
    metric = MetricsReloadedBinaryHandler(name, output_transform=PAIR)
    evaluator = toy.evaluator(toy.items(12), metrics={"m": metric}, handlers=[scores])
    evaluator.run()
    table = scores.tables[0]
    assert len(table) == 12
    assert table.outcomes[-3:] == ("missed", "false_positive", "true_negative")
    members = [v for v, s in zip(table.values, table.groups["sex"], strict=True) if s == "F" and v is not None]
    assert evaluator.state.metrics["m_sex_F"] == pytest.approx(sum(members) / len(members))


def test_a_measure_of_classes_has_one_value_per_case(toy):
    items = toy.items(12)
    for item in items:
        for key in ("image", "label"):
            front = item[key]
            item[key] = MetaTensor(torch.cat([1 - front, front]), meta=front.meta)
    scores = StratifiedScores(attributes=["sex"])
    metric = MetricsReloadedCategoricalHandler("Balanced Accuracy", output_transform=PAIR)
    evaluator = toy.evaluator(items, metrics={"m": metric}, handlers=[scores])
    evaluator.run()
    assert [t.metric for t in scores.tables] == ["m"]
    assert scores.tables[0].values[0] == pytest.approx(1.0)

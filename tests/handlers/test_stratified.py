# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from monai_ethics.handlers import StratifiedScores


@pytest.mark.parametrize("batch_size", [1, 3])
def test_each_case_keeps_its_own_score_and_group_at_any_batch_size(toy, batch_size):
    scores = StratifiedScores(attributes=["sex"])
    evaluator = toy.evaluator(toy.items(), batch_size=batch_size, handlers=[scores])
    evaluator.run()
    (table,) = scores.tables
    assert table.cases == tuple(f"/data/sub-{i:02d}/image.nii.gz" for i in range(7))
    assert table.values == pytest.approx((1.0, 14 / 15, 12 / 14, 10 / 13, 0.0, None, None))
    assert table.outcomes == ("scored",) * 4 + ("missed", "false_positive", "true_negative")
    assert table.groups["sex"] == ("F", "M", None, "F", "M", None, "F")
    shown = evaluator.state.metrics
    assert shown["val_mean_dice_sex_F"] == pytest.approx((1 + 10 / 13) / 2)
    assert shown["val_mean_dice_sex_M"] == pytest.approx((14 / 15) / 2)
    assert shown["val_mean_dice_sex_not_recorded"] == pytest.approx(12 / 14)
    assert shown["val_mean_dice_sex_worst"] == pytest.approx((14 / 15) / 2)


def test_without_attributes_the_metrics_of_the_engine_are_untouched(toy):
    plain = toy.evaluator(toy.items())
    plain.run()
    scores = StratifiedScores()
    watched = toy.evaluator(toy.items(), handlers=[scores])
    watched.run()
    assert watched.state.metrics == plain.state.metrics
    assert len(scores.tables[0]) == 7

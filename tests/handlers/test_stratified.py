# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from ignite.engine import Events
from ignite.metrics import Accuracy
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator
from monai.handlers import (
    ROCAUC,
    HausdorffDistance,
    IgniteMetricHandler,
    MeanAbsoluteError,
    MeanDice,
    StatsHandler,
    from_engine,
)
from monai.losses import DiceLoss

from monai_ethics.errors import InputError
from monai_ethics.handlers import RunSession, StratifiedScores

PAIR = from_engine(["pred", "label"])


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("decollate", [True, False])
def test_each_case_keeps_its_own_score_and_group(toy, batch_size, decollate):
    scores = StratifiedScores(attributes=["sex"])
    evaluator = toy.evaluator(toy.items(), batch_size=batch_size, handlers=[scores], decollate=decollate)
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
    plain, scores = toy.evaluator(toy.items()), StratifiedScores()
    plain.run()
    watched = toy.evaluator(toy.items(), handlers=[scores])
    watched.run()
    assert watched.state.metrics == plain.state.metrics
    assert len(scores.tables[0]) == 7


def test_groups_are_shown_only_if_wanted(toy):
    for quiet in (
        StratifiedScores(attributes=["sex"], log=False),
        StratifiedScores(session=RunSession(out="unused", attributes=["sex"], log=False)),
    ):
        quiet.session = None
        evaluator = toy.evaluator(toy.items(), handlers=[quiet])
        evaluator.run()
        assert list(evaluator.state.metrics) == ["val_mean_dice"]
        assert quiet.tables[0].groups["sex"][0] == "F"


def test_a_group_without_a_value_is_not_shown_as_zero(toy):
    items = toy.items()
    items[5]["sex"] = "X"  # its only case has an empty reference
    scores = StratifiedScores(attributes=["sex"])
    evaluator = toy.evaluator(
        items,
        metrics={"val_mean_dice": MeanDice(output_transform=PAIR), "val_hd": HausdorffDistance(output_transform=PAIR)},
        handlers=[scores],
    )
    evaluator.run()
    assert "val_mean_dice_sex_X" not in evaluator.state.metrics
    assert "val_hd_sex_X" not in evaluator.state.metrics
    assert evaluator.state.metrics["val_hd_sex_worst"] >= evaluator.state.metrics["val_hd_sex_F"]
    distance = scores.tables[1]
    assert distance.higher_is_better is False
    assert distance.values[4] is None
    assert distance.outcomes[4] == "missed"


def test_every_metric_is_found_in_whatever_order_and_ours_may_stand_among_them(toy):
    scores = StratifiedScores(attributes=["sex"])
    metrics = {
        "val_mean_dice": MeanDice(output_transform=PAIR),
        "ethics": scores,
        "val_hd": HausdorffDistance(output_transform=PAIR),
    }
    evaluator = toy.evaluator(toy.items(), metrics=metrics)
    evaluator.run()
    assert [table.metric for table in scores.tables] == ["val_mean_dice", "val_hd"]
    assert "val_hd_sex_F" in evaluator.state.metrics
    assert "ethics" not in evaluator.state.metrics


def test_attached_late_the_groups_still_come_before_the_loggers(toy):
    seen = []
    evaluator = toy.evaluator(
        toy.items(),
        handlers=[StatsHandler(name="quiet", epoch_print_logger=lambda e: seen.append(dict(e.state.metrics)))],
    )
    scores = StratifiedScores(attributes=["sex"])
    scores.attach(evaluator)
    scores.attach(evaluator)
    StratifiedScores(attributes=["age"]).attach(evaluator)
    evaluator.run()
    assert "val_mean_dice_sex_F" in seen[0]
    assert not any("age" in key for key in seen[0])


def test_one_instance_serves_two_engines(toy):
    scores = StratifiedScores(attributes=["sex"])
    first, second = toy.evaluator(toy.items(7), handlers=[scores]), toy.evaluator(toy.items(5), handlers=[scores])
    first.run()
    assert len(scores.tables[0]) == 7
    second.run()
    assert len(scores.tables[0]) == 5
    first.run()
    assert len(scores.tables[0]) == 7


def test_an_engine_without_metrics_is_left_alone(toy):
    scores = StratifiedScores(attributes=["sex"])
    evaluator = toy.evaluator(toy.items(), metrics={}, handlers=[scores])
    evaluator.run()
    assert scores.tables == ()
    assert evaluator.state.metrics == {}


def test_metrics_without_a_row_per_case_are_named_with_the_reason(toy):
    items = [{key: item[key].as_tensor() for key in ("image", "label")} for item in toy.items()]
    loss = IgniteMetricHandler(loss_fn=DiceLoss(), output_transform=PAIR)
    accuracy = Accuracy(output_transform=lambda out: [out[key].round().repeat(1, 1, 8, 8) for key in ("pred", "label")])
    scores = StratifiedScores()
    evaluator = toy.evaluator(
        items, metrics={"val_loss": loss, "val_acc": accuracy}, handlers=[scores], decollate=False
    )
    evaluator.run()
    assert scores.tables == ()
    assert "3 rows for 7 cases" in scores.not_assessable["val_loss"]
    assert "larger than 4096 numbers a case" in scores.not_assessable["val_acc"]


def test_classes_have_tables_of_their_own_and_the_background_is_no_finding(toy):
    items = toy.items()
    for item in items:
        for key in ("image", "label"):
            front = item[key]
            item[key] = MetaTensor(torch.cat([1 - front, front]), meta=front.meta)
    scores = StratifiedScores()
    toy.evaluator(items, handlers=[scores]).run()
    mean, background, lesion = scores.tables
    assert [t.metric for t in scores.tables] == ["val_mean_dice", "val_mean_dice_class_1", "val_mean_dice_class_2"]
    assert mean.outcomes == lesion.outcomes == ("scored",) * 4 + ("missed", "false_positive", "true_negative")
    assert lesion.values == pytest.approx((1.0, 14 / 15, 12 / 14, 10 / 13, 0.0, None, None))
    assert set(background.outcomes) == {"scored"}


def test_a_class_that_was_missed_does_not_drop_out_of_the_mean_over_classes(toy):
    items = toy.items()
    for item in items:
        for key in ("image", "label"):
            front = item[key]
            item[key] = MetaTensor(torch.cat([front, front]), meta=front.meta)
    items[0]["image"][1] = 0  # one of two structures is not found: no distance of it
    metrics = {
        "val_mean_dice": MeanDice(output_transform=PAIR),
        "val_hd": HausdorffDistance(output_transform=PAIR, include_background=True),
    }
    scores = StratifiedScores()
    toy.evaluator(items, metrics=metrics, handlers=[scores]).run()
    tables = {table.metric: table for table in scores.tables}
    assert (tables["val_hd"].values[0], tables["val_hd"].outcomes[0]) == (None, "missed")
    assert tables["val_hd"].case_values()[0] == math.inf
    assert tables["val_hd_class_1"].values[0] == 0
    assert tables["val_hd_class_2"].outcomes[0] == "missed"
    assert (tables["val_mean_dice"].values[0], tables["val_mean_dice"].outcomes[0]) == (0.5, "scored")


def test_a_metric_that_is_no_segmentation_knows_of_no_misses(toy):
    scores = StratifiedScores()
    metrics = {"val_mae": MeanAbsoluteError(output_transform=PAIR), "val_mean_dice": MeanDice(output_transform=PAIR)}
    toy.evaluator(toy.items(), metrics=metrics, handlers=[scores]).run()
    assert {table.metric: table.misses_known for table in scores.tables} == {"val_mae": False, "val_mean_dice": True}


def test_a_metric_of_sets_gives_group_values_but_no_table(toy):
    class Score(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1).mean(1, keepdim=True)

    items = toy.items(12)
    for i, item in enumerate(items):
        item["image"] = MetaTensor(torch.full((1, 4, 4), float(i % 5)), meta=item["image"].meta)
        item["label"] = torch.tensor([int(i % 5 > 1) ^ int(i in (2, 3))])
    scores = StratifiedScores(attributes=["sex"])
    evaluator = toy.evaluator(items, metrics={"auc": ROCAUC(output_transform=PAIR)}, handlers=[scores], network=Score())
    evaluator.run()
    assert scores.tables == ()
    assert "set of cases" in scores.not_assessable["auc"]
    assert 0 <= evaluator.state.metrics["auc_sex_F"] <= 1


def test_crops_of_one_image_are_rows_of_one_patient(toy):
    items = toy.items(6)
    for i, item in enumerate(items):
        item["image"].meta["filename_or_obj"] = f"/data/sub-{i // 2}/image.nii.gz"
    scores = StratifiedScores()
    toy.evaluator(items, handlers=[scores]).run()
    (table,) = scores.tables
    assert table.cases[:2] == ("/data/sub-0/image.nii.gz#1", "/data/sub-0/image.nii.gz#2")
    assert len(set(table.patients)) == 3


def test_cases_without_a_name_are_numbered(toy):
    items = toy.items()
    for item in items:
        item["image"], item["label"] = item["image"].as_tensor(), item["label"].as_tensor()
    scores = StratifiedScores(attributes=["sex"], patient_key="sex")
    toy.evaluator(items, handlers=[scores]).run()
    assert scores.tables[0].cases[:2] == ("case-000000", "case-000001")
    assert scores.tables[0].patients[:3] == ("F", "M", "case-000002")


def test_groups_come_from_a_table_beside_the_data(toy, tmp_path):
    table = tmp_path / "participants.tsv"
    rows = "".join(f"sub-{i:02d}\t{'FM'[i % 2]}\t{30 + i}\n" for i in range(6))
    table.write_text("participant_id\tsex\tage\n" + rows)
    scores = StratifiedScores(attributes=table, strata="sex,age_band,sex*age_band")
    evaluator = toy.evaluator(toy.items(), handlers=[scores])
    evaluator.run()
    groups = scores.tables[0].groups
    assert sorted(groups) == ["age_band", "sex", "sex*age_band"]
    assert groups["sex"] == ("F", "M", "F", "M", "F", "M", None)
    assert groups["age_band"][0] == "[18, 40)"
    keys = set(evaluator.state.metrics)
    assert {"val_mean_dice_sex_M", "val_mean_dice_sex_worst", "val_mean_dice_age_band_18-40"} <= keys
    assert not any("*" in key or "F_18" in key for key in keys)


def test_a_stratum_that_nobody_recorded_is_refused(toy):
    evaluator = toy.evaluator(toy.items(), handlers=[StratifiedScores(strata="shoe_size")])
    with pytest.raises(InputError, match="name of a recorded attribute"):
        evaluator.run()


def test_a_table_that_cannot_be_read_stops_the_run_before_it_starts(toy, tmp_path):
    ran = []
    evaluator = toy.evaluator(toy.items(), handlers=[StratifiedScores(attributes=tmp_path / "none.csv")])
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda: ran.append(1))
    with pytest.raises((InputError, OSError)):
        evaluator.run()
    assert ran == []


def test_keys_of_groups_that_are_gone_are_taken_back(toy):
    items = toy.items()
    evaluator = toy.evaluator(items, handlers=[StratifiedScores(attributes=["sex"])])
    evaluator.run()
    assert "val_mean_dice_sex_M" in evaluator.state.metrics
    for item in items:
        item["sex"] = "F"
    evaluator.run()
    assert sorted(evaluator.state.metrics) == ["val_mean_dice", "val_mean_dice_sex_F", "val_mean_dice_sex_worst"]


def test_the_metric_gets_its_own_transform_back(toy):
    metric = MeanDice(output_transform=PAIR)
    own = metric._output_transform
    evaluator = toy.evaluator(toy.items(), metrics={"val_mean_dice": metric}, handlers=[StratifiedScores()])
    evaluator.run()
    assert metric._output_transform is own
    assert isinstance(evaluator, SupervisedEvaluator)


def test_a_table_that_fits_no_case_stops_the_run_before_the_first_batch(toy, tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tsex\nsub-77\tF\n")
    evaluator = toy.evaluator([{"image": f"/data/sub-{i:02d}/image.nii"} for i in range(3)], handlers=[])
    StratifiedScores(attributes=table).attach(evaluator)
    with pytest.raises(InputError, match="none of 1 rows matches any of 3 cases"):
        evaluator.run()
    assert evaluator.state.iteration == 0

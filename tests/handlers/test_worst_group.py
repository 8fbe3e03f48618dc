# SPDX-License-Identifier: Apache-2.0
import logging
import math

import pytest
import torch
from ignite.handlers import EarlyStopping
from ignite.metrics import Accuracy
from monai.data import MetaTensor
from monai.handlers import ROCAUC, CheckpointSaver, ConfusionMatrix, HausdorffDistance, MeanDice, from_engine

from monai_ethics.errors import InputError
from monai_ethics.handlers import StratifiedScores, WorstGroupScore

pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice")
NAME = "val_worst_dice"
OUTPUT = from_engine(["pred", "label"])


def dice(**kwargs):
    return WorstGroupScore(MeanDice(output_transform=OUTPUT), **{"attributes": ["sex"], "min_group_size": 1, **kwargs})


def run(toy, metric, items=None, handlers=None, **kwargs):
    evaluator = toy.evaluator(items or toy.items(), metrics={NAME: metric}, handlers=handlers, **kwargs)
    evaluator.run()
    return evaluator


def test_it_is_the_smallest_of_the_groups_values(toy):
    metric = dice()
    state = run(toy, metric).state
    plain = toy.evaluator(toy.items(), handlers=[StratifiedScores(attributes=["sex"])])
    plain.run()
    by_group = {k: v for k, v in plain.state.metrics.items() if "_sex_" in k and "worst" not in k}
    assert state.metrics[NAME] == pytest.approx(min(by_group.values()), abs=1e-9)
    assert state.metrics[NAME] == state.best_metric
    assert state.key_metric_name == NAME
    assert set(metric.groups) == {"sex=F", "sex=M", "sex=(not recorded)"}
    assert metric.groups[metric.worst] == state.metrics[NAME]
    assert state.metrics[f"{NAME}_everyone"] == pytest.approx(plain.state.metrics["val_mean_dice"])


def test_groups_are_shown_under_the_metrics_name_once(toy):
    shown = run(toy, dice(metric_name="val_mean_dice")).state.metrics
    keys = {f"val_mean_dice_sex_{end}" for end in ("F", "M", "not_recorded", "worst")}
    assert set(shown) == {NAME, "val_mean_dice", *keys}
    beside = run(toy, dice(metric_name="val_mean_dice"), handlers=[StratifiedScores(attributes=["sex"])]).state.metrics
    assert beside == pytest.approx(shown)


def test_a_small_group_is_left_out_and_named(toy, caplog):
    items = toy.items(9)
    for i, item in enumerate(items):
        item["sex"] = "F" if i == 1 else "M"
    metric = dice(min_group_size=2)
    with caplog.at_level(logging.WARNING):
        state = run(toy, metric, items).state
    assert set(metric.groups) == {"sex=M"}
    assert metric.excluded == {"sex=F": "1 patients with a reference, fewer than 2"}
    assert state.metrics[NAME] == metric.groups["sex=M"]
    assert metric.worst == "sex=M"


def test_patients_are_counted_not_images(toy):
    items = toy.items()
    for item in items:
        item["patient"] = "one"
    with pytest.raises(InputError, match="at least 2 patients"):
        run(toy, dice(min_group_size=2, patient_key="patient"), items)


def test_a_group_without_a_reference_is_undefined_and_never_zero(toy):
    items = toy.items()
    for i, item in enumerate(items):
        item["sex"] = "F" if i >= 5 else "M"  # F are the two cases without a reference
    metric = dice()
    state = run(toy, metric, items).state
    assert state.metrics[NAME] == metric.groups["sex=M"] > 0
    assert set(metric.excluded) == {"sex=F"}


def test_of_a_distance_the_largest_counts_and_higher_stays_better(toy):
    metric = WorstGroupScore(HausdorffDistance(output_transform=OUTPUT), ["sex"], min_group_size=1)
    items = [item for i, item in enumerate(toy.items()) if i < 4]
    state = run(toy, metric, items).state
    rows = {"sex=F": [0.0, 3.0], "sex=M": [1.0], "sex=(not recorded)": [2.0]}
    assert metric.groups == pytest.approx({group: -sum(v) / len(v) for group, v in rows.items()})
    assert state.metrics[NAME] == state.best_metric == -2.0
    assert state.metrics[f"{NAME}_everyone_sex_worst"] == 2.0


def test_a_model_that_finds_nothing_in_a_group_is_not_chosen_by_its_distance(toy):
    items = toy.items(4, sexes=("M",))
    for item in items[1:3]:
        item["sex"] = "F"  # one miss, one case without a reference
    metric = WorstGroupScore(HausdorffDistance(output_transform=OUTPUT), ["sex"], min_group_size=1)
    assert run(toy, metric, items).state.metrics[NAME] == -math.inf


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: WorstGroupScore(Accuracy(), ["sex"]), "keeps no row"),
        (lambda: WorstGroupScore(ConfusionMatrix(metric_name="prevalence threshold"), ["sex"]), "more is better"),
        (lambda: WorstGroupScore(MeanDice(), []), "make groups"),
    ],
)
def test_what_cannot_have_a_worst_group_is_refused_at_once(make, match):
    with pytest.raises(InputError, match=match):
        make()


def test_without_a_recorded_attribute_the_first_epoch_says_so(toy):
    with pytest.raises(InputError, match="no worst group"):
        run(toy, dice(attributes=["ethnicity"]))


def test_one_name_for_two_values_is_refused(toy):
    with pytest.raises(InputError, match="another `metric_name`"):
        run(toy, dice(metric_name=NAME))


def test_intersections_count_only_where_they_are_asked_for(toy):
    items = toy.items(12)
    for i, item in enumerate(items):
        item["site"] = "AB"[i // 6]
    plain, crossed = dice(attributes=["sex", "site"]), dice(attributes=["sex", "site"], strata="sex*site")
    run(toy, plain, items)
    run(toy, crossed, items)
    assert not any("*" in group for group in plain.groups)
    assert all(group.startswith("sex*site=") for group in crossed.groups)


def test_it_takes_a_metric_of_sets(toy):
    items = [
        {"image": torch.tensor([float(i)]), "label": torch.tensor([float(i % 3 == 0)]), "sex": "FM"[i % 2]}
        for i in range(12)
    ]
    metric = WorstGroupScore(ROCAUC(output_transform=OUTPUT), ["sex"], min_group_size=2)
    run(toy, metric, items, network=toy.Shift())
    assert set(metric.groups) == {"sex=F", "sex=M"}


class Trained(torch.nn.Module):
    """Finds more of the women and less of the men with every epoch."""

    def __init__(self):
        super().__init__()
        self.epoch = torch.nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x):
        return x


def epochs(toy, tmp_path, values, *, key):
    """Run one evaluation an epoch, as a ValidationHandler does, with groups of the given Dice."""
    network = Trained()
    saver = CheckpointSaver(
        save_dir=str(tmp_path), save_dict={"net": network}, save_key_metric=True, key_metric_filename="best.pt"
    )
    makes = {
        "worst": dice,
        "mean": lambda: MeanDice(output_transform=OUTPUT),
        "distance": lambda: WorstGroupScore(HausdorffDistance(output_transform=OUTPUT), ["sex"], min_group_size=1),
    }
    metrics = {NAME: makes[key]()}
    items = toy.items(4, sexes=("F", "M"))
    evaluator = toy.evaluator(items, metrics=metrics, handlers=[saver], network=network)
    for epoch, (women, men) in enumerate(values):
        for i, item in enumerate(items):
            rows = (women, men)[i % 2]
            item["image"] = MetaTensor(toy.square(rows), meta={"filename_or_obj": f"{i}.nii"})
            item["label"] = MetaTensor(toy.square(8))
        network.epoch.fill_(epoch)
        evaluator.run(epoch + 1)
    return int(torch.load(tmp_path / "best.pt", weights_only=True)["epoch"]), evaluator


def test_the_checkpoint_kept_is_the_best_worst_group_and_not_the_best_mean(toy, tmp_path):
    values = [(4, 4), (6, 5), (8, 4), (8, 3)]
    best, evaluator = epochs(toy, tmp_path / "worst", values, key="worst")
    assert best == 1
    assert evaluator.state.best_metric_epoch == 2
    assert epochs(toy, tmp_path / "mean", values, key="mean")[0] == 2


def test_an_epoch_that_finds_nothing_in_a_group_is_replaced_by_any_that_does(toy, tmp_path):
    best, evaluator = epochs(toy, tmp_path, [(0, 8), (2, 8), (5, 6), (0, 8)], key="distance")
    assert best == 2
    assert evaluator.state.best_metric == -3.0


def test_early_stopping_follows_it(toy):
    trainer = toy.evaluator(toy.items())
    stopper = EarlyStopping(patience=1, score_function=lambda engine: engine.state.metrics[NAME], trainer=trainer)
    evaluator = toy.evaluator(toy.items(), metrics={NAME: dice()}, handlers=[stopper])
    evaluator.run()
    assert stopper.best_score == evaluator.state.metrics[NAME]


@pytest.mark.parametrize("size", ["ten", float("nan"), 0, True])
def test_a_smallest_group_that_is_no_number_of_patients_is_refused_at_once(size):
    with pytest.raises(InputError, match="whole number of patients"):
        WorstGroupScore(MeanDice(), ["sex"], min_group_size=size)

# SPDX-License-Identifier: Apache-2.0
"""Loggers hold a curve for each group, and nothing is tested while a model trains."""

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.engines import SupervisedTrainer
from monai.handlers import MeanDice, TensorBoardStatsHandler, ValidationHandler, from_engine

from monai_ethics.handlers import StratifiedScores, WorstGroupScore, attach

pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice")
EPOCHS = 3
GROUPS = ("F", "M")
KEYS = {"val_worst", *(f"val_mean_dice_sex_{end}" for end in (*GROUPS, "worst"))}


def train(toy, *handlers, every=True, session=None):
    """Three epochs in which the bias, and with it what is found in the reference's upper rows, moves."""
    network = toy.Shift()
    items = toy.items(12 if session is None else 24, sexes=GROUPS)
    for i, item in enumerate(items):
        item["image"] = item["image"] * (0.3 + 0.05 * (i % 12))  # found once the bias has come up to 0.5
    metric = MeanDice(output_transform=from_engine(["pred", "label"]))
    worst = WorstGroupScore(metric, ["sex"], min_group_size=2, metric_name="val_mean_dice")
    evaluator = toy.evaluator(
        items,
        metrics={"val_worst": worst},
        handlers=[StratifiedScores(attributes=["sex"]), *handlers] if every else list(handlers),
        network=network,
        postprocessing=lambda item: {**item, "pred": (item["pred"] > 0.5).float()},
    )
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=EPOCHS,
        train_data_loader=DataLoader(toy.Items(items), batch_size=4),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.05),
        loss_function=lambda pred, label: -pred.mean(),
        train_handlers=[ValidationHandler(1, evaluator)],
    )
    seen = []
    evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: seen.append(dict(engine.state.metrics)))
    if session is not None:
        session([trainer, evaluator])
    trainer.run()
    return seen


@pytest.mark.parametrize("beside", [True, False])
def test_tensorboard_holds_a_curve_for_each_group_and_the_worst(toy, tmp_path, beside):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    handler = TensorBoardStatsHandler(log_dir=str(tmp_path), iteration_log=False, output_transform=lambda _: None)
    seen = train(toy, handler, every=beside)
    handler.close()
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    for key in KEYS:
        curve = [point.value for point in events.Scalars(key)]
        assert curve == pytest.approx([metrics[key] for metrics in seen])
        assert len(curve) == EPOCHS
    for metrics in seen:
        assert metrics["val_worst"] == metrics["val_mean_dice_sex_worst"]
        assert metrics["val_worst"] == min(metrics[f"val_mean_dice_sex_{group}"] for group in GROUPS)
    assert len({metrics["val_worst"] for metrics in seen}) > 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow_holds_a_curve_for_each_group_and_the_worst(toy, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is an optional part of the test extra")
    pytest.importorskip("sqlalchemy", reason="MLflow's SQLite store needs it")
    from monai.handlers import MLFlowHandler

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    handler = MLFlowHandler(
        tracking_uri=uri, experiment_name="e", run_name="r", iteration_log=False, output_transform=lambda _: None
    )
    seen = train(toy, handler)
    handler.close()
    client = mlflow.tracking.MlflowClient(uri)
    (found,) = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    for key in KEYS:
        curve = [point.value for point in client.get_metric_history(found.info.run_id, key)]
        assert curve == pytest.approx([metrics[key] for metrics in seen])


def test_nothing_is_tested_or_resampled_before_the_training_ends(toy, tmp_path, monkeypatch):
    """Every way to a p-value or a resample draws random numbers of numpy: none may, until the last epoch is over."""
    import numpy as np

    from monai_ethics.statistics import permutation

    calls = []
    done = []

    def spy(module, name):
        plain = getattr(module, name)

        def called(*args, **kwargs):
            calls.append((name, len(done)))
            return plain(*args, **kwargs)

        monkeypatch.setattr(module, name, called)

    spy(np.random, "default_rng")
    spy(permutation, "summary")
    train(
        toy,
        every=False,
        session=lambda engines: (
            attach(engines, out=tmp_path / "evidence", attributes=["sex"]),
            engines[1].add_event_handler(Events.EPOCH_COMPLETED, lambda _: done.append(1)),
        ),
    )
    assert len(done) == EPOCHS
    assert calls, "the final findings hold tests"
    assert {epochs for _, epochs in calls} == {EPOCHS}

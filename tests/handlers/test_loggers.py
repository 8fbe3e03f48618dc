# SPDX-License-Identifier: Apache-2.0
"""The bundle's own handlers show the groups, because they are there before those handlers look."""

import logging

import pytest
import torch
from monai.handlers import CheckpointSaver, MetricsSaver, StatsHandler, TensorBoardStatsHandler

from monai_ethics.handlers import StratifiedScores

KEYS = {"val_mean_dice_sex_F", "val_mean_dice_sex_M", "val_mean_dice_sex_not_recorded", "val_mean_dice_sex_worst"}
pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice")


def run(toy, *handlers, **kwargs):
    evaluator = toy.evaluator(toy.items(), handlers=[StratifiedScores(attributes=["sex"]), *handlers], **kwargs)
    evaluator.run()
    return evaluator


@pytest.fixture
def logger(request):
    """A logger that no other test, and no configuration of theirs, reaches; its lines are in `lines`."""
    logger = logging.Logger(request.node.name, level=logging.INFO)
    logger.lines = []
    handler = logging.Handler()
    handler.emit = lambda record: logger.lines.append(record.getMessage())
    logger.addHandler(handler)
    return logger


def test_stats_handler_prints_the_groups(toy, logger):
    handler = StatsHandler(output_transform=lambda _: None, name=logger.name)
    handler.logger = logger
    run(toy, handler)
    text = "\n".join(logger.lines)
    assert all(key in text for key in KEYS)


def test_tensorboard_draws_the_groups(toy, tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    handler = TensorBoardStatsHandler(log_dir=str(tmp_path), iteration_log=False, output_transform=lambda _: None)
    shown = run(toy, handler).state.metrics
    handler.close()
    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    drawn = {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"]}
    assert {key: drawn.get(key) for key in KEYS} == pytest.approx({key: shown[key] for key in KEYS})


def test_metrics_saver_writes_the_groups_behind_the_bundles_own(toy, tmp_path):
    run(toy, MetricsSaver(save_dir=str(tmp_path), metrics="*", metric_details=None))
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert lines[0].startswith("val_mean_dice\t") or lines[0].startswith("val_mean_dice,")
    assert len(lines) == 5


def test_the_best_checkpoint_can_be_that_of_the_worst_group(toy, tmp_path):
    network = toy.Shift()
    saver = CheckpointSaver(
        save_dir=str(tmp_path),
        save_dict={"net": network},
        save_key_metric=True,
        key_metric_name="val_mean_dice_sex_worst",
    )
    run(toy, saver, network=network)
    (path,) = tmp_path.iterdir()
    assert path.name == "net_key_metric=0.4667.pt"
    assert torch.load(path, weights_only=True)["bias"] == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow_stores_the_groups_in_sqlite(toy, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is an optional part of the test extra")
    pytest.importorskip("sqlalchemy", reason="MLflow's SQLite store needs it")
    from monai.handlers import MLFlowHandler

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    handler = MLFlowHandler(
        tracking_uri=uri, experiment_name="e", run_name="r", iteration_log=False, output_transform=lambda _: None
    )
    run(toy, handler)
    handler.close()
    client = mlflow.tracking.MlflowClient(uri)
    (found,) = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    assert set(found.data.metrics) >= KEYS

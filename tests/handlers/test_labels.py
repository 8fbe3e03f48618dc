# SPDX-License-Identifier: Apache-2.0
"""ROC AUC and its like hold scores and labels: they become one table per class."""

import json

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from ignite.metrics import ROC_AUC
from monai.handlers import ROCAUC, AveragePrecision, CalibrationError
from monai.metrics import LossMetric, MSEMetric

from monai_ethics.errors import InputError
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.handlers import RunSession, StratifiedScores, attach
from monai_ethics.handlers._labels import as_threshold, columns_of, holds_labels
from monai_ethics.handlers._ledger import Ledger
from monai_ethics.provenance.log.reading.entries import read_private

N = 12
SCORES = torch.tensor(np.random.default_rng(3).random(N), dtype=torch.float32)
TRUTH = torch.tensor([i % 2 for i in range(N)])


def run(metrics, scores, truth, **session):
    engine = Engine(lambda _, batch: (batch["scores"], batch["truth"]))
    for name, metric in metrics.items():
        metric.attach(engine, name)
    ours = StratifiedScores(attributes=["sex"], case_key="uid", **session)
    ours.attach(engine)
    engine.run(
        [
            {
                "scores": scores[i : i + 5],
                "truth": truth[i : i + 5],
                "sex": ["FM"[j % 3 == 0] for j in range(i, min(i + 5, N))],
                "uid": [f"{j:03d}" for j in range(i, min(i + 5, N))],
            }
            for i in range(0, N, 5)
        ]
    )
    return ours


def test_a_single_score_becomes_one_table_with_patients_and_groups():
    (table,) = run({"auc": ROCAUC()}, SCORES[:, None], TRUTH[:, None]).labels
    assert (table.target, len(table), table.probabilities) == ("target", N, True)
    assert table.y_score == tuple(SCORES.double().tolist())
    assert table.y_true == tuple(bool(v) for v in TRUTH)
    assert table.groups["sex"][:3] == ("M", "F", "F")
    assert (table.y_pred, table.threshold, table.decided_by) == ((), None, "")


def test_logits_are_no_probabilities():
    (table,) = run({"auc": ROCAUC()}, SCORES * 6 - 3, TRUTH).labels
    assert not table.probabilities


def test_metrics_that_hold_the_same_scores_give_one_table():
    metrics = {"auc": ROCAUC(), "ap": AveragePrecision()}
    assert [t.target for t in run(metrics, SCORES, TRUTH).labels] == ["target"]


def test_other_scores_get_a_name_of_their_own():
    metrics = {"auc": ROCAUC(), "second": ROCAUC(output_transform=lambda out: (1 - out[0], out[1]))}
    assert [t.target for t in run(metrics, SCORES, TRUTH).labels] == ["target", "second_target"]


def test_every_class_of_several_is_a_target_and_of_two_opposite_ones_the_second():
    softmax = torch.softmax(torch.tensor(np.random.default_rng(0).normal(size=(N, 3)), dtype=torch.float32), 1)
    hot = torch.nn.functional.one_hot(torch.arange(N) % 3, 3)
    tables = run({"auc": ROCAUC()}, softmax, hot).labels
    assert [t.target for t in tables] == ["class_1", "class_2", "class_3"]
    assert tables[2].y_true == tuple(i % 3 == 2 for i in range(N))
    two = torch.stack([1 - SCORES, SCORES], 1)
    (table,) = run({"auc": ROCAUC()}, two, torch.nn.functional.one_hot(TRUTH, 2)).labels
    assert (table.target, table.y_score) == ("class_2", tuple(SCORES.double().tolist()))
    independent = torch.stack([SCORES.flip(0), SCORES], 1)
    tables = run({"auc": ROCAUC()}, independent, torch.stack([TRUTH.flip(0), TRUTH], 1)).labels
    assert [t.target for t in tables] == ["class_1", "class_2"]


def test_classes_by_number_are_told_apart():
    columns, reason = columns_of(torch.rand(6, 3), torch.tensor([0, 1, 2, 0, 1, 2]), torch.arange(6))
    assert reason == ""
    assert [c.truth.sum().item() for c in columns] == [2, 2, 2]


def test_ignites_own_curve_metrics_give_the_same_table():
    ours = run({"auc": ROC_AUC()}, SCORES, TRUTH)
    assert ours.labels == run({"auc": ROCAUC()}, SCORES, TRUTH).labels


@pytest.mark.parametrize(
    ("scores", "truth", "reason"),
    [
        (torch.where(SCORES > 0.8, torch.nan, SCORES), TRUTH, "not finite"),
        (SCORES, torch.where(TRUTH > 0, -1, 0), "not 0 and 1"),
    ],
)
def test_what_is_no_label_or_score_is_said(scores, truth, reason):
    ours = run({"auc": ROCAUC()}, scores, truth)
    assert ours.labels == ()
    assert reason in ours.not_assessable["auc_labels"]


def test_values_and_counts_are_not_taken_for_scores_and_labels():
    rows = torch.rand(5, 2)
    assert holds_labels([rows, (rows > 0.5).float()])
    assert not holds_labels([rows, rows])
    assert not holds_labels([rows])
    assert not holds_labels([rows, torch.ones(4, 2)])
    assert not holds_labels([torch.rand(5, 2, 3), torch.ones(5, 2, 3)])
    for metric in (MSEMetric(), LossMetric(torch.nn.L1Loss(reduction="none"))):
        metric(y_pred=torch.rand(3, 1, 4, 4), y=torch.rand(3, 1, 4, 4))
        assert not isinstance(metric.get_buffer(), list)


def test_an_error_of_calibration_keeps_values_and_no_labels():
    ours = run({"ece": CalibrationError(num_bins=5)}, torch.rand(N, 2, 4, 4), torch.ones(N, 2, 4, 4))
    assert ours.labels == ()
    assert next(t.metric for t in ours.tables) == "ece"


@pytest.mark.parametrize("given", [10**400, "half", float("nan"), True])
def test_a_threshold_is_a_finite_number(given):
    with pytest.raises(InputError, match="finite number"):
        as_threshold(given)


def test_a_threshold_given_for_the_run_decides_and_says_so(tmp_path):
    session = RunSession(out=tmp_path / "evidence", threshold="0.5")
    (table,) = run({"auc": ROCAUC()}, SCORES, TRUTH, session=session).labels
    assert table.y_pred == tuple(v >= 0.5 for v in SCORES.tolist())
    assert table.threshold == 0.5
    assert "given for the run" in table.decided_by


def test_a_wrong_threshold_stops_a_run_before_anything_is_written(tmp_path):
    engine = Engine(lambda _, batch: batch)
    attach(engine, out=tmp_path / "evidence", threshold="often")
    with pytest.raises(InputError, match="threshold"):
        engine.run([1])
    assert not (tmp_path / "evidence").exists()


def test_labels_are_kept_in_private_beside_the_scores(tmp_path):
    engine = Engine(lambda _, batch: (batch["scores"], batch["truth"]))
    ROCAUC().attach(engine, "auc")
    attach(engine, out=tmp_path / "evidence", attributes=["sex"], threshold=0.4)
    engine.run([{"scores": SCORES, "truth": TRUTH, "sex": ["F", "M"] * 6}])
    ((_, payload),) = read_private(tmp_path / "evidence", "labels")
    (stored,) = json.loads(payload)
    table = BinaryScores.from_dict(stored)
    assert (table.target, table.threshold, len(table)) == ("target", 0.4, N)


def test_targets_of_two_engines_have_two_names():
    (table,) = run({"auc": ROCAUC()}, SCORES, TRUTH).labels
    ledger = Ledger([])
    ledger._notes("a").labels = ledger._notes("b").labels = (table,)
    ledger._notes("b").training = True
    assert [t.target for t in ledger.labels()] == ["a.target", "b.target"]
    assert [t.target for t in ledger.labels(training=False)] == ["a.target"]

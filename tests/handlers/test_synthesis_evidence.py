# SPDX-License-Identifier: Apache-2.0
"""What an audit of a generator leaves in the evidence, and how stored features come into it."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.handlers import from_engine

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.handlers import SynthesisAudit, attach
from monai_ethics.handlers._audits import SETTINGS
from monai_ethics.handlers._real_sets import PixelFeatures, read_real
from monai_ethics.provenance.log.reading.entries import read_private, read_report
from monai_ethics.synthesis.data.feature_file import write_features

spec = importlib.util.spec_from_file_location("generators", Path(__file__).with_name("generators.py"))
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

TRAIN, HOLDOUT = made.images(12, "t"), made.images(12, "h", seed=1)


@pytest.fixture
def stored(tmp_path):
    files = {}
    for name, items in (("train", TRAIN), ("holdout", HOLDOUT)):
        files[name] = str(tmp_path / f"{name}.npz")
        write_features(Path(files[name]), read_real(items, PixelFeatures()))
    return files


def found(report, check):
    return [finding for finding in report.findings if finding.check == check]


def test_settings_are_those_of_the_handler():
    import inspect

    assert set(SETTINGS) == set(inspect.signature(SynthesisAudit).parameters)


def test_stored_features_and_a_dataset_give_the_same_numbers(stored):
    looks = []
    for train, holdout in ((TRAIN, HOLDOUT), (stored["train"], stored["holdout"])):
        handler = SynthesisAudit(train, holdout, n=8, every=1, steps=3, split_random=True)
        engine = made.diffusion(TRAIN, [handler])
        engine.run()
        looks.append((handler.taken, {k: v for k, v in engine.state.metrics.items() if k.startswith("synthesis")}))
    assert looks[0] == looks[1]


def test_the_findings_of_a_training_are_in_its_evidence(stored, tmp_path):
    engine = made.gan(TRAIN, [])
    attach(engine, out=tmp_path / "e", synthesis={**stored, "n": 8, "every": 1, "split_random": "true"})
    engine.run()
    report = read_report(tmp_path / "e")
    (looks,) = found(report, "synthesis.memorization_looks")
    assert looks.accounting["looks_judged"] == 2
    (membership,) = found(report, "synthesis.memorization_membership")
    assert membership.verdict is Verdict.MEASURED
    text = json.dumps([finding.to_dict() for finding in report.findings])
    assert "row 1" not in text
    shown = {item for finding in report.findings for pair in finding.observations for item in pair.items}
    ((_, payload),) = read_private(tmp_path / "e", "pairs")
    names = json.loads(payload)
    assert shown == set(names)
    assert {name.partition("/")[0] for name in names.values()} <= {"train", "holdout", "synthetic"}
    assert "synthesis_kid" in engine.state.metrics


def test_a_handler_of_the_users_own_leaves_its_findings_too_and_is_not_doubled(stored, tmp_path):
    handler = SynthesisAudit(TRAIN, HOLDOUT, n=8, every=1, split_random=True)
    engine = made.gan(TRAIN, [handler])
    attach(engine, out=tmp_path / "e", synthesis=stored)
    engine.run()
    assert len(found(read_report(tmp_path / "e"), "synthesis.memorization_looks")) == 1
    assert len(handler.taken) == 2


def test_a_failed_training_keeps_what_its_last_look_found(stored, tmp_path):
    engine = made.gan(TRAIN, [])
    attach(engine, out=tmp_path / "e", synthesis={**stored, "n": 8, "every": 1, "split_random": True})

    @engine.on(Events.EPOCH_COMPLETED)
    def _fail(_):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        engine.run()
    (membership,) = found(read_report(tmp_path / "e"), "synthesis.memorization_membership")
    assert membership.accounting["synthetic_images"] == 8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tarin": "x.npz"}, "Did you mean `train`"),
        ({"train": "missing.npz", "holdout": "missing.npz"}, "feature file"),
        ({"split_random": "perhaps"}, "true or false"),
        ({"n": "many"}, "whole numbers"),
        ({"seed": 2**80}, "whole numbers"),
        ({"significance": "high"}, "another type"),
        ({"extractor": "mine"}, "feature extractor"),
        ({"images": "pred"}, "feature extractor"),
        ({"ema": "mine"}, "feature extractor"),
        ({"holdout": None}, "one or none"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(stored, tmp_path, settings, message):
    given = {key: value for key, value in {**stored, **settings}.items() if value is not None}
    with pytest.raises(InputError, match=message):
        attach(made.gan(TRAIN, []), out=tmp_path / "e", synthesis=given)
    assert not (tmp_path / "e").exists()


def test_a_damaged_feature_file_is_refused_before_anything_is_written(stored, tmp_path):
    Path(stored["holdout"]).write_bytes(b"DOE^JANE")
    with pytest.raises(InputError, match="npz file") as caught:
        attach(made.gan(TRAIN, []), out=tmp_path / "e", synthesis=stored)
    assert "DOE" not in str(caught.value)
    assert not (tmp_path / "e").exists()


def test_features_of_another_extractor_are_not_compared(tmp_path):
    files = []
    for name in ("train", "holdout"):
        files.append(tmp_path / f"{name}.npz")
        np.savez(files[-1], features=np.random.default_rng(0).standard_normal((12, 7)))
    handler = SynthesisAudit(*files, n=8, every=1, split_random=True)
    made.gan(TRAIN, [handler]).run()
    assert all("another way" in finding.reason for finding in handler.findings)


@pytest.mark.parametrize("transform", [None, from_engine("pred")], ids=["by itself", "told where"])
def test_the_images_that_an_inference_engine_puts_out_are_audited(tmp_path, transform):
    copies = torch.stack([item["image"] for item in TRAIN])
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader([{"image": copies[i]} for i in range(12)], batch_size=5),
        network=torch.nn.Identity(),
        val_handlers=[SynthesisAudit(TRAIN, HOLDOUT, split_random=True, images=transform)],
    )
    attach(evaluator, out=tmp_path / "e")
    evaluator.run()
    assert evaluator.state.metrics["synthesis_images"] == 12
    report = read_report(tmp_path / "e")
    assert not found(report, "synthesis.memorization_looks")
    (membership,) = found(report, "synthesis.memorization_membership")
    assert membership.estimates[0].value < 0.001


def test_an_engine_whose_output_is_no_image_leaves_the_reason():
    handler = SynthesisAudit(TRAIN, HOLDOUT)
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader([{"image": torch.zeros(3)} for _ in range(4)], batch_size=2),
        network=torch.nn.Identity(),
        val_handlers=[handler],
    ).run()
    (finding,) = handler.findings
    assert "no batch of images" in finding.reason

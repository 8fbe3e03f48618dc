# SPDX-License-Identifier: Apache-2.0
"""A generator in training is looked at, and trains as if nobody had looked."""

import importlib.util
import random
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Events
from ignite.handlers import EMAHandler
from monai.handlers import MeanSquaredError, TensorBoardStatsHandler, from_engine

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.handlers import SynthesisAudit
from monai_ethics.handlers._find_sampler import moving_average

spec = importlib.util.spec_from_file_location("generators", Path(__file__).with_name("generators.py"))
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

TRAIN, HOLDOUT = made.images(12, "t"), made.images(12, "h", seed=1)
KEYS = {f"synthesis_{name}" for name in ("images", "kid", "coverage", "nearest_ratio", "closer_patients", "alarm")}
TRAINERS = [made.diffusion, made.gan, made.latent_diffusion]


def audit(*args, **kwargs):
    return SynthesisAudit(TRAIN, HOLDOUT, *args, **{"n": 8, "every": 1, "steps": 3, "split_random": True, **kwargs})


def noise(n, generator):
    return torch.rand(n, 1, 8, 8, generator=generator)


def checks(handler):
    return {finding.check: finding for finding in handler.findings}


def trained(make, handlers):
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    engine = make(TRAIN, handlers)
    engine.run()
    after = torch.rand(4), torch.tensor(np.random.rand(4)), torch.tensor([random.random()])  # noqa: NPY002
    return [*made.weights(engine), *after], [module.training for module in engine_modules(engine)], engine


def engine_modules(engine):
    return [module for network in made.networks(engine) for module in network.modules()]


def greedy(n, generator):
    random.random()
    np.random.rand()  # noqa: NPY002
    return torch.rand(n, 1, 8, 8)


@pytest.mark.parametrize("make", [*TRAINERS, made.adversarial], ids=lambda make: make.__name__)
def test_weights_random_states_and_modes_are_the_same_with_and_without(make):
    plain, modes, _ = trained(make, [])
    sampler = greedy if make is made.adversarial else None
    handler = audit(sampler)
    watched, watched_modes, engine = trained(make, [handler])
    assert len(plain) == len(watched)
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    assert modes == watched_modes
    assert set(engine.state.metrics) >= KEYS
    assert [look.images for look in handler.taken] == [8, 8]


def test_the_same_images_come_out_whatever_the_training_drew_before():
    one, other = audit(greedy), audit(greedy)
    made.diffusion(TRAIN, [one]).run()
    made.gan(TRAIN, [other]).run()
    assert one.taken == other.taken


@pytest.mark.parametrize("make", TRAINERS, ids=lambda make: make.__name__)
def test_findings_tell_of_the_looks_and_of_the_last_images(make):
    handler = audit()
    make(TRAIN, [handler]).run()
    found = checks(handler)
    assert found["synthesis.memorization_looks"].accounting["looks_judged"] == 2
    membership = found["synthesis.memorization_membership"]
    assert membership.verdict is Verdict.MEASURED
    assert membership.accounting["synthetic_images"] == 8


def test_numbers_stand_at_epochs_with_a_look_only_and_no_p_value_is_shown():
    handler, seen = audit(noise, every=2), {}
    engine = made.diffusion(TRAIN, [handler], epochs=3)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda e: seen.setdefault(e.state.epoch, dict(e.state.metrics)))
    engine.run()
    assert [look.epoch for look in handler.taken] == [2]
    assert KEYS.isdisjoint(seen[1])
    assert set(seen[2]) >= KEYS
    assert "synthesis_kid" in seen[3]  # the images of which the findings tell
    assert "synthesis_alarm" not in seen[3]
    assert not [key for numbers in seen.values() for key in numbers if "p_value" in key]


def test_tensorboard_draws_the_numbers(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoardStatsHandler(log_dir=str(tmp_path), iteration_log=False, output_transform=lambda _: None)
    made.diffusion(TRAIN, [board, audit(noise)]).run()  # put after it, and yet in time
    board.close()
    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["scalars"]) >= KEYS


def test_as_a_metric_it_takes_the_name_that_the_config_gives():
    metrics = {
        "key_train_metric": {"mse": MeanSquaredError(output_transform=from_engine(["pred", "label"]))},
        "additional_metrics": {"mine": audit(noise)},
    }
    items = [{**item, "label": item["image"]} for item in TRAIN]
    engine = made.diffusion(items, [], metrics=metrics)
    engine.run()
    assert "mine_kid" in engine.state.metrics
    assert "mse" in engine.state.metrics


def test_a_generator_that_repeats_its_training_images_stops_the_training():
    train, holdout = made.images(30, "t"), made.images(30, "h", seed=1)
    engine, sampler = made.overtrained(train, [])
    handler = SynthesisAudit(train, holdout, sampler, n=32, every=2, split_random=True, on_memorization="stop")
    engine, sampler = made.overtrained(train, [handler], epochs=60)
    handler.sampler.function = sampler
    engine.run()
    assert engine.state.epoch < 60
    alarms = [item.items[0] for item in checks(handler)["synthesis.memorization_looks"].observations]
    assert alarms == [f"epoch {engine.state.epoch}"]
    assert handler.taken[0].p_value > 0.05
    assert checks(handler)["synthesis.memorization_membership"].estimates[0].value < 0.01


def test_it_warns_once_for_each_alarm_and_goes_on_if_so_asked(caplog):
    copies = torch.stack([item["image"] for item in TRAIN])
    handler = audit(lambda n, generator: copies[:n], on_memorization="warn", n=12)
    engine = made.diffusion(TRAIN, [handler])
    engine.logger.propagate = True
    with caplog.at_level("WARNING"):
        engine.run()
    assert engine.state.epoch == 2
    assert engine.state.metrics["synthesis_alarm"] == 1
    assert len([record for record in caplog.records if "alarm at epoch" in record.getMessage()]) == 2


def test_without_a_record_of_a_random_split_there_is_no_alarm_and_the_reason_is_told():
    copies = torch.stack([item["image"] for item in TRAIN])
    handler = audit(lambda n, generator: copies[:n], split_random=False, n=12, on_memorization="stop")
    engine = made.diffusion(TRAIN, [handler])
    engine.run()
    assert engine.state.epoch == 2
    assert "synthesis_alarm" not in engine.state.metrics
    assert "on record" in checks(handler)["synthesis.memorization_looks"].reason


def boom(n, generator):
    raise RuntimeError("/data/sub-01 is broken")


@pytest.mark.parametrize(
    ("sampler", "reason"),
    [
        (boom, "Sampling failed with RuntimeError"),
        (lambda n, generator: torch.zeros(n), "no batch of images"),
        (lambda n, generator: torch.full((n, 1, 8, 8), torch.nan), "No finite image"),
    ],
    ids=["raises", "no images", "not finite"],
)
def test_a_sampler_that_fails_leaves_a_reason_and_the_training_goes_on(sampler, reason):
    handler = audit(sampler)
    engine = made.diffusion(TRAIN, [handler])
    engine.run()
    assert engine.state.epoch == 2
    for finding in handler.findings:
        assert finding.verdict is Verdict.NOT_ASSESSABLE
        assert reason in finding.reason
        assert "sub-01" not in finding.reason


@pytest.mark.parametrize("case", ["adversarial", "conditioned", "no generator"])
def test_a_trainer_that_cannot_be_sampled_leaves_a_reason(case):
    handler = audit()
    if case == "adversarial":
        engine, reason = made.adversarial(TRAIN, [handler]), "images from images"
    elif case == "no generator":
        engine, reason = made.overtrained(TRAIN, [handler], epochs=1)[0], "is not known"
    else:
        engine, reason = made.diffusion(TRAIN, [handler]), "conditioned"
        engine.prepare_batch.condition_name = "label"
        engine.inferer.mode = "concat"
        engine._iteration = None
        engine._process_function = lambda e, batch: {"loss": 0.0}
    engine.run()
    assert all(reason in finding.reason for finding in handler.findings)


def test_images_with_numbers_that_are_not_finite_are_left_out():
    def some(n, generator):
        found = noise(n, generator)
        found[0] = torch.inf
        return found

    handler = audit(some, batch_size=4)
    made.diffusion(TRAIN, [handler]).run()
    assert [look.images for look in handler.taken] == [6, 6]


def test_a_time_budget_ends_sampling_and_what_was_made_is_used():
    def slow(n, generator):
        time.sleep(0.15)
        return noise(n, generator)

    handler = audit(slow, n=400, batch_size=4, seconds=0.3)
    began = time.monotonic()
    made.diffusion(TRAIN, [handler], epochs=1).run()
    assert time.monotonic() - began < 5
    (look,) = handler.taken
    assert 4 <= look.images <= 12


def test_the_averaged_network_is_sampled_where_there_is_one():
    network = made.unet()
    engine = made.diffusion(TRAIN, [handler := audit()], network=network)
    ema = EMAHandler(network, momentum=0.5)
    ema.attach(engine)
    assert moving_average(engine) is ema.ema_model
    with torch.no_grad():
        for parameter in ema.ema_model.parameters():
            parameter.fill_(torch.nan)
    engine.run()
    assert "No finite image" in handler.findings[0].reason


def test_arguments_are_checked_before_a_training_begins():
    for wrong in ({"on_memorization": "panic"}, {"every": 0}, {"significance": 1.0}, {"n_end": 0}, {"seconds": 0}):
        with pytest.raises(InputError):
            audit(**wrong)
    with pytest.raises(InputError, match="sample"):
        audit(sampler=3)
    with pytest.raises(InputError, match="patient"):
        made.diffusion(TRAIN, [SynthesisAudit([{"image": TRAIN[0]["image"]}], HOLDOUT)]).run()


def misused(case):
    """A handler in which something goes wrong."""
    if case == "function of images":
        return audit(images=lambda output: output.nothing)
    if case == "wrecked buffers":
        return audit(wreck)
    return audit(noise, extractor=Broken())


class Broken:
    """An extractor that works for real images and fails for synthetic ones."""

    def __init__(self):
        self.inner, self.left = made_pixels(), len(TRAIN) + len(HOLDOUT)

    @property
    def protocol(self):
        return self.inner.protocol

    def __call__(self, images):
        self.left -= 1
        if self.left < 0:
            raise AttributeError("/data/DOE^JANE.nii")
        return self.inner(images)


def made_pixels():
    from monai_ethics.synthesis.features.pixels import PixelExtractor

    return PixelExtractor(spatial_dims=2)


def wreck(n, generator):
    random.random()
    np.random.rand()  # noqa: NPY002
    torch.rand(1)
    raise AttributeError("/data/DOE^JANE.nii")


@pytest.mark.parametrize("case", ["function of images", "wrecked buffers", "extractor"])
def test_whatever_goes_wrong_in_it_the_weights_are_those_without_it_and_no_name_is_told(case, caplog):
    plain, modes, _ = trained(made.diffusion, [])
    watched, watched_modes, engine = trained(made.diffusion, [handler := misused(case)])
    assert engine.state.epoch == 2
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    assert modes == watched_modes
    assert all(finding.verdict is Verdict.NOT_ASSESSABLE for finding in handler.findings)
    assert "DOE" not in caplog.text + "".join(finding.reason for finding in handler.findings)


@pytest.mark.parametrize("batch", [(torch.tensor(3.0),), torch.zeros(0, 1, 8, 8), [None], "text", {"image": None}])
def test_a_batch_of_no_known_shape_does_not_stop_an_engine(batch):
    engine = made.diffusion(TRAIN, [audit(noise)], epochs=1)
    engine.add_event_handler(Events.GET_BATCH_COMPLETED, lambda e: setattr(e.state, "batch", batch))
    engine._process_function = lambda e, batch: {"loss": 0.0}
    engine.run()
    assert engine.state.epoch == 1


def test_a_check_that_fails_at_the_end_leaves_a_reason(monkeypatch):
    handler = audit(noise)
    made.diffusion(TRAIN, [handler], epochs=1).run()

    def fails(*_, **__):
        raise ArithmeticError("/data/DOE^JANE.nii")

    monkeypatch.setattr("monai_ethics.handlers.synthesis_audit.findings_of", fails)
    assert handler.findings[-1].reason == "A check failed with ArithmeticError."


def test_a_dataset_that_cannot_be_read_is_one_sentence_without_its_name():
    class Bad(list):
        def __getitem__(self, item):
            raise RuntimeError("applying transform to /data/DOE^JANE.nii")

    engine = made.diffusion(TRAIN, [SynthesisAudit(Bad(TRAIN), HOLDOUT, noise)], epochs=1)
    with pytest.raises(InputError, match="failed with RuntimeError") as caught:
        engine.run()
    assert "DOE" not in str(caught.value)


def test_random_states_come_back_even_if_a_buffer_changed_its_shape():
    from monai_ethics.handlers._undisturbed import undisturbed

    net = torch.nn.BatchNorm1d(3)
    random.seed(0)
    before = random.getstate()

    def disturb():
        with undisturbed([net]):
            random.random()
            net.running_mean.resize_(5)
            raise KeyError

    with pytest.raises(KeyError):
        disturb()
    assert random.getstate() == before
    assert torch.equal(net.running_mean, torch.zeros(3))
    assert net.training

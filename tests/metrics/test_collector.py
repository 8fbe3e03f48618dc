# SPDX-License-Identifier: Apache-2.0
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

WORKER = Path(__file__).with_name("collecting_ranks.py")


@pytest.fixture(scope="module")
def worker():
    spec = importlib.util.spec_from_file_location("collecting", WORKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory, warm):
    folder = tmp_path_factory.mktemp("ranks")
    done = warm([WORKER, folder], ranks=2)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.dist
@pytest.mark.parametrize("setting", ["padded", "idle", "uneven"])
def test_two_processes_collect_what_one_collects(two_ranks, worker, setting):
    alone = worker.collect()
    for seen in two_ranks:
        assert seen[setting]["patients"] == alone["patients"] == worker.PATIENTS
        assert seen[setting]["length"] == 7
        for space, rows in alone["rows"].items():
            np.testing.assert_allclose(seen[setting]["rows"][space], rows, atol=1e-6)


@pytest.mark.dist
def test_shuffled_patients_keep_their_rows_and_nobody_is_there_twice(two_ranks, worker):
    alone = worker.collect()
    known = dict(zip(alone["patients"], alone["rows"]["raw pixels 4x4"], strict=True))
    for seen in two_ranks:
        assert sorted(seen["shuffled"]["patients"]) == sorted(worker.PATIENTS)
        found = zip(seen["shuffled"]["patients"], seen["shuffled"]["rows"]["raw pixels 4x4"], strict=True)
        for patient, row in found:
            np.testing.assert_allclose(row, known[patient], atol=1e-6)


@pytest.mark.dist
def test_rows_that_one_process_adds_later_are_seen_by_both(two_ranks):
    assert [(seen["first"], seen["second"]) for seen in two_ranks] == [(1, 2), (1, 2)]


@pytest.mark.slow
def test_it_works_behind_monais_handler_and_forgets_between_epochs(worker):
    from ignite.engine import Engine
    from monai.data import MetaTensor
    from monai.handlers import IgniteMetricHandler, from_engine

    collector = worker.collector()
    items = [{**worker.Images()[i], "image": MetaTensor(worker.Images()[i]["image"])} for i in range(4)]
    engine = Engine(lambda _, batch: batch)
    IgniteMetricHandler(
        metric_fn=collector, output_transform=from_engine(["image", "patient"]), save_details=False
    ).attach(engine, "features")
    engine.run([items[:2], items[2:]], max_epochs=2)
    assert engine.state.metrics["features"].shape == (4, 480)
    assert collector.collected().patients == tuple(worker.PATIENTS[:4])


@pytest.mark.slow
def test_neither_the_images_nor_the_random_numbers_are_touched(worker):
    collector = worker.collector()
    images = torch.rand(3, 1, 12, 12)
    kept, state = images.clone(), torch.get_rng_state()
    collector(images)
    collector(list(images))
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), state)
    rows = collector.aggregate()
    torch.testing.assert_close(rows[:3], rows[3:])
    assert collector.collected().patients == tuple(f"row {i + 1}" for i in range(6))
    collector.reset()
    with pytest.raises(ValueError, match="at least one image"):
        collector.collected()


@pytest.mark.slow
def test_unusable_calls_are_refused(worker):
    from monai_ethics.metrics.features import FeatureCollector
    from monai_ethics.synthesis.features.pixels import PixelExtractor

    collector = worker.collector()
    images = torch.rand(2, 1, 12, 12)
    with pytest.raises(ValueError, match="a patient for each of 2 images: got 1"):
        collector(images, ["a"])
    collector(images, ["a", "b"])
    with pytest.raises(ValueError, match="with every batch or with none"):
        collector(images)
    collector.reset()
    collector(images)
    with pytest.raises(ValueError, match="with every batch or with none"):
        collector(images, ["a", "b"])
    with pytest.raises(ValueError, match="names of their own"):
        FeatureCollector([PixelExtractor(spatial_dims=2)] * 2)


@pytest.mark.slow
def test_crops_of_an_item_stay_together_and_padding_goes():
    from monai_ethics.metrics.features import _order

    class Sampler(torch.utils.data.DistributedSampler):
        pass

    sampler = Sampler(list(range(3)), num_replicas=2, rank=0, shuffle=False)
    assert _order([4, 4], sampler) == [0, 1, 4, 5, 2, 3]  # items 0, 1, 2 of two crops each; the fourth is padding
    with pytest.raises(ValueError, match="equally many images of each item"):
        _order([3, 3], sampler)

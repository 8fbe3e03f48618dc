# SPDX-License-Identifier: Apache-2.0
"""What the handlers cost: CPU time of our own callbacks over the epoch's, beside the epoch with and without us.

Run with ``python -m pytest tests/benchmarks/test_handlers.py -m slow -s``; nothing is asserted of time.
"""

import gc
import time
from collections import Counter

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, Workflow
from monai.handlers import HausdorffDistance, MeanDice, MetricsSaver, from_engine
from monai.networks.nets import UNet
from monai.transforms import AsDiscreted, Compose, EnsureChannelFirstd, LoadImaged

from monai_ethics._resources import bundle_path
from monai_ethics.cohort import Cohort, write_cohort
from monai_ethics.handlers import _items, attach
from monai_ethics.handlers._presence import PresenceTap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MONAI's own, over masks without a surface
]

PAIR = from_engine(["pred", "label"])
FLAT, DEEP = 24, 2
STRATA = "sex,age_band,site,sex*site"


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # all that a callback does is then seen by the clock of its thread
    yield
    torch.set_num_threads(threads)


def flat(folder, output):
    """The evaluator of the unedited lesion bundle: BasicUNet on 128 x 128 slices, Dice, HD95, MetricsSaver."""
    parser = ConfigParser()
    parser.read_config(bundle_path("lesion_segmentation") / "configs" / "evaluate.json")
    settings = {"bundle_root": str(bundle_path("lesion_segmentation")), "dataset_dir": str(folder)}
    parser.update({**settings, "output_dir": str(output), "device": "cpu"})
    return parser.get_parsed_content("validate#evaluator")


class Threshold(torch.nn.Module):
    """A small 3-D UNet whose weights do not matter: the prediction is what is brighter than 0.5."""

    def __init__(self):
        super().__init__()
        self.unet = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(8, 16, 32), strides=(2, 2))

    def forward(self, x):
        return 0 * self.unet(x) + torch.cat([0.5 - x, x - 0.5], dim=1)


def deep(folder, output):
    """The same on 96 x 96 x 96 volumes."""
    both = ["image", "label"]
    items = [{k: str(folder / f"s{i}_{k}.nii.gz") for k in both} for i in range(DEEP)]
    prepare = Compose([LoadImaged(both), EnsureChannelFirstd(both)])
    finish = AsDiscreted(["pred", "label"], argmax=[True, False], to_onehot=2)
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(items, prepare), batch_size=1, num_workers=0),
        network=Threshold(),
        postprocessing=finish,
        key_val_metric={"val_mean_dice": MeanDice(include_background=False, output_transform=PAIR)},
        additional_metrics={
            "val_hd95": HausdorffDistance(include_background=False, percentile=95, output_transform=PAIR)
        },
        val_handlers=[MetricsSaver(str(output), metrics=["val_mean_dice", "val_hd95"], metric_details="*")],
    )


def write_flat(folder):
    write_cohort(Cohort(n=FLAT, seed=5), folder)


def write_deep(folder):
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 96)] * 3, indexing="ij"))
    lines = ["participant_id\tsex\tage_band\tsite"]
    for i in range(DEEP):
        center = rng.uniform(-0.3, 0.3, (3, 1, 1, 1))
        label = (((grid - center) ** 2).sum(axis=0) < 0.12).astype(np.uint8)
        image = (label * 0.4 + rng.uniform(0.2, 0.5, label.shape) + 0.1).astype(np.float32)
        for name, array in (("image", image), ("label", label)):
            nib.save(nib.Nifti1Image(array, np.eye(4)), folder / f"s{i}_{name}.nii.gz")
        lines.append(f"s{i}\t{'FM'[i % 2]}\t{'ab'[i % 2]}\t{'xyz'[i % 3]}")
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n")


class Clock:
    """CPU seconds of each of our callbacks, of the background thread, and of the epoch."""

    def __init__(self, monkeypatch):
        self.seconds = Counter()
        monkeypatch.setattr(PresenceTap, "_note", self._timed(PresenceTap._note, "epoch"))
        monkeypatch.setattr(_items, "_digest", self._timed(_items._digest, "digest"))

    def _timed(self, function, what):
        def call(*args, **kwargs):
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[what] += time.thread_time() - start

        return call

    def wrap(self, engine):
        """Put the clock around each of our callbacks on the engine."""
        places = {Events.STARTED: "begin", Events.COMPLETED: "end"}
        for event, entries in engine._event_handlers.items():
            for place, entry in enumerate(entries):
                owner = getattr(entry[0], "__self__", None)
                if type(owner).__module__.startswith("monai_ethics."):
                    entries[place] = (self._timed(entry[0], places.get(event, "epoch")), *entry[1:])

    def run(self, engine, session_of=None):
        """CPU seconds of each of two epochs, with us if `session_of` attaches us: ``[(all, our callbacks), ...]``."""
        marks = []

        def mark():
            marks.append((time.process_time(), self.seconds["epoch"]))

        engine.add_event_handler(Events.EPOCH_STARTED, mark)
        if session_of is not None:
            session_of(engine)
            self.wrap(engine)
        engine.add_event_handler(Events.EPOCH_COMPLETED, mark)
        engine.state.max_epochs = 2
        gc.collect()
        Workflow.run(engine)
        return [tuple(b - a for a, b in zip(*pair, strict=True)) for pair in (marks[:2], marks[2:])]


@pytest.mark.parametrize(
    ("name", "write", "make", "n", "repeats"),
    [("2-D, 128 x 128", write_flat, flat, FLAT, 5), ("3-D, 96 x 96 x 96", write_deep, deep, DEEP, 3)],
)
def test_cost_of_the_callbacks_in_an_epoch(
    tmp_path, monkeypatch, spread_of, row, repeated, name, write, make, n, repeats
):
    data = tmp_path / "data"
    data.mkdir()
    write(data)
    clock = Clock(monkeypatch)
    taken, values, repeats = {True: [], False: []}, {}, repeated(repeats)
    for number in range(repeats + 1 if repeats > 1 else 1):
        for ours in (True, False) if number % 2 else (False, True):
            engine = make(data, tmp_path / f"out-{number}-{ours}")

            def join(engine, number=number):
                evidence = tmp_path / f"evidence-{number}"
                attach(engine, out=evidence, attributes=data / "participants.tsv", strata=STRATA)

            taken[ours].append(clock.run(engine, join if ours else None))
            values[ours] = dict(engine.state.metrics)
        if number == 0 and repeats > 1:  # the warm-up
            taken, clock.seconds = {True: [], False: []}, Counter()
    for epoch, what in enumerate(("first epoch", "later epochs")):
        pair = spread_of(*[[run[epoch][0] for run in taken[ours]] for ours in (True, False)])
        spent = sum(run[epoch][1] for run in taken[True]) / repeats
        share = f"{spent / pair.ours:.2%}, {spent / n * 1e6:.0f} of {pair.ours / n * 1e6:.0f} us a case"
        row(f"{name}, {what}", share, pair)
    mean = {key: value / repeats for key, value in clock.seconds.items()}
    digests = f"digests in the background {mean['digest'] / n * 1e3:.1f} ms a case"
    row(f"{name}, once a run", f"begin {mean['begin']:.2f} s, end {mean['end']:.2f} s; {digests}", "")
    assert {key: values[True][key] for key in values[False]} == values[False]
    assert "val_mean_dice_sex_worst" in values[True]

# SPDX-License-Identifier: Apache-2.0
"""Run by test_many_ranks.py: one process, then groups of 2, 3 and 4 gloo processes forked from it.

Each process writes what it saw to a JSON file. Usage: ``many_ranks.py FOLDER exact|empty``.
"""

import importlib.util
import json
import os
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from ignite.engine import Engine
from ignite.metrics import Accuracy, MeanSquaredError
from monai.data import DataLoader, DistributedSampler
from monai.engines import SupervisedEvaluator
from monai.handlers import ROCAUC, MeanDice, from_engine
from torch.utils.data import IterableDataset
from torch.utils.data.distributed import DistributedSampler as Padded

from monai_ethics.handlers import StratifiedScores

spec = importlib.util.spec_from_file_location("toys", Path(__file__).with_name("conftest.py"))
toys = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toys)
PAIR = from_engine(["pred", "label"])
SIZES = (1, 3, 8)
WORLDS = (2, 3, 4)
SETTINGS = {  # cases, sampler
    "padded": (13, lambda data: Padded(data, shuffle=False)),
    "padded, shuffled": (13, lambda data: Padded(data, shuffle=True, seed=5)),
    "exact": (13, lambda data: DistributedSampler(data, even_divisible=False, shuffle=False)),
    "exact, shuffled": (13, lambda data: DistributedSampler(data, even_divisible=False, shuffle=True, seed=7)),
    "fewer cases than processes": (3, lambda data: Padded(data, shuffle=False)),
}


def items(n):
    made = toys.make_items(n)
    for i, item in enumerate(made):
        item["sex"] = "X" if i == 1 else "FM"[i % 2]  # X is met by one process only
    return made


def one_number(output):
    pairs = PAIR(output)
    return [p.mean()[None] for p in pairs[0]], [y.amax()[None] for y in pairs[1]]


def evaluate(data, size, sampler=None, watched=True):
    scores = StratifiedScores(attributes=["sex"])
    engine = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(toys.Items(data), batch_size=size, sampler=sampler),
        network=toys.Shift(),
        key_val_metric={"dice": MeanDice(output_transform=PAIR)},
        additional_metrics={
            "mse": MeanSquaredError(output_transform=PAIR),
            "auc": ROCAUC(output_transform=one_number),
        },
        val_handlers=[scores] if watched else [],
    )
    engine.run()
    return {
        "tables": [table.to_dict() for table in scores.tables],
        "labels": [table.to_dict() for table in scores.labels],
        "shown": {key: value for key, value in engine.state.metrics.items() if "_sex_" in key},
        "reasons": dict(scores.not_assessable),
    }


def exact(folder, name):
    out = {}
    for setting, (n, make) in SETTINGS.items():
        data = items(n)
        sampler = make(data) if dist.is_initialized() else None
        for size in SIZES:
            out[f"{setting}, batches of {size}"] = evaluate(data, size, sampler)
    Path(folder, f"{name}.json").write_text(json.dumps(out))


class Stream(IterableDataset):
    """Cases without a length: the last process of several gets none of them."""

    def __init__(self, data):
        self.data = data

    def __iter__(self):
        rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 2)
        yield from self.data if not dist.is_initialized() else self.data[rank :: world - 1] if rank < world - 1 else []


def streamed(watched=True):
    scores = StratifiedScores(attributes=["sex"])
    engine = Engine(lambda _, batch: (batch["image"].round(), batch["label"]))
    MeanSquaredError().attach(engine, "mse")
    Accuracy().attach(engine, "accuracy")
    if watched:
        scores.attach(engine)
    engine.run(DataLoader(Stream(items(13)), batch_size=3))
    return {
        "tables": [table.to_dict() for table in scores.tables],
        "metrics": engine.state.metrics,
        "reasons": dict(scores.not_assessable),
    }


def outcome(call):
    start = time.monotonic()
    try:
        call()
    except Exception as error:
        return {"error": type(error).__name__, "seconds": time.monotonic() - start}
    return {"error": None, "seconds": time.monotonic() - start}


def empty(folder, name):
    """A process without a case: what Ignite's own metrics allow, then what MONAI does alone and with ours."""
    out = {"streamed": streamed(), "alone": streamed(watched=False)["metrics"]}
    Path(folder, f"{name}.json").write_text(json.dumps(out))


def broken(folder, name, kind, watched):
    """MONAI's own evaluator with a metric of MONAI, where the last process has no case."""
    rank, data = dist.get_rank(), items(4)
    data = Stream(data) if kind == "stream" else toys.Items(data if rank == 0 else [])
    engine = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, batch_size=2),
        network=toys.Shift(),
        key_val_metric={"dice": MeanDice(output_transform=PAIR)} if kind != "no metric" else None,
        val_handlers=[StratifiedScores(attributes=["sex"])] if watched else [],
    )
    Path(folder, f"{name}.json").write_text(json.dumps(outcome(engine.run)))


def fork(world, folder, label, work, *args):
    """Run `work` in `world` processes that share this one's imports; kill what does not end."""
    meeting = Path(folder, f"meet-{label}")
    children = []
    for rank in range(world):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                dist.init_process_group(
                    "gloo", init_method=f"file://{meeting}", rank=rank, world_size=world, timeout=timedelta(seconds=20)
                )
                work(folder, f"{label}-{rank}", *args)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def main(folder, what):
    torch.set_num_threads(1)
    codes = {}
    if what == "exact":
        exact(folder, "alone")
        for world in WORLDS:
            codes[world] = fork(world, folder, f"w{world}", exact)
    else:
        empty(folder, "alone")
        for world in (2, 3):
            codes[world] = fork(world, folder, f"w{world}", empty)
        for kind in ("share", "stream"):
            codes[kind] = [fork(2, folder, f"{kind}-{watched}", broken, kind, watched) for watched in (False, True)]
    Path(folder, "codes.json").write_text(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])

# SPDX-License-Identifier: Apache-2.0
"""Run by test_synthesis_ranks.py on two gloo processes; each writes what it saw to a JSON file."""

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path

import ignite.distributed as idist
import torch
import torch.distributed as dist
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator

from monai_ethics.handlers import SynthesisAudit, attach

spec = importlib.util.spec_from_file_location("generators", Path(__file__).with_name("generators.py"))
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)

TRAIN, HOLDOUT = made.images(12, "t"), made.images(12, "h", seed=1)
COPIES = torch.stack([item["image"] for item in TRAIN])


def noise(n, generator):
    return torch.rand(n, 1, 8, 8, generator=generator)


def only_rank_0(n, generator):
    if idist.get_rank():
        raise ValueError("no")
    return noise(n, generator)


def copies(n, generator):
    return COPIES[torch.randint(12, (n,), generator=generator)]


def seen(sampler, *, epochs=2, parallel=False, **kwargs):
    handler = SynthesisAudit(TRAIN, HOLDOUT, sampler, n=21, every=1, batch_size=4, split_random=True, **kwargs)
    engine = made.diffusion(TRAIN, [handler], epochs=epochs)
    if parallel:
        engine.network = torch.nn.parallel.DistributedDataParallel(engine.network)
    engine.run()
    return {
        "epoch": engine.state.epoch,
        "metrics": {key: value for key, value in engine.state.metrics.items() if key.startswith("synthesis")},
        "looks": [asdict(look) for look in handler.taken],
    }


def inferred():
    """Seven images on two processes: the sampler repeats one, which counts once."""
    handler = SynthesisAudit(TRAIN, HOLDOUT, split_random=True)
    items = [{"image": COPIES[i]} for i in range(7)]
    spread = (
        torch.utils.data.distributed.DistributedSampler(items, shuffle=False) if idist.get_world_size() > 1 else None
    )
    engine = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(items, batch_size=3, sampler=spread),
        network=torch.nn.Identity(),
        val_handlers=[handler],
    )
    engine.run()
    return engine.state.metrics


def everything(folder=None):
    out = {
        "inferred": inferred(),
        "noise": seen(noise),
        "stop": seen(copies, epochs=5, on_memorization="stop", looks=2),
        "one rank fails": seen(only_rank_0),
    }
    if folder is not None:
        out["parallel"] = seen(None, parallel=True, steps=2)
        engine = made.gan(TRAIN, [SynthesisAudit(TRAIN, HOLDOUT, n=8, every=1, split_random=True)])
        attach(engine, out=Path(folder) / "evidence")
        engine.run()
    return out


def main(folder):
    dist.init_process_group("gloo")
    Path(folder, f"rank{idist.get_rank()}.json").write_text(json.dumps(everything(folder)))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])

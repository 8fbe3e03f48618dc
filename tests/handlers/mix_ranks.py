# SPDX-License-Identifier: Apache-2.0
"""Run by test_synthetic_mix_ranks.py on two gloo processes; each writes the mix it saw to a JSON file."""

import json
import sys
from pathlib import Path

import ignite.distributed as idist
import torch.distributed as dist
from ignite.engine import Engine
from monai.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from monai_ethics.handlers import SyntheticMixTracker


def main(folder):
    dist.init_process_group("gloo")
    data = Dataset([{"name": f"i{k}", "synthetic": k in (0, 3)} for k in range(7)])
    out = {}
    for setting, sampler in (("padded", DistributedSampler(data, shuffle=True, seed=3)), ("unequal", None)):
        if sampler is None:  # two shares of different length
            data = Dataset(data.data[:2] if idist.get_rank() == 0 else data.data[2:])
        tracker = SyntheticMixTracker(split="train", case_key="name")
        engine = Engine(lambda engine, batch: None)
        tracker.attach(engine)
        loader = DataLoader(data, batch_size=2, sampler=sampler)
        engine.run(loader, max_epochs=2)
        table = tracker.table
        out[setting] = sorted(zip(table.items, table.synthetic, table.uses, strict=True))
    Path(folder, f"rank{idist.get_rank()}.json").write_text(json.dumps(out))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])

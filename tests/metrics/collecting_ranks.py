# SPDX-License-Identifier: Apache-2.0
"""Run by test_collector.py on two gloo processes; each writes what it collected to a JSON file."""

import json
import sys
from pathlib import Path

import ignite.distributed as idist
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from monai_ethics.metrics.features import FeatureCollector
from monai_ethics.synthesis.features.pixels import PixelExtractor
from monai_ethics.synthesis.features.random_conv import random_conv

PATIENTS = [f"patient\t{i} ü" for i in range(7)]


class Images(Dataset):
    def __len__(self):
        return len(PATIENTS)

    def __getitem__(self, index):
        image = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(index))
        return {"image": image, "patient": PATIENTS[index]}


def collector(sampler=None):
    return FeatureCollector([random_conv(2, size=16), PixelExtractor(spatial_dims=2, size=4)], sampler=sampler)


def collect(sampler=None, rows=None):
    made = collector(sampler)
    data = Images()
    for batch in DataLoader(data if rows is None else [data[i] for i in rows], batch_size=2, sampler=sampler):
        made(batch["image"], batch["patient"])
    found = made.collected()
    return {
        "patients": list(found.patients),
        "rows": {space: rows.tolist() for space, rows in found.features.items()},
        "length": len(made),
    }


def main(folder):
    dist.init_process_group("gloo")
    rank = idist.get_rank()
    out = {
        "padded": collect(DistributedSampler(Images(), shuffle=False)),
        "shuffled": collect(DistributedSampler(Images(), shuffle=True, seed=3)),
        "idle": collect(rows=range(7) if rank == 0 else []),
        "uneven": collect(rows=range(2) if rank == 0 else range(2, 7)),
    }
    again = collector()
    if rank == 0:
        again(Images()[0]["image"][None])
    out["first"] = len(again.aggregate())
    if rank == 1:
        again(Images()[1]["image"][None])  # only one process has anything new
    out["second"] = len(again.aggregate())
    Path(folder, f"rank{rank}.json").write_text(json.dumps(out))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])

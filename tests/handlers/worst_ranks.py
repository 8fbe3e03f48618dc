# SPDX-License-Identifier: Apache-2.0
"""Run by test_worst_group_ranks.py on gloo processes, and by it alone; each writes what it saw to a JSON file."""

import importlib.util
import json
import sys
from pathlib import Path

import ignite.distributed as idist
import torch
import torch.distributed as dist
from monai.data import DataLoader, DistributedSampler, partition_dataset
from monai.engines import SupervisedEvaluator
from monai.handlers import HausdorffDistance, MeanDice, from_engine

from monai_ethics.handlers import WorstGroupScore
from monai_ethics.training import GroupDROLoss, TrainingGroups

spec = importlib.util.spec_from_file_location("toys", Path(__file__).with_name("conftest.py"))
toys = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toys)
OUTPUT = from_engine(["pred", "label"])
N = 13


def items():
    made = toys.make_items(N)
    for i, item in enumerate(made):
        item["sex"] = "M" if i < 4 else "F"  # M is on process 0 only where cases are dealt in blocks
    return made


def evaluate(data, sampler=None, batch_size=3, metric=MeanDice):
    worst = WorstGroupScore(metric(output_transform=OUTPUT), ["sex"], min_group_size=2)
    engine = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(toys.Items(data), batch_size=batch_size, sampler=sampler),
        network=toys.Shift(),
        key_val_metric={"worst": worst},
    )
    engine.run()
    return {"worst": engine.state.metrics["worst"], "groups": dict(worst.groups), "best": engine.state.best_metric}


def robust(rank, world):
    """Three steps of the loss on this process's share: weights, and the gradients averaged as DDP does."""
    groups = TrainingGroups([{"image": "", "g": "ABBC"[i % 4]} for i in range(12)], ["g"])
    loss = GroupDROLoss(torch.nn.MSELoss(reduction="none"), groups, step_size=0.3, adjustment=1.0)
    torch.manual_seed(0)
    x, slope = torch.randn(12, 1, dtype=torch.float64), torch.ones(1, dtype=torch.float64, requires_grad=True)
    mine = slice(rank * 12 // world, (rank + 1) * 12 // world)
    seen = []
    for _ in range(3):
        slope.grad = None
        loss(slope * x[mine], 3 * x[mine] ** 2, list(groups.codes[mine])).backward()
        grad = slope.grad.clone()
        if world > 1:
            dist.all_reduce(grad)
        with torch.no_grad():
            slope -= 0.1 * grad / world
        seen.append([slope.item(), *loss.weights.tolist()])
    return seen


def main(folder, world):
    if world > 1:
        dist.init_process_group("gloo")
    rank, whole = idist.get_rank(), items()
    share = whole
    if world > 1:
        share = whole[:7] if rank == 0 else whole[6 + rank :: world - 1]
    out = {"blocks": evaluate(share)}
    if world > 1:
        padded = torch.utils.data.distributed.DistributedSampler(whole, shuffle=True, seed=5)
        out["padded"] = evaluate(whole, padded, 1)
        out["exact"] = evaluate(whole, DistributedSampler(whole, even_divisible=False, shuffle=True), 8)
        out["partition"] = evaluate(partition_dataset(whole, num_partitions=world, even_divisible=True)[rank])
    out["distance"] = evaluate(whole if world == 1 else whole[rank::world], metric=HausdorffDistance)
    out["robust"] = robust(rank, world)
    Path(folder, f"{world}-{rank}.json").write_text(json.dumps(out))
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

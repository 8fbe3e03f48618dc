# SPDX-License-Identifier: Apache-2.0
"""Run by test_distributed.py on two gloo processes; each writes what it saw to a JSON file."""

import importlib.util
import json
import sys
from pathlib import Path

import ignite.distributed as idist
import torch
import torch.distributed as dist
from monai.data import DataLoader, DistributedSampler, partition_dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import MeanDice, from_engine

from monai_ethics.handlers import StratifiedScores, attach
from monai_ethics.handlers._gather import gather_rows

spec = importlib.util.spec_from_file_location("toys", Path(__file__).with_name("conftest.py"))
toys = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toys)


def items(n=12):
    made = toys.make_items(n)
    for i, item in enumerate(made):
        item["sex"] = "M" if i < 4 else "F\tx"  # M is on process 0 only
    return made


def evaluate(data, sampler=None, cls=SupervisedEvaluator, **kwargs):
    scores = StratifiedScores(attributes=["sex"], **kwargs)
    loader = DataLoader(toys.Items(data), batch_size=3, sampler=sampler)
    metrics = {"val_mean_dice": MeanDice(output_transform=from_engine(["pred", "label"]))}
    engine = cls(
        device=torch.device("cpu"),
        val_data_loader=loader,
        network=toys.Shift(),
        key_val_metric=metrics,
        val_handlers=[scores],
    )
    engine.run()
    (table,) = scores.tables
    return {"table": table.to_dict(), "shown": engine.state.metrics}


def train_unnamed(data):
    for item in data:
        item["image"], item["label"] = item["image"].as_tensor(), item["label"].as_tensor()
    scores = StratifiedScores()
    network = toys.Shift()
    SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(toys.Items(data), batch_size=2),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        loss_function=torch.nn.MSELoss(),
        key_train_metric={"train_dice": MeanDice(output_transform=from_engine(["pred", "label"]))},
        train_handlers=[scores],
    ).run()
    return {"tables": len(scores.tables), "reasons": dict(scores.not_assessable)}


def infer_with_an_idle_process(data, out):
    loader = DataLoader(toys.Items(data), batch_size=3)
    engine = SupervisedEvaluator(device=torch.device("cpu"), val_data_loader=loader, network=toys.Shift())
    attach(engine, out=out)
    if len(data):
        engine.run()


def main(folder):
    dist.init_process_group("gloo")
    rank = idist.get_rank()
    whole = items()
    out = {"uneven": evaluate(whole[:7] if rank == 0 else whole[7:])}
    padded = torch.utils.data.distributed.DistributedSampler(whole[:7], shuffle=True, seed=5)
    out["padded"] = evaluate(whole[:7], padded)
    out["exact"] = evaluate(whole[:7], DistributedSampler(whole[:7], even_divisible=False, shuffle=True))
    share = partition_dataset(whole[:7], num_partitions=2, even_divisible=True)[rank]
    out["partition"] = evaluate(share)
    out["rows"] = gather_rows([{"case": "a\tb", "n": 1}, {"case": "", "n": 2}] if rank else [], sampler=None).rows
    out["unnamed"] = train_unnamed(items(4))
    infer_with_an_idle_process(items(3) if rank == 0 else [], Path(folder) / "idle")
    session_engine = toys.make_evaluator(whole[:7] if rank == 0 else whole[7:])
    session = attach(session_engine, out=Path(folder) / "evidence", attributes=["sex"])
    session_engine.run()
    out["findings"] = len(session.findings)
    Path(folder, f"rank{rank}.json").write_text(json.dumps(out))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])

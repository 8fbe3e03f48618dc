# SPDX-License-Identifier: Apache-2.0
"""Run by test_admission.py on two gloo processes; each writes what became of it to a JSON file."""

import importlib.util
import json
import sys
from pathlib import Path

import ignite.distributed as idist
import torch
import torch.distributed as dist

from monai_ethics.errors import EthicsError
from monai_ethics.handlers import attach

spec = importlib.util.spec_from_file_location("guarded", Path(__file__).with_name("test_admission.py"))
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)


def main(data, out, setting):
    dist.init_process_group("gloo")
    rank = idist.get_rank()
    good = [{"image": str(path)} for path in sorted(Path(data).glob("good_*.nii"))]
    bad = [{"image": str(Path(data, "bad.nii"))}]
    shares = {"same": [good + bad] * 2, "idle": [good + bad, []]}.get(setting, [good[:2], good[2:] + bad])
    engine = tests.trainer(shares[rank])
    if setting != "partition":
        engine.network = torch.nn.parallel.DistributedDataParallel(engine.network)
    if setting == "idle":
        engine.optimizer = None  # an evaluation may run on some processes only
    session = attach(engine, out=Path(out) / "evidence", guard={"site": str(Path(data) / "site")})
    error = ""
    try:
        if shares[rank]:
            engine.run()
    except EthicsError as caught:
        error = type(caught).__name__
    findings = [{"check": one.check, "statement": one.statement} for one in session.findings]
    told = {"error": error, "iterations": len(engine.seen), "findings": findings}
    Path(out, f"rank{rank}.json").write_text(json.dumps(told))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])

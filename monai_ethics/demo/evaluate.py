# SPDX-License-Identifier: Apache-2.0
"""Evaluate the unedited bundle through the same door that any user takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from monai_ethics.errors import EthicsError

__all__ = ["STRATA", "evaluate_bundle"]

STRATA = "sex,age_band,site,sex*site"
REFUSED = 1


def evaluate_bundle(bundle: Path, dataset: Path, *, evidence: Path, policy: Path, name: str, output: Path) -> None:
    """Run ``monai-ethics run`` on a bundle in a process of its own, as on the command line.

    Args:
        bundle: folder of the bundle, which is the working directory and stays as it is.
        dataset: folder with ``datalist.json`` and ``participants.tsv``.
        evidence: evidence folder that the run appends to.
        policy: limits by which the findings are judged; a refusal is a result, not a failure.
        name: name of the run in the evidence.
        output: folder for what the bundle itself writes; its log is ``run.log`` there.

    Raises:
        EthicsError: if the run failed.
    """
    output.mkdir(parents=True, exist_ok=True)
    words = {
        "config_file": "['configs/train.json','configs/evaluate.json']",
        "dataset_dir": str(dataset),
        "output_dir": str(output),
        "ethics#out": str(evidence),
        "ethics#name": name,
        "ethics#policy": str(policy),
        "ethics#attributes": str(dataset / "participants.tsv"),
        "ethics#strata": STRATA,
    }
    command = [sys.executable, "-m", "monai_ethics", "run"]
    for key, value in words.items():
        command += [f"--{key}", value]
    with (output / "run.log").open("wb") as log:
        done = subprocess.run(command, cwd=bundle, stdout=log, stderr=subprocess.STDOUT, env=os.environ, check=False)
    if done.returncode not in (0, REFUSED):
        raise EthicsError(
            f"Expected the bundle to run to its end: got exit code {done.returncode}. "
            "Read run.log in the output folder of the demo."
        )

# SPDX-License-Identifier: Apache-2.0
"""Run the bundles that travel with the package with MONAI's own launcher, as if this package were not there."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monai_ethics._resources import bundle_path

BUNDLE = bundle_path("lesion_segmentation")


@pytest.fixture(scope="session")
def bundle() -> Path:
    return BUNDLE


@pytest.fixture(scope="session")
def launch(past_abort: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., str]:
    """Run ``monai.bundle`` in the bundle's folder; returns what it printed."""

    def run(command: str, *words: str, ranks: int = 0, module: str = "monai.bundle", **overrides: object) -> str:
        start = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"] if ranks else []
        flags = [word for key, value in overrides.items() for word in (f"--{key.replace('__', '#')}", str(value))]

        def once(_: int) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, *start, "-m", module, command, *words, *flags],
                cwd=BUNDLE,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )

        done = past_abort(once)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def scores() -> Callable[[Path], dict[str, float]]:
    """Dice of each case from the file that MetricsSaver wrote, by file name."""

    def read(folder: Path) -> dict[str, float]:
        with (folder / "val_mean_dice_raw.csv").open(encoding="utf-8") as stream:
            return {Path(row["filename"]).name: float(row["mean"]) for row in csv.DictReader(stream)}

    return read

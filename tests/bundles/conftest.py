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
def launch(
    past_abort: Callable[..., subprocess.CompletedProcess[str]], warm: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[..., str]:
    """Run ``monai.bundle`` in the bundle's folder, with several ranks by torchrun; returns what it printed."""

    def run(command: str, *words: str, ranks: int = 0, module: str = "monai.bundle", **overrides: object) -> str:
        flags = [word for key, value in overrides.items() for word in (f"--{key.replace('__', '#')}", str(value))]

        program = ["-m", module, command, *words, *flags]

        def once(_: int) -> subprocess.CompletedProcess[str]:
            if not ranks:
                return warm(program, cwd=BUNDLE)
            start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
            env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
            return subprocess.run([*start, *program], cwd=BUNDLE, env=env, capture_output=True, text=True, check=False)

        done = past_abort(once)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def scores() -> Callable[[Path], dict[str, float]]:
    """Dice of each case from the file that MetricsSaver wrote, by file name."""

    def read(folder: Path) -> dict[str, float]:
        with (folder / "val_mean_dice_raw.csv").open(encoding="utf-8") as stream:
            return {Path(row["filename"]).name: float(row["mean"]) for row in csv.DictReader(stream)}

    return read

# SPDX-License-Identifier: Apache-2.0
"""Time and memory of whole commands in processes of their own; nothing is asserted of time.

Run with ``python -m pytest tests/benchmarks/test_commands.py -m slow -s``.
"""

import json
import statistics
import subprocess
import sys
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow

REPEATS = 7


class Cost(NamedTuple):
    """Seconds of wall time, seconds of CPU and peak memory in MB, of a process and those it waited for."""

    wall: float
    cpu: float
    memory: float


# A process starts with the peak of the one that forks it, so a small one stands between.
LAUNCH = """
import os, subprocess, sys, time
start = time.perf_counter()
child = subprocess.Popen([sys.executable, *sys.argv[2:]], stdout=open(sys.argv[1], "wb"))
_, status, used = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
sys.exit(child.returncode)
"""


def run(*words, out):
    """Run a Python command line to its end and return its cost and what it printed."""
    command = [sys.executable, "-c", LAUNCH, str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(*map(float, done.stdout.split())), out.read_text(encoding="utf-8")


def show(row, name, costs):
    middle = [statistics.median(values) for values in zip(*costs, strict=True)]
    spread = [f"{min(values):.2f}-{max(values):.2f}" for values in zip(*costs, strict=True)]
    many = len(costs) > 1
    cells = [f"{m:.2f} s ({s})" if many else f"{m:.1f} s" for m, s in zip(middle[:2], spread, strict=False)]
    row(name, *cells, f"{middle[2]:.0f} MB", len(costs))


def test_cost_of_starting(tmp_path, row, repeated):
    commands = {
        "`python -c pass`": ("-c", "pass"),
        "`import monai_ethics`": ("-c", "import monai_ethics"),
        "`monai-ethics --help`": ("-m", "monai_ethics", "--help"),
        "`monai-ethics verify --help`": ("-m", "monai_ethics", "verify", "--help"),
    }
    costs = {name: [] for name in commands}
    for _ in range(repeated(REPEATS)):
        for name, words in commands.items():
            cost, printed = run(*words, out=tmp_path / "out")
            costs[name].append(cost)
            assert ("Usage" in printed) == ("--help" in words)
    for name, taken in costs.items():
        show(row, name, taken)


@pytest.mark.figures
def test_cost_of_importing_monai(tmp_path, row):
    show(row, "`import monai` (for comparison)", [run("-c", "import monai", out=tmp_path / "out")[0]])


@pytest.mark.figures
def test_cost_of_the_demo(tmp_path, row):
    cost, printed = run("-m", "monai_ethics", "demo", "--out", str(tmp_path / "demo"), "--json", out=tmp_path / "out")
    show(row, "`monai-ethics demo`", [cost])
    found = json.loads(printed)
    assert found["refused"]
    assert (tmp_path / "demo" / "evidence" / "report.html").exists()

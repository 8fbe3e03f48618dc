# SPDX-License-Identifier: Apache-2.0
"""Paired measurements: ours and a peer by turns in one process, so that a busy machine slows both."""

import gc
import statistics
import time
from typing import NamedTuple

import pytest


class Paired(NamedTuple):
    """Median and range of the ratios of all pairs, and the median seconds of each side."""

    median: float
    low: float
    high: float
    ours: float
    theirs: float
    n: int

    def __str__(self):
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f}, {self.n} pairs)"


def spread(ours, theirs):
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    middle = statistics.median
    return Paired(middle(ratios), ratios[0], ratios[-1], middle(ours), middle(theirs), len(ratios))


def measure(ours, theirs, *, repeats, clock=time.process_time):
    """Call both once to warm up, then by turns, each pair in the other order."""
    sides = (ours, theirs)
    for call in sides:
        call()
    taken = ([], [])
    for number in range(repeats):
        for side in (0, 1) if number % 2 else (1, 0):
            gc.collect()
            start = clock()
            sides[side]()
            taken[side].append(clock() - start)
    return spread(*taken)


def print_row(*cells):
    print("\n| " + " | ".join(str(cell) for cell in cells) + " |")


@pytest.fixture
def paired():
    """`paired(ours, theirs, repeats=..., clock=...)` measures; seconds of CPU unless a clock is given."""
    return measure


@pytest.fixture
def spread_of():
    """`spread_of(seconds_of_ours, seconds_of_theirs)` where both were measured elsewhere."""
    return spread


@pytest.fixture
def row():
    """Prints a row of the table in docs/reference/benchmarks.md."""
    return print_row


@pytest.fixture(autouse=True)
def key_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))

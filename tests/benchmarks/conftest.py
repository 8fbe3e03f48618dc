# SPDX-License-Identifier: Apache-2.0
"""Paired measurements: ours and a peer by turns in one process, so that a busy machine slows both.

Figures are for who prints them with ``-s``; without it nothing is repeated, and what has figures alone is left out.
"""

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

    @property
    def calls(self):
        """Calls of each side, the warm-up included."""
        return self.n + 1 if self.n > 1 else 1

    def __str__(self):
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f}, {self.n} pairs)"


def spread(ours, theirs):
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    middle = statistics.median
    return Paired(middle(ratios), ratios[0], ratios[-1], middle(ours), middle(theirs), len(ratios))


def measure(ours, theirs, *, repeats, clock):
    """Call both by turns, each pair in the other order; the first of several pairs warms up."""
    sides, taken = (ours, theirs), ([], [])
    for number in range(repeats + 1 if repeats > 1 else 1):
        for side in (1, 0) if number % 2 else (0, 1):
            gc.collect()
            start = clock()
            sides[side]()
            taken[side].append(clock() - start)
    return spread(*(seconds[-repeats:] for seconds in taken))


def print_row(*cells):
    print("\n| " + " | ".join(str(cell) for cell in cells) + " |")


def is_printed(config):
    return config.getoption("capture") == "no"


def pytest_collection_modifyitems(config, items):
    left = [] if is_printed(config) else [item for item in items if item.get_closest_marker("figures")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session")
def repeated(pytestconfig):
    """`repeated(n)`: how often to measure; once if nobody reads the figures."""
    return lambda wanted: wanted if is_printed(pytestconfig) else 1


@pytest.fixture
def paired(repeated):
    """`paired(ours, theirs, repeats=..., clock=...)` measures; seconds of CPU unless a clock is given."""

    def run(ours, theirs, *, repeats, clock=time.process_time):
        return measure(ours, theirs, repeats=repeated(repeats), clock=clock)

    return run


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

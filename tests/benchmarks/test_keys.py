# SPDX-License-Identifier: Apache-2.0
"""What it costs that another process signs; nothing is asserted of time.

Run with ``python -m pytest tests/benchmarks/test_keys.py -m slow -s``.
"""

import os
import resource
import statistics
import subprocess
import sys
import time

import pytest

from monai_ethics.provenance.keys.delegate import ChildSigner
from monai_ethics.provenance.keys.key import SigningKey

pytestmark = pytest.mark.slow

STARTS, SIGNATURES, REPEATS = 15, 500, 7
MESSAGE = b"monai_ethics.head/1\n" + bytes(400)
IMPORTS = """
import time
start = time.perf_counter()
from monai_ethics.provenance.keys.delegate import ChildSigner
print(time.perf_counter() - start)
"""


@pytest.fixture
def key_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))


def middle(values, unit, scale):
    low, _, high = statistics.quantiles(values, n=4)
    return f"{statistics.median(values) * scale:.0f} {unit} (quartiles {low * scale:.0f} and {high * scale:.0f})"


def children():
    """Seconds of CPU of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def per_signature(signer, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(SIGNATURES):
            signer.sign(MESSAGE)
        times.append((time.perf_counter() - start) / SIGNATURES)
    return times


def test_cost_of_the_signing_process(key_home, repeated):
    starts, repeats = max(repeated(STARTS), 2), max(repeated(REPEATS), 2)  # a quartile is one of two at least
    loaded = [
        float(subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True).stdout)
        for _ in range(starts)
    ]
    started, ended, before = [], [], children()
    for _ in range(starts):
        begin = time.perf_counter()
        signer = ChildSigner.start()
        assert signer.wait_ready()
        started.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        signer.stop()
        ended.append(time.perf_counter() - begin)
    alone = (children() - before) / starts
    signer = ChildSigner.start()
    assert signer.wait_ready()
    assert len(signer.sign(MESSAGE)) == 64
    ours, before = time.process_time(), children()
    through = per_signature(signer, repeats)
    ours = time.process_time() - ours
    signer.stop()
    theirs, direct = children() - before - alone, time.process_time()
    itself = per_signature(SigningKey.generate(), repeats)
    direct, count = time.process_time() - direct, repeats * SIGNATURES
    print(f"\nimports of the parent, n={starts}: {middle(loaded, 'ms', 1e3)}")
    print(f"start until ready, n={starts}: {middle(started, 'ms', 1e3)}; CPU of a child {alone * 1e3:.0f} ms")
    print(f"end, n={starts}: {middle(ended, 'ms', 1e3)}")
    print(f"a signature by the child, n={repeats} x {SIGNATURES}: {middle(through, 'us', 1e6)}")
    print(f"  CPU of this process {ours / count * 1e6:.0f} us, of the child {theirs / count * 1e6:.0f} us")
    print(f"a signature by the process itself, n={repeats} x {SIGNATURES}: {middle(itself, 'us', 1e6)}")
    print(f"  CPU {direct / count * 1e6:.0f} us; one-minute load {os.getloadavg()[0]:.1f}")

# SPDX-License-Identifier: Apache-2.0
"""The evidence log beside plain JSON lines with the same number of fsyncs; nothing is asserted of time.

Run with ``python -m pytest tests/benchmarks/test_log.py -m slow -s``; ``MONAI_ETHICS_BENCH_ENTRIES=1000000`` for the
figures of a million entries, which take about five minutes.
"""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog

pytestmark = pytest.mark.slow

BODY = {"check": "fairness.group_scores", "value": 0.8125, "group": {"sex": "F"}, "cases": list(range(40))}
REPEATS = 5
SINGLE, BATCH, VERIFIED = 200, 2000, 10_000
THREADS, EACH = 8, 100
MANY = int(os.environ.get("MONAI_ETHICS_BENCH_ENTRIES", "50000"))


def plain_lines(handle, count, *, each):
    """What a log without canonical form, hashes and a signature would do."""
    for start in range(0, count, each):
        lines = [json.dumps({"seq": i, "kind": "note", "body": BODY}) for i in range(start, start + each)]
        os.write(handle, "".join(line + "\n" for line in lines).encode())
        os.fsync(handle)


def our_lines(log, count, *, each):
    for _ in range(0, count, each):
        log.append_many([("note", BODY)] * each)


@pytest.mark.parametrize(("count", "each"), [(SINGLE, 1), (BATCH, BATCH)])
def test_cost_of_appending(tmp_path, paired, row, count, each):
    handle = os.open(tmp_path / "plain.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with EvidenceLog.open(tmp_path / "evidence", run_id="benchmark") as log:
        calls = (lambda: our_lines(log, count, each=each), lambda: plain_lines(handle, count, each=each))
        wall = paired(*calls, repeats=REPEATS, clock=time.perf_counter)
        cpu = paired(*calls, repeats=REPEATS)
    os.close(handle)
    what = "append, one fsync each" if each == 1 else f"append, one fsync for {each} entries"
    row(what, f"{count / wall.ours:.0f} entries/s", wall, cpu, f"{cpu.ours / count * 1e6:.0f} us of CPU an entry")
    written = [entry.body for entry in read_entries(tmp_path / "evidence") if entry.kind == "note"]
    assert len(written) == (wall.calls + cpu.calls) * count
    assert all(body == BODY for body in written)
    assert len((tmp_path / "plain.jsonl").read_bytes().splitlines()) == len(written)


def test_cost_of_verifying(tmp_path, paired, row):
    with EvidenceLog.open(tmp_path / "evidence", run_id="benchmark") as log:
        our_lines(log, VERIFIED, each=VERIFIED)
    lines = (tmp_path / "evidence" / "log.jsonl").read_bytes

    def parse():
        return [json.loads(line) for line in lines().splitlines()]

    pair = paired(lambda: verify_evidence(tmp_path / "evidence"), parse, repeats=5)
    row("verify, beside json.loads of each line", f"{VERIFIED / pair.ours:.0f} entries/s", "", pair, "")
    assert verify_evidence(tmp_path / "evidence").status == "intact-signer-unknown"


def in_threads(work):
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_cost_of_appending_from_threads(tmp_path, paired, row, monkeypatch):
    handle = os.open(tmp_path / "plain.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    synced, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd)))
    count = THREADS * EACH
    with EvidenceLog.open(tmp_path / "evidence", run_id="benchmark") as log:
        wall = paired(
            lambda: in_threads(lambda: our_lines(log, EACH, each=1)),
            lambda: in_threads(lambda: plain_lines(handle, EACH, each=1)),
            repeats=REPEATS,
            clock=time.perf_counter,
        )
    os.close(handle)
    entries = wall.calls * count
    ours = len(synced) - synced.count(handle)
    row(
        f"append, {THREADS} threads, beside an fsync each",
        f"{count / wall.ours:.0f} / {count / wall.theirs:.0f} entries/s",
        wall,
        f"{ours / entries:.2f} / {synced.count(handle) / entries:.2f} fsyncs an entry",
    )
    written = [entry.seq for entry in read_entries(tmp_path / "evidence") if entry.kind == "note"]
    assert len(written) == entries == len((tmp_path / "plain.jsonl").read_bytes().splitlines())


#: each in a process of its own, so that its peak memory is its own; the module is imported before the clock starts
STEPS = {
    "append": """
with EvidenceLog.open(folder, run_id="benchmark") as log:
    start()
    for _ in range(0, many, 1000):
        log.append_many([("note", body)] * 1000)
    stop()
""",
    "append, plain": """
handle = os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
start()
for first in range(0, many, 1000):
    lines = [json.dumps({"seq": i, "kind": "note", "body": body}) for i in range(first, first + 1000)]
    os.write(handle, "".join(line + "\\n" for line in lines).encode())
    os.fsync(handle)
stop()
""",
    "open, with the resume file": """
start()
log = EvidenceLog.open(folder, run_id="again")
stop()
log.__exit__(None, None, None)
""",
    "open, without it": """
(folder / ".resume.json").unlink()
start()
log = EvidenceLog.open(folder, run_id="again")
stop()
log.__exit__(None, None, None)
""",
    "verify": """
start()
assert verify_evidence(folder).status == "intact-signer-unknown"
stop()
""",
    "read, plain": """
start()
with open(plain, "rb") as file:
    assert sum(json.loads(line)["kind"] == "note" for line in file) == many
stop()
""",
}
FRAME = """
import json, os, sys, time
from pathlib import Path
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
place, many, body = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
folder, plain = place / "evidence", place / "plain.jsonl"
def start():
    global began
    began = time.perf_counter(), time.process_time()
def stop():
    print(time.perf_counter() - began[0], time.process_time() - began[1])
def memory():  # its own peak; that of getrusage counts the process that started it
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
before = memory()
{step}
print(before, memory())
"""


def test_cost_of_a_large_log(tmp_path, row):
    for name, step in STEPS.items():
        command = [sys.executable, "-c", FRAME.replace("{step}", step), tmp_path, str(MANY), json.dumps(BODY)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        wall, cpu, before, peak = map(float, done.stdout.split())
        row(
            name,
            f"{MANY / wall:.0f} entries/s",
            f"{wall:.3f} s",
            f"{cpu:.3f} s of CPU",
            f"{before:.0f} to {peak:.0f} MB",
        )
    sizes = [(tmp_path / name).stat().st_size / 1e6 for name in ("evidence/log.jsonl", "plain.jsonl")]
    row(f"{MANY} entries", f"{sizes[0]:.0f} MB", f"plain {sizes[1]:.0f} MB")
    assert len((tmp_path / "evidence" / ".resume.json").read_bytes()) < 10_000

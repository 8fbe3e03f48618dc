# SPDX-License-Identifier: Apache-2.0
"""The evidence log beside plain JSON lines with the same number of fsyncs; nothing is asserted of time.

Run with ``python -m pytest tests/benchmarks/test_log.py -m slow -s``.
"""

import json
import os
import time

import pytest

from monai_ethics.provenance.log.read import read_entries
from monai_ethics.provenance.log.verify import verify_evidence
from monai_ethics.provenance.log.writer import EvidenceLog

pytestmark = pytest.mark.slow

BODY = {"check": "fairness.group_scores", "value": 0.8125, "group": {"sex": "F"}, "cases": list(range(40))}
REPEATS = 5
SINGLE, BATCH, VERIFIED = 200, 2000, 10_000


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
    sides = {"repeats": REPEATS}
    with EvidenceLog.open(tmp_path / "evidence", run_id="benchmark") as log:
        calls = (lambda: our_lines(log, count, each=each), lambda: plain_lines(handle, count, each=each))
        wall = paired(*calls, **sides, clock=time.perf_counter)
        cpu = paired(*calls, **sides)
    os.close(handle)
    what = "append, one fsync each" if each == 1 else f"append, one fsync for {each} entries"
    row(what, f"{count / wall.ours:.0f} entries/s", wall, cpu, f"{cpu.ours / count * 1e6:.0f} us of CPU an entry")
    written = [entry.body for entry in read_entries(tmp_path / "evidence") if entry.kind == "note"]
    assert len(written) == 2 * (REPEATS + 1) * count
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

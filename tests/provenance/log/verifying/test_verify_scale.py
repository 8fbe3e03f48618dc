# SPDX-License-Identifier: Apache-2.0
"""Verifying a large log: memory does not grow with the number of entries."""

import hashlib
import time
import tracemalloc

import pytest

from monai_ethics.provenance.keys.key import SigningKey, fingerprint
from monai_ethics.provenance.log.files.payload import key_id_of
from monai_ethics.provenance.log.tree.canonical import canonical
from monai_ethics.provenance.log.tree.head import sign_head
from monai_ethics.provenance.log.tree.merkle import Frontier, leaf_hash
from monai_ethics.provenance.log.verifying.verify import verify_evidence

LINE = (
    '{"body":{"case":"%s","value":0.5},"kind":"note","run_id":"run","schema":"monai_ethics.entry/1",'
    '"seq":%d,"time":"2026-01-02T03:04:05Z"}'
)


def _large(folder, size):
    """A sealed log of `size` entries, written without the writer, which is not what is measured."""
    key, tree = SigningKey.generate(), Frontier()
    (folder / "private").mkdir(parents=True)
    (folder / "private" / "pseudonym.key").write_bytes(b"k" * 32)
    about = {"schema": "monai_ethics.entry/1", "time": "2026-01-02T03:04:05Z", "run_id": "run"}
    opening = [
        ("open", {"tool": "t", "log_id": "0" * 32}),
        ("pseudonym_key", {"key_id": key_id_of(b"k" * 32)}),
        ("key", {"public_key": key.public.hex(), "fingerprint": fingerprint(key.public), "previous": None}),
    ]
    lines = [canonical({**about, "seq": seq, "kind": kind, "body": body}) for seq, (kind, body) in enumerate(opening)]
    with (folder / "log.jsonl").open("wb") as file:
        for seq in range(size):
            line = lines[seq] if seq < 3 else (LINE % (hashlib.md5(b"%d" % seq).hexdigest(), seq)).encode()
            tree.append(leaf_hash(line))
            file.write(line + b"\n")
    head = sign_head(key, size=size, root=tree.root(), time="2026-01-02T03:04:05Z", run_id="run", previous=None)
    (folder / "head.json").write_bytes(head.to_bytes())
    return key.public


def _peak(folder, key):
    tracemalloc.start()
    assert verify_evidence(folder, trusted=[key]).status == "trusted"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_log(tmp_path):
    peaks = [_peak(tmp_path / str(size), _large(tmp_path / str(size), size)) for size in (500, 2_000)]
    assert peaks[1] - peaks[0] < 50_000


@pytest.mark.slow
def test_a_large_log_is_verified_in_the_memory_of_a_small_one(tmp_path, capsys):
    small, large = 2_000, 50_000
    peaks = [_peak(tmp_path / str(size), _large(tmp_path / str(size), size)) for size in (small, large)]
    assert peaks[1] - peaks[0] < 200_000
    key = _large(tmp_path / "timed", 200_000)
    begun = time.perf_counter()
    assert verify_evidence(tmp_path / "timed", trusted=[key]).entries == 200_000
    took = time.perf_counter() - begun
    with capsys.disabled():
        print(
            f"\npeak memory of Python objects: {peaks[0] / 1e6:.2f} MB at {small}, {peaks[1] / 1e6:.2f} MB at {large}"
        )
        print(f"verification: {200_000 / took:.0f} entries/s at 200000 entries")

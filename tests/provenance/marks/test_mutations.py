# SPDX-License-Identifier: Apache-2.0
"""Ten thousand mutations of marked files: each change of a covered field is named, transport is not called tampering.

What a mutation changed is judged by other software (nibabel, pydicom, Pillow, json), not by the package.
"""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections import Counter

import numpy as np
import pytest
from marks_files import WRITERS, volume
from mutations import EVERY, OF, sidecar
from observed import differences, observe

from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.verify import verify_file
from monai_ethics.provenance.registry.stamp import stamp_files

SMALL = {"nii": (6, 5, 4), "nii.gz": (6, 5, 4), "dcm": (9, 8), "png": (9, 8)}
TRANSPORT = ("as-signed", "carried")


@pytest.fixture
def originals(tmp_path, key):
    """Two marked files of each format, and what other software reads of them."""
    with EvidenceLog.open(tmp_path / "evidence", run_id="stamp", key=key) as log:
        for ending, shape in SMALL.items():
            for number in range(2):
                array = volume(number, shape)
                array = (array % 251).astype(np.uint8) if ending == "png" else array
                path = WRITERS[ending](tmp_path / f"{ending.replace('.', '_')}{number}.{ending}", array)
                stamp_files([path], log)
    return {ending: sorted(tmp_path.glob(f"{ending.replace('.', '_')}*.{ending}")) for ending in SMALL}


def said_by(path):
    """The sidecar as data: text that is no JSON, or has a key twice, is nothing."""
    if not path.exists():
        return None

    def once(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    try:
        return json.loads(path.read_bytes().decode(), object_pairs_hook=once)
    except (ValueError, AssertionError, RecursionError):
        return "damaged"


def judge(path, before, side):
    """What the mutation changed: names of fields, whether other software can read the file, and the sidecar's part."""
    after = said_by(sidecar(path))
    part = "kept" if after == side else "gone" if after is None else "changed"
    try:
        seen = observe(path)
    except Exception:
        return None, set(), part
    return *differences(before, seen), part


def check(found, names, close, part, *, embedded):
    """Whether the verification says what happened; returns how it was counted."""
    faults = set(found.faults)
    if found.status == "unreadable":
        assert names != set() or part != "kept", "what other software reads unchanged is read here"
        return "unreadable"
    if names is None:
        assert not found.intact, found
        return "unreadable"
    if part == "gone" and not embedded:
        assert not found.intact
        return "named"
    if part == "changed":
        assert not found.intact
        assert faults, found
        assert any(name.startswith(("sidecar", "signature", "record", "values", "mark.")) for name in faults), found
        return "named"
    for name in names:
        assert any(fault == name or fault.startswith(f"{name}.") for fault in faults), (name, found)
    if names:
        assert not found.intact
        return "named"
    if close:
        return "below rounding"
    assert (found.status in TRANSPORT, faults) == (True, set()), found
    return "transport"


def run(originals, folder, *, count, seed):
    rng = np.random.default_rng(seed)
    table: dict[tuple[str, str], Counter] = {}
    bases = {path: (observe(path), said_by(sidecar(path))) for paths in originals.values() for path in paths}
    choices = [(ending, mutation) for ending, own in OF.items() for mutation in (*own, *EVERY)]
    for number in range(count):
        ending, mutation = choices[number % len(choices)]
        paths = originals[ending]
        base = paths[int(rng.integers(2))]
        path = folder / f"m.{ending}"
        for source, target in ((base, path), (sidecar(base), sidecar(path))):
            shutil.copyfile(source, target)
        mutation(path, rng, [other for other in paths if other != base])
        names, close, part = judge(path, *bases[base])
        found = verify_file(path)
        with_embedded = ending == "dcm" and not (names or set()) & {"mark.statement", "mark.private"}
        outcome = check(found, names, close, part, embedded=with_embedded)
        table.setdefault((ending, mutation.__name__), Counter())[outcome] += 1
    return table


def show(table):
    outcomes = ("named", "transport", "below rounding", "unreadable")
    print("\n| file | mutation | n | " + " | ".join(outcomes) + " |")
    for (ending, name), counts in sorted(table.items()):
        numbers = " | ".join(str(counts[outcome]) for outcome in outcomes)
        print(f"| {ending} | {name.replace('_', ' ')} | {sum(counts.values())} | {numbers} |")
    total = sum(table.values(), Counter())
    print(f"all: {sum(total.values())} mutations: " + ", ".join(f"{total[outcome]} {outcome}" for outcome in outcomes))
    return total


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_every_change_of_a_covered_field_is_named_and_no_transport_is_tampering(
    originals, tmp_path, monkeypatch, count
):
    folder = tmp_path / "mutated"
    folder.mkdir()
    monkeypatch.setattr(logging.getLogger("nibabel.global"), "disabled", True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = run(originals, folder, count=count, seed=20260101)
    total = show(table)
    assert sum(total.values()) == count
    assert total["named"] > count // 3
    assert total["transport"] > count // 6


def test_turning_the_flag_to_no_is_caught_where_a_peer_calls_the_file_valid(originals, tmp_path):
    """c2pa-health-imaging 0.0.1 signs pixels only: with this change its verification still says "valid"."""
    path = originals["dcm"][0]
    OF["dcm"][0](path, np.random.default_rng(0), [])
    found = verify_file(path)
    assert (found.intact, found.faults) == (False, {"attribute.SyntheticData": "changed"})

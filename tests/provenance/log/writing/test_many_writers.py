# SPDX-License-Identifier: Apache-2.0
"""Many processes write to one site log at once: runs end, images are registered, people agree; nothing is lost."""

import multiprocessing
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from monai_ethics.provenance.consent.registry import ConsentRegistry, Person, Will
from monai_ethics.provenance.consent.statements import Consent
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.tree.head import read_head
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.site import open_site
from monai_ethics.provenance.log.writing.writer import EvidenceLog

FSYNC = os.fsync  # of the system, before a fixture takes it away
WAIT = 120.0


def _finish(place, site, name):
    """A run ends: closing its log leaves a witness."""
    folder = place / name.partition(".")[0]
    with EvidenceLog.open(folder, run_id=name, site=site) as log:
        log.append("note", {"run": name})
    return "witness", read_head(folder).fingerprint


def _register(_, site, name):
    with open_site(site, run_id="stamp", wait=WAIT) as log:
        log.append("registered", {"item": name, "synthetic": "yes", "digests": {}})
    return "registered", name


def _agree(_, site, name):
    said = Consent(purposes=("training",), subject="0" * 32)
    (entry,) = ConsentRegistry(site, wait=WAIT).record([Will(person=Person(patient_id=name), consent=said)])
    return "consent", entry


def _write(place, site, worker, count, told):
    os.fsync = FSYNC
    done = [(_finish, _register, _agree)[number % 3](place, site, f"{worker}.{number}") for number in range(count)]
    told.put(done)


def _all_at_once(place, monkeypatch, workers, count):
    monkeypatch.setattr("monai_ethics.provenance.log.writing.witness.WAIT", WAIT)
    site, context = place / "site", multiprocessing.get_context("fork")
    key, told = load_or_create_key(site).public, context.Queue()
    begun = time.perf_counter()
    processes = [context.Process(target=_write, args=(place, site, worker, count, told)) for worker in range(workers)]
    for process in processes:
        process.start()
    expected = [what for _ in processes for what in told.get(timeout=300)]
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    took = time.perf_counter() - begun
    found = Counter(filter(None, map(_what, read_entries(site))))
    assert found == Counter(expected)
    assert set(found.values()) == {1}
    assert verify_evidence(site, trusted=[key]).status == "trusted"
    for worker in range(workers):
        known = verify_evidence(place / str(worker), trusted=[key], site=site)
        assert (known.status, known.witness) == ("trusted", "same")
    return len(expected), took, len(read_entries(site))


def _what(entry):
    """Kind and name of what a worker wrote; nothing for entries that open a log."""
    if entry.kind == "consent":
        return entry.kind, entry.leaf
    name = {"witness": "head", "registered": "item"}.get(entry.kind)
    return (entry.kind, entry.body[name]) if name else None


def test_three_processes_write_to_one_site_log_at_once(tmp_path, monkeypatch):
    assert _all_at_once(Path(tmp_path), monkeypatch, 3, 4)[0] == 12


@pytest.mark.slow
def test_eight_processes_write_to_one_site_log_at_once(tmp_path, monkeypatch, capsys):
    count, took, lines = _all_at_once(Path(tmp_path), monkeypatch, 8, 25)
    assert count == 200
    with capsys.disabled():
        print(f"\n8 processes, {count} entries ({lines} lines) in {took:.1f} s: {count / took:.0f} entries/s")

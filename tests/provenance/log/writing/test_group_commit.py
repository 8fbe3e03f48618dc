# SPDX-License-Identifier: Apache-2.0
"""Threads that append at once: one order, shared fsyncs, nothing acknowledged before its fsync, nothing half."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from random import Random

import pytest

from monai_ethics.errors import InputError, ProvenanceError
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.tree.merkle import Frontier, leaf_hash, tree_root
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing import appending
from monai_ethics.provenance.log.writing import writer as log_module
from monai_ethics.provenance.log.writing.appending import Appender
from monai_ethics.provenance.log.writing.writer import EvidenceLog


@pytest.fixture
def appender(tmp_path):
    handle = os.open(tmp_path / "lines", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    made = Appender(handle, end=0, frontier=Frontier())
    yield made
    made.close()


def in_threads(n, work):
    """Run `work(number)` in `n` threads; what each returned or raised."""
    found = [None] * n

    def call(number):
        try:
            found[number] = work(number)
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=call, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def hold_first_fsync(monkeypatch, queued, *, fail=False):
    """The first fsync waits until `queued()` says that the others stand in line; counts all fsyncs."""
    calls, entered = [], threading.Event()

    def fsync(_handle):
        calls.append(1)
        entered.set()
        if len(calls) == 1:
            while not queued():
                pass
            if fail:
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(appending.os, "fsync", fsync)
    return calls, entered


def test_no_thread_is_started_by_a_log(tmp_path, key):
    before = threading.active_count()
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        log.append("note", {})
        assert threading.active_count() == before


def test_appends_that_wait_share_the_next_fsync(appender, tmp_path, monkeypatch):
    calls, entered = hold_first_fsync(monkeypatch, lambda: len(appender._queue) == 8)

    def work(number):
        if number:
            entered.wait()
        return appender.put(lambda first: [f"line {number} at {first}".encode()])

    found = in_threads(8, work)
    assert len(calls) == 2  # one for the first, one for the seven that came meanwhile
    lines = (tmp_path / "lines").read_bytes().splitlines()
    assert [line.split(b" at ")[1] for line in lines] == [str(number).encode() for number in range(8)]
    assert sorted(leaf for leaves in found for leaf in leaves) == sorted(map(leaf_hash, lines))
    assert appender.frontier.root() == tree_root([leaf_hash(line) for line in lines])
    assert appender.end == (tmp_path / "lines").stat().st_size


def test_an_append_returns_only_after_an_fsync_that_covers_it(tmp_path, key, monkeypatch):
    path, synced = tmp_path / "log.jsonl", [0]

    def fsync(handle):
        size = os.fstat(handle).st_size
        if os.path.samestat(os.fstat(handle), path.stat()):
            synced[0] = max(synced[0], size)

    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        monkeypatch.setattr(os, "fsync", fsync)
        late = []

        def work(number):
            for step in range(25):
                leaf = log.append("note", {"number": number, "step": step})
                covered = synced[0]
                if leaf not in {leaf_hash(line).hex() for line in path.read_bytes()[:covered].splitlines()}:
                    late.append(leaf)

        assert in_threads(6, work) == [None] * 6
        assert late == []
    entries = read_entries(tmp_path)
    assert [entry.seq for entry in entries] == list(range(len(entries)))
    for number in range(6):
        steps = [entry.body["step"] for entry in entries if entry.body.get("number") == number]
        assert steps == list(range(25))
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


@pytest.mark.parametrize("where", ["fsync", "write"])
def test_a_failed_write_is_told_to_everybody_who_waits_and_nothing_of_it_stays(tmp_path, key, monkeypatch, where):
    log = EvidenceLog.open(tmp_path, run_id="r", key=key)
    kept = log.append("note", {"kept": True})
    before = (tmp_path / "log.jsonl").read_bytes()
    inner = log._appender
    with monkeypatch.context() as patch:
        if where == "fsync":
            _, entered = hold_first_fsync(patch, lambda: len(inner._queue) == 5, fail=True)
        else:
            entered = threading.Event()

            def half(handle, data, real=os.write):
                entered.set()
                while len(inner._queue) < 5:
                    pass
                real(handle, bytes(data)[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(appending, "write_all", half)

        def work(number):
            if number:
                entered.wait()
            return log.append("note", {"number": number})

        found = in_threads(5, work)
    assert [type(item) for item in found] == [ProvenanceError] * 5
    assert {str(item) for item in found} == {
        "Expected to append to the evidence log: got 'No space left on device'. Free space and start a new run."
    }
    assert (tmp_path / "log.jsonl").read_bytes() == before
    with pytest.raises(ProvenanceError, match="open evidence log"):
        log.append("note", {})
    with pytest.raises(ProvenanceError, match="open evidence log"):
        log.seal()
    log.close()
    with EvidenceLog.open(tmp_path, run_id="s", key=key) as log:
        log.append("note", {})
    assert kept in {entry.leaf for entry in read_entries(tmp_path)}
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


def test_a_seal_waits_for_those_who_append_and_covers_them(tmp_path, key):
    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        heads = []

        def work(number):
            for step in range(20):
                if number == 0:
                    heads.append(log.seal())
                elif number == 1 and step % 5 == 0:
                    log.put_private("cases", b"x", media_type="text/plain")
                else:
                    log.append("note", {"number": number})

        assert in_threads(5, work) == [None] * 5
    leaves = [leaf_hash(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
    assert all(tree_root(leaves[: head.size]).hex() == head.root for head in heads)
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


@pytest.mark.parametrize("place", ["before", "half", "written", "synced"])
def test_an_interrupt_at_any_moment_leaves_a_log_that_goes_on(tmp_path, key, monkeypatch, place):
    def write(handle, data, real=appending.write_all):
        if place != "before":
            real(handle, data[: len(data) // 2] if place == "half" else data)
        if place != "synced":
            raise KeyboardInterrupt

    def fsync(_handle):
        raise KeyboardInterrupt

    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        one = log.append("note", {"number": 1})
        with monkeypatch.context() as patch:
            patch.setattr(appending, "write_all", write)
            patch.setattr(appending.os, "fsync", fsync)
            with pytest.raises(KeyboardInterrupt):
                log.append("note", {"number": 2})
        three = log.append("note", {"number": 3})
    entries = read_entries(tmp_path)
    assert {one, three} <= {entry.leaf for entry in entries}
    assert [entry.body["number"] for entry in entries if entry.kind == "note"] == [1, 2, 3]
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


def test_an_interrupt_before_closing_leaves_no_half_line(tmp_path, key, monkeypatch):
    log = EvidenceLog.open(tmp_path, run_id="r", key=key)
    log.seal()
    before = (tmp_path / "log.jsonl").read_bytes()

    def write(handle, data, real=appending.write_all):
        real(handle, data[:9])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(appending, "write_all", write)
        with pytest.raises(KeyboardInterrupt):
            log.append("note", {})
    log.close()
    assert (tmp_path / "log.jsonl").read_bytes() == before
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("placed", [True, False])
def test_a_head_of_which_nobody_knows_whether_it_was_written_breaks_nothing(tmp_path, key, monkeypatch, error, placed):
    def write(path, data, real=log_module.write_atomically, **how):
        if placed:
            real(path, data, **how)
        raise error

    with EvidenceLog.open(tmp_path, run_id="r", key=key) as log:
        log.append("note", {"number": 1})
        with monkeypatch.context() as patch:
            patch.setattr(log_module, "write_atomically", write)
            with pytest.raises((InputError, KeyboardInterrupt)):
                log.seal()
        log.append("note", {"number": 2})
    assert verify_evidence(tmp_path, trusted=[key.public]).status == "trusted"


def test_a_signal_handler_that_appends_gets_its_place(appender, tmp_path):
    def make(first):
        if first == 0 and not appender._queue:
            appender.put(lambda inner: [f"handler {inner}".encode()])
        return [f"caller {first}".encode()]

    appender.put(make)
    assert (tmp_path / "lines").read_bytes() == b"handler 0\ncaller 1\n"


INTERRUPTED = """
import signal, sys, threading
from pathlib import Path
from monai_ethics.provenance.log.writing.writer import EvidenceLog
told = open(sys.argv[2], "w", buffering=1)
go, inside, hits = True, False, 0
def interrupt(*_):
    global hits, inside
    hits += 1
    if inside:
        inside = False
        raise KeyboardInterrupt
signal.signal(signal.SIGINT, interrupt)
def work(number):
    step = 0
    while go:
        told.write(log.append("note", {"number": number, "step": step}) + "\\n")
        step += 1
with EvidenceLog.open(Path(sys.argv[1]), run_id="r") as log:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    while hits < 200:
        try:
            inside = True
            while True:
                told.write(log.append("main", {}) + "\\n")
        except KeyboardInterrupt:
            pass
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    go = False
    for thread in threads:
        thread.join()
"""


@pytest.mark.slow
def test_two_hundred_real_interrupts_among_threads_lose_nothing(tmp_path):
    folder, told = tmp_path / "e", tmp_path / "told"
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, folder, told], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    random = Random(6)
    while process.poll() is None:
        time.sleep(random.uniform(0.0005, 0.006))
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    process.stdout.close()
    acknowledged = set(told.read_text().split())
    assert acknowledged <= {entry.leaf for entry in read_entries(folder)}
    assert verify_evidence(folder).status == "intact-signer-unknown"
    print(f"\n200 interrupts, {len(acknowledged)} acknowledged entries, none lost")

# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random moments: a child is forked and killed; what it was told is kept is there, and the next run goes on.

fsync is not waited for here: a killed process leaves what it wrote to the system. What a power cut adds is in
`test_crash`.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from threading import Thread

import pytest
from crash_story import FINDING, REPORT, plain_render

from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.lineage import show
from monai_ethics.provenance.log.files.payload import read_payload
from monai_ethics.provenance.log.reading.entries import LOG_NAME, read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting import sealed
from monai_ethics.reporting.sealed import seal_report


@pytest.fixture(autouse=True)
def quick_reports(monkeypatch):
    monkeypatch.setattr(sealed, "render", plain_render)
    monkeypatch.setattr(show, "sketch_of", lambda folder: None)


class Teller:
    """The child's end of a pipe; whole lines arrive or nothing, however many threads write."""

    def __init__(self, pipe):
        self._pipe = pipe

    def say(self, **words):
        os.write(self._pipe, json.dumps(words).encode() + b"\n")


def append_and_seal(folder, key, teller):
    with EvidenceLog.open(folder, run_id="r", key=key) as log:
        teller.say(opened=True)

        def work(number):
            for n in range(10**6):
                batch = [("note", {"thread": number, "n": n, "text": "x" * 300}) for _ in range(1 + n % 5)]
                teller.say(entries=log.append_many(batch))
                if n % 4 == number:
                    teller.say(head=log.seal().fingerprint)

        threads = [Thread(target=work, args=(number,), daemon=True) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def report(folder, key, teller):
    with EvidenceLog.open(folder, run_id="r", key=key) as log:
        teller.say(opened=True)
        for _ in range(10**6):
            log.add_findings([FINDING])
            seal_report(log, REPORT)
            teller.say(head=log.seal().fingerprint)


def put_and_erase(folder, key, teller):
    with EvidenceLog.open(folder, run_id="r", key=key) as log:
        teller.say(opened=True)
        for n in range(10**6):
            commitment = log.put_private("cases", b"%d" % n, media_type="text/plain")
            teller.say(payload=commitment, text=str(n))
            if n % 3:
                teller.say(erasing=commitment)
                log.erase([commitment], reason="withdrawal")
                teller.say(erased=commitment)


def come_and_go(folder, key, teller):
    """Opening and closing is most of the work: repair, first head, resume."""
    for n in range(10**6):
        with EvidenceLog.open(folder, run_id="r", key=key) as log:
            teller.say(opened=True, entries=[log.append("note", {"n": n})])


WORKS = (append_and_seal, report, put_and_erase, come_and_go)


def _killed(work, folder, key, delay, *, at_work):
    """Fork a child and kill it after a delay from its start, or from when the log is open; gives what it said."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the threads of the parent do not matter to this child
        child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            work(folder, key, Teller(writing))
        except BaseException:
            os.write(writing, json.dumps({"failed": traceback.format_exc()[-2000:]}).encode() + b"\n")
        finally:
            os._exit(1)
    os.close(writing)
    first = b""
    try:
        if at_work:
            first = os.read(reading, 1)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        with os.fdopen(reading, "rb") as pipe:
            lines = (first + pipe.read()).splitlines()
    finally:
        os.waitpid(child, 0)
    return [json.loads(line) for line in lines]


class Promised:
    """What children said of one folder."""

    def __init__(self):
        self.entries, self.heads, self.payloads, self.erased = set(), [], {}, set()
        self.seen = Counter()

    def take(self, said):
        for words in said:
            assert "failed" not in words, words["failed"]
            self.entries.update(words.get("entries", ()))
            self.heads += [words["head"]] if "head" in words else []
            if "payload" in words:
                self.payloads[words["payload"]] = words["text"].encode()
            self.payloads.pop(words.get("erasing"), None)
            self.erased.update([words["erased"]] if "erased" in words else [])
        self.seen["killed while opening" if not said else "killed at work"] += 1

    def check(self, folder, key):
        """Nothing promised is lost, and the next run leaves the folder whole."""
        if not (folder / LOG_NAME).exists():
            assert not self.entries
            return
        before = verify_evidence(folder, trusted=[key.public])
        self.seen[before.status] += 1
        assert before.status in ("trusted", "redacted", "torn"), before.text
        assert self.entries <= {entry.leaf for entry in read_entries(folder)}
        with EvidenceLog.open(folder, run_id="next", key=key) as log:
            log.seal()
            if any("report." in words for words in verify_evidence(folder).notes):
                seal_report(log, REPORT)
        after = verify_evidence(folder, trusted=[key.public], expect_head=self.heads[-1] if self.heads else None)
        assert after.status in ("trusted", "redacted"), after.text
        for commitment, payload in self.payloads.items():
            assert read_payload(folder, commitment) == payload
        assert all(read_payload(folder, commitment) is None for commitment in self.erased)
        assert not list(folder.rglob("*.tmp"))
        entries = read_entries(folder)
        assert self.entries <= {entry.leaf for entry in entries}
        for entry in entries:
            if entry.kind == "repair" and entry.run_id == entries[-1].run_id:
                self.seen.update(f"repaired {name}" for name, value in entry.body.items() if value)


def _kill_often(place, key, works, *, kills, seed, longest=0.02, a_folder=5):
    """Kill `kills` children, `a_folder` of them one after the other in one folder; gives what was seen."""
    dice, seen, acknowledged = random.Random(seed), Counter(), 0
    for number in range(kills):
        if number % a_folder == 0:
            folder, promised = place / f"e{number}", Promised()
            work = works[number // a_folder % len(works)]
        delay, at_work = dice.random() * longest, dice.random() < 0.5
        promised.take(_killed(work, folder, key, delay, at_work=at_work))
        promised.check(folder, key)
        if number % a_folder == a_folder - 1 or number == kills - 1:
            seen.update(promised.seen)
            acknowledged += len(promised.entries) + len(promised.payloads) + len(promised.heads)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(seen.items()))
    print(f"\n{kills} kills, {acknowledged:,} acknowledgements; {counts}")


def test_no_kill_loses_what_was_acknowledged(tmp_path, key):
    _kill_often(tmp_path, key, WORKS, kills=20, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_none_of_a_thousand_kills_loses_what_was_acknowledged(tmp_path, seed):
    """In a process of its own: a fork of one in which other tests imported a lot takes longer than the child lives."""
    done = subprocess.run([sys.executable, __file__, tmp_path, str(seed)], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("\n250 kills, ")


def main(folder, seed):
    """What the fixtures do for a test of this process, and 250 kills."""
    os.fsync, sealed.render, show.sketch_of = lambda handle: None, plain_render, lambda folder: None
    _kill_often(Path(folder), SigningKey.generate(storage="persistent"), WORKS, kills=250, seed=int(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])

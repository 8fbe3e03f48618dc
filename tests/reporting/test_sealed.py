# SPDX-License-Identifier: Apache-2.0
"""A report is signed before its files are touched: a crash never looks like an alteration."""

import hashlib
import shutil
import signal
import subprocess
import sys

import pytest

from monai_ethics.errors import InputError
from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting import sealed as sealed_module
from monai_ethics.reporting.sealed import seal_report

NAMES = ["report.html", "report.json", "report.md"]


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("home") / "keys"))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)


@pytest.fixture
def folder(tmp_path, report, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # figures take seconds and are not what is tested here
    with EvidenceLog.open(tmp_path, run_id="r", key=SigningKey.generate()) as log:
        log.add_findings(report.findings)
        seal_report(log)
    return tmp_path


def test_the_digests_are_the_last_entry_and_the_head_covers_it(folder):
    last = read_entries(folder)[-1]
    assert last.kind == "report"
    assert last.body["files"] == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in NAMES}
    assert verify_evidence(folder).status == "intact-signer-unknown"


def test_the_head_is_signed_before_a_file_is_touched(folder, monkeypatch):
    order = []

    def write(path, data, real=sealed_module.write_atomically):
        order.append((path.name, verify_evidence(folder).sealed == len(read_entries(folder))))
        real(path, data)

    monkeypatch.setattr(sealed_module, "write_atomically", write)
    with EvidenceLog.open(folder, run_id="s", key=SigningKey.generate()) as log:
        head = seal_report(log)
    assert order == [(name, True) for name in NAMES]
    assert head.size == len(read_entries(folder))
    assert read_entries(folder)[-1].kind == "report"


def test_a_report_that_was_edited_is_mended_and_the_page_says_what_holds_now(folder):
    (folder / "report.md").write_bytes(b"better results")
    assert verify_evidence(folder).status == "altered"
    with EvidenceLog.open(folder, run_id="s", key=SigningKey.generate()) as log:
        seal_report(log)
    assert verify_evidence(folder).status == "intact-signer-unknown"
    assert "altered" not in (folder / "report.md").read_text()


def test_files_that_cannot_be_written_are_told_and_written_by_the_next(folder, monkeypatch):
    def refuse(path, data):
        raise OSError(28, "No space left on device")

    log = EvidenceLog.open(folder, run_id="s", key=SigningKey.generate())
    with monkeypatch.context() as patch:
        patch.setattr(sealed_module, "write_atomically", refuse)
        with pytest.raises(InputError, match="No space left on device"):
            seal_report(log)
    assert verify_evidence(folder).status == "torn"  # the files are those of the report before
    seal_report(log)
    log.close()
    assert verify_evidence(folder).status == "intact-signer-unknown"


def test_a_given_report_is_what_is_shown(folder, empty):
    with EvidenceLog.open(folder, run_id="s", key=SigningKey.generate()) as log:
        seal_report(log, empty)
    assert (folder / "report.json").read_text() == empty.to_json() + "\n"


KILLED = """
import os, signal, sys
from pathlib import Path
sys.modules["matplotlib"] = None
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting.sealed import seal_report
calls, stop = 0, int(sys.argv[2])
def counted(real):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == stop:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call
with EvidenceLog.open(Path(sys.argv[1]), run_id="s") as log:
    os.fsync, os.replace = counted(os.fsync), counted(os.replace)
    seal_report(log)
print(calls)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_of_a_second_report_never_looks_like_an_alteration(folder, tmp_path):
    copies = tmp_path.parent / f"{tmp_path.name}-copies"
    seen, stop = [], 0
    while True:
        stop += 1
        place = copies / str(stop)
        shutil.copytree(folder, place)
        found = subprocess.run([sys.executable, "-c", KILLED, place, str(stop)], capture_output=True, text=True)
        if found.returncode == 0:
            break
        assert found.returncode == -signal.SIGKILL, found.stderr
        seen.append(verify_evidence(place).status)
        with EvidenceLog.open(place, run_id="next") as log:
            seal_report(log)
        assert verify_evidence(place).status == "intact-signer-unknown"
        assert {path.name for path in place.iterdir()} == {path.name for path in folder.iterdir()}
    assert len(seen) == int(found.stdout)
    assert set(seen) <= {"torn", "intact-signer-unknown"}
    print(f"\nkilled at each of {len(seen)} syncs and renames of a second report: {', '.join(sorted(set(seen)))}")

# SPDX-License-Identifier: Apache-2.0
import hashlib
import os
from datetime import UTC, datetime

import pytest

from monai_ethics.provenance.keys.key import SigningKey
from monai_ethics.provenance.log.writing.writer import EvidenceLog


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    """No test touches the keys of the user who runs it."""
    home = tmp_path_factory.mktemp("home") / "keys"
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Tests of the order of syncs record the calls; the killed writers run in processes of their own and do sync."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def key():
    return SigningKey.generate(storage="persistent")


@pytest.fixture
def clock():
    return lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def sealed(tmp_path, key, clock):
    """An evidence folder of two runs with findings-like entries, a payload and a sealed report."""
    folder = tmp_path / "evidence"
    for run in ("first", "second"):
        with EvidenceLog.open(folder, run_id=run, clock=clock, key=key) as log:
            for number in range(5):
                log.append("note", {"number": number})
            log.put_private("cases", b"case\tpatient\n" + run.encode(), media_type="text/tab-separated-values")
            (folder / "report.json").write_bytes(run.encode())
            log.add_report({"report.json": hashlib.sha256(run.encode()).hexdigest()})
    return folder

# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest

from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.stamp import stamp_files

sys.path.insert(0, str(Path(__file__).parent))
from marks_files import WRITERS


@pytest.fixture
def mark(tmp_path, key):
    """Writes a file of a format, stamps it under a signed log and returns its path."""
    log = EvidenceLog.open(tmp_path / "evidence", run_id="stamp", key=key)

    def make(ending, name="a", array=None, **options):
        path = WRITERS[ending](tmp_path / f"{name}.{ending}", array)
        stamp_files([path], log, **options)
        return path

    yield make
    log.close()

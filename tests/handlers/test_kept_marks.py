# SPDX-License-Identifier: Apache-2.0
"""What a run says in its evidence of the files that were marked because of what they were made from."""

import numpy as np
import pytest

from monai_ethics.handlers._kept_marks import register_kept
from monai_ethics.handlers._sweep import OutputFile
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.tree.canonical import file_sha256
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.marks.sidecar import sidecar_path, write_least
from monai_ethics.provenance.registry.stamp import stamp_file


@pytest.fixture
def written(tmp_path):
    """`written(name, type)`: a marked file as a sweep finds it."""

    def make(name, kind="transform"):
        path = tmp_path / name
        np.save(path, np.random.default_rng(len(name)).normal(size=(40, 40)))
        stamp_file(path, record={"type": kind})
        return OutputFile(path=path, role="output", size=path.stat().st_size, sha256=file_sha256(path))

    return make


def test_files_made_from_synthetic_ones_are_registered_and_sidecars_that_cannot_be_read_are_counted(tmp_path, written):
    files = [written("made.npy"), written("generated.npy", "synthesis"), written("edited.npy"), written("least.npy")]
    sidecar = sidecar_path(files[2].path)
    sidecar.write_bytes(sidecar.read_bytes().replace(b'"transform"', b'"inference"'))
    write_least(files[3].path, "yes")
    with EvidenceLog.open(tmp_path / "e", run_id="run") as log:
        assert register_kept(log, files) == (1, 1)
        item = log.pseudonym("file", str(files[0].path))
    stored = [entry.body for entry in read_entries(tmp_path / "e") if entry.kind == "stored"]
    assert [(body["item"], body["role"]) for body in stored] == [(item, "marked")]

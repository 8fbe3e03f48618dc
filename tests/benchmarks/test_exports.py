# SPDX-License-Identifier: Apache-2.0
"""How large the exports of 10,000 synthetic images are, and how long they take."""

import hashlib
import time

import pytest

from monai_ethics.provenance.exports.formats import FORMATS
from monai_ethics.provenance.exports.material import Told, as_bytes, read_material
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.record import Record, described_synthesis

IMAGES = 10_000


@pytest.mark.slow
def test_cost_of_exports(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    with EvidenceLog.open(tmp_path / "e", run_id="a") as log:
        model = log.add_record(Record(type="training", synthetic="no", model={"weights_sha256": "1" * 64}).to_dict())
        entries = []
        for place in range(IMAGES):
            digest = hashlib.sha256(str(place).encode()).hexdigest()
            content = {"type": "synthesis", "synthetic": "yes", "parents": [{"id": model, "role": "model"}],
                       "subjects": [{"item": digest[:32], "digests": {"voxel_v1": digest}}]}  # fmt: skip
            record = Record(**described_synthesis(content)).to_dict()
            marks = {"item": digest[:32], "role": "stamped", "record": record["id"], "marks": ["header", "sidecar"]}
            entries += [("record", record), ("stored", marks)]
        log.append_many(entries)
    begin = time.perf_counter()
    material = read_material(tmp_path / "e")
    print(f"\n{IMAGES} synthetic images; verified and read in {time.perf_counter() - begin:.1f} s")
    for form, (function, _) in FORMATS.items():
        begin = time.perf_counter()
        data = as_bytes(function(material, Told()))
        took = time.perf_counter() - begin
        print(f"{form:10} {len(data) / 1e6:6.2f} MB {took:6.2f} s")
        assert took < 60  # nothing grows with the square of the images

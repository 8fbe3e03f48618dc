# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.evidence import INTRINSIC_LIMITS
from monai_ethics.provenance.records.record import (
    SYNTHETIC_LIMITS,
    SYNTHETIC_USE,
    Record,
    described_synthesis,
    record_id,
)

DIGEST = "a" * 64
RECORD = Record(
    type="synthesis",
    synthetic="yes",
    subjects=[{"item": "p", "digests": {"voxel_v1": DIGEST, "geometry_v1": DIGEST}}],
    parents=[{"id": "sha256:" + DIGEST, "role": "model"}],
    limits=["not for diagnosis"],
)


def test_the_id_is_the_digest_of_the_canonical_content():
    small = {"type": "import", "synthetic": "no"}
    expected = "sha256:" + hashlib.sha256(b'{"synthetic":"no","type":"import"}').hexdigest()
    assert record_id(small) == expected
    assert record_id({**small, "id": "x", "signatures": ["y"]}) == expected


def test_a_record_comes_back_equal():
    assert Record.from_dict(RECORD.to_dict()) == RECORD
    assert RECORD.to_dict()["id"] == RECORD.id == record_id(RECORD.to_dict())


def test_a_record_holds_no_digest_of_the_file_that_holds_it():
    with pytest.raises(InputError, match="go into a `stored` entry"):
        Record(type="import", synthetic="no", subjects=[{"digests": {"file_sha256": DIGEST}}])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "magic"}, "type must be one of"),
        ({"synthetic": "maybe"}, "`synthetic` must be one of"),
        ({"parents": [{"id": "x", "role": "model"}]}, "A parent must have"),
        ({"parents": [{"id": "sha256:" + DIGEST}]}, "A parent must have"),
        ({"activity": {"loss": float("nan")}}, "must be finite"),
    ],
)
def test_words_outside_the_vocabulary_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        Record(**{"type": "import", "synthetic": "no", **change})


@pytest.mark.parametrize(
    "change", [{"extra": 1}, {"schema": "other/1"}, {"id": "sha256:" + DIGEST}, {"limits": ["other"]}]
)
def test_edited_records_are_refused(change):
    with pytest.raises(SchemaError, match="Expected a record"):
        Record.from_dict({**RECORD.to_dict(), **change})


def test_records_without_a_license_keep_the_id_they_had_before_there_was_one():
    old = {"schema": "monai_ethics.provenance/1", "type": "import", "synthetic": "no", "subjects": [], "parents": []}
    old |= {"activity": {}, "model": {}, "agent": {}, "consent_refs": [], "intended_use": "", "limits": []}
    assert Record(type="import", synthetic="no").id == record_id(old)
    licensed = Record(type="import", synthetic="no", license="CC-BY-4.0", consent={"basis": "broad"})
    assert licensed.id == record_id({**old, "license": "CC-BY-4.0", "consent": {"basis": "broad"}})
    assert Record.from_dict(licensed.to_dict()) == licensed


def test_every_synthesis_states_its_use_and_the_limits_of_synthetic_images():
    plain = described_synthesis({"type": "synthesis"})
    assert plain["intended_use"] == SYNTHETIC_USE
    assert set(INTRINSIC_LIMITS) < set(plain["limits"])
    own = described_synthesis({"type": "synthesis", "intended_use": "teaching", "limits": ["no lungs"]})
    assert own == described_synthesis(own)
    assert (own["intended_use"], own["limits"]) == ("teaching", [*SYNTHETIC_LIMITS, "no lungs"])
    assert described_synthesis({"type": "import"}) == {"type": "import"}

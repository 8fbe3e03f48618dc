# SPDX-License-Identifier: Apache-2.0
import hashlib
import json

import pytest

from monai_ethics.bundle.digests import WITHOUT_ETHICS, bundle_digests

METADATA = "configs/metadata.json" + WITHOUT_ETHICS


@pytest.fixture
def root(tmp_path):
    bundle = tmp_path / "bundle"
    for folder in ("configs", "scripts/__pycache__", "docs", "models"):
        (bundle / folder).mkdir(parents=True)
    (bundle / "configs/train.json").write_bytes(b'{"a": "@b#0"}\r\n')
    (bundle / "configs/metadata.json").write_text('{"version": "1", "name": "x"}')
    (bundle / "scripts/net.py").write_text("x = 1")
    (bundle / "scripts/__pycache__/net.pyc").write_text("compiled")
    (bundle / "models/model.pt").write_text("weights")
    (bundle / "LICENSE").write_text("Apache")
    return bundle


def test_raw_bytes_are_digested_with_scripts_and_overlays_and_without_weights(root, tmp_path):
    overlay = tmp_path / "DOE_JANE.json"
    overlay.write_text("{}")
    found = bundle_digests(root, [root / "configs/train.json", overlay])
    assert sorted(found) == ["LICENSE", METADATA, "configs/train.json", "extra/1.json", "scripts/net.py"]
    assert found["configs/train.json"] == hashlib.sha256(b'{"a": "@b#0"}\r\n').hexdigest()


def test_a_block_that_points_to_evidence_about_the_digest_does_not_change_it(root):
    before = bundle_digests(root)
    metadata = root / "configs/metadata.json"
    metadata.write_text(json.dumps({"ethics": {"evidence": before[METADATA]}, "name": "x", "version": "1"}, indent=4))
    assert bundle_digests(root) == before


def test_another_change_of_the_metadata_changes_the_digest(root):
    before = bundle_digests(root)
    (root / "configs/metadata.json").write_text('{"version": "2", "name": "x"}')
    assert bundle_digests(root)[METADATA] != before[METADATA]


def test_metadata_that_is_no_object_is_digested_as_it_is(root):
    (root / "configs/metadata.json").write_text("not JSON")
    assert bundle_digests(root)["configs/metadata.json"] == hashlib.sha256(b"not JSON").hexdigest()

# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.provenance.log.tree.digits import is_hex, is_record_id

DIGEST = "0123456789abcdef" * 4


def test_a_digest_is_told_by_its_one_spelling():
    assert is_hex(DIGEST)
    assert is_hex(DIGEST * 2, digits=128)
    assert is_record_id(f"sha256:{DIGEST}")


@pytest.mark.parametrize(
    "other", [None, 0, b"0" * 64, "", DIGEST[:-1], f"{DIGEST}0", DIGEST.upper(), f"{DIGEST[:-1]}\n", f"{DIGEST[:-1]}٣"]
)
def test_nothing_else_is_one(other):
    assert not is_hex(other)
    assert not is_record_id(other)
    assert not is_record_id(f"sha256:{other}")
    assert not is_record_id(f"sha256:sha256:{DIGEST}")

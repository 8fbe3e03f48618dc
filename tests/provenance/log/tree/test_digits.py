# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta, timezone

import pytest

from monai_ethics.provenance.log.tree.digits import is_hex, is_record_id, time_text

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


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "9999-12-31T23:59:59Z"),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-02-28T23:00:00Z"),
    ],
)
def test_a_time_has_twenty_characters_in_every_year(time, text):
    assert time_text(time) == text

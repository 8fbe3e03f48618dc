# SPDX-License-Identifier: Apache-2.0
"""The rules of taint: whatever synthetic content touches says so, and absent never becomes no."""

from __future__ import annotations

import itertools

import pytest

from monai_ethics.provenance.marks.taint import STATES, carries_synthetic, combined, derived_from, state_of


@pytest.mark.parametrize(
    ("states", "result"),
    [
        (["yes", "yes"], "yes"),
        (["no", "no"], "no"),
        (["yes", "no"], "partial"),
        (["partial", "no"], "partial"),
        (["yes", "partial"], "partial"),
        (["partial"], "partial"),
        (["yes", None], "partial"),
        (["no", None], "unknown"),
        (["no", "unknown"], "unknown"),
        ([None, None], "unknown"),
        ([], "unknown"),
    ],
)
def test_what_several_images_make(states, result):
    assert combined(states) == result


@pytest.mark.parametrize("count", [1, 2, 3])
def test_order_and_repetition_are_irrelevant_and_grouping_never_launders(count):
    for states in itertools.product([*STATES, None], repeat=count):
        result = combined(states)
        assert result == combined(reversed(states)) == combined([*states, *states])
        tainted = any(carries_synthetic(state) for state in states)
        assert carries_synthetic(result) == tainted
        assert (result == "no") == all(state == "no" for state in states)
        nested = combined([combined(states[:1]), combined(states[1:])]) if count > 1 else result
        assert carries_synthetic(nested) == tainted  # of batches of batches as well


@pytest.mark.parametrize(
    ("stored", "state"),
    [
        (True, "yes"),
        (False, "no"),
        ("YES", "yes"),
        ("NO ", "no"),
        ("partial", "partial"),
        (None, "unknown"),
        ("", "unknown"),
        ("maybe", "unknown"),
        (1, "unknown"),
        (["yes"], "unknown"),
    ],
)
def test_a_stored_flag_is_read_as_a_state(stored, state):
    assert state_of(stored) == state
    assert derived_from(stored if isinstance(stored, str) else None) == (
        state if isinstance(stored, str) else "unknown"
    )

# SPDX-License-Identifier: Apache-2.0
"""What the end of a key takes from its signatures, by reason and by the order of what is known of both."""

import pytest

from monai_ethics.provenance.keys.standing import REASONS, Revocation, counts, is_grave, take_revocation

GRAVE, MILD = Revocation(10, True), Revocation(10, False)
DIGITS = "ab" * 32


@pytest.mark.parametrize(
    ("seen", "made", "grave", "mild"),
    [
        (None, None, False, True),  # of no known time
        (9, None, True, True),
        (9, 9, True, True),  # a head that the site log saw before
        (None, 9, False, True),  # signed after something that was seen before: no end to its time
        (11, 11, False, False),  # a head that it saw after
        (None, 11, False, False),  # signed after something that was seen after
        (11, 9, False, True),  # in between: only a later head was seen
        (11, None, False, True),
    ],
)
def test_of_a_key_in_other_hands_what_was_seen_before_counts_of_one_put_away_what_was_not_made_after(
    seen, made, grave, mild
):
    assert counts([], seen=seen, made=made)
    assert counts([GRAVE], seen=seen, made=made) is grave
    assert counts([MILD], seen=seen, made=made) is mild


def test_of_several_ends_each_must_let_it_count():
    late = Revocation(20, True)
    assert [counts([MILD, late], seen=at, made=at) for at in (5, 15, 25)] == [True, False, False]
    assert not counts([MILD, late])


def test_a_reason_that_nobody_knows_is_the_worst():
    assert [is_grave(reason) for reason in (*REASONS, "cessationOfOperation", None, [], {"retired": 1})] == [
        *(True, True, False, False),
        *[True] * 4,
    ]


def test_the_first_end_of_each_kind_is_kept_and_other_texts_name_no_key():
    known = {}
    for position, reason in enumerate(["retired", "superseded", "lost", "compromised"]):
        take_revocation(known, {"fingerprint": DIGITS.upper(), "reason": reason}, position=position)
    for name in (None, "ab", DIGITS + "\n", 5, ["x"]):
        take_revocation(known, {"fingerprint": name, "reason": "lost"}, position=9)
    take_revocation(known, {}, position=9)
    assert known == {DIGITS: (Revocation(0, False), Revocation(2, True))}

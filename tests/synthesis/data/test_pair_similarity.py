# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.synthesis.data.pair_similarity import PairSimilarity


def test_pairs_are_stored_in_an_order_of_their_content():
    first = PairSimilarity(
        synthetic=(0.5, 0.1), synthetic_pairs=[("b", "a"), ("a", "c")], real=(0.2,), real_pairs=[("p", "q")]
    )
    again = PairSimilarity(
        synthetic=(0.1, 0.5), synthetic_pairs=[("c", "a"), ("a", "b")], real=(0.2,), real_pairs=[("q", "p")]
    )
    assert first == again
    assert first.synthetic == (0.5, 0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"real": (0.2, 0.3)}, "2 numbers for 1 pairs"),
        ({"real": (float("nan"),)}, "one finite similarity"),
        ({"real_pairs": [("p", "p")]}, "two different units"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(changes, message):
    given = {"synthetic": (0.5,), "synthetic_pairs": [("a", "b")], "real": (0.2,), "real_pairs": [("p", "q")]}
    with pytest.raises(ValueError, match=message):
        PairSimilarity(**{**given, **changes})

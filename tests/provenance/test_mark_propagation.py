# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.provenance.mark_propagation import KINDS, Derivations, MarkPropagation


def kinds(*rows):
    items, synthetic, parents = zip(*rows, strict=True)
    return MarkPropagation().classify(Derivations(items=items, synthetic=synthetic, parents=parents))


def test_an_unmarked_child_of_a_marked_one_is_told_from_what_follows_it():
    found = kinds(
        ("a", "yes", []), ("b", "no", ["a"]), ("c", "unknown", ["b"]), ("d", "partial", ["a"]), ("e", "no", [])
    )
    assert found == [KINDS[0], KINDS[1], KINDS[2], KINDS[0], KINDS[3]]


def test_a_mark_goes_through_an_image_without_a_record():
    assert kinds(("a", "yes", []), ("v", None, ["a"]), ("s", "unknown", ["v"])) == [KINDS[0], KINDS[4], KINDS[1]]


def test_parents_that_no_log_holds_are_ignored_and_circles_end():
    assert kinds(("a", "yes", ["b", "x"]), ("b", "no", ["a"])) == [KINDS[0], KINDS[1]]


def test_the_count_is_complete_and_nothing_is_judged():
    finding = MarkPropagation(listed=3)(MarkPropagation.example(40, seed=0))
    assert (finding.verdict, finding.limit) == (Verdict.MEASURED, None)
    assert {row.name: row.value for row in finding.estimates} == {"unmarked_children": 10, "unmarked_descendants": 20}
    assert sum(finding.accounting.values()) == 40
    assert len(finding.observations) == 3


def test_an_item_that_stands_twice_is_refused():
    with pytest.raises(InputError, match="Match them"):
        Derivations(items=["a", "a"], synthetic=["yes", "no"], parents=[[], []])

# SPDX-License-Identifier: Apache-2.0
from monai_ethics.fairness.attributes.regroup import regroup
from monai_ethics.fairness.attributes.side_table import read_side_table


def test_stored_tables_of_different_cases_get_groups_and_patients(tmp_path, scores):
    path = tmp_path / "t.tsv"
    path.write_text("participant_id\tsex\nc0000\tF\nc0001\tM\nother\tF\n")
    first = scores([0.5, 0.6, 0.7], {"site": ["A", "B", "B"]})
    second = first.reordered([2, 0])
    tables, joined, found = regroup([first, second], read_side_table(path), strata=["sex", "sex*site"])
    assert tables[0].groups == {"sex": ("F", "M", None), "sex*site": ("F*A", "M*B", None)}
    assert tables[1].groups["sex"] == (None, "F")
    assert (joined.accounting["without_row"], joined.unused_rows) == (1, 1)
    assert found.left_out == ()


def test_without_a_side_table_the_tables_own_attributes_are_used(scores):
    tables, joined, _ = regroup([scores([0.5], {"sex": ["F"]})], None)
    assert joined is None
    assert tables[0].groups == {"sex": ("F",)}

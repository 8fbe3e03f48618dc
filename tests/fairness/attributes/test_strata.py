# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes import bin_numeric, cross, parse_bins, parse_maps, parse_strata, stratify


def test_strata_are_read_from_text_or_list():
    assert parse_strata("sex, age_band ,sex * site") == ("sex", "age_band", "sex*site")
    assert parse_strata(["sex"]) == ("sex",)
    assert parse_strata(None) is None


@pytest.mark.parametrize(("text", "words"), [("sex,,", "empty"), ("sex,sex", "unique"), ("", "empty"), ("a*", "empty")])
def test_malformed_strata_are_refused(text, words):
    with pytest.raises(InputError, match=words):
        parse_strata(text)


def test_bins_are_read_from_text():
    assert parse_bins(["age=18,40,65"]) == {"age": (18.0, 40.0, 65.0)}


@pytest.mark.parametrize("text", ["age", "age=40,18", "age=a", "age=nan"])
def test_malformed_bins_are_refused(text):
    with pytest.raises(InputError, match="rising"):
        parse_bins([text])


def test_bins_print_which_edge_belongs_to_them():
    found = bin_numeric("age", ["17", "18", "39.9", "40", "65", None, "061Y", "006M"], (18, 40, 65))
    assert found == ("(-inf, 18)", "[18, 40)", "[18, 40)", "[40, 65)", "[65, inf)", None, "[40, 65)", "(-inf, 18)")


def test_a_word_among_numbers_is_refused_by_position():
    with pytest.raises(InputError, match="1 entries are not, the first is case 1"):
        bin_numeric("age", ["17", "old"], (18,))


def test_an_intersection_is_not_recorded_where_one_part_is_not():
    assert cross({"sex": ["F", "M", None], "site": ["A", None, "B"]}, ["sex", "site"]) == ("F*A", None, None)


def test_without_strata_numbers_become_bands_and_identifiers_are_left_out():
    groups = {
        "sex": ["F", "M"] * 15,
        "age": [str(20 + i) for i in range(30)],
        "weight": [str(50 + i) for i in range(30)],
        "note": [f"n{i}" for i in range(30)],
    }
    found = stratify(groups)
    assert [name for name in found.groups if "*" not in name] == ["sex", "age_band", "weight_band"]
    assert found.left_out == ("note",)
    assert set(found.groups["age_band"]) == {"[18, 40)", "[40, 65)"}
    assert len(set(found.groups["weight_band"])) == 4


def test_strata_name_attributes_bands_and_intersections():
    groups = {"Patient Sex": ["F", "M", "F"], "age": ["20", "50", None]}
    found = stratify(groups, strata=["patient_sex", "age_band", "patient_sex*age_band"], bins={"age": (30,)})
    assert found.groups["patient_sex"] == ("F", "M", "F")
    assert found.groups["patient_sex*age_band"] == ("F*(-inf, 30)", "M*[30, inf)", None)


def test_an_unknown_attribute_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="Known: sex"):
        stratify({"sex": ["F"]}, strata=["site"])


def test_a_column_of_identifiers_is_no_grouping():
    with pytest.raises(InputError, match="at most 20 labels"):
        stratify({"note": [str(i) for i in range(30)]}, strata=["note"])


def test_names_of_few_patients_are_left_out_however_many_cases_each_has():
    patients = [f"p{i // 5}" for i in range(40)]
    groups = {
        "name": [f"DOE^JANE {owner}" for owner in patients],
        "birth": [f"1975-03-1{i // 5}" for i in range(40)],
        "ward": ["ABCD"[i // 10] for i in range(40)],
        "sex": ["F"] * 40,
    }
    found = stratify(groups, patients=patients)
    assert list(found.groups) == ["ward", "sex"]
    assert found.left_out == ("name", "birth")
    with pytest.raises(InputError, match="names and identifiers"):
        stratify(groups, strata=["birth"], patients=patients)


def test_days_are_no_groups_however_many_patients_share_one():
    days = {"a": "1947-08-15", "b": "19470815", "c": "15.08.1947", "d": "1947-08-15 12:30", "e": "8/15/1947"}
    groups = {name: [day, day[:-1] + "6"] * 20 for name, day in days.items()}
    found = stratify({**groups, "sex": ["F", "M"] * 20, "year": ["1947", "1948"] * 20})
    assert (list(found.groups)[:2], found.left_out) == (["sex", "year"], tuple(days))
    for name in days:
        with pytest.raises(InputError, match="are days"):
            stratify(groups, strata=[name])


def test_names_beside_one_common_label_are_left_out_and_refused_when_asked_for():
    labels = [f"DOE^JANE {i}" for i in range(18)] + ["not told"] * 42
    groups = {"remark": labels, "sex": ["F", "M"] * 30}
    found = stratify(groups)
    assert (list(found.groups), found.left_out) == (["sex"], ("remark",))
    with pytest.raises(InputError, match="names and identifiers"):
        stratify(groups, strata=["remark"])
    rare = ["A"] * 30 + ["B"] * 25 + [f"rare {i}" for i in range(5)]
    assert list(stratify({"subtype": rare}).groups) == ["subtype"]


def test_known_attributes_are_groupings_of_two_patients_too():
    found = stratify({"Sex": ["F", "M"], "nickname": ["Jane", "John"]})
    assert (list(found.groups), found.left_out) == (["Sex"], ("nickname",))


def test_an_accent_typed_in_two_ways_is_one_group():
    found = stratify({"site": ["Gen\u00e8ve", "Gene\u0300ve"] * 2}, strata=["site"])
    assert set(found.groups["site"]) == {"Gen\u00e8ve"}


def test_texts_are_no_groupings():
    groups = {"report": ["x" * 201, "y"] * 10}
    assert stratify(groups).left_out == ("report",)
    with pytest.raises(InputError, match="at most 200 characters"):
        stratify(groups, strata=["report"])


def test_more_groups_than_an_entry_of_the_log_can_hold_are_refused_or_left_out():
    groups = {f"a{i}": [str(j % 20) + "x" for j in range(400)] for i in range(11)}
    groups["b"] = [str(j // 20) for j in range(400)]
    found = stratify(groups)
    assert (len(found.groups), found.left_out, len(found.no_room)) == (10, ("b_band", "a10"), 45)
    with pytest.raises(InputError, match="at most 200 groups in all: got 400"):
        stratify({"a": groups["a0"], "c": [f"{j // 20}y" for j in range(400)]}, strata=["a*c"])


def test_intersections_of_two_come_unasked_and_case_mix_is_in_none():
    groups = {"sex": ["F", "M"] * 20, "site": ["A", "A", "B", "B"] * 10, "roi_size_band": ["s", "s", "l", "l"] * 10}
    assert list(stratify(groups).groups) == ["sex", "site", "roi_size_band", "sex*site"]
    groups["one"] = ["x"] * 40
    assert "sex*one" not in stratify(groups).groups


def test_labels_can_be_merged_by_a_map_and_numbers_cut_at_quantiles():
    groups = {"site": ["A", "B", "C", None] * 10, "age": [str(20 + i) for i in range(40)]}
    maps = parse_maps(["site=A:north,B:north"])
    found = stratify(groups, strata=["site", "age_band"], bins=parse_bins(["age=q2"]), maps=maps)
    assert found.groups["site"][:4] == ("north", "north", "C", None)
    assert sorted(set(found.groups["age_band"])) == ["(-inf, 39.5)", "[39.5, inf)"]


@pytest.mark.parametrize("text", ["site", "site=A", "site=A:", "=A:b", "site=A:b,A:c"])
def test_a_map_of_another_form_is_refused(text):
    with pytest.raises(InputError, match=r"A map|Maps must"):
        parse_maps([text])


def test_a_map_of_a_label_that_nobody_has_is_refused():
    with pytest.raises(InputError, match="1 of 2 are not"):
        stratify({"site": ["A", "B"]}, maps={"site": {"A": "north", "Z": "south"}})


@pytest.mark.parametrize("text", ["age=q1", "age=q99"])
def test_quantile_groups_are_two_to_twenty(text):
    with pytest.raises(InputError, match="2 to 20"):
        parse_bins([text])


def test_labels_with_asterisks_do_not_merge_two_groups():
    crossed = cross({"a": ["x*y", "x"], "b": ["z", "y*z"]}, ["a", "b"])
    assert len(set(crossed)) == 2
    assert [label.count("*") for label in crossed] == [1, 1]

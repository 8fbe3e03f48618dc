# SPDX-License-Identifier: Apache-2.0
import re

from monai_ethics.handlers._keys import clean, group_keys


def test_keys_hold_only_what_every_logger_takes():
    keys = group_keys("val/dice", "age group", ["[18, 40)", "≥ 65", None], taken=())
    assert keys == {
        "[18, 40)": "val-dice_age-group_18-40",
        "≥ 65": "val-dice_age-group_65",
        None: "val-dice_age-group_not_recorded",
    }
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", key) for key in keys.values())


def test_groups_whose_names_would_be_one_are_told_apart():
    keys = group_keys("dice", "site", ["A B", "A/B", "C"], taken=())
    assert len(set(keys.values())) == 3
    assert re.fullmatch(r"dice_site_A-B_[0-9a-f]{6}", keys["A B"])
    assert keys["C"] == "dice_site_C"
    assert keys == group_keys("dice", "site", ["C", "A/B", "A B"], taken=())


def test_a_group_never_takes_the_key_of_another_metric_or_of_the_worst_group():
    keys = group_keys("dice", "sex", ["F", "worst"], taken={"dice_sex_F"})
    assert keys["F"].startswith("dice_sex_F_")
    assert keys["worst"].startswith("dice_sex_worst_")


def test_a_name_of_nothing_but_signs_is_a_dash():
    assert clean("***") == "-"

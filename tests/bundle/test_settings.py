# SPDX-License-Identifier: Apache-2.0
"""Settings of the evidence never shadow anything of a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_ethics.bundle.settings import checked, claim_flags, place, pop_settings
from monai_ethics.bundle.workflow import new_session
from monai_ethics.errors import InputError


def test_settings_are_taken_out_of_the_overrides():
    overrides = {
        "ethics": {"strata": "sex"},
        "ethics#attributes": "a.tsv",
        "ethics::log": False,
        "ethics_net": 1,
        "x": 2,
    }
    assert pop_settings(overrides) == {"strata": "sex", "attributes": "a.tsv", "log": False}
    assert overrides == {"ethics_net": 1, "x": 2}


@pytest.mark.parametrize("first", ["one", "whole"])
def test_parts_of_the_plan_can_be_given_one_by_one_and_join_the_plan_of_the_config(first):
    whole, one = {"ethics#plan": {"seed": 3}}, {"ethics#plan#measures": ("auc", "tpr"), "ethics::plan::control": "site"}
    given = pop_settings({**whole, **one} if first == "whole" else {**one, **whole})
    assert given == {"plan": {"seed": 3, "measures": ("auc", "tpr"), "control": "site"}}
    settings, _ = checked({"plan": {"seed": 1, "min_group_size": 5}}, given)
    assert settings["plan"] == {"seed": 3, "min_group_size": 5, "measures": ("auc", "tpr"), "control": "site"}


def test_a_bare_value_is_refused():
    with pytest.raises(InputError, match="must be a mapping"):
        pop_settings({"ethics": 3})


@pytest.mark.parametrize("section", ["text", {"approval": "2024/1"}, [1]])
def test_a_section_without_any_of_our_keys_is_the_bundles(section):
    assert checked(section, {"out": "x"}) == ({"out": "x"}, True)


def test_the_command_wins_over_the_section():
    assert checked({"out": "a", "strata": None}, {"out": "b"}) == ({"out": "b"}, False)


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(InputError, match="Did you mean `strata`"):
        checked({"out": "a", "stratas": "x"}, {})
    with pytest.raises(InputError, match="Remove it"):
        checked(None, {"zzz": 1})


def test_short_flags_become_settings():
    overrides = {
        "attributes": "a.tsv",
        "strata": ("sex", "site"),
        "evidence": "here",
        "policy": "p",
        "lr": 1,
    }
    assert claim_flags(overrides, {"run": []}) == []
    assert overrides == {
        "lr": 1,
        "ethics#attributes": "a.tsv",
        "ethics#strata": ("sex", "site"),
        "ethics#out": "here",
        "ethics#policy": "p",
    }


@pytest.mark.parametrize(
    "config",
    [
        {"strata": 1},
        {"+strata": [1]},
        {"strata#name": 1},
        {"x": {"y": "$load(@strata)"}},
        {"x": ["%strata"]},
        {"x": "@strata#name"},
    ],
)
def test_a_flag_that_the_bundle_uses_is_left_to_it(config):
    overrides = {"strata": 3, "attributes": "a"}
    assert claim_flags(overrides, config) == ["strata"]
    assert overrides == {"strata": 3, "ethics#attributes": "a"}


def test_a_flag_that_another_override_refers_to_is_left_to_the_bundle():
    overrides = {"strata": 3, "name": "$str(@strata)"}
    assert claim_flags(overrides, {}) == ["strata"]


def test_similar_names_are_not_confused():
    overrides = {"strata": "s"}
    assert claim_flags(overrides, {"strata_name": 1, "x": "@strata_name"}) == []


@pytest.mark.parametrize(("given", "read"), [("false", False), ("True", True), (False, False), ("$@x", "$@x")])
def test_switches_are_read_as_a_command_gives_them(given, read):
    assert checked(None, {"log": given, "synthetic": given}) == ({"log": read, "synthetic": read}, False)


def test_a_switch_is_true_or_false():
    with pytest.raises(InputError, match="`ethics#synthetic` must be true or false"):
        checked({"synthetic": "yes"}, {})


@pytest.mark.parametrize("value", [True, False, "", [], ["a", "b"], {"a": 1}, float("inf"), 1.5])
def test_a_place_is_a_path(value):
    with pytest.raises(InputError, match="`ethics#site` must be a path"):
        place(value, name="site")


def test_a_place_may_have_a_number_for_a_name_as_a_command_line_gives_it():
    assert [place(value, name="site") for value in (2026, "a", Path("a"), None)] == [
        *(Path("2026"), Path("a"), Path("a"), None),
    ]


def test_a_threshold_reaches_the_session(tmp_path):
    settings, _ = checked({"threshold": 0.4}, {"out": str(tmp_path / "evidence")})
    assert new_session(settings, config={}).threshold == 0.4

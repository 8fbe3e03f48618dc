# SPDX-License-Identifier: Apache-2.0
import re
from dataclasses import replace

import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.reporting.frequencies import TEMPLATES, sentences


def without(finding, name, **changes):
    """The finding with the interval or the value of one name taken away."""
    known = {"low": None, "high": None, "level": None, "reason": "taken away", **changes}
    return replace(finding, estimates=[replace(row, **known) if row.name == name else row for row in finding.estimates])


def test_a_share_found_is_told_as_the_missed_of_100(classified):
    first = sentences(classified)[0]
    assert first == (
        "Of 100 patients with the finding: in sex F about 17 were missed (13 to 21, 95 % interval); "
        "in sex M about 7 (3 to 11)."
    )


@pytest.mark.parametrize("name", ["tpr", "fpr", "ppv", "selection_rate"])
def test_a_number_without_an_interval_makes_no_sentence(classified, name):
    told = sum(TEMPLATES[name].happened in text for text in sentences(classified))
    assert told
    assert sum(TEMPLATES[name].happened in text for text in sentences(without(classified, name))) < told


def test_a_group_whose_number_is_withheld_is_counted_and_never_told(classified):
    for text in sentences(classified):
        assert "site not recorded" not in text
        assert "M*s2" not in text
    assert any("1 group could not be judged" in text for text in sentences(classified))


@pytest.mark.parametrize("classified", [30], indirect=True)
def test_of_many_groups_both_ends_are_told_the_worse_one_first(classified):
    text = next(text for text in sentences(classified) if "missed" in text and "in site" in text)
    missed = [int(count) for count in re.findall(r"about (\d+)", text)]
    assert len(missed) == 2
    assert missed[0] > missed[1]
    assert "both ends of 30 groups" in text


def test_a_rare_event_is_told_of_1000(classified):
    rows = [
        replace(row, value=0.995, low=0.99, high=0.999) if row.name == "tpr" and row.value else row
        for row in classified.estimates
    ]
    assert sentences(replace(classified, estimates=rows))[0].startswith("Of 1,000 patients with the finding")
    rows = [replace(row, value=1.0, low=0.96, high=1.0) if row.value else row for row in rows]
    assert "about 0 were missed (0 to 4" in sentences(replace(classified, estimates=rows))[0]


def test_the_sign_of_a_calibration_error_is_told_in_words(classified):
    rows = [replace(row, name="calibration_in_the_large") for row in classified.estimates if row.name == "fpr"]
    rows = [replace(row, value=-0.03, low=-0.07, high=0.01) if row.value else row for row in rows]
    (text, *_) = sentences(replace(classified, estimates=rows))
    assert "about 3 fewer (7 fewer to 1 more" in text


def test_what_could_not_be_judged_is_not_told(classified):
    held = replace(classified, verdict=Verdict.NOT_ASSESSABLE, reason="too few")
    assert sentences(held) == ()


def test_more_than_chance_is_said_only_by_a_test_with_its_level(compared):
    assert "more than chance" in sentences(compared)[0]
    assert "tested at the level 0.05, adjusted p = 0.0001" in sentences(compared)[0]
    calm = replace(
        compared, estimates=[replace(r, value=0.3) if r.name == "p_adjusted" else r for r in compared.estimates]
    )
    assert "It does not show them equal" in sentences(calm)[0]
    assert not any("more than chance" in text for text in sentences(calm))
    untested = replace(compared, estimates=[row for row in compared.estimates if row.name != "p_adjusted"])
    assert sentences(untested) == ()
    assert sentences(replace(compared, parameters={"attribute": "site"})) == ()


def test_a_difference_names_both_groups_and_turns_found_into_missed(compared):
    pair = sentences(compared)[1]
    assert pair == (
        "Of 100 cases with the finding about 15 fewer are missed in north than in harbor "
        "(18 fewer to 12 fewer, 95 % interval)."
    )


def test_words_that_weigh_without_a_test_are_not_used(told):
    for finding in told.findings:
        assert not re.search(r"\b(significant|better|worse|fair|unbiased|safe)\b", " ".join(sentences(finding)))

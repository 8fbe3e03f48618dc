# SPDX-License-Identifier: Apache-2.0
"""What an honest report about 50 patients says, word for word; the file is renewed by ``golden/make.py``."""

import importlib.util
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("golden")


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("golden_make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def findings(make):
    return make.findings()


def estimates(findings, check, name, subject):
    chosen = [item for item in findings if item.check == check and item.subjects[0] == subject]
    return [item for finding in chosen for item in finding.estimates if item.name == name]


def test_the_report_is_the_committed_one_byte_by_byte(make):
    expected = make.GOLDEN.read_bytes()
    assert make.render().encode() == expected, (
        "the report about 50 patients reads otherwise than before: run `python tests/fairness/golden/make.py`, read "
        "the difference and commit it if it is meant"
    )


def test_it_says_what_so_few_patients_leave_open(findings):
    for target, positives, gap, margin in (("pneumonia", 25, 0.28, 0.30), ("effusion", 12, 0.41, 0.43)):
        check, subject = "fairness.rate_gap", f"{target}_tpr"
        (least,) = estimates(findings, check, "minimum_detectable_gap", subject)
        (close,) = estimates(findings, check, "smallest_parity_margin", subject)
        print(f"{positives} positives a group: minimum detectable gap {least.value:.3f}, margin {close.value:.3f}")
        assert least.value == pytest.approx(gap, abs=0.005)
        assert close.value == pytest.approx(margin, abs=0.01)
        assert "level 0.05" in least.estimand
        assert "0.85 (stated beforehand)" in least.estimand


def test_every_cell_holds_patients_images_positives_and_design_effect(findings):
    for name in ("patients", "cases", "positives", "design_effect"):
        for target in ("pneumonia", "effusion"):
            cells = estimates(findings, "fairness.representation", name, target)
            labels = {tuple(item.group.items()) for item in cells}
            assert {(("sex", "F"),), (("site", "C"),), (("sex*site", "M*B"),)} <= labels
            assert all(item.value is not None or item.reason for item in cells)


def test_intersections_are_listed_only(findings):
    crossed = [item for f in findings for item in f.estimates if any("*" in attribute for attribute in item.group)]
    counts = {"patients", "cases", "positives", "design_effect", "missing_share", "effective_cases"}
    shown = [item for item in crossed if item.value is not None and item.name not in counts]
    assert crossed
    assert [(item.name, dict(item.group)) for item in shown] == []
    gaps = [f for f in findings if f.check == "fairness.score_gap" and "sex*site" in f.subjects]
    assert gaps
    assert {f.verdict.value for f in gaps} == {"not_assessable"}


def test_it_never_calls_the_model_fair_and_not_shown_is_never_no_gap(make):
    text = make.GOLDEN.read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z]+", re.sub(r"fairness[\\._]*\w*", "", text.lower())))
    assert not words & {"fair", "unbiased", "safe", "significant"}
    assert text.count("Not shown is not no gap") >= 4
    assert "a difference below about 28 percentage points" in text
    assert "a difference below about 41 percentage points" in text

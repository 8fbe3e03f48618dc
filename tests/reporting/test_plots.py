# SPDX-License-Identifier: Apache-2.0
import re
from xml.etree import ElementTree

import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.reporting.plots import pictures

pytest.importorskip("matplotlib")


def text_of(svg):
    return " ".join(node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text"))


def test_each_kind_of_finding_has_its_picture(report):
    by_check = {finding.check: pictures(finding, salt="a") for finding in report.findings if finding.estimates}
    assert len(by_check["fairness.group_scores"]) == 2  # forest and failure rates
    assert len(by_check["fairness.score_gap"]) == 2  # chance alone and pairs
    assert len(by_check["synthesis.membership_exchangeability"]) == 1
    assert by_check["lifecycle.run_coverage"] == ()


def test_what_could_not_be_judged_has_no_picture(report):
    lost = next(finding for finding in report.findings if finding.verdict is Verdict.NOT_ASSESSABLE)
    assert pictures(lost, salt="a") == ()


def test_every_group_is_labeled_with_its_n(report):
    forest = text_of(pictures(report.findings[0], salt="a")[0].svg)
    for row in report.findings[0].estimates:
        if row.name == "median" and row.value is not None:
            assert re.search(rf"\b{row.n}\b", forest)
    assert "could not be judged" in forest
    assert "not recorded" in forest


def test_bytes_are_the_same_and_carry_no_date_nor_tool(report):
    first, second = (pictures(report.findings[0], salt="a") for _ in range(2))
    assert first == second
    assert "<metadata" not in first[0].svg
    assert "matplotlib" not in first[0].svg.lower()


def test_hostile_names_are_text(hostile):
    for finding in hostile.findings:
        for picture in pictures(finding, salt="a"):
            tree = ElementTree.fromstring(picture.svg)  # NUL and lone surrogates would not parse
            assert {node.tag.split("}")[1] for node in tree.iter()}.isdisjoint({"script", "img", "foreignObject"})
            assert not any(name.startswith("on") for node in tree.iter() for name in node.attrib)
            assert "\x1b" not in picture.svg

# SPDX-License-Identifier: Apache-2.0
"""Words that claim a result stand only where a test or an interval stands behind them (MIS-11)."""

import json
import re
from dataclasses import replace

import pytest

from monai_ethics.evidence import Estimate, EvidenceReport, Finding, Observation, Stage, Verdict
from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.render import render
from monai_ethics.reporting.terminal import summary
from monai_ethics.reporting.view import view_of
from monai_ethics.reporting.weighty import holds_result, marked, weighed

SEEDS = [(24, 1), pytest.param((60, 2), marks=pytest.mark.slow), pytest.param((40, 3), marks=pytest.mark.slow)]
WORDS = re.compile(r"significant|better|worse|improv|outperform|superior|inferior", re.IGNORECASE)
MARK = re.compile(r"\[untested: “[^”]*”\]")
CLAIM = "Model B is significantly better; A got WORSE, an improvement outperforms."


def plugin(*estimates, **changes):
    base = Finding(
        check="acme.rank", title=f"Title: {CLAIM}", stage=Stage.EVALUATION, verdict=Verdict.NOT_ASSESSABLE,
        statement=f"Statement: {CLAIM}", reason=f"Reason: {CLAIM}", limitations=(f"Limit: {CLAIM}",),
        estimates=estimates, observations=(Observation(label=CLAIM, items=("a",), value=None, unit="1", note=CLAIM),),
    )  # fmt: skip
    return replace(base, **changes)


def number(name="score", **more):
    more.setdefault("reason", "none")
    return Estimate(name=name, value=0.04, unit="1", n=9, n_unit="patients", estimand=CLAIM, **more)


def texts_of(finding):
    yield from (finding.title, finding.statement, finding.reason or "", *finding.limitations)
    for row in finding.estimates:
        yield from (row.estimand, row.method or "", row.reason or "")
    for row in finding.observations:
        yield from (row.label, row.note)


def report_of(*findings):
    return EvidenceReport(created="2026-03-02T09:14:00Z", tool="x", environment={}, inputs={}, findings=findings)


@pytest.mark.parametrize("size", SEEDS)
def test_no_check_of_ours_claims_what_it_did_not_test(every_check, size):
    claims = [
        (finding.check, text)
        for finding in every_check(*size).findings
        if not holds_result(finding)
        for text in texts_of(finding)
        if WORDS.search(text)
    ]
    assert claims == []


def test_a_test_or_an_interval_with_a_number_lets_the_words_stand():
    interval = number(low=0.01, high=0.2, level=0.95, method="made")
    assert holds_result(plugin(interval))
    assert all(holds_result(plugin(number(name))) for name in ("p_value", "p_adjusted", "pair_p_value"))
    assert weighed(plugin(interval)) == plugin(interval)
    undefined = replace(number("p_value"), value=None, n_valid=0)
    assert not any(holds_result(plugin(row)) for row in (number(), undefined, number("ppv"), number("top_share")))


def test_every_untested_claim_is_quoted_and_marked_wherever_it_stands():
    found = weighed(plugin(number()))
    for text in texts_of(found):
        assert not WORDS.search(MARK.sub("", text)), text
    assert found.statement == (
        "Statement: Model B is [untested: “significantly better”]; A got [untested: “WORSE”], an "
        "[untested: “improvement”] [untested: “outperforms”]."
    )


def test_marking_twice_is_marking_once():
    assert marked(marked(CLAIM)) == marked(CLAIM)
    assert marked("An insignificant betterment.") == "An [untested: “insignificant betterment”]."
    assert marked("It reached statistical significance.") == "It reached statistical [untested: “significance”]."
    for text in ("nothing of the kind", "Significance level of the policy", "a claim of significance"):
        assert marked(text) == text


def test_a_text_cannot_smuggle_a_claim_in_by_quoting_the_mark():
    assert not WORDS.search(MARK.sub("", marked("[untested: “x”] better [untested: “")))


@pytest.mark.parametrize("verdict", [Verdict.NOT_ASSESSABLE, Verdict.WARNED])
def test_no_rendering_lets_an_untested_claim_stand(verdict):
    report = report_of(plugin(number(), verdict=verdict))
    view = view_of(report)
    page = re.sub(r"<style>.*?</style>", "", render_html(view), flags=re.DOTALL)
    shown = (page, render_markdown(view), "\n".join(map(str, summary(report))))
    for text in shown:
        text = text.replace("\\", "")
        assert "[untested: “significantly better”]" in text
        assert not WORDS.search(MARK.sub("", text)), WORDS.search(MARK.sub("", text))


def test_the_log_and_the_json_keep_what_the_check_wrote():
    kept = json.loads(render(report_of(plugin(number())))["report.json"])
    assert kept["findings"][0]["statement"] == f"Statement: {CLAIM}"

# SPDX-License-Identifier: Apache-2.0
from importlib.resources import as_file, files

import pytest

from monai_ethics.evidence import Direction, Estimate, Finding, Limit, Side, Source, Stage, Verdict
from monai_ethics.lifecycle.policy import Policy, PolicyLimit, RequiredCheck, apply_policy, gate, read_policy
from monai_ethics.registry import load_check, registered
from monai_ethics.synthesis.burned_in_text import COUNTS

HEAD = 'schema_version: "1"\ntitle: t\n'


def estimate(value, *, name="p", low=None, high=None, group=None):
    interval = {"low": low, "high": high, "level": 0.95, "method": "m"} if low is not None else {}
    reason = None if low is not None else "there is no interval"
    kept = {"name": name, "unit": "1", "n": 3, "n_unit": "patients", "estimand": "e", "group": group or {}}
    return Estimate(value=value, reason=reason, **kept, **interval)


def finding(*estimates, check="a.b", verdict=Verdict.MEASURED, subjects=(), **kept):
    return Finding(
        check=check,
        title="t",
        stage=Stage.EVALUATION,
        verdict=verdict,
        statement="s",
        estimates=estimates,
        subjects=subjects,
        **kept,
    )


def limit(value=0.05, *, check="a.b", direction=Direction.AT_LEAST, subject=None, accept=False, **kept):
    source = Source(title="the board")
    return PolicyLimit(
        check=check,
        limit=Limit(**{"estimate": "p", "value": value, "direction": direction, "source": source, **kept}),
        subject=subject,
        when_not_assessable="accept" if accept else "refuse",
    )


def policy(*limits, required=()):
    return Policy(title="t", limits=limits, required_checks=required)


def verdicts(findings):
    return [item.verdict for item in findings]


def test_the_worst_matching_estimate_decides():
    judged = apply_policy([finding(estimate(0.5), estimate(0.01))], policy(limit()))
    assert verdicts(judged) == [Verdict.FAILED]
    assert judged[0].limit.source.title == "the board"
    assert verdicts(apply_policy([finding(estimate(0.5), estimate(0.05))], policy(limit()))) == [Verdict.PASSED]
    at_most = limit(0.4, direction=Direction.AT_MOST)
    assert verdicts(apply_policy([finding(estimate(0.5), estimate(0.01))], policy(at_most))) == [Verdict.FAILED]


def test_a_limit_on_an_interval_end_needs_that_end():
    good = finding(estimate(0.5, low=0.4, high=0.6))
    assert verdicts(apply_policy([good], policy(limit(0.4, side=Side.LOW)))) == [Verdict.PASSED]
    (judged,) = apply_policy([finding(estimate(0.5))], policy(limit(0.4, side=Side.LOW)))
    assert judged.verdict is Verdict.NOT_ASSESSABLE
    assert judged.reason == "1 of 1 estimates of `p` have no low end of an interval: there is no interval"


def test_an_estimate_without_a_number_never_passes():
    assert verdicts(apply_policy([finding(estimate(None))], policy(limit()))) == [Verdict.NOT_ASSESSABLE]
    one_undefined = finding(estimate(0.5), estimate(None))
    assert verdicts(apply_policy([one_undefined], policy(limit()))) == [Verdict.NOT_ASSESSABLE]
    one_bad = finding(estimate(0.01), estimate(None))
    assert verdicts(apply_policy([one_bad], policy(limit()))) == [Verdict.FAILED]


def test_a_limit_on_an_estimate_that_is_not_there_is_not_assessable():
    (judged,) = apply_policy([finding(estimate(0.5, name="q"))], policy(limit()))
    assert judged.verdict is Verdict.NOT_ASSESSABLE
    assert "has none of that name" in judged.reason


def test_a_limit_for_a_group_looks_at_that_group_only():
    both = finding(estimate(0.01, group={"sex": "F"}), estimate(0.5, group={"sex": "M"}))
    assert verdicts(apply_policy([both], policy(limit(group={"sex": "M"})))) == [Verdict.PASSED]
    assert verdicts(apply_policy([both], policy(limit(group={"sex": "F"})))) == [Verdict.FAILED]
    assert verdicts(apply_policy([both], policy(limit(group={"sex": None})))) == [Verdict.NOT_ASSESSABLE]


def test_a_limit_with_a_subject_leaves_other_findings_alone():
    found = [finding(estimate(0.01), subjects=["dice"]), finding(estimate(0.01), subjects=["hd95"])]
    judged = apply_policy(found, policy(limit(subject="dice")))
    assert verdicts(judged) == [Verdict.FAILED, Verdict.MEASURED]


def test_several_limits_give_one_judged_copy_each_and_twice_is_once():
    rules = policy(limit(0.05), limit(0.9))
    judged = apply_policy([finding(estimate(0.5))], rules)
    assert [(item.verdict, item.limit.value) for item in judged] == [(Verdict.PASSED, 0.05), (Verdict.FAILED, 0.9)]
    assert apply_policy(judged, rules) == judged


def test_what_was_not_measured_is_not_judged():
    silent = finding(verdict=Verdict.NOT_ASSESSABLE, reason="too few")
    attested = finding(estimate(0.5), verdict=Verdict.ATTESTED)
    assert apply_policy([silent, attested], policy(limit(), limit(0.1))) == [silent, attested]
    result = gate([silent, attested], policy(limit()))
    assert [(row.verdict, row.refuses) for row in result.rows] == [("not_assessable", True), ("attested", True)]
    assert gate([silent], policy(limit(accept=True))).passed


def test_the_gate_judges_anew_what_was_judged_before():
    strict, mild = policy(limit(0.9)), policy(limit(0.05))
    stored = apply_policy([finding(estimate(0.5))], strict)
    assert not gate(stored, strict).passed
    assert gate(stored, mild).passed
    assert len(gate([*stored, finding(estimate(0.5))], mild).rows) == 1


def test_the_gate_refuses_a_failure_of_which_the_policy_says_nothing():
    failed = apply_policy([finding(estimate(0.01), check="c.d")], policy(limit(check="c.d")))
    result = gate([finding(estimate(0.5)), *failed], policy(limit()))
    assert [row.refuses for row in result.rows] == [False, True]


def test_a_missing_finding_refuses_unless_the_policy_accepts_it():
    assert not gate([], policy(limit())).passed
    required = RequiredCheck(check="a.b")
    assert [row.verdict for row in gate([], policy(required=(required,))).rows] == ["missing"]
    assert gate([], policy(required=(RequiredCheck(check="a.b", when_missing="accept"),))).passed
    assert gate([finding(estimate(0.5))], policy(required=(required,))).passed


def test_a_required_check_that_is_not_assessable_refuses_unless_the_policy_accepts_it():
    silent = finding(verdict=Verdict.NOT_ASSESSABLE, reason="too few")
    assert not gate([silent], policy(required=(RequiredCheck(check="a.b"),))).passed
    assert gate([silent], policy(required=(RequiredCheck(check="a.b", when_not_assessable="accept"),))).passed


def test_a_policy_that_asks_nothing_lets_nothing_pass():
    assert not gate([finding(estimate(0.5))], policy()).passed


def test_the_observed_number_is_the_worst():
    (row,) = gate([finding(estimate(0.5), estimate(0.2))], policy(limit())).rows
    assert row.observed == 0.2
    assert gate([finding(estimate(0.5))], policy(limit())).to_dict()["rows"][0]["asked"] == "p at least 0.05"


def test_a_policy_file_is_read(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(
        HEAD + "limits:\n- check: a.b\n  estimate: p\n  at_least: 5e-2\n  on: low\n  group: {sex: F}\n"
        "  source: {title: s, locator: l, url: https://x.org}\n"
        "required_checks: [a.b, {check: c.d, when_missing: accept}]\n"
    )
    read = read_policy(path)
    assert read.limits[0].limit.value == 0.05
    assert read.limits[0].limit.side is Side.LOW
    assert str(read.limits[0]) == "p (low end of its interval) at least 0.05 for sex=F"
    assert read.required_checks == (RequiredCheck(check="a.b"), RequiredCheck(check="c.d", when_missing="accept"))
    assert len(read.sha256) == 64


LIMIT = "limits: [{check: a.b, estimate: p, source: {title: s}, "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "syntax error in line 1"),
        ("a", "must be a mapping"),
        (HEAD + "foo: 1", "Unknown key in a policy: got `foo`"),
        (HEAD + "title: t", "must not repeat a key"),
        (HEAD + "a: &x 1\nb: *x", "must not use YAML aliases"),
        (HEAD + "1: 2", "Keys must be text"),
        ("title: t", "Expected `schema_version` in a policy"),
        ('schema_version: "2"\ntitle: t', 'Expected "1" at `schema_version`'),
        (HEAD + LIMIT + "at_lest: 1}]", r"Unknown key in `limits\[0\]` of a policy: got `at_lest`"),
        (HEAD + LIMIT + "at_least: 1, at_most: 2}]", "either `at_least` or `at_most`"),
        (HEAD + LIMIT + "at_least: high}]", "Expected a number"),
        (HEAD + LIMIT + f"at_least: {'9' * 400}}}]", "between -2.53 and 2.53"),
        (HEAD + LIMIT + f"at_least: {'9' * 5000}}}]", "between -2.53 and 2.53"),
        (HEAD + LIMIT + "at_most: -1e999}]", "between -2.53 and 2.53"),
        (HEAD + LIMIT + "at_least: 1, on: middle}]", '"value" or "low" or "high"'),
        (HEAD + LIMIT + "at_least: 1, group: {site: 1}}]", "Expected text at"),
        (HEAD + "limits: [{check: a.b, estimate: p, at_least: 1}]", "Expected `source`"),
        (
            HEAD + "limits: [{check: a.b, estimate: p, at_least: 1, source: {title: s, url: ftp://x}}]",
            "an https address",
        ),
        (HEAD + "required_checks: [3]", "the id of a check"),
        (HEAD + 'limits: [{check: a.b, "/home/doe\\n": 1}]', "got one that is not listed here"),
    ],
)
def test_a_wrong_policy_is_refused_in_one_sentence(tmp_path, text, message):
    path = tmp_path / "doe.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_policy(path)
    assert "doe" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        read_policy(path)


@pytest.mark.parametrize("name", ["claims", "demo", "synthesis"])
def test_each_shipped_policy_is_one_and_each_of_its_limits_has_a_source(name):
    with as_file(files("monai_ethics") / "lifecycle" / "policies" / f"{name}.yaml") as path:
        read = read_policy(path)
    assert read.limits
    assert all(item.limit.source.title for item in read.limits)


def test_the_example_for_synthetic_images_names_numbers_that_its_checks_give():
    with as_file(files("monai_ethics") / "lifecycle" / "policies" / "synthesis.yaml") as path:
        read = read_policy(path)
    assert {item.check for item in (*read.limits, *read.required_checks)} <= {*registered()}
    for item in read.limits:
        check = load_check(item.check)
        if item.check != "synthesis.burned_in_text":  # its reader is an extra
            assert item.limit.estimate in {row.name for row in check()(check.example(120, 0)).estimates}
    assert {name for name, _ in COUNTS.values()} >= {"leaks"}


def test_the_shipped_policy_is_one():
    with as_file(files("monai_ethics") / "lifecycle" / "policies" / "demo.yaml") as path:
        read = read_policy(path)
    assert {item.check for item in read.limits} == {
        "fairness.score_gap",
        "synthesis.memorization_membership",
        "lifecycle.run_coverage",
    }


@pytest.mark.parametrize("value", ["!!timestamp doe", "!!set {doe}", "!!bool doe", "!!int doe", "!!binary doe"])
def test_a_value_with_a_tag_of_its_own_is_no_policy(tmp_path, value):
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + f"limits: {value}\n")
    with pytest.raises(ValueError, match=r"must be YAML|at `limits`") as caught:
        read_policy(path)
    assert "doe" not in str(caught.value)


def test_a_limit_on_a_pooled_value_is_never_met():
    pooled = finding(estimate(0.9, name="shrunk_mean"))
    (judged,) = apply_policy([pooled], policy(limit(0.5, estimate="shrunk_mean")))
    assert judged.verdict is Verdict.NOT_ASSESSABLE
    assert "hide a group that is harmed" in judged.reason
    assert not gate([pooled], policy(limit(0.5, estimate="shrunk_mean"))).passed

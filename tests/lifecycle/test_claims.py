# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.evidence import Direction, Estimate, Finding, Limit, Source, Stage, Verdict
from monai_ethics.lifecycle.claim_file import read_claims
from monai_ethics.lifecycle.claim_results import ResultName, result_name
from monai_ethics.lifecycle.claim_rules import FAMILIES, PROBLEMS
from monai_ethics.lifecycle.claim_words import kinds_of, word_lists
from monai_ethics.lifecycle.claims import Claim, Claims, ClaimTable


def row(name, value, half=None, *, group=None):
    ends = {} if half is None else {"low": value - half, "high": value + half, "level": 0.95, "method": "bootstrap"}
    why = None if half is not None else "A count." if value is not None else "Too few."
    said = {"name": name, "value": value, "group": group or {}, "reason": why}
    return Estimate(**said, unit="1", n=50, n_unit="patients", estimand="mean", **ends)


def finding(check, rows, *, verdict=Verdict.MEASURED, subjects=("dice", "sex"), limit=None, **parameters):
    return Finding(
        check=check, title="t", stage=Stage.EVALUATION, verdict=verdict, statement=check, subjects=subjects,
        estimates=rows, parameters=parameters, limit=limit, reason="Too few." if verdict == "not_assessable" else None,
    )  # fmt: skip


PAIR = {"sex": "F - M"}
SURE = finding("fairness.score_gap", [row("p_adjusted", 0.01), row("difference", -0.1, 0.02, group=PAIR)], level=0.95)
OPEN = finding("fairness.rate_gap", [row("p_adjusted", 0.4), row("difference", 0.01, 0.2, group=PAIR)], level=0.95)
NO_LEVEL = finding("synthesis.memorization_membership", [row("p_value", 0.001)])
GROUPS = finding(
    "fairness.group_scores",
    [row("mean", value, 0.02, group={"sex": sex}) for sex, value in (("F", 0.7), ("M", 0.8), ("X", 0.75))],
    subjects=("dice",),
    higher_is_better=True,
)
CHANGE = finding(
    "fairness.mitigation_change",
    [
        row("change", 0.05, 0.01, group={"sex": "F"}),
        row("change", None, group={"sex": "X"}),
        row("max_min_gap_change", -0.1, 0.05),
    ],
)
LEFT = finding("fairness.abroca", [], verdict=Verdict.NOT_ASSESSABLE)
WITHIN = finding(
    "fairness.ranking_gap",
    [row("smallest_parity_margin", 0.04), row("p_adjusted", 0.5)],
    verdict=Verdict.PASSED,
    limit=Limit(
        estimate="smallest_parity_margin", value=0.05, direction=Direction.AT_MOST, source=Source(title="Protocol")
    ),
)
AGE = finding("fairness.group_scores", [row("mean", 0.7, 0.02, group={"age_band": "65+"})], subjects=("age",))
EVIDENCE = (SURE, OPEN, NO_LEVEL, GROUPS, CHANGE, LEFT, WITHIN, AGE)
GAP, RATE, F = "fairness.score_gap", "fairness.rate_gap", "fairness.mitigation_change/change@sex=F"


def codes(text, *results, says=None, findings=EVIDENCE):
    names = tuple(map(result_name, results))
    found = Claims()(ClaimTable(claims=(Claim(position=1, text=text, results=names, says=says),), findings=findings))
    return [item.label.replace(" ", "_") for item in found.observations]


@pytest.mark.parametrize(
    ("text", "results", "says"),
    [
        ("Overlap differs by sex, significantly.", (GAP,), None),
        ("Overlap of the first group is lower.", (f"{GAP}/difference@sex=F - M",), "lower"),
        ("Overlap of the first group is worse.", (f"{GAP}/difference@sex=F - M",), "worse"),
        ("Overlap improved in women.", (F,), None),
        ("The change narrows the gap.", ("fairness.mitigation_change/max_min_gap_change",), None),
        ("No difference was shown.", (RATE,), None),
        ("No difference between the sexes was found.", (RATE,), None),
        ("We did not detect a difference between the sexes.", (RATE,), None),
        ("We cannot say whether the sexes differ.", (RATE,), None),
        ("Overlap differs by sex (p = 0.01, 95 % intervals).", (GAP,), None),
        ("Overlap in women rose by 0.05, in 50 patients.", (F,), None),
        ("The difference was not statistically significant.", (RATE,), None),
        ("Areas are comparable.", ("fairness.ranking_gap",), None),
        ("Mean overlap was 0.8 in M and 0.7 in F.",
         ("fairness.group_scores/mean@sex=M", "fairness.group_scores/mean@sex=F"), None),
        ("Mean overlap was 0.7 in F.", ("fairness.group_scores/mean@sex=F",), None),
    ],
)  # fmt: skip
def test_a_sentence_that_its_result_carries_has_no_problem(text, results, says):
    assert codes(text, *results, says=says) == []


@pytest.mark.parametrize(
    ("text", "results", "problem"),
    [
        ("Overlap was 0.8.", (), "no_result"),
        ("Overlap was 0.8.", ("fairness.nothing",), "dangling"),
        ("Overlap was 0.8.", ("fairness.score_gap#hd95",), "dangling"),
        ("Overlap was 0.8.", ("fairness.group_scores/mean@sex=Y",), "dangling"),
        ("Overlap was 0.8.", ("fairness.abroca",), "no_answer"),
        ("Overlap was 0.8.", ("fairness.mitigation_change/change@sex=X",), "no_value"),
        ("The model is unbiased.", (GAP,), "forbidden_word"),
        ("It is Safe for use.", (GAP,), "forbidden_word"),
        ("Overlap is signi\u00adficant.", (F,), "no_test"),
        ("A significant copy was found.", ("synthesis.memorization_membership",), "test_without_level"),
        ("The difference is significant.", (RATE,), "test_says_otherwise"),
        ("There was no significant difference.", (GAP,), "test_says_otherwise"),
        ("It outperforms the others.", ("fairness.group_scores",), "no_comparison"),
        ("Sensitivity is higher.", (f"{RATE}/difference",), "chance_not_ruled_out"),
        ("Overlap got worse in women.", (F,), "other_direction"),
        ("Overlap decreased in women.", (F,), "other_direction"),
        ("Women are served better.", (f"{GAP}/difference",), "direction_not_shown"),
        ("There is no difference between the sexes.", (RATE,), "no_equivalence"),
        ("It works as well as in men and is non\u2010inferior.", (RATE,), "no_equivalence"),
        ("Mean overlap was 0.8 in M.", ("fairness.group_scores/mean@sex=M",), "one_sided"),
        ("Mean overlap was 0.79 in F.", ("fairness.group_scores/mean@sex=F",), "other_number"),
        ("Overlap improved by 12 % in women.", (F,), "other_number"),
        ("Overlap differs (p < 0.001).", (GAP,), "other_number"),
        ("Overlap improved in 70 patients.", (F,), "other_number"),
        ("Overlap differs by age.", (GAP,), "other_attribute"),
        ("The model works.", (GAP,), "nothing_to_check"),
        ("Overlap was not lower in women.", (F,), "no_equivalence"),
        ("Women were never served worse.", (F,), "no_equivalence"),
        ("Overlap is similar in both sexes.", (RATE,), "no_equivalence"),
        ("Sex had no effect on overlap.", (RATE,), "no_equivalence"),
        ("There is a trend towards a gap.", (RATE,), "chance_not_ruled_out"),
        ("No evidence of bias was found.", (RATE,), "forbidden_word"),
        ("Sex causes lower overlap.", (GAP,), "forbidden_word"),
        ("We did not find a significant difference.", (GAP,), "test_says_otherwise"),
    ],
)  # fmt: skip
def test_a_sentence_that_says_more_than_its_result_is_named(text, results, problem):
    assert problem in codes(text, *results)


def test_a_name_that_fits_several_results_is_no_name():
    other = finding("fairness.score_gap", SURE.estimates, subjects=("hd95", "sex"), level=0.95)
    assert codes("Overlap differs.", GAP, findings=(SURE, other)) == ["ambiguous"]
    assert codes("Overlap differs.", f"{GAP}#dice", findings=(SURE, other)) == []


def test_every_problem_is_counted_once_and_has_words():
    assert sorted(code for family in FAMILIES.values() for code in family) == sorted(PROBLEMS)
    claims = [Claim(position=i + 1, text="It is fair.", results=()) for i in range(3)]
    found = Claims(listed=2)(ClaimTable(claims=claims, findings=EVIDENCE))
    counts = {item.name: item.value for item in found.estimates}
    assert counts["unsupported_claims"] == counts["claims_without_a_result"] == 3
    assert counts["claims_with_a_word_no_result_carries"] == 3
    assert len(found.observations) == 2
    assert found.accounting == {"supported": 0, "unsupported": 3}


def test_a_finding_never_repeats_a_sentence():
    text = "Jane Doe's scan of 1970-01-01 is safe."
    found = Claims()(ClaimTable(claims=(Claim(position=4, text=text),), findings=EVIDENCE))
    assert "Jane" not in str(found.to_dict())
    assert found.observations[0].items == ("claim 4",)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("State-of-the-art", {"better"}),
        ("noninferior, non inferior", {"equality"}),
        ("\uff22ETTER", {"better"}),
        ("contrast-enhanced images of the fairground", set()),
        ("No difference was shown", {"not_shown"}),
        ("p<0.05", {"significance"}),
        ("Again, dropout and equalized odds.", set()),
    ],
)
def test_words_are_found_whatever_their_case_hyphens_and_hidden_characters(text, kinds):
    assert kinds_of(text, word_lists()) == kinds


def test_every_list_has_a_source_and_no_word_stands_in_two():
    lists = word_lists()
    assert {kind for _, kind in lists.phrases} == set(lists.sources)
    patterns = [pattern.pattern for pattern, _ in lists.phrases]
    assert len(set(patterns)) == len(patterns)


def test_a_result_is_named_by_text_or_by_keys():
    same = {"check": "a.b", "subjects": ["dice", "sex"], "estimate": "median", "group": {"sex": "F", "site": "x/y"}}
    assert result_name("a.b#dice#sex/median@sex=F,site=x/y") == result_name(same)
    assert result_name("a.b") == ResultName(check="a.b")
    for wrong in ("A.b", "a", "a.b@sex=F", "a.b/m@sex", "a.b/", ""):
        with pytest.raises(ValueError, match="must be named"):
            result_name(wrong)


HEAD = 'schema_version: "1"\nclaims:\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a mapping with `schema_version` and `claims`"),
        (HEAD + '- {text: "x"}', "Expected `results`"),
        (HEAD + '- {text: "x", results: [], why: y}', "Unknown key in `claims\\[0\\]` of a claims file: got `why`"),
        (HEAD + '- {text: "x", results: ["Jane, Doe"]}', "must be named"),
        (HEAD + '- {text: "x", results: [], says: good}', "better"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence_without_its_text(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_claims(text.encode())
    assert "Jane" not in str(caught.value)


def test_claims_with_one_place_twice_are_refused():
    with pytest.raises(ValueError, match="place of its own"):
        ClaimTable(claims=(Claim(position=1, text="a"), Claim(position=1, text="b")), findings=())
    with pytest.raises(ValueError, match="place from 1"):
        Claim(position=0, text="a")

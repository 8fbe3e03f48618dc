# SPDX-License-Identifier: Apache-2.0
import json
from importlib import resources

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.evidence import (
    Direction,
    Estimate,
    EvidenceReport,
    Finding,
    FrozenDict,
    Limit,
    Observation,
    Side,
    Source,
    Stage,
    Verdict,
    plain,
)
from monai_ethics.provenance.log.tree.canonical import canonical, strict_loads

SCHEMA = json.loads(resources.files("monai_ethics").joinpath("schemas/report-1.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)
number = st.floats(allow_nan=False, allow_infinity=False, width=32)
exact = st.integers(-(2**53) + 1, 2**53 - 1)
scalar = st.none() | st.booleans() | exact | number | text
value = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
group = st.dictionaries(text, st.none() | text, max_size=2)
source = st.builds(Source, title=words, locator=text, url=st.none() | text)
observation = st.builds(
    Observation, label=text, items=st.lists(text, max_size=2), value=st.none() | number, unit=text, note=text
)
limit = st.builds(
    Limit,
    estimate=text,
    value=number,
    direction=st.sampled_from(Direction),
    side=st.sampled_from(Side),
    source=source,
    group=st.none() | group,
)


@st.composite
def estimates(draw):
    n = draw(st.integers(0, 10**6))
    common = {
        "name": draw(text),
        "unit": draw(text),
        "n": n,
        "n_unit": draw(text),
        "estimand": draw(text),
        "n_valid": draw(st.none() | st.integers(0, n)),
        "group": draw(group),
    }
    if draw(st.booleans()):
        low, high = sorted((draw(number), draw(number)))
        level = draw(st.floats(0.01, 0.99))
        return Estimate(**common, value=draw(number), low=low, high=high, level=level, method=draw(words))
    return Estimate(**common, value=draw(st.none() | number), reason=draw(words), method=draw(st.none() | text))


@st.composite
def findings(draw):
    verdict = draw(st.sampled_from(Verdict))
    unjudged = verdict in (Verdict.NOT_APPLICABLE, Verdict.NOT_ASSESSABLE)
    judged = verdict in (Verdict.PASSED, Verdict.FAILED)
    return Finding(
        check=draw(text),
        title=draw(text),
        stage=draw(st.sampled_from(Stage)),
        verdict=verdict,
        statement=draw(text),
        requirements=draw(st.lists(text, max_size=2)),
        subjects=draw(st.lists(text, max_size=2)),
        estimates=draw(st.lists(estimates(), max_size=2)),
        observations=draw(st.lists(observation, max_size=2)),
        accounting=draw(st.dictionaries(text, st.integers(0, 10**6), max_size=2)),
        parameters=draw(st.dictionaries(text, value, max_size=2)),
        limit=draw(limit if judged else st.none() | limit),
        reason=draw(words if unjudged else st.none() | text),
        limitations=draw(st.lists(text, max_size=2)),
        sources=draw(st.lists(source, max_size=2)),
        seed=draw(st.none() | exact),
        phase=draw(st.integers(1, 5)),
        run=draw(st.none() | text),
    )


@st.composite
def reports(draw):
    return EvidenceReport(
        created=draw(text),
        tool=draw(text),
        environment=draw(st.dictionaries(text, value, max_size=2)),
        inputs=draw(st.dictionaries(text, text, max_size=2)),
        findings=draw(st.lists(findings(), max_size=2)),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports())
def test_every_report_follows_the_schema_and_comes_back_equal(report):
    text = report.to_json()
    VALIDATOR.validate(json.loads(text))
    again = EvidenceReport.from_json(text)
    assert again == report
    assert again.to_json() == text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(findings())
def test_every_finding_comes_back_from_its_canonical_form(finding):
    data = canonical(finding.to_dict())
    assert canonical(Finding.from_dict(strict_loads(data)).to_dict()) == data


def _report(**changes):
    finding = {
        "check": "a.b",
        "title": "t",
        "stage": Stage.TRAINING,
        "verdict": Verdict.MEASURED,
        "statement": "s",
        "sources": [Source(title="x")],
        "estimates": [Estimate(name="e", value=1, unit="1", n=2, n_unit="p", estimand="m", reason="all of them")],
        **changes,
    }
    return EvidenceReport(created="c", tool="t", environment={}, inputs={}, findings=[Finding(**finding)])


@pytest.mark.parametrize("path", [(), ("findings", 0), ("findings", 0, "sources", 0), ("findings", 0, "estimates", 0)])
def test_the_schema_refuses_unknown_and_missing_fields(path):
    for change in ("extra", "missing"):
        data = json.loads(_report().to_json())
        place = data
        for step in path:
            place = place[step]
        if change == "extra":
            place["extra"] = 1
        else:
            place.pop(sorted(place)[0])
        assert not VALIDATOR.is_valid(data)
        with pytest.raises(SchemaError, match=r"schema version|a report of this package"):
            EvidenceReport.from_json(json.dumps(data))


@pytest.mark.parametrize(
    "change",
    [{"verdict": "passed"}, {"verdict": "not_assessable"}, {"verdict": "fine"}, {"stage": "other"}, {"phase": 6}],
)
def test_the_schema_holds_what_the_classes_hold(change):
    data = json.loads(_report().to_json())
    data["findings"][0].update(change)
    assert not VALIDATOR.is_valid(data)
    with pytest.raises(SchemaError, match="a report of this package"):
        EvidenceReport.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": 1.0, "reason": None}, "has no interval"),
        ({"value": None, "reason": None}, "undefined estimate needs a reason"),
        ({"value": 1.0, "low": 0.5}, "needs both ends"),
        ({"value": 1.0, "low": 2.0, "high": 1.0, "level": 0.9, "method": "m"}, "must be ordered"),
        ({"value": 1.0, "low": 0.0, "high": 1.0, "method": "m"}, "name its level and method"),
        ({"value": None, "low": 0.0, "high": 1.0}, "undefined estimate"),
        ({"value": 1.0, "n_valid": 9}, "between 0 and n"),
        ({"value": float("nan")}, "must be finite"),
    ],
)
def test_no_estimate_stands_without_what_is_needed_to_read_it(changes, message):
    given = {"name": "e", "unit": "1", "n": 2, "n_unit": "p", "estimand": "m", "reason": "r", **changes}
    with pytest.raises(InputError, match=message):
        Estimate(**given)


def test_a_judgement_needs_a_limit_and_a_missing_one_a_reason():
    with pytest.raises(InputError, match="needs a limit with its source"):
        _report(verdict=Verdict.PASSED)
    with pytest.raises(InputError, match="needs a reason"):
        _report(verdict=Verdict.NOT_ASSESSABLE)
    with pytest.raises(InputError, match="must be 1 to 5"):
        _report(phase=0)
    with pytest.raises(InputError, match="must have a title"):
        Source(title=" ")


@pytest.mark.parametrize(
    ("direction", "side", "expected"),
    [
        (Direction.AT_LEAST, Side.VALUE, False),
        (Direction.AT_MOST, Side.VALUE, True),
        (Direction.AT_LEAST, Side.HIGH, True),
        (Direction.AT_LEAST, Side.LOW, False),
    ],
)
def test_a_limit_accepts_one_side_of_one_number(direction, side, expected):
    estimate = Estimate(
        name="e", value=0.5, low=0.2, high=0.9, level=0.9, method="m", unit="1", n=2, n_unit="p", estimand="m"
    )
    limit = Limit(estimate="e", value=0.7, direction=direction, side=side, source=Source(title="x"))
    assert limit.accepts(estimate) is expected
    undefined = Estimate(name="e", value=None, unit="1", n=0, n_unit="p", estimand="m", reason="r")
    assert limit.accepts(undefined) is None


def test_evidence_cannot_be_changed():
    with pytest.raises(TypeError, match="cannot be changed"):
        plain({"a": 1})["a"] = 2
    with pytest.raises(AttributeError, match="cannot assign"):
        Source(title="x").title = "y"
    import copy
    import pickle

    assert pickle.loads(pickle.dumps(plain({"a": (1,)}))) == copy.deepcopy(FrozenDict(a=(1,)))


def test_array_scalars_become_numbers_and_other_types_are_refused():
    assert plain({"b": np.float32(0.5), "a": np.arange(2)}) == {"a": (0, 1), "b": 0.5}
    assert list(plain({"b": 1, "a": 2})) == ["a", "b"]
    for bad, message in (({1: 2}, "Keys of evidence"), (float("inf"), "must be finite"), (b"x", "must be JSON")):
        with pytest.raises(InputError, match=message):
            plain(bad)


def test_another_schema_version_is_refused():
    with pytest.raises(SchemaError, match="schema version 1"):
        EvidenceReport(created="c", tool="t", environment={}, inputs={}, findings=[], schema_version="2")
    for bad in ("", "[]", '{"a": 1}', "null"):
        with pytest.raises(SchemaError, match=r"Expected a report|schema version"):
            EvidenceReport.from_json(bad)

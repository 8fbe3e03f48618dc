# SPDX-License-Identifier: Apache-2.0
"""A report as a run leaves it: a planted gap, small groups, a missing label, copies, a refused item."""

from dataclasses import replace

import pytest

from monai_ethics.evidence import (
    Curve,
    Direction,
    Estimate,
    EvidenceReport,
    Finding,
    Limit,
    Observation,
    Source,
    Stage,
    Verdict,
)

NO_LINE = "No interval: a line of this kind has none."
POLICY = Source(title="Department policy", locator="section 2", url="https://example.org/policy")
HOSTILE = "</script><img src=x onerror=alert(1)>&\"'`$\\frac{$\x00\x1b[31m[/][red]x[/red]|*_#\u202e\ud800 شمال "
KEPT = ("verdict", "stage", "direction", "side", "schema_version", "created")
PAPER = Source(
    title="Fairness of medical imaging models", locator="section 4.2", url="https://arxiv.org/abs/2502.02076"
)
GROUPS = {
    ("sex",): {("F",): (104, -0.004), ("M",): (98, 0.003), (None,): (12, -0.02)},
    ("age_band",): {("[18, 40)",): (71, 0.012), ("[40, 65)",): (88, 0.0), ("[65, 90)",): (55, -0.018)},
    ("site",): {("north",): (120, 0.021), ("south",): (63, -0.004), ("harbor",): (31, -0.128)},
    ("sex", "site"): {
        ("F", "north"): (60, 0.018), ("F", "south"): (31, -0.009), ("F", "harbor"): (13, -0.171),
        ("M", "north"): (57, 0.023), ("M", "south"): (30, 0.002), ("M", "harbor"): (11, -0.09),
        (None, "north"): (3, None),
        (None, "south"): (2, None), (None, "harbor"): (7, None),
    },
}  # fmt: skip
SMALL = "Fewer than 10 patients: too few for a number that means anything."


def _row(name, value, half, n, group, *, unit="1", valid=None, method, estimand="median over patients"):
    if value is None:
        return Estimate(
            name=name,
            value=None,
            unit=unit,
            n=n,
            n_unit="patients",
            estimand=estimand,
            n_valid=0,
            group=group,
            reason=SMALL,
        )
    return Estimate(
        name=name, value=value, unit=unit, n=n, n_unit="patients", estimand=estimand, n_valid=valid, low=value - half,
        high=value + half, level=0.95, method=method, group=group,
    )  # fmt: skip


def _scores(metric, base, scale, unit, better):
    rows = []
    cells = [({}, 214, 0.0)]
    cells += [
        (dict(zip(keys, labels, strict=True)), n, shift)
        for keys, row in GROUPS.items()
        for labels, (n, shift) in row.items()
    ]
    for group, n, shift in cells:
        value = None if shift is None else base + scale * shift
        half = abs(scale) * 0.22 / n**0.5
        rows.append(_row("median", value, half, n, group, unit=unit, method="exact order statistics"))
        rows.append(
            _row(
                "mean", None if value is None else value - 0.011 * scale, half, n, group, unit=unit, method="t interval"
            )
        )
        failing = None if shift is None else 0.03 + max(0, -shift) * 0.9
        rows.append(
            _row(
                "failure_rate",
                failing,
                None if failing is None else min(failing, 0.3 / n**0.5),
                n,
                group,
                method="Wilson",
                estimand="share of patients",
            )
        )
    return Finding(
        check="fairness.group_scores",
        title="How well does it do in each group?",
        stage=Stage.EVALUATION,
        verdict=Verdict.MEASURED,
        statement=f"The median of {metric} over 214 patients is {base:.3f}; by site "
        f"it runs from {base + scale * -0.128:.3f} (harbor) to {base + scale * 0.021:.3f} (north). "
        "In 7 patients a lesion was missed altogether.",
        requirements=("FMF-03", "MIS-12"),
        subjects=(metric,),
        estimates=rows,
        accounting={"scored": 205, "missed": 7, "true_negative": 2},
        parameters={"higher_is_better": better, "min_n": 10, "level": 0.95},
        limitations=(
            "Labels drawn by one reader may differ by group; scores inherit that.",
            "Not shown is not absent: small groups hide large differences.",
        ),
        sources=(PAPER,),
    )


GAPS = {
    "sex": (0.007, 0.006, 0.016, 0.61),
    "age_band": (0.030, 0.012, 0.028, 0.04),
    "site": (0.149, 0.014, 0.031, 0.0001),
    "sex*site": (0.194, 0.031, 0.062, 0.0002),
}


def _gap(metric, scale, unit, attribute, limit):
    seen, mean, high, p = GAPS[attribute]

    def plain(name, value, unit, reason="A description of this data set."):
        return Estimate(
            name=name, value=value, unit=unit, n=214, n_unit="patients", estimand="finite sample", reason=reason
        )

    keys = tuple(attribute.split("*"))
    labels = [labels for labels, (_, shift) in GROUPS.get(keys, {}).items() if shift is not None and None not in labels]
    pairs = []
    for i, first in enumerate(labels[:4]):
        for second in labels[i + 1 : 4]:
            d = (GROUPS[keys][first][1] - GROUPS[keys][second][1]) * scale
            name = {key: f"{a} - {b}" for key, a, b in zip(keys, first, second, strict=True)}
            pairs.append(
                _row(
                    "difference",
                    d,
                    0.03 * abs(scale),
                    GROUPS[keys][first][0] + GROUPS[keys][second][0],
                    name,
                    unit=unit,
                    method="Hodges-Lehmann, Holm-adjusted",
                )
            )
    k = abs(scale)
    rows = [
        plain("max_min_gap", seen * k, unit),
        plain("gap_null_mean", mean * k, unit),
        plain("gap_null_95th", high * k, unit),
        plain("p_value", p, "1", "A p-value has no interval."),
        plain("minimum_detectable_gap", 0.05 * k, unit),
        *pairs,
    ]
    verdict = Verdict.MEASURED if limit is None else (Verdict.PASSED if limit.accepts(rows[0]) else Verdict.FAILED)
    more = "larger than chance alone gives" if seen > high else "no larger than chance alone gives"
    return Finding(
        check="fairness.score_gap",
        title="Is the difference between groups more than chance?",
        stage=Stage.EVALUATION,
        verdict=verdict,
        statement=f"Between groups of {attribute} the median of {metric} differs by {seen * k:.3f}: {more} (p = {p}).",
        requirements=("FMF-04",),
        subjects=(metric, attribute),
        estimates=rows,
        accounting={"used": 202, "not recorded": 12},
        parameters={"attribute": attribute, "permutations": 10000},
        limit=limit,
        limitations=("A large p-value does not show that there is no difference.",),
        sources=(PAPER,),
        seed=7,
    )


def _members():
    def count(name, value):
        return Estimate(
            name=name,
            value=value,
            unit="patients",
            n=160,
            n_unit="training patients",
            estimand="count in this data set",
            reason="A count has no interval.",
        )

    none = {"estimand": "precedence test", "reason": "A p-value has no interval."}
    p = Estimate(name="p_value", value=0.00003, unit="1", n=320, n_unit="patients", **none)
    return Finding(
        check="synthesis.memorization_membership",
        title="Does the generator give away whom it was trained on?",
        stage=Stage.TRAINING,
        verdict=Verdict.WARNED,
        statement="15 training patients lie closer to a synthetic image than any of 160 held-out patients; "
        "5 would be noticed. The closest pairs are listed for review.",
        requirements=("SYN-Q3",),
        subjects=("raw pixels 16 x 16",),
        estimates=(count("closer_patients", 15), count("smallest_detectable", 5), p),
        observations=tuple(
            Observation(
                label="nearest pair",
                items=(f"syn-{i:02d}a9c1", f"pat-{i * 7:02d}be03"),
                value=0.0 + i * 0.0031,
                unit="1",
                note="identical digest" if i == 0 else "",
            )
            for i in range(6)
        ),
        accounting={"training patients": 160, "held-out patients": 160, "synthetic images": 400},
        parameters={"size": 16},
        limitations=(
            "It looks at copies of images, not at what a model could reveal in other ways.",
            "Synthetic images are not patients: nothing here says that they look right.",
        ),
        sources=(Source(title="A precedence test for exchangeable training and held-out patients"),),
        seed=3,
    )


def _guard_and_coverage():
    count = {"estimand": "count", "reason": "A count has no interval."}
    rows = (Estimate(name="refused", value=1, unit="items", n=201, n_unit="items", **count),)
    limit = Limit(estimate="refused", value=0, direction=Direction.AT_MOST, source=POLICY)
    note = "same voxels as a registered synthetic image"
    guard = Finding(
        check="provenance.synthetic_guard", title="Are synthetic images hidden in the list of patients?",
        stage=Stage.COLLECTION, verdict=Verdict.FAILED, requirements=("LIF-P2",), estimates=rows, limit=limit,
        statement="1 of 201 items is a registered synthetic image that is not marked as one: "
        "it was refused by its digest.",
        observations=(
            Observation(label="refused", items=("item-6b1f0c", "rec-99ad0e41"), value=None, unit="1", note=note),
        ),
        accounting={"admitted": 200, "refused": 1}, parameters={"policy": "deny-list"},
        limitations=("An image changed enough to have another digest is not recognized.",),
        sources=(Source(title="DICOM PS3.3 C.12.1", url="https://dicom.nema.org/"),),
    )  # fmt: skip
    coverage = Finding(
        check="lifecycle.run_coverage", title="Did the evidence see everything that ran?", stage=Stage.EVALUATION,
        verdict=Verdict.MEASURED, statement="Both engines of the run were observed from start to end.",
        estimates=(Estimate(name="engines_observed", value=2, unit="engines", n=2, n_unit="engines", **count),),
        accounting={"observed": 2, "not observed": 0},
    )  # fmt: skip
    lost = Finding(
        check="fairness.score_gap", title="Is the difference between groups more than chance?", stage=Stage.EVALUATION,
        verdict=Verdict.NOT_ASSESSABLE, statement="The difference by scanner was not examined.",
        subjects=("val_mean_dice", "scanner"), parameters={"attribute": "scanner"},
        reason="No label was recorded for any patient: the column is empty.", accounting={"not recorded": 214},
    )  # fmt: skip
    return guard, coverage, lost


@pytest.fixture
def report():
    limit = Limit(estimate="max_min_gap", value=0.1, direction=Direction.AT_MOST, source=POLICY)
    guard, coverage, lost = _guard_and_coverage()
    findings = [_scores("val_mean_dice", 0.861, 1.0, "1", True), _scores("val_hd95", 4.2, -14.0, "mm", False)]
    findings += [_gap("val_mean_dice", 1.0, "1", name, limit if name == "site" else None) for name in GAPS]
    findings += [_gap("val_hd95", -14.0, "mm", name, None) for name in GAPS]
    findings += [lost, _members(), guard, coverage]
    return EvidenceReport(
        created="2026-03-02T09:14:00Z",
        tool="monai_ethics 0.1.0",
        environment={"python": "3.11.9", "monai": "1.6.1", "device": "cpu", "run": "demo-1"},
        inputs={"bundle configuration": "5f" * 32, "model weights": "a1" * 32},
        findings=findings,
    )


@pytest.fixture
def integrity():
    return {
        "status": "intact-signer-unknown",
        "text": "Unchanged since it was signed.",
        "head": "c3" * 32,
        "entries": 41,
    }


def _worse(value, key="", *, bad=HOSTILE, kept=KEPT):
    if isinstance(value, str):
        return value if key in kept else value + bad
    if isinstance(value, list):
        return [_worse(item, key, bad=bad, kept=kept) for item in value]
    if isinstance(value, dict):
        free = bad if key in ("group", "accounting", "parameters", "environment", "inputs") else ""
        return {name + free: _worse(item, name, bad=bad, kept=kept) for name, item in value.items()}
    return value


@pytest.fixture
def hostile(report):
    """The same report with every free text, key and label made hostile."""
    return EvidenceReport.from_dict(_worse(report.to_dict()))


@pytest.fixture
def hostile_text():
    return HOSTILE


@pytest.fixture
def empty():
    return EvidenceReport(created="2026-03-02T09:14:00Z", tool="monai_ethics", environment={}, inputs={}, findings=())


def _line(name, x, y, group, n, *, names=("x", "y"), half=None):
    ends = {"reason": NO_LINE} if half is None else {
        "low": [max(v - half, 0.0) for v in y], "high": [min(v + half, 1.0) for v in y], "level": 0.95,
    }  # fmt: skip
    return Curve(
        name=name, x_name=names[0], y_name=names[1], x=x, y=y, group=group, n=n, n_unit="cases", method="made", **ends
    )


def _lines(group, n, shift):
    part = [i / 20 for i in range(21)]
    yield _line("roc", part, [x ** (0.25 - shift) for x in part], group, n)
    yield _line("tpr_by_threshold", part, [1 - x ** (2 + 8 * shift) for x in part], group, n, names=("threshold", "y"))
    mean = ("mean predicted probability", "observed share")
    yield _line("reliability", part[1::4], [min(x + shift, 1.0) for x in part[1::4]], group, n, names=mean, half=0.1)
    dice = [x for x in part if x < 0.95]
    yield _line("distribution", part, [x**4 * (1 - x) ** 0.5 for x in part], group, n, names=("Dice", "density"))
    yield _line("quantiles", part[1:20], [min(0.5 + x / 2 + shift, 1.0) for x in dice], group, n, names=("p", "Dice"))


@pytest.fixture
def classified(request):
    """A finding of rates by group with curves; as many sites as the parameter says."""
    cells = [({}, 400, 0.0), ({"sex": "F"}, 200, -0.05), ({"sex": "M"}, 200, 0.05)]
    cells += [({"site": f"s{i}"}, 60 + i, (i % 7 - 3) / 40) for i in range(getattr(request, "param", 3))]
    cells += [({"site": None}, 4, None), ({"sex*site": "F*s0"}, 40, -0.1), ({"sex*site": "M*s0"}, 41, 0.08)]
    cells += [({"sex*site": "F*s1"}, 30, -0.02), ({"sex*site": "M*s2"}, 3, None)]
    rates = {"tpr": 0.88, "fpr": 0.12, "ppv": 0.61, "selection_rate": 0.2}
    rows = [
        _row(name, None if s is None else base + s * (-1 if name == "fpr" else 1), 0.04, n, g, method="Wilson")
        for name, base in rates.items()
        for g, n, s in cells
    ]
    curves = [line for g, n, s in cells if s is not None and "sex*site" not in g for line in _lines(g, n, s)]
    return Finding(
        check="fairness.group_rates", title="How often is it right in each group?", stage=Stage.EVALUATION,
        verdict=Verdict.MEASURED, statement="Of all with the finding 88 % were found.", subjects=("pneumonia",),
        estimates=rows, curves=curves, parameters={"threshold": 0.4, "level": 0.95},
        limitations=("Labels may differ.",),
    )  # fmt: skip


@pytest.fixture
def compared(report):
    """A gap of a rate with its test, its level and its distribution under shuffled labels."""
    finding = next(item for item in report.findings if item.subjects == ("val_mean_dice", "site"))
    null = _line("gap_null", [i / 100 for i in range(1, 8)], [0.1, 0.3, 0.3, 0.15, 0.1, 0.04, 0.01], {}, 214)
    rows = [replace(row, name={"p_value": "p_adjusted"}.get(row.name, row.name)) for row in finding.estimates]
    rows = [
        replace(row, group={"site": " - ".join(row.group["site"].split(" - "))} if row.group else {}) for row in rows
    ]
    settings = {"level": 0.95, "attribute": "site"}
    return replace(finding, check="fairness.rate_gap", subjects=("pneumonia_tpr", "site"), estimates=rows,
                   curves=[null], limit=None, verdict=Verdict.MEASURED, parameters=settings)  # fmt: skip


def _count(name, value, group, *, unit="patients"):
    known = {"reason": "A count has no interval."}
    return Estimate(
        name=name, value=value, unit=unit, n=value or 0, n_unit="patients", estimand="count", group=group, **known
    )


@pytest.fixture
def present():
    """Who is in the data: counts by group, an empty combination, and a label nobody has."""
    groups = [({}, 214, 60), ({"sex": "F"}, 110, 30), ({"sex": "M"}, 98, 28), ({"sex": None}, 6, 2)]
    rows = [_count(name, value, g) for g, n, p in groups for name, value in (("patients", n), ("positives", p))]
    none = [
        Observation(label="empty cell", items=("sex*site", "M*harbor"), value=0.0, unit="patients", note="nobody"),
        Observation(label="absent label", items=("sex", "X"), value=0.0, unit="patients", note="expected, not there"),
    ]
    return Finding(
        check="fairness.representation", title="Who is in these data, and who is not?", stage=Stage.COLLECTION,
        verdict=Verdict.MEASURED, statement="214 patients; of 6 the sex was not recorded.", estimates=rows,
        observations=none,
    )  # fmt: skip


@pytest.fixture
def told(report, classified, compared, present):
    """The report with findings of classification, and of who is in the data."""
    return replace(report, findings=(*report.findings, classified, compared, present))


@pytest.fixture
def hostile_told(told):
    """Every free text and label made hostile, but names kept, so that all pictures and sentences are made."""
    bad = HOSTILE.replace("*", "")
    found = EvidenceReport.from_dict(_worse(told.to_dict(), bad=bad, kept=(*KEPT, "name", "unit", "subjects")))
    pairs = zip(found.findings, told.findings, strict=True)
    return replace(found, findings=[replace(bad, parameters=good.parameters) for bad, good in pairs])

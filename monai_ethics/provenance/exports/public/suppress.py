# SPDX-License-Identifier: Apache-2.0
"""Findings for the public: what tells a small cell, or helps to work one out, is left out of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Source, Verdict
from monai_ethics.provenance.exports.public.cells import (
    ANALYZED,
    CALLED,
    DECISIONS,
    FOUND,
    LABELS,
    RATES,
    ROW_NAMES,
    SCORED,
    SIZE,
    SIZES,
    bases_of,
    cells_of,
    counted_by,
    derived,
    family_of,
    is_crossing,
    is_unsafe,
    numbers_of,
    place_of,
    related,
)
from monai_ethics.provenance.exports.public.closure import Hidden, hidden_rows
from monai_ethics.provenance.exports.public.words import public_settings, public_subjects, public_text

__all__ = ["LEAST", "RULE", "Public", "for_the_public"]

#: smallest count that is shown, but for 0
LEAST = 11
#: units that are neither people nor images of them
NOT_PEOPLE = ("engines", "seeds")
#: what an estimate that is no share tells of how many there are
SIZED = ("n", "valid", "lacking")
#: numbers on scores that rest on a group's own cases only
OWN = ("auc", "average_precision")
#: checks whose medians and ends of intervals are scores of single patients, and their numbers that are rounded
SINGLE = ("fairness.group_scores", "fairness.score_gap")
ROUNDED = ("difference", "max_min_gap", "mean", "median", "shrunk_mean")
RULE = Source(
    title="CMS Cell Size Suppression Policy",
    locator="no cell of 1 to 10 shown or derivable; a value of zero does not violate it; version of 2017-05-08",
    url="https://www.hhs.gov/guidance/document/cms-cell-suppression-policy",
)


@dataclass(frozen=True, kw_only=True)
class Public:
    """What may be told.

    Args:
        findings: the findings, in their order.
        shown: estimates that are left.
        left_out: what was left out, by kind.
    """

    findings: tuple[Finding, ...]
    shown: int
    left_out: dict[str, int]


def for_the_public(findings: Sequence[Finding], *, least: int = LEAST) -> Public:
    """Leave out what tells, or lets one work out, a count of 1 to `least` - 1.

    Args:
        findings: the findings of a whole report: a count that one hides another must not tell.
        least: smallest count that is shown, but for 0.

    Returns:
        The findings without single cases, curves, seeds and pseudonyms, and without what is hidden.

    Raises:
        InputError: if `least` is below 2.

    References:
        CMS Cell Size Suppression Policy (2017). A. Hundepool et al., Statistical Disclosure Control (2012), chapter 4,
        on complementary suppression and feasible ranges.
    """
    if least < 2:
        raise InputError("The smallest cell that is shown must be at least 2: got less. Give the policy's number.")
    subjects = [finding.subjects[0] if finding.subjects else "" for finding in findings]
    hidden = hidden_rows(cells_of(findings), subjects=subjects, least=least)
    alike = _alike(findings, least)
    kept = [_kept(place, finding, findings, hidden, alike, least) for place, finding in enumerate(findings)]
    clean = all(len(rows) == len(f.estimates) for rows, f in zip(kept, findings, strict=True)) and not hidden.anything
    if not clean:  # adjusted p-values of one comparison rest on those of all others
        kept = [[row for row in rows if not row.name.endswith("p_adjusted")] for rows in kept]
    made = [_told(f, rows, least, hidden=hidden.anything) for f, rows in zip(findings, kept, strict=True)]
    left: Counter[str] = Counter()
    if (pairs := sum(len(finding.observations) for finding in findings)) >= least:
        left["observations"] = pairs  # fewer are single people or images themselves
    for finding, rows in zip(findings, kept, strict=True):
        left["estimates"] += len(finding.estimates) - len(rows)
        left["findings_with_hidden_numbers"] += len(rows) < len(finding.estimates)
        left["curves"] += len(finding.curves)
    return Public(findings=tuple(made), shown=sum(map(len, kept)), left_out=dict(sorted(left.items())))


def _kept(
    place: int, finding: Finding, findings: Sequence[Finding], hidden: Hidden, alike: set[int], least: int
) -> list[Estimate]:
    if place in hidden.whole:
        return []
    if finding.check not in ANALYZED:
        return (
            [] if _unknown(finding) or place in alike or _small(finding.estimates, least) else list(finding.estimates)
        )
    if derived(finding):
        return list(finding.estimates) if _comparable(finding, findings, hidden, least) else []
    if finding.check in SCORED:
        return _scored(finding, findings, hidden, least)
    return [estimate for estimate in finding.estimates if _shown(place, finding, estimate, hidden)]


def _unknown(finding: Finding) -> bool:
    """Whether it speaks of groups in a way that is not worked out here."""
    grouped = finding.check.startswith("fairness.") or any(estimate.group for estimate in finding.estimates)
    return grouped and finding.check not in ANALYZED


def _small(estimates: Sequence[Estimate], least: int, *, parts: Sequence[str] | None = None) -> bool:
    """Whether one tells a small count; of numbers that are no shares only `SIZED` parts do."""
    counted = [estimate for estimate in estimates if estimate.n_unit not in NOT_PEOPLE]
    told = (item for e in counted for item in numbers_of(e).items())
    return any(is_unsafe(value, least) for part, value in told if parts is None or part in parts)


def _alike(findings: Sequence[Finding], least: int) -> set[int]:
    """Findings of one check about one thing whose numbers differ by a small count: of two runs, say."""
    known: dict[tuple[object, ...], dict[int, int]] = {}
    for place, finding in enumerate(findings):
        if finding.check not in ANALYZED:
            for estimate in finding.estimates:
                for part, value in numbers_of(estimate).items():
                    key = (finding.check, finding.subjects[:1], estimate.name, part)
                    known.setdefault(key, {})[place] = value
    pairs = (pair for rows in known.values() for pair in combinations(rows.items(), 2))
    return {place for (a, x), (b, y) in pairs if is_unsafe(x - y, least) for place in (a, b)}


def _comparable(finding: Finding, findings: Sequence[Finding], hidden: Hidden, least: int) -> bool:
    """Whether every group that a comparison rests on is shown."""
    name = str(finding.parameters.get("attribute") or "")
    attribute = "*".join(sorted(name.split("*")))
    families = _behind(finding, hidden)
    if not name or any(attribute in hidden.attributes.get(family, ()) for family in (SIZE, *families)):
        return False
    if any(family in hidden.families for family in families) or _small(finding.estimates, least, parts=SIZED):
        return False
    if any(related(finding, findings[place]) for family in families for place in hidden.findings.get(family, ())):
        return False
    known = {place_of(row.group)[0] for base in findings if counted_by(finding, base) for row in base.estimates}
    return attribute in known  # without the counts of its groups nobody can say whether they are small


def _behind(finding: Finding, hidden: Hidden) -> Sequence[str]:
    """The families on which a comparison rests."""
    if finding.check == "fairness.rate_gap":
        return {"tpr": (LABELS, FOUND), "fpr": (LABELS, CALLED)}.get(str(finding.parameters.get("rate")), DECISIONS)
    if finding.check != "fairness.score_gap":
        return DECISIONS
    metric = finding.subjects[0] if finding.subjects else ""
    scores = [family for family in hidden.rows if family not in (SIZE, *DECISIONS)]
    own = [family for family in scores if family == f"score:{metric}"]
    own += [family for family in scores if family == f"failure_rate:{metric.removesuffix('_missed')}" and not own]
    return own or scores


def _scored(finding: Finding, findings: Sequence[Finding], hidden: Hidden, least: int) -> list[Estimate]:
    """Numbers on scores that may be shown: the cases with and without the finding that they rest on are."""
    bases = [place for place, base in enumerate(findings) if counted_by(finding, base)]
    if hidden.families & {SIZE, *DECISIONS} or set().union(*hidden.findings.values()) & set(bases):
        return []
    sizes: dict[tuple[str, str], set[int]] = {}
    for estimate in (row for place in bases for row in findings[place].estimates if row.name in SIZES):
        sizes.setdefault(place_of(estimate.group), set()).add(round(estimate.value or 0))
    return [
        row
        for row in finding.estimates
        if row.value is not None
        and row.name not in (*SIZES, "positives")  # those of the decisions stand for them
        and _open(row, hidden)
        and _whole(row, sizes.get(place_of(row.group)), least)
    ]


def _open(estimate: Estimate, hidden: Hidden) -> bool:
    row = place_of(estimate.group)
    if any(row in hidden.rows.get(family, ()) for family in (SIZE, *DECISIONS)):
        return False
    broken = any(row[0] in hidden.attributes.get(family, ()) for family in (SIZE, *DECISIONS))
    return not (row[0] and broken) or (estimate.name in OWN and not is_crossing(row[0]))


def _whole(estimate: Estimate, sizes: set[int] | None, least: int) -> bool:
    """Whether it rests on the cases that were counted, or on clearly others."""
    numbers = (estimate.n, estimate.n if estimate.n_valid is None else estimate.n_valid)
    apart = any(is_unsafe(size - n, least) for size in sizes or () for n in numbers)
    return sizes is not None and not apart and not _small([estimate], least, parts=SIZED)


def _shown(place: int, finding: Finding, estimate: Estimate, hidden: Hidden) -> bool:
    row, name = place_of(estimate.group), estimate.name
    family = SIZE if name in SIZES else family_of(finding, name)
    families = [one for one in (family, *bases_of(family)) if one != RATES]
    about = () if name == "missing_share" or family == SIZE else families
    if family in hidden.families or any(
        one in hidden.families or place in hidden.findings.get(one, ()) for one in about if one != SIZE
    ):
        return False
    if not row[0]:
        return True
    if any(row in hidden.rows.get(one, ()) for one in families):
        return False
    broken = any(row[0] in hidden.attributes.get(one, ()) for one in families)
    return not broken or (name in ROW_NAMES and not is_crossing(row[0]))


def _told(finding: Finding, rows: Sequence[Estimate], least: int, *, hidden: bool) -> Finding:
    """A finding with what is left, and words that tell no more."""
    lost = len(finding.estimates) - len(rows)
    by_group = finding.check.startswith("fairness.")
    whole = (
        not lost and not _unknown(finding) and (bool(rows) or not (hidden and by_group))
    )  # what had no numbers reads like what lost them
    counted = not (hidden and by_group) and not any(is_unsafe(count, least) for count in finding.accounting.values())
    text = public_text(finding.statement, least) if whole and counted else None
    note = f"Public copy: {lost} of {len(finding.estimates)} numbers are hidden, because a count of 1 to {least - 1} "
    note += "people or cases stands in one of them or could be worked out with it."
    limitations = [told for item in finding.limitations if (told := public_text(item, least if whole else None))]
    withheld = "Not told in the public copy, or not judged at all: it rests on numbers that are hidden there."
    judged = whole or (bool(rows) and finding.verdict is Verdict.MEASURED)
    return replace(
        finding,
        verdict=finding.verdict if judged else Verdict.NOT_ASSESSABLE,
        statement=text or (f"{finding.title} The numbers that may be shown are listed." if rows else withheld),
        subjects=public_subjects(finding.subjects),
        estimates=[_plain(row, least, exact=finding.check not in SINGLE) for row in rows],
        observations=(),
        curves=(),
        accounting=finding.accounting if whole and counted else {},
        parameters=public_settings(finding.parameters),
        limit=finding.limit if judged else None,
        reason=(public_text(finding.reason, least) or (withheld if finding.reason else None)) if judged else withheld,
        limitations=[*limitations, *([note] if lost else [])],
        seed=None,
        run=None,
    )


def _plain(row: Estimate, least: int, *, exact: bool) -> Estimate:
    """An estimate whose words tell no count, and whose number is not that of one patient."""
    told = replace(
        row,
        estimand=public_text(row.estimand, least) or row.name,
        method=public_text(row.method, least) or ("as in the source" if row.method else None),
        reason=public_text(row.reason, least) or ("not told in the public copy" if row.reason else None),
    )
    if exact or row.name not in ROUNDED:
        return told
    value, low, high = (None if each is None else float(f"{each:.3g}") for each in (row.value, row.low, row.high))
    return replace(told, value=value, low=low, high=high)

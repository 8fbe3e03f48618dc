# SPDX-License-Identifier: Apache-2.0
"""What a sentence promises, held against the results it names: one code for each promise that is not kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from monai_ethics.evidence import UNJUDGED, Estimate, Finding, Verdict
from monai_ethics.lifecycle.claim_numbers import other_attribute, other_number
from monai_ethics.lifecycle.claim_results import (
    Linked,
    ResultName,
    at_stake,
    find,
    neutral_of,
    p_and_level,
)
from monai_ethics.lifecycle.claim_words import WordLists, kinds_of

__all__ = ["FAMILIES", "PROBLEMS", "problems_of"]

#: code of a problem to what is said of it
PROBLEMS: Mapping[str, str] = {
    "no_result": "It names no result.",
    "dangling": "It names a result that the evidence does not have.",
    "ambiguous": "The name fits several results: add `#subject`, or judge one run with --run-id.",
    "no_answer": "It rests on a result that could not be judged, or that somebody stated and nobody measured.",
    "no_value": "It rests on a number that has no value.",
    "other_number": "It gives a number that none of the results it names holds: state theirs, rounded.",
    "nothing_to_check": "It holds neither a number nor a word that is looked up: say the number that was measured.",
    "other_attribute": "It speaks of an attribute that none of the results it names is about.",
    "forbidden_word": "It holds a word that no result can carry: say what was measured, on whom, and how surely.",
    "no_test": "It speaks of significance, or of what was not shown, and no result it names holds a test.",
    "test_without_level": "It speaks of significance; the test it names states no level to be held against.",
    "test_says_otherwise": "The test it names says otherwise at the level that it states.",
    "no_comparison": "It compares, and names no difference with an interval and no test.",
    "chance_not_ruled_out": "It compares, and neither the interval nor the test it names rules chance out.",
    "other_direction": "The difference it names points the other way.",
    "direction_not_shown": "It says which is better; name the difference itself, and in `says` which way it goes.",
    "no_equivalence": "It says that there is no difference: that needs a margin of a test of equivalence that a "
    "policy sets, and that holds.",
    "one_sided": "It names the best group and not the worst.",
}
#: name of an estimate to the problems that it counts
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "claims_without_a_result": ("no_result", "dangling", "ambiguous", "no_answer", "no_value"),
    "claims_of_what_their_results_do_not_hold": ("other_number", "nothing_to_check", "other_attribute"),
    "claims_with_a_word_no_result_carries": ("forbidden_word",),
    "claims_of_significance_without_its_test": ("no_test", "test_without_level", "test_says_otherwise"),
    "comparisons_beyond_their_result": (
        "no_comparison",
        "chance_not_ruled_out",
        "other_direction",
        "direction_not_shown",
    ),
    "claims_of_equality_without_equivalence": ("no_equivalence",),
    "one_sided_claims": ("one_sided",),
}
DIRECTED = ("better", "worse", "higher", "lower")
PAIR = " - "  # between the labels of a pair of groups


def problems_of(
    text: str, results: Sequence[ResultName], *, says: str | None, findings: Sequence[Finding], lists: WordLists
) -> tuple[str, ...]:
    """Codes of `PROBLEMS` that a sentence has, in their order; empty if the results it names carry it.

    Args:
        text: the sentence.
        results: the results it names.
        says: which way it says that the difference goes, one of ``better``, ``worse``, ``higher``, ``lower``.
        findings: the results there are.
        lists: words that promise something.
    """
    kinds = kinds_of(text, lists)
    found = set(_links(results, findings))
    linked = [link for name in results for link in find(name, findings)[:1] if _answers(link)]
    if "forbidden" in kinds:
        found.add("forbidden_word")
    if not kinds and not any(map(str.isdigit, text)):
        found.add("nothing_to_check")
    if other_number(text, linked):
        found.add("other_number")
    if kinds - {"forbidden"} and other_attribute(text, linked, findings):
        found.add("other_attribute")
    found |= set(_significance(kinds, linked))
    if "equality" in kinds and not any(at_stake(link.finding) for link in linked):
        found.add("no_equivalence")
    found |= set(_comparison(kinds, linked, says=says, better=_Better(findings, lists)))
    if any(_one_sided(link, linked, _Better(findings, lists)) for link in linked):
        found.add("one_sided")
    return tuple(code for code in PROBLEMS if code in found)


def _links(results: Sequence[ResultName], findings: Sequence[Finding]) -> Iterator[str]:
    if not results:
        yield "no_result"
    for name in results:
        fits = find(name, findings)
        if not fits:
            yield "dangling"
        elif len(fits) > 1:
            yield "ambiguous"
        elif not _answers(fits[0]):
            yield "no_answer"
        elif all(row.value is None for row in fits[0].rows):
            yield "no_value"


def _answers(link: Linked) -> bool:
    return link.finding.verdict not in (*UNJUDGED, Verdict.ATTESTED)


def _significance(kinds: frozenset[str], linked: Sequence[Linked]) -> Iterator[str]:
    """A test has to stand behind the word, and to say the same."""
    claimed, denied = "significance" in kinds, "not_shown" in kinds
    if not claimed and not denied:
        return
    tests = [test for test in map(p_and_level, linked) if test is not None]
    if not tests:
        yield "no_test"
    for p, level in tests:
        if level is None:
            yield "test_without_level"
        elif claimed != denied and (p <= level) != claimed:
            yield "test_says_otherwise"


def _comparison(kinds: frozenset[str], linked: Sequence[Linked], *, says: str | None, better: _Better) -> Iterator[str]:
    """A word that compares needs a difference whose interval, or a finding whose test, rules chance out."""
    told: Set[str] = {says} if says is not None else kinds & set(DIRECTED)
    if not kinds & {*DIRECTED, "differs"}:
        return
    signed = [(link, row) for link in linked for row in link.rows if _compares(row)]
    if not linked or (not signed and not any(p_and_level(link) for link in linked)):
        yield "no_comparison"
        return
    sure = [pair for pair in signed if _beyond(*pair)]
    if not sure and not any(_passes(p_and_level(link)) for link in linked):
        yield "chance_not_ruled_out"
    if not kinds & set(DIRECTED):
        return
    pointed = signed if all(not link.whole for link, _ in signed) else sure
    ways = {_way(link, row, told, better, named=says is not None) for link, row in pointed}
    if not ways or None in ways:
        yield "direction_not_shown"
    if False in ways:
        yield "other_direction"


def _compares(row: Estimate) -> bool:
    return row.value is not None and neutral_of(row) is not None


def _beyond(link: Linked, row: Estimate) -> bool:
    neutral = neutral_of(row)
    assert neutral is not None
    if row.low is not None and row.high is not None:
        return row.low > neutral or row.high < neutral
    return _passes(p_and_level(link, row))


def _passes(test: tuple[float, float | None] | None) -> bool:
    return test is not None and test[1] is not None and test[0] <= test[1]


def _way(link: Linked, row: Estimate, told: Set[str], better: _Better, *, named: bool) -> bool | None:
    """Whether a difference goes the way that is told; ``None`` if words alone do not tell which way that is."""
    neutral = neutral_of(row)
    if row.value is None or neutral is None or (not named and any(PAIR in str(part) for part in row.group.values())):
        return None
    up = better.of(link.finding, row)
    wanted: set[bool | None] = set()
    for word in told:
        if word in ("higher", "lower"):
            wanted.add(word == "higher")
        else:
            wanted.add(None if up is None else up == (word == "better"))
    if len(wanted) != 1 or None in wanted:
        return None
    return (row.value > neutral) == wanted.pop()


class _Better:
    """Which way is better, by the name of a number, by its finding, or by another finding of the same subject."""

    def __init__(self, findings: Sequence[Finding], lists: WordLists) -> None:
        self._names = lists.higher_is_better
        self._known: dict[str, bool] = {}
        for finding in findings:
            way = finding.parameters.get("higher_is_better")
            if isinstance(way, bool):
                self._known |= dict.fromkeys(finding.subjects, way)

    def of(self, finding: Finding, row: Estimate) -> bool | None:
        base = row.name
        for end in ("_difference", "_change", "_excess"):
            base = base.removesuffix(end)
        for name in (base, *(base[i + 1 :] for i, char in enumerate(base) if char == "_")):
            if name in self._names:
                return self._names[name]
        own = finding.parameters.get("higher_is_better")
        if isinstance(own, bool):
            return own
        for subject in finding.subjects:
            if subject in self._known:
                return self._known[subject]
            for name, way in self._names.items():
                if subject == name or subject.endswith(f"_{name}"):
                    return way
        return None


def _one_sided(link: Linked, linked: Sequence[Linked], better: _Better) -> bool:
    """Whether one group is named that is the best of its attribute, and no result named holds the worst."""
    if link.whole:
        return False
    named = [row for other in linked if other.finding == link.finding for row in other.rows]
    return any(_hides(row, link.finding, named, better) for row in link.rows)


def _hides(row: Estimate, finding: Finding, named: Sequence[Estimate], better: _Better) -> bool:
    if not row.group or row.value is None or neutral_of(row) is not None:
        return False
    others = [
        (other.value, other)
        for other in finding.estimates
        if other.name == row.name and tuple(other.group) == tuple(row.group) and other.value is not None
    ]
    low = min(value for value, _ in others)
    high = max(value for value, _ in others)
    if low == high:
        return False
    up = better.of(finding, row)
    ends = {True: [(high, low)], False: [(low, high)], None: [(high, low), (low, high)]}[up]
    shown = {each.value for each in named if each.name == row.name}
    return any(row.value == best and worst not in shown for best, worst in ends)

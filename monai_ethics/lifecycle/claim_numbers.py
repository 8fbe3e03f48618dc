# SPDX-License-Identifier: Apache-2.0
"""Whether the numbers and the attribute that a sentence names are those of the results it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.lifecycle.claim_results import Linked, p_and_level

__all__ = ["other_attribute", "other_number"]

BELOW_P = re.compile(r"\bp\s*(?:[-\s]?values?)?\s*(?:<=|<|≤|below)\s*(0?\.\d+)")
TEST = re.compile(r"(?:^|_)p_(?:value|adjusted)$")
COUNTED = re.compile(r"(?<![\w.,-])(\d+)(?=\s(?:\w+\s)?(?:patients|people|persons|women|men|cases|images|scans)\b)")
# decimals and percentages; whole numbers may be ages, years and versions, unless people or images are counted
STATED = re.compile(
    r"(?<![\w.])([-+\u2212]?\d*\.\d+|[-+\u2212]?\d+(?=\s?(?:%|percent)))(?![\w]|\.\d)(\s?(?:%|percent))?"
)


def other_number(text: str, linked: Sequence[Linked]) -> bool:
    """Whether a sentence gives a decimal, percentage, count of people or bound of a p-value that no result holds.

    A number is held by a result if one of its values, ends of intervals, levels or p-values is equal to it, rounded to
    as many places as the sentence gives; of a share, what is left of it to 1 as well.
    """
    if not linked:
        return False
    tests = [test[0] for test in map(p_and_level, linked) if test is not None]
    named = [row for link in linked if not link.whole for row in link.rows]
    tests += [row.value for row in named if TEST.search(row.name) and row.value is not None]
    for found in BELOW_P.finditer(text):
        if not any(p <= float(found[1]) for p in tests):
            return True
    counts = {count for link in linked for count in _counts(link)}
    if any(int(found[1]) not in counts for found in COUNTED.finditer(text)):
        return True
    known = [value for link in linked for value in _values(link)] + tests
    left = BELOW_P.sub(" ", text)
    return not all(_held(number[1], number[2] is not None, known) for number in STATED.finditer(left))


def _values(link: Linked) -> Iterator[float]:
    level = link.finding.parameters.get("level")
    if isinstance(level, float):
        yield from (level, 1 - level)
    for row in link.rows:
        for value in (row.value, row.low, row.high, row.level):
            if value is not None:
                yield value
        yield from _rest(row)


def _counts(link: Linked) -> Iterator[int]:
    yield from link.finding.accounting.values()
    for row in link.rows:
        yield from (row.n, row.n if row.n_valid is None else row.n_valid)
        if row.value is not None and row.value == int(row.value):
            yield int(row.value)
        elif row.value is not None and row.unit == "1" and 0 < row.value < 1:
            yield from (round(row.value * row.n), row.n - round(row.value * row.n))


def _rest(row: Estimate) -> Iterator[float]:
    """What is left of a share: 6 % missed are 94 % found."""
    if row.unit == "1" and row.value is not None and 0 <= row.value <= 1:
        yield 1 - row.value


def _held(text: str, is_percent: bool, known: Sequence[float]) -> bool:
    places = len(text.partition(".")[2])
    stated = float(text.replace("\N{MINUS SIGN}", "-"))
    half = 0.5 * 10.0**-places + 1e-9
    return any(abs(abs(value) * (100 if is_percent else 1) - abs(stated)) <= half for value in known)


def other_attribute(text: str, linked: Sequence[Linked], findings: Sequence[Finding]) -> bool:
    """Whether a sentence names an attribute of the evidence that none of the results it names is about."""
    own = {name for link in linked for name in _attributes(link.finding)}
    said = {name for finding in findings for name in _attributes(finding) if _named(name, text)}
    return bool(linked and own and said) and not any(_named(name, text) for name in own)


def _attributes(finding: Finding) -> set[str]:
    named = {name for row in finding.estimates for name in row.group}
    single = finding.parameters.get("attribute")
    named |= {single} if isinstance(single, str) else set()
    return {part for name in named for part in name.split("*") if part}


def _named(attribute: str, text: str) -> bool:
    """By its name, or by the first word of it: `age_band` is named by "age"."""
    words = {attribute.replace("_", " "), attribute, attribute.partition("_")[0]}
    return any(re.search(rf"(?<!\w){re.escape(word.casefold())}s?(?!\w)", text.casefold()) for word in words if word)

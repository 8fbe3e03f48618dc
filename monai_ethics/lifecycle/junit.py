# SPDX-License-Identifier: Apache-2.0
"""A gate's answer as JUnit XML, which build servers read."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from monai_ethics.lifecycle.policy import GateResult, GateRow

__all__ = ["junit_xml"]

# what XML 1.0 cannot hold, escaped or not, and what hides text from a reader (controls, lone surrogates, bidirectional)
UNPRINTABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
    "|[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def junit_xml(result: GateResult) -> str:
    """Write a gate's answer as one test suite with one test case for each row.

    A row that refuses is a failure; one that could not be decided and that the policy accepts is skipped. There is
    no time in it: equal results give equal text.

    Args:
        result: answer of `monai_ethics.lifecycle.policy.gate`.

    Returns:
        XML 1.0 text.
    """
    failures = sum(row.refuses for row in result.rows)
    skipped = sum(_undecided(row) for row in result.rows)
    counts = {"tests": str(len(result.rows)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    suite = ElementTree.Element("testsuite", {"name": _clean(result.policy), **counts})
    for row in result.rows:
        name = " ".join([row.asked, *(f"[{text}]" for text in result.about(row))])
        case = ElementTree.SubElement(suite, "testcase", {"classname": _clean(row.check), "name": _clean(name)})
        observed = "" if row.observed is None else f"observed {row.observed:g}. "
        text = _clean(f"{observed}{row.reason or ''} Limit from: {row.source or 'the list of required checks'}".strip())
        if row.refuses:
            failure = ElementTree.SubElement(case, "failure", {"type": row.verdict, "message": text})
            failure.text = text
        elif _undecided(row):
            ElementTree.SubElement(case, "skipped", {"message": text})
    ElementTree.indent(suite, space=" ")
    body = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _undecided(row: GateRow) -> bool:
    return not row.refuses and row.verdict not in ("passed", "measured", "warned")


def _clean(text: str) -> str:
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)

# SPDX-License-Identifier: Apache-2.0
"""The report as Markdown: the same statements and numbers, without figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monai_ethics.evidence import Estimate, Finding
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.escape import coded_markdown as coded
from monai_ethics.reporting.escape import for_markdown as esc
from monai_ethics.reporting.escape import json_text, link
from monai_ethics.reporting.matrix import Matrix
from monai_ethics.reporting.names import name_told
from monai_ethics.reporting.published import DIFFERENCES, WEAKEST
from monai_ethics.reporting.quantity import (
    TIMES,
    WHOLE,
    counted,
    group_label,
    interval,
    name_label,
    number,
    percent,
    value_label,
)
from monai_ethics.reporting.represented import Represented
from monai_ethics.reporting.sections import Section, TableCell
from monai_ethics.reporting.telling import BRIEF, brief, brief_with_name, capital, limit_label
from monai_ethics.reporting.view import View
from monai_ethics.reporting.words import STAGE_NOTE, VERDICTS, words_of

__all__ = ["render_markdown"]

COLUMNS = ("number", "group", "value", "interval", "level", "n", "valid", "counts", "estimand", "method", "reason")

#: results without a number that are named for each reason; the tables hold them all
MOST = 12


def render_markdown(view: View) -> str:
    """The report as text; every line ends in a newline."""
    return "\n".join((*_first(view), *_questions(view), *_last(view))) + "\n"


def _first(view: View) -> Iterator[str]:
    """The opening page, in the order of the HTML page."""
    report = view.report
    yield from ("# Evidence report", "", f"Recorded {esc(report.created)} by {esc(report.tool)}.", "")
    if view.published:
        yield from ("## This is a copy for the public", "", *(f"- {esc(text)}" for text in view.published), "")
    yield from ("## At a glance", "")
    yield from (f"- {esc(name)}: {coded(text, view.codes)}" for name, text in view.facts)
    yield f"- Evidence: {esc(view.in_one_line)}"
    if (view.integrity or {}).get("head"):
        yield f"- Fingerprint: {esc((view.integrity or {})['head'])}"
    yield from (f"- Check it: {esc(view.command)}", "")
    yield from (f"- {words.mark} {count} {TIMES} {words.within}" for words, count in view.verdicts)
    if view.cautions:
        yield from ("", *map(esc, view.cautions))
    yield from ("", "## What was found", "")
    for item in view.answered:
        words = words_of(item.finding)
        about = f" ({esc(item.label)})" if item.label else ""
        yield f"- {words.mark} **{words.word}**{about}: {coded(item.finding.statement, view.codes)}"
    if not view.answered:
        yield "- Nothing has an answer: see what could not be judged."
    yield from _held(view)
    yield from _limits(view)
    yield from _readers(view)
    yield from _examined(view)
    for found in view.sections:
        yield from _section(found)
    yield from _present(view.represented)
    yield from _compared(view.overview, public=bool(view.published))
    yield from _ends(view)
    if view.weakest is not None:
        yield from _section(view.weakest)
    yield from _trust(view)
    yield from _origin(view)
    if view.plots_note:
        yield from ("", esc(view.plots_note))


def _held(view: View) -> Iterator[str]:
    yield from ("", "## What could not be judged, and why", "")
    for held in view.withheld:
        more = f"; and {len(held.what) - MOST} more, in the tables below" if len(held.what) > MOST else ""
        reason = coded(capital(held.reason), view.codes)
        yield f"- {VERDICTS[held.verdict].mark} {reason} — {'; '.join(map(esc, held.what[:MOST]))}{more}"
    if not view.withheld:
        yield f"- {view.none_open}"


def _limits(view: View) -> Iterator[str]:
    yield from ("", "## What this report does not show", "", f"- {STAGE_NOTE}")
    yield from (f"- Synthetic images are involved: {esc(text)}" for text in view.synthetic)
    yield from (f"- {coded(text, view.codes)}" for text in view.limitations)


def _readers(view: View) -> Iterator[str]:
    yield from ("", "## How to read this")
    for reader in view.readers:
        yield from ("", f"### {esc(reader.title)}", "")
        for point in reader.points:
            yield from (f"- **{esc(point.question)}** {coded(answer.text, view.codes)}" for answer in point.answers)


def _examined(view: View) -> Iterator[str]:
    yield from ("", "## What was examined", "")
    for question in view.questions:
        people = ", ".join(esc(counted(count, unit)) for count, unit in question.people)
        yield f"- {esc(question.title)} {people and f'({people})'}".rstrip()


def _trust(view: View) -> Iterator[str]:
    yield from (
        "",
        "## Integrity: can these numbers have been changed?",
        "",
        f"**{esc(view.status[0])}.** {esc(view.status[1])}",
        "",
    )
    yield from (f"- {esc(text)}" for text in view.remarks)
    yield from (f"- Cannot be seen: {esc(text)}" for text in view.unseen)
    yield from (f"- {esc(name)}: {esc(text)}" for name, text in view.seal)
    yield f"- Check it: {esc(view.command)}"
    for found in view.trust:
        yield from _section(found, level=3)


def _section(found: Section, *, level: int = 2) -> Iterator[str]:
    yield from ("", f"{'#' * level} {esc(found.title)}", "")
    yield from (esc(text) for text in found.intro)
    if found.rows:
        yield ""
        yield from _table(found.head, ((_told(cell) for cell in row) for row in found.rows))
    if found.notes:
        yield ""
        yield from (f"- {esc(text)}" for text in found.notes)


def _told(cell: TableCell) -> str:
    return cell.text if cell.said is None else f"{cell.said.mark} {cell.said.word} {cell.text}".rstrip()


def _present(found: Represented | None) -> Iterator[str]:
    if found is None:
        return
    yield from ("", "## Who is not represented", "")
    yield " ".join(esc(text) for text in (found.statement, found.sentence) if text)
    if found.open:
        yield ""
        rows = ((row.group, row.n, ", ".join(row.what)) for row in found.open)
        yield from _table(("group that could not be judged", "size, at most", "no number for"), rows)
    if found.absent:
        yield ""
        yield from _table(("not there at all", "what", "note"), ((row.who, row.what, row.note) for row in found.absent))
    if found.counts:
        yield ""
        cells = ((row.group, *(_count(cell) for cell in row.cells)) for row in found.counts)
        yield from _table(("group", *map(brief, found.columns)), cells)


def _count(row: Estimate | None) -> str:
    return "—" if row is None or row.value is None else number(row.value, "n" if row.name in WHOLE else row.unit)


def _compared(matrix: Matrix | None, *, public: bool) -> Iterator[str]:
    if matrix is None:
        return
    yield from ("", "## Every comparison of groups", "")
    if public:
        yield from (esc(DIFFERENCES), "")
    rows = ((subject, *(_cell(cell) for cell in cells)) for subject, cells in matrix.rows)
    yield from _table(("largest difference", *(f"by {column}" for column in matrix.columns)), rows)


def _cell(item: Asked | None) -> str:
    if item is None:
        return "not asked"
    words = words_of(item.finding)
    if item.gap is None:
        return f"{words.mark} {words.word}"
    chance = {True: ", more than chance", False: ", chance may explain it", None: ""}[item.gap.beyond_chance]
    return f"{words.mark} {value_label(item.gap.observed)}{chance}"


def _ends(view: View) -> Iterator[str]:
    if not view.extremes:
        return
    yield from ("", "## The worst result beside the best", "")
    if view.published:
        yield from (esc(WEAKEST), "")
    rows = (
        (
            item.label or pair.subject,
            f"{brief(pair.name)} by {pair.attribute}",
            *(f"{word}: {group_label(row.group)}, {value_label(row)} ({interval(row)})" for word, row in pair.ends),
            f"{pair.groups} groups, {pair.withheld} not judged",
        )
        for item, pair in view.extremes
    )
    yield from _table(("score", "number", "one end", "other end", "groups"), rows)


def _origin(view: View) -> Iterator[str]:
    if view.lineage is None:
        return
    yield from ("", "## Where it came from", "", "| what | how many | made from |", "|---|---|---|")
    yield from (f"| {esc(what)} | {count} | {esc(sources)} |" for what, count, sources in view.lineage.rows)
    if view.lineage.unseen:
        yield from ("", "What cannot be seen here:", "")
        yield from (f"- {esc(what)} ({count})" for what, count in view.lineage.unseen)


def _questions(view: View) -> Iterator[str]:
    for concern in view.concerns:
        yield from ("", f"## {esc(concern.title)}")
        for question in concern.questions:
            for item in question.asked:
                yield from _finding(item, view.codes)


def _finding(item: Asked, codes: frozenset[str]) -> Iterator[str]:
    finding, words = item.finding, words_of(item.finding)
    yield from ("", f"### {esc(finding.title)}{f' — {esc(item.label)}' if item.label else ''}", "")
    yield f"{words.mark} **{words.word}.** {coded(finding.statement, codes)}"
    if finding.reason:
        yield from ("", f"Reason: {coded(finding.reason, codes)}")
    if item.sentences:
        yield ""
        yield from (f"- {esc(text)}" for text in item.sentences)
    if finding.limit is not None:
        yield from ("", _limit(finding))
    if finding.estimates:
        yield ""
        yield from _table(COLUMNS, map(_cells, item.rows))
        if item.left_out:
            yield from ("", f"The worst and the best groups; {item.left_out:,} more numbers stand in report.json.")
    if item.lines:
        lines = ", ".join(f"{esc(name_label(name))} ({count})" for name, count in item.lines)
        yield from ("", f"Lines in report.json: {lines}.")
    if finding.observations:
        yield ""
        cells = (
            (row.label, " / ".join(row.items), _plain(row.value, row.unit), row.note) for row in finding.observations
        )
        yield from _table(("listed for review", "items", "value", "note"), cells)
    if finding.accounting:
        yield ""
        yield from _table(("what became of every case", "count"), finding.accounting.items())
    yield ""
    yield from (f"- Does not show: {coded(text, codes)}" for text in finding.limitations)
    yield from (f"- Source: {_source(source.title, source.locator, source.url)}" for source in finding.sources)
    subjects = "; ".join(coded(name_told(str(name)), codes) for name in finding.subjects)
    yield f"- Subjects: {subjects or 'none'}"
    yield f"- Check: {esc(finding.check)}; seed: {finding.seed}"
    yield f"- Stage: {esc(finding.stage)}; evaluation phase {finding.phase} of 5"
    yield f"- Requirements: {esc(', '.join(finding.requirements) or 'none named')}"
    yield f"- Parameters: {esc(json_text(finding.parameters))}"


def _limit(finding: Finding) -> str:
    limit = finding.limit
    assert limit is not None
    source = _source(limit.source.title, limit.source.locator, limit.source.url)
    return f"Limit: {esc(limit_label(limit))}. Set by: {source}"


def _source(title: str, locator: str, url: str | None) -> str:
    text = ", ".join(esc(part) for part in (title, locator) if part)
    return f"{text} <{link(url)}>" if link(url) else text


def _plain(value: float | None, unit: str) -> str:
    return "—" if value is None else f"{value!r} {unit if unit != '1' else ''}".strip()


def _cells(row: Estimate) -> tuple[object, ...]:
    return (
        brief_with_name(row.name),
        group_label(row.group),
        value_label(row),
        interval(row),
        percent(row.level),
        row.n,
        row.n_valid,
        row.n_unit,
        row.estimand,
        row.method or "—",
        row.reason or "",
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    names = list(head)
    yield f"| {' | '.join(map(esc, names))} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(coded(cell, BRIEF) for cell in row)} |"


def _last(view: View) -> Iterator[str]:
    yield from _section(view.methods)
    yield from ("", "## What was read", "")
    yield from (f"- {esc(name)}: {esc(digest)}" for name, digest in view.report.inputs.items())
    yield from (f"- {esc(name)}: {esc(_text(value))}" for name, value in view.report.environment.items())


def _text(value: object) -> str:
    return value if isinstance(value, str) else json_text(value)

# SPDX-License-Identifier: Apache-2.0
"""A summary for the command line: what was found, what could not be judged; plain lines when it is no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from monai_ethics.evidence import EvidenceReport, Verdict
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.escape import for_terminal
from monai_ethics.reporting.quantity import TIMES, counted
from monai_ethics.reporting.telling import capital
from monai_ethics.reporting.view import View, view_of
from monai_ethics.reporting.words import VERDICTS, words_of

if TYPE_CHECKING:
    from monai_ethics.provenance.log.reading.trail import Trail

__all__ = ["print_summary", "summary"]

STYLES = {
    Verdict.FAILED: "bold red",
    Verdict.WARNED: "bold yellow",
    Verdict.NOT_ASSESSABLE: "bold magenta",
    Verdict.PASSED: "bold green",
    Verdict.MEASURED: "bold blue",
}
MOST = 12


def print_summary(report: EvidenceReport, *, trail: Trail | None = None, console: Console | None = None) -> None:
    """Print the summary in the order of the page, styled on a terminal and plain elsewhere.

    Args:
        report: the evidence.
        trail: what else the log holds, see `trail_of`: whether it is a copy for the public.
        console: where it is printed.
    """
    shown = console or Console(highlight=False, soft_wrap=True)
    for line in summary(report, trail=trail):
        shown.print(line)


def summary(report: EvidenceReport, *, trail: Trail | None = None) -> list[Text]:
    """Lines of the summary as `rich.text.Text`, so that no name is ever read as markup or as an escape sequence."""
    view = view_of(report, trail=trail)
    counts = ", ".join(f"{count} {TIMES} {words.within}" for words, count in view.verdicts)
    lines = [*_public(view), Text(f"{counted(len(view.asked), 'results')}: {counts or 'none'}", style="bold")]
    lines += [*map(Text, view.cautions), Text("")]
    lines += [Text("What was found", style="underline")]
    several = len({item.finding.run for item in view.asked}) > 1
    lines += [_answer(item, several=several) for item in view.answered[:MOST]] or [Text("  Nothing has an answer.")]
    if len(view.answered) > MOST:
        lines.append(Text(f"  and {len(view.answered) - MOST} more in the report"))
    return [*lines, Text(""), *_open(view), *_limits(view)]


def _public(view: View) -> list[Text]:
    if not view.published:
        return []
    head = Text("This is a copy for the public", style="underline")
    return [head, *(Text(f"  {for_terminal(text)}") for text in view.published), Text("")]


def _answer(item: Asked, *, several: bool) -> Text:
    """One result, with its run where there are several."""
    words = words_of(item.finding)
    line = Text("  ")
    line.append(f"{words.mark} {words.word}: ", style=STYLES.get(words.color or words.verdict, "bold"))
    line.append(for_terminal(f"{item.finding.statement}{f' ({item.finding.run})' if several else ''}"))
    return line


def _open(view: View) -> list[Text]:
    lines = [Text("What could not be judged, and why", style="underline")]
    for held in view.withheld[:MOST]:
        results = counted(held.n, "results")
        line = Text("  ")
        line.append(f"{VERDICTS[held.verdict].mark} ", style=STYLES.get(held.verdict, "bold"))
        line.append(f"{for_terminal(capital(held.reason))} ({results})")
        lines.append(line)
    if len(view.withheld) > MOST:
        lines.append(Text(f"  and {len(view.withheld) - MOST} more reasons in the report"))
    return lines if view.withheld else [*lines, Text(f"  {view.none_open}")]


def _limits(view: View) -> list[Text]:
    if not view.synthetic:
        return []
    head = [Text(""), Text("What holds of all synthetic images", style="underline")]
    return [*head, *(Text(f"  {for_terminal(text)}") for text in view.synthetic)]

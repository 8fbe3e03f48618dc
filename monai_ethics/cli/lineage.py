# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics lineage`: what something was made from, what was made from it, and what derives from a patient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monai_ethics.provenance.lineage.answers import Answer
    from monai_ethics.provenance.lineage.index import Indexed
    from monai_ethics.provenance.lineage.sketch import Sketch
    from monai_ethics.provenance.lineage.store import Store

__all__ = ["command"]

_SHOWN = 30


def command(
    evidence: Annotated[list[Path], typer.Argument(help="Evidence folders.")],
    of: Annotated[
        str | None, typer.Option(help="Id of a record or of weights (8 hex digits or more), or a file.")
    ] = None,
    patient: Annotated[str | None, typer.Option(help="Patient ID: what derives from this patient.")] = None,
    issuer: Annotated[str, typer.Option(help="Issuer of the Patient ID, where one was recorded.")] = "",
    ancestors: Annotated[
        bool, typer.Option("--ancestors/--descendants", help="What it came from, or what came of it.")
    ] = False,
    site: Annotated[Path | None, typer.Option(envvar="MONAI_ETHICS_SITE", help="Site log to ask as well.")] = None,
    store: Annotated[
        str | None, typer.Option(envvar="MONAI_ETHICS_STORE", help="Where the index is kept: a file or database URL.")
    ] = None,
    trust: Annotated[list[str] | None, typer.Option(help="Key that must have signed the logs.")] = None,
    even_altered: Annotated[bool, typer.Option("--even-altered", help="Read logs that are not as signed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> int:
    """Answer from logs; without --of and --patient everything is summarized. A log that was altered is refused (1)."""
    from monai_ethics.provenance.keys.trusted import read_trusted
    from monai_ethics.provenance.lineage.index import refresh

    if of is not None and patient is not None:
        raise InputError("Expected one of `--of` and `--patient`: got both. Leave one out.")
    if ancestors and of is None:
        raise InputError("Expected `--of` beside `--ancestors`: got none. Say of what.")
    folders = [*evidence, *([site] if site else [])]
    index = _open(evidence[0], store)
    try:
        indexed = refresh(
            index,
            folders,
            trusted=read_trusted(trust or []),
            even_altered=even_altered,
            only_these=store is None,
        )
        return _told(index, indexed, folders, of=of, patient=(patient, issuer), up=ancestors, as_json=as_json)
    finally:
        index.close()


def _open(evidence: Path, store: str | None) -> Store:
    from monai_ethics.provenance.lineage.store import INDEX_NAME, open_store
    from monai_ethics.provenance.log.reading.entries import raw_lines

    if store is not None:
        return open_store(store)
    next(raw_lines(evidence), None)  # nothing is put into a folder that is no evidence
    try:
        return open_store(evidence / INDEX_NAME)
    except InputError:
        return open_store(None)  # a folder that cannot be written


def _told(
    index: Store,
    indexed: Sequence[Indexed],
    folders: Sequence[Path],
    *,
    of: str | None,
    patient: tuple[str | None, str],
    up: bool,
    as_json: bool,
) -> int:
    from monai_ethics.provenance.lineage.answers import find, find_file, lineage_of, lineage_of_patient
    from monai_ethics.provenance.lineage.findings import lineage_findings
    from monai_ethics.provenance.lineage.sketch import sketch

    logs = [{"position": place, "status": item.status, "entries": item.entries, "read_now": item.added}
            for place, item in enumerate(indexed, start=1)]  # fmt: skip
    said: dict[str, Any]
    if of is None and patient[0] is None:
        found = lineage_findings(index)
        drawn = sketch(index)
        said = {"graph": drawn.to_dict(), "findings": [finding.to_dict() for finding in found]}
        lines = [*_tree(drawn, up=False), "", *(finding.statement for finding in found)]
    else:
        if patient[0] is not None:
            answer = lineage_of_patient(index, indexed, folders, patient[0], issuer=patient[1])
        else:
            path = Path(str(of))
            node = find_file(index, path) if path.is_file() else find(index, str(of))
            answer = lineage_of(index, node, up=up)
        said, lines = answer.to_dict(), _answered(answer)
    if as_json:
        print(json.dumps({"logs": logs, **said}, indent=1))
        return 0
    _print([*(f"evidence {log['position']}: {log['status']}, {log['entries']} entries" for log in logs), "", *lines])
    return 0


def _answered(answer: Answer) -> list[Any]:
    what = "what it came from" if answer.up else "what derives from it"
    lines: list[Any] = [f"{answer.asked}: {what}", ""]
    if not answer.found:
        lines += ["No given log names this patient under a key that is here."]
    else:
        lines += _tree(answer.sketch, up=answer.up)
    if not answer.up:
        lines += ["", *_graded(answer)]
    return [*lines, "", "What cannot be seen:", *(f"  {text}" for text in answer.unseen)]


def _graded(answer: Answer) -> list[str]:
    from monai_ethics.provenance.lineage.sketch import kind_name

    lines = []
    for grade in ("direct", "transitive", "unknown"):
        rows = [row for row in answer.reached if row.grade == grade]
        lines.append(f"{grade}: {_counted(rows)}")
        singles = [row for row in rows if row.id is not None]
        for row in singles[:_SHOWN]:
            why = f" ({'; '.join(row.grounds)})" if row.grounds else ""
            lines.append(f"  {kind_name(row.what, 1)} {row.id}{why}")
        if len(singles) > _SHOWN:
            lines.append(f"  and {len(singles) - _SHOWN} more; --json lists all")
    return lines


def _counted(rows: Sequence[Any]) -> str:
    from monai_ethics.provenance.lineage.sketch import kind_name

    counts: dict[str, int] = {}
    for row in rows:
        counts[row.what] = counts.get(row.what, 0) + row.count
    return ", ".join(f"{count:,} {kind_name(what, count)}" for what, count in sorted(counts.items())) or "none"


def _tree(drawn: Sketch, *, up: bool) -> list[Any]:
    """Each box once with what follows from it; where it comes again, it is named only."""
    from rich.tree import Tree

    following: dict[int, list[int]] = {place: [] for place in range(len(drawn.boxes))}
    heads = set(following)
    for arrow in drawn.arrows:
        here, there = (arrow.child, arrow.parent) if up else (arrow.parent, arrow.child)
        following[here].append(there)
        heads.discard(there)
    asked = [place for place, box in enumerate(drawn.boxes) if box.asked]
    seen: set[int] = set()
    trees = []
    for head in asked or sorted(heads) or list(following)[:1]:
        tree = Tree(_label(drawn, head))
        _grow(tree, head, drawn, following, seen)
        trees.append(tree)
    return trees or ["Nothing is recorded."]


def _grow(tree: Any, place: int, drawn: Sketch, following: dict[int, list[int]], seen: set[int]) -> None:
    if place in seen:
        return
    seen.add(place)
    for child in following[place]:
        again = child in seen and bool(following[child])
        _grow(tree.add(_label(drawn, child, again=again)), child, drawn, following, seen)


def _label(drawn: Sketch, place: int, *, again: bool = False) -> Any:
    from rich.text import Text

    from monai_ethics.reporting.escape import for_terminal

    box = drawn.boxes[place]
    text = Text(for_terminal(box.label), style="bold" if box.asked else "")
    if box.note:
        text.append(f"  {for_terminal(box.note)}", style="dim")
    if again:
        text.append("  (as above)", style="dim")
    return text


def _print(lines: Sequence[Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    from monai_ethics.reporting.escape import for_terminal

    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, width=200)  # nothing is cut in a file
    for line in lines:
        console.print(Text(for_terminal(line)) if isinstance(line, str) else line)

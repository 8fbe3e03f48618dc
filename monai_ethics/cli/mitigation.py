# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics mitigation`: what a change did to each group, from what two runs stored."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from monai_ethics.evidence import Finding
    from monai_ethics.fairness.data.before_after import BeforeAfter
    from monai_ethics.fairness.data.binary import BinaryScores
    from monai_ethics.fairness.data.binary_before_after import BinaryBeforeAfter
    from monai_ethics.fairness.data.scores import ScoreTable

__all__ = ["command"]


class Measurement(NamedTuple):
    """What one run stored: scores by metric, and a classifier's answers by target."""

    folder: Path
    run_id: str
    tables: dict[str, ScoreTable]
    labels: dict[str, BinaryScores]


def command(
    before: Annotated[Path, typer.Option(help="Evidence folder of the evaluation before the change.")],
    attributes: Annotated[Path, typer.Option(help="Side table: CSV, TSV, BIDS participants.tsv or datalist JSON.")],
    out: Annotated[Path, typer.Option(help="Evidence folder to write.")],
    after: Annotated[
        Path | None, typer.Option(help="Evidence folder of the evaluation after it; without one nothing is shown.")
    ] = None,
    strata: Annotated[str | None, typer.Option(help="Groupings, such as sex,age_band,sex*site; all if absent.")] = None,
    bins: Annotated[list[str] | None, typer.Option(help="Edges of a band, such as age=18,40,65.")] = None,
    before_run: Annotated[str | None, typer.Option(help="Run of BEFORE; its last otherwise.")] = None,
    after_run: Annotated[str | None, typer.Option(help="Run of AFTER; its last otherwise.")] = None,
    action: Annotated[str, typer.Option(help="What was done; kept in the private part.")] = "",
    uses: Annotated[
        int, typer.Option(min=0, max=10**9, help="Uses of the test cases that no evidence given here holds.")
    ] = 0,
    min_group_size: Annotated[
        int, typer.Option(min=2, max=2**53 - 1, help="Smallest group that is judged, in patients.")
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="Seed of the resamples.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON for machines.")] = False,
) -> None:
    """Compare two evaluations of the same test cases, before and after a change, for each group."""
    from monai_ethics.cli._told import changes
    from monai_ethics.fairness.attributes import parse_bins, parse_strata, read_side_table
    from monai_ethics.fairness.attributes.regroup import regroup
    from monai_ethics.fairness.mitigation_change import MitigationChange
    from monai_ethics.reporting.escape import for_terminal

    first = _read(before, before_run)
    second = None if after is None else _read(after, after_run)
    side = read_side_table(attributes)
    stored: list[Any] = [*first.tables.values(), *first.labels.values()]
    every, _, _ = regroup(stored, side, strata=parse_strata(strata), bins=parse_bins(bins or []))
    given = [before] if after is None else [before, after]
    findings: list[Finding] = []
    for each in every:
        for pair in _pairs(each, second, {"uses_known": _uses(given, each), "uses_declared": uses}):
            check = {"min_group_size": min_group_size, "seed": seed}
            findings += [MitigationChange(attribute=name, **check)(pair) for name in each.groups]
    fingerprint = _write(out, findings, (first, second), action=action, attributes=attributes, uses=uses)
    if as_json:
        print(json.dumps([finding.to_dict() for finding in findings], indent=1, sort_keys=True))
        return
    for line in changes(findings):
        print(for_terminal(line))
    print(f"The report is in `--out`.\nSealed; keep this fingerprint elsewhere: {fingerprint}")


def _pairs(
    each: ScoreTable | BinaryScores, second: Measurement | None, uses: dict[str, int]
) -> list[BeforeAfter] | list[BinaryBeforeAfter]:
    """What was measured before beside what was measured after, by every measure that either of them allows."""
    from monai_ethics.fairness.data.before_after import BeforeAfter
    from monai_ethics.fairness.data.binary import BinaryScores
    from monai_ethics.fairness.data.binary_before_after import BinaryBeforeAfter, measures_of

    if not isinstance(each, BinaryScores):
        table = None if second is None else second.tables.get(each.metric)
        return _with_misses(BeforeAfter(before=each, after=table, **uses))
    later = None if second is None else second.labels.get(each.target)
    sides = [side for side in (each, later) if side is not None]
    return [BinaryBeforeAfter(before=each, after=later, measure=name, **uses) for name in measures_of(sides)]


def _kinds() -> dict[str, tuple[str, Callable[[Any], Any]]]:
    """Kind of stored payload, with the field that names an item and how to read it."""
    from monai_ethics.fairness.data.binary import BinaryScores
    from monai_ethics.fairness.data.scores import ScoreTable

    return {"scores": ("metric", ScoreTable.from_dict), "labels": ("target", BinaryScores.from_dict)}


def _items(kind: str, payload: bytes) -> dict[str, Any]:
    name, read = _kinds()[kind]
    try:
        found = list(json.loads(payload))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError("Expected stored scores in JSON: got something else. Run the evaluation again.") from error
    return {getattr(item, name): item for item in map(read, found)}


def _read(folder: Path, run_id: str | None) -> Measurement:
    from monai_ethics.cli._score_files import signed_part
    from monai_ethics.provenance.log.reading.entries import read_private

    under = signed_part(folder)
    stored = {kind: read_private(folder, kind, run_id, under=under) for kind in _kinds()}
    payloads = stored["scores"] or stored["labels"]
    if not payloads:
        raise InputError(
            "Expected stored scores in this evidence: got none. They were deleted, or the run had no per-case metric."
        )
    run = payloads[-1][0]
    own = {kind: [payload for name, payload in held if name == run] for kind, held in stored.items()}
    last = {kind: _items(kind, held[-1]) if held else {} for kind, held in own.items()}
    return Measurement(folder, run, last["scores"], last["labels"])


def _uses(folders: list[Path], own: ScoreTable | BinaryScores) -> int:
    """Evaluations in these folders of exactly these cases, by this measure or another; both kinds of a run are one."""
    from monai_ethics.provenance.log.reading.entries import read_private

    cases = set(own.cases)
    total = 0
    for folder in sorted({folder.resolve() for folder in folders}):
        times: Counter[tuple[str, str]] = Counter()
        for kind in _kinds():
            for run, payload in read_private(folder, kind):
                times[run, kind] += any(set(item.cases) == cases for item in _items(kind, payload).values())
        total += sum(max(times[run, kind] for kind in _kinds()) for run in {run for run, _ in times})
    return total


def _with_misses(pair: BeforeAfter) -> list[BeforeAfter]:
    """The pair, followed by its misses where a case was missed: a distance has no value for those."""
    from dataclasses import replace

    sides = [table for table in (pair.before, pair.after) if table is not None]
    if not any("missed" in table.outcomes for table in sides):
        return [pair]

    def hits(table: ScoreTable) -> ScoreTable:
        rows = [i for i, outcome in enumerate(table.outcomes) if outcome in ("scored", "missed")]
        kept = table.reordered(rows)
        missed = tuple(float(outcome == "missed") for outcome in kept.outcomes)
        return replace(
            kept,
            metric=f"{table.metric}_missed",
            unit="1",
            higher_is_better=False,
            values=missed,
            outcomes=("scored",) * len(missed),
            bounds=(0.0, 1.0),
        )

    after = None if pair.after is None else hits(pair.after)
    return [pair, replace(pair, before=hits(pair.before), after=after)]


def _write(
    out: Path,
    findings: list[Finding],
    measured: tuple[Measurement, Measurement | None],
    *,
    action: str,
    attributes: Path,
    uses: int,
) -> str:
    from monai_ethics.cli._score_files import require_room
    from monai_ethics.provenance.log.writing.writer import EvidenceLog
    from monai_ethics.reporting.sealed import seal_report

    data, done = attributes.read_bytes(), action.encode()
    require_room(findings)
    with EvidenceLog.open(out, run_id="mitigation") as log:
        log.append("inputs", {"attributes": sha256(data).hexdigest()})
        log.put_private("attributes", data, media_type="application/octet-stream")
        stored: list[Any] = [*measured[0].tables.values(), *measured[0].labels.values()]
        cases = sorted({case for item in stored for case in item.cases})
        body: dict[str, object] = {
            "case_set": log.pseudonym("case_set", sha256(json.dumps(cases).encode()).hexdigest()),
            "cases": len(cases),
            "uses_declared": uses,
            "before": _origin(measured[0]),
        }
        if measured[1] is not None:
            body["after"] = _origin(measured[1])
        if action:
            body["action"] = log.put_private("action", done, media_type="text/plain")
        log.append("mitigation", body)
        log.add_findings(findings)
        return seal_report(log).fingerprint


def _origin(measured: Measurement) -> dict[str, str]:
    """Which run of which evidence: its id, and the digest of the head as it stands."""
    from monai_ethics.provenance.log.tree.head import HEAD_NAME

    head = measured.folder / HEAD_NAME
    digest = {"head": sha256(head.read_bytes()).hexdigest()} if head.is_file() else {}
    return {"run_id": measured.run_id, **digest}

# SPDX-License-Identifier: Apache-2.0
"""A copy of evidence for the public: a folder of its own, with its own log, key entry and signed head."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_ethics.errors import GateError, InputError
from monai_ethics.evidence import Finding
from monai_ethics.provenance.exports.public.suppress import LEAST, RULE, for_the_public
from monai_ethics.provenance.log.files.payload import PRIVATE_NAME
from monai_ethics.provenance.log.files.storage import make_folder
from monai_ethics.provenance.log.reading.entries import PUBLIC_EXPORT, Covered, iter_entries, read_report
from monai_ethics.provenance.log.verifying.verify import as_signed
from monai_ethics.provenance.log.writing.folder import writable
from monai_ethics.provenance.log.writing.relied import relied_on
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.log_privacy import LogPrivacy, log_lines

__all__ = ["KIND", "PublicCopy", "public_copy", "written"]

KIND = PUBLIC_EXPORT
_VERSIONS = ("packages", "python")
_KEPT = frozenset({"finding", "open", "key", "head"})


@dataclass(frozen=True, kw_only=True)
class PublicCopy:
    """What a copy for the public will hold.

    Args:
        about: body of its first entry: head of the source, rule, and what was left out by kind.
        runs: the findings of each run, under numbers in place of run ids.
        environment: versions of packages and Python.
        shown: estimates that are left.
    """

    about: Mapping[str, Any]
    runs: Sequence[Sequence[Finding]]
    environment: Mapping[str, Any] = field(default_factory=dict)
    shown: int = 0


def public_copy(
    folder: Path, *, least: int = LEAST, run_id: str | None = None, trusted: Sequence[bytes] = ()
) -> PublicCopy:
    """Decide what of an evidence folder may be published.

    Args:
        folder: the evidence folder; nothing in it is changed.
        least: smallest count that is shown, but for 0.
        run_id: only this run; all by default, which hides what two runs tell together.
        trusted: keys one of which must have signed the source.

    Raises:
        GateError: if the source is not as it was signed, or the copy would hold what looks like an identifier.
        InputError: if the source is a copy for the public itself, or has no findings.
    """
    found = as_signed(folder, trusted=trusted)
    under = relied_on(folder, found)
    kinds = _other_kinds(folder, run_id, under=under)
    report = read_report(folder, run_id=run_id, under=under)
    if not report.findings:
        raise InputError("Expected evidence with findings: got none to publish. Run a check first.")
    public = for_the_public(report.findings, least=least)
    runs: dict[str | None, list[Finding]] = {}
    for source, told in zip(report.findings, public.findings, strict=True):
        runs.setdefault(source.run, []).append(told)
    about = {
        "source_head": found.head,
        "least": least,
        "rule": {"title": RULE.title, "locator": RULE.locator, "url": RULE.url},
        # how many entries of a kind there are may be how many images or people there are
        "left_out": {**public.left_out, **{name: n for name, n in sorted(kinds.items()) if n >= least}},
        "left_out_fewer": sorted(name for name, n in kinds.items() if n < least),
    }
    copy = PublicCopy(
        about=about,
        runs=tuple(map(tuple, runs.values())),
        environment=_versions(report.environment),
        shown=public.shown,
    )
    _require_clean(copy, folder)
    return copy


def _other_kinds(folder: Path, run_id: str | None, *, under: Covered | None) -> Counter[str]:
    """How many entries there are of each kind that is left out as a whole; raises `InputError` for a public copy."""
    kinds: Counter[str] = Counter()
    for entry in iter_entries(folder, under=under):
        if entry.kind == KIND:
            raise InputError("Expected evidence of a run: got a copy for the public. Give it out as it is.")
        if entry.kind not in _KEPT and run_id in (None, entry.run_id):
            kinds[f"entries_{entry.kind}"] += 1
    return kinds


def _versions(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: environment[name] for name in _VERSIONS if name in environment}


def _require_clean(copy: PublicCopy, folder: Path) -> None:
    bodies = [copy.about, copy.environment, *(finding.to_dict() for run in copy.runs for finding in run)]
    finding = LogPrivacy()(log_lines(bodies, private=folder))
    hits = finding.accounting.get("with_a_pattern", 0)
    if hits:
        places = ", ".join(f"{e.name} {int(e.value or 0)}" for e in finding.estimates if e.value)
        raise GateError(
            f"Expected nothing in a public copy that looks like an identifier: got {hits} entries with it ({places}). "
            "Rename what is named so in the source (attributes, labels, metrics), and run it again."
        )


@contextlib.contextmanager
def written(copy: PublicCopy, out: Path) -> Iterator[EvidenceLog]:
    """The new folder with all entries, its log still open for the report; there is no private part when it is closed.

    Args:
        copy: what it holds.
        out: the new folder.

    Raises:
        InputError: if `out` exists, or cannot be written.
    """
    with writable():
        make_folder(out.absolute().parent)
        try:
            out.mkdir()  # by us, or not at all: what is removed below is ours
        except FileExistsError:
            raise InputError("Expected `--out` to name a new folder: got one that exists. Give another name.") from None
    try:
        for number, findings in enumerate(copy.runs, start=1):
            with EvidenceLog.open(out, run_id=f"run-{number}", private=False) as log:
                if number == 1:
                    log.append_many([(KIND, copy.about), ("environment", copy.environment)])
                log.add_findings(findings)
                if number == len(copy.runs):
                    log.seal()
                    yield log
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    with contextlib.suppress(OSError):
        (out / PRIVATE_NAME).rmdir()

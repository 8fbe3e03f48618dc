# SPDX-License-Identifier: Apache-2.0
"""Which sets the runs of an evidence folder used, and what for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import EthicsError
from monai_ethics.handlers._members import INPUTS, TRAINING, VALIDATION

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.provenance.log.reading.entries import Entry
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["lock_findings"]

TRAINED = {TRAINING: "training", VALIDATION: "selection"}


def lock_findings(session: RunSession, log: EvidenceLog) -> list[Finding]:
    """Finding of `lifecycle.test_set_lock` for a run that evaluated; none for another.

    Args:
        session: the run, with what was declared as its evaluation data.
        log: its open log, which holds the record of the run.
    """
    from monai_ethics.lifecycle.test_set_lock import EvaluationSetLock, SetUse, SetUses
    from monai_ethics.provenance.log.reading.entries import iter_entries

    rows = [row for entry in iter_entries(log.folder) for row in _uses(entry)]
    if not any(run == log.run_id and purpose == "evaluation" for run, purpose, _, _ in rows):
        return []
    uses = tuple(
        SetUse(run=run, purpose=purpose, root=root, n=n, order=order)
        for order, (run, purpose, root, n) in enumerate(rows)
    )
    locked = session.described.get("evaluation_set", ())
    return [EvaluationSetLock()(SetUses(uses=uses, locked=tuple(locked), unseen=_unseen(session, log)))]


def _uses(entry: Entry) -> Iterator[tuple[str, str, str | None, int]]:
    """Run, purpose, root and size of each set that a record of a run names."""
    if entry.kind != "record" or entry.body.get("type") not in ("evaluation", "training"):
        return
    activity: Any = entry.body.get("activity", {})
    sets = activity.get("sets") if isinstance(activity, Mapping) else None
    if not isinstance(sets, Mapping):
        return
    if entry.body["type"] == "training":
        for role, purpose in TRAINED.items():
            if role in sets:
                yield entry.run_id, purpose, str(sets[role]["root"]), int(sets[role]["n"])
    else:
        one = sets.get(INPUTS)
        yield entry.run_id, "evaluation", str(one["root"]) if one else None, int(one["n"]) if one else 0


def _unseen(session: RunSession, log: EvidenceLog) -> int:
    """Other logs that the run's site log witnessed, or that of the environment."""
    from monai_ethics.provenance.log.verifying.witnessed import load_site
    from monai_ethics.provenance.log.writing.witness import site_from

    site = site_from(getattr(session, "site", None))
    if site is None:
        return 0
    with suppress(EthicsError, OSError):
        return sum(identity != log.log_id for identity in load_site(site).heads)
    return 0

# SPDX-License-Identifier: Apache-2.0
"""How the audit of a generator comes into a run, and what it leaves in the evidence."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine

from monai_ethics.errors import InputError
from monai_ethics.handlers._events import has_kind, owners

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.handlers._sweep import OutputFile
    from monai_ethics.handlers.session import RunSession
    from monai_ethics.handlers.synthesis_audit import SynthesisAudit
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["SETTINGS", "TrainerAudit", "absolute", "audits_on", "checked_audit", "synthesis_findings"]

SETTINGS = (
    "train",
    "holdout",
    "sampler",
    "extractor",
    "n",
    "n_end",
    "every",
    "seconds",
    "batch_size",
    "looks",
    "split_random",
    "conditioned_on_train",
    "on_memorization",
    "significance",
    "ema",
    "steps",
    "images",
    "patient_key",
    "seed",
)
NOTHING = (
    "No engine of this run trained a generator, and no image that it wrote is declared synthetic: say "
    "`ethics#synthetic true` if they are."
)


class TrainerAudit:
    """Puts a `SynthesisAudit` of the run's settings onto each engine that trains and has none.

    Args:
        session: the run's `RunSession`.
    """

    def __init__(self, session: Any) -> None:
        self.session = session

    def attach(self, engine: Engine) -> None:
        """Join an engine; nothing happens without settings, or on one that does not train."""
        from monai.engines import Trainer

        from monai_ethics.handlers.synthesis_audit import SynthesisAudit

        settings = getattr(self.session, "synthesis", None)
        if settings and isinstance(engine, Trainer) and not has_kind(engine, SynthesisAudit):
            checked_audit(settings).attach(engine)


def checked_audit(settings: Mapping[str, Any]) -> SynthesisAudit:
    """An audit from settings, before anything is written.

    Args:
        settings: some of `SETTINGS`, `train` and `holdout` among them.

    Raises:
        InputError: if a setting is unknown or wrong, or a feature file is missing or damaged.
    """
    from monai_ethics.handlers._real_sets import feature_file
    from monai_ethics.handlers.synthesis_audit import SynthesisAudit
    from monai_ethics.synthesis.data.feature_file import read_features

    for name in settings:
        if name not in SETTINGS:
            near = difflib.get_close_matches(str(name), SETTINGS, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else "Remove it."
            raise InputError(f"`ethics#synthesis` may hold {', '.join(SETTINGS)}: got another key. {hint}")
    if not {"train", "holdout"} <= set(settings):
        raise InputError("`ethics#synthesis` needs `train` and `holdout`: got one or none. Give both feature files.")
    given = dict(settings)
    for name in ("split_random", "conditioned_on_train"):
        if str(given.get(name, False)).lower() not in ("true", "false"):
            raise InputError(f"`ethics#synthesis#{name}` must be true or false: got something else. Write one of them.")
        given[name] = str(given.get(name, False)).lower() == "true"
    for name in ("train", "holdout"):
        if isinstance(given[name], (str, os.PathLike)):
            given[name] = read_features(feature_file(given[name]))
    try:
        return SynthesisAudit(given.pop("train"), given.pop("holdout"), given.pop("sampler", None), **given)
    except TypeError as error:
        raise InputError("A setting of `ethics#synthesis` has another type than its numbers. Correct it.") from error


def audits_on(engine: Engine) -> list[SynthesisAudit]:
    """Audits among an engine's handlers."""
    from monai_ethics.handlers.synthesis_audit import SynthesisAudit

    return [one for one in owners(engine) if isinstance(one, SynthesisAudit)]


def synthesis_findings(session: RunSession, log: EvidenceLog, files: Sequence[OutputFile]) -> list[Finding]:
    """What the audits of a run found, or the audit of the synthetic images that it wrote.

    Args:
        session: the run.
        log: gives pseudonyms to what is listed.
        files: what the run wrote.
    """
    found = [finding for audit in session.audits for finding in audit.findings]
    if session.synthesis and not session.audits:
        found.extend(_of_files(session, files))
    listed = sorted({item for finding in found for pair in finding.observations for item in pair.items if "/" in item})
    hidden = {item: log.pseudonym("file", item) for item in listed}  # what has no slash, an epoch, is no name
    if hidden:
        names = {pseudonym: item for item, pseudonym in hidden.items()}
        log.put_private("pairs", json.dumps(names, indent=1, sort_keys=True).encode(), media_type="application/json")
    return [_pseudonymous(finding, hidden) for finding in found]


def _of_files(session: RunSession, files: Sequence[OutputFile]) -> list[Finding]:
    from monai_ethics.handlers._look import not_assessable, why_failed
    from monai_ethics.handlers._written_images import declared_images, image_features

    images = declared_images([file.path for file in files], all_are=session.synthetic)
    if not images:
        return [not_assessable(NOTHING)]
    try:
        audit = checked_audit(session.synthesis or {})  # once more: its files may have gone since
        return audit.compared(image_features(images, audit.extractor), [path.name for path in images])
    except Exception as error:  # the run is over: what else it left must be kept
        return [not_assessable(why_failed(error, "A check"), synthetic_images=len(images))]


def _pseudonymous(finding: Finding, hidden: Mapping[str, str]) -> Finding:
    listed = tuple(
        replace(pair, items=[hidden.get(item, item) for item in pair.items]) for pair in finding.observations
    )
    return replace(finding, observations=listed)


def absolute(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose paths stay right when a bundle changes the current directory."""
    return {
        key: str(Path(value).absolute()) if key in ("train", "holdout") and isinstance(value, (str, Path)) else value
        for key, value in settings.items()
    }

# SPDX-License-Identifier: Apache-2.0
"""`attach`: evidence from an engine that you built yourself, without a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine

from monai_ethics.errors import InputError
from monai_ethics.handlers._audits import TrainerAudit
from monai_ethics.handlers.admission import RunGuard
from monai_ethics.handlers.recorder import ProvenanceRecorder
from monai_ethics.handlers.session import RunSession
from monai_ethics.handlers.stratified import StratifiedScores
from monai_ethics.handlers.writer import EvidenceWriter

__all__ = ["attach"]


def attach(
    engine: Engine | Sequence[Engine],
    *,
    out: str | Path | None = None,
    session: RunSession | None = None,
    attributes: str | Path | Sequence[str] | None = None,
    strata: Any = None,
    policy: str | Path | None = None,
    threshold: float | None = None,
    plan: Mapping[str, Any] | None = None,
    log: bool = True,
    synthetic: bool = False,
    synthesis: Mapping[str, Any] | None = None,
    guard: Mapping[str, Any] | None = None,
    site: str | Path | None = None,
    record: str | Path | Mapping[str, Any] | None = None,
) -> RunSession:
    """Let engines leave evidence; attaching twice is harmless.

    Args:
        engine: one engine, or several that belong to one run, such as a trainer and its evaluator.
        out: the evidence folder; needed unless `session` is given.
        session: a session to join.
        attributes: side table with the attributes of cases, or names of batch or meta keys.
        strata: attributes and intersections to compare, such as ``"sex,site,sex*site"``.
        policy: file with limits by which the findings are judged.
        threshold: score from which on a classifier's case is decided positive, chosen on other data.
        plan: what is compared and how, some of `monai_ethics.fairness.plan.SETTINGS`.
        log: whether the engines' own loggers are given the groups' values.
        synthetic: whether every image that the run writes is declared synthetic.
        synthesis: settings of `SynthesisAudit`, for engines that train a generator.
        guard: settings of `AdmissionGuard`: `policy`, `site`, `evidence`, `keys`.
        site: the site log; by default the one that ``MONAI_ETHICS_SITE`` names.
        record: what a record cannot see by itself; see `RunSession`.

    Returns:
        The session; it begins with the first engine that runs and is sealed when the outermost one ends.

    Raises:
        InputError: if neither or both of `out` and `session` are given.
    """
    if (out is None) == (session is None):
        raise InputError("`attach` needs exactly one of `out` and `session`: give the folder for the evidence.")
    if session is None:
        session = RunSession(
            out=str(out),
            attributes=attributes,
            strata=strata,
            policy=policy,
            threshold=threshold,
            plan=plan,
            log=log,
            synthetic=synthetic,
            synthesis=synthesis,
            guard=guard,
            site=site,
            record=record,
        )
    engines = list(engine) if isinstance(engine, Sequence) else [engine]
    kinds = [type(item).__name__ for item in engines]
    for position, (item, kind) in enumerate(zip(engines, kinds, strict=True)):
        engine_id = kind if kinds.count(kind) == 1 else f"{kind}_{position}"
        for part in (
            TrainerAudit(session),
            RunGuard(session, engine_id),
            StratifiedScores(session=session, engine_id=engine_id),
            ProvenanceRecorder(session, engine_id),
            EvidenceWriter(session, engine_id),
        ):
            part.attach(item)
    return session

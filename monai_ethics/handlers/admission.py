# SPDX-License-Identifier: Apache-2.0
"""`AdmissionGuard`: no iteration on a dataset that holds what a registry, or another judge, refuses."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch.nn.parallel import DistributedDataParallel

from monai_ethics.errors import EthicsError, GateError, InputError
from monai_ethics.evidence import Finding, Verdict
from monai_ethics.handlers._consent import consent_judge, serve
from monai_ethics.handlers._events import has_kind, move_to_front, owners
from monai_ethics.provenance.registry.admission import ItemJudge, Judgement, RegistryJudge, judged
from monai_ethics.transforms.guarded import GuardedDataset, items_of

__all__ = ["SETTINGS", "AdmissionGuard", "RunGuard", "absolute_guard", "checked_guard", "join_guards"]

SETTINGS = ("policy", "site", "evidence", "keys", "consent", "purpose", "checked")
_HIDDEN = "This dataset does not show its items, so that nobody can say what it holds."


class AdmissionGuard:
    """Judge every item of an engine's dataset at STARTED, and again whenever the engine runs on or is resumed.

    A refusal is raised before the first iteration. The finding goes into the run's evidence either way.

    Every process judges the items of its own dataset. Where the engine trains a `DistributedDataParallel`, the
    processes tell each other the number of refused items, so that all stop if one has to: they need each other in
    each iteration anyway. Elsewhere nothing is communicated, because an engine may run on some processes only.

    Args:
        policy: ``"deny-list"`` or ``"allow-list"``.
        site: a site log that registers images.
        evidence: an evidence folder that does; one of the two is needed unless `judges` are given.
        keys: item keys to look at; ``None`` takes those that `RegistryJudge` takes.
        judges: who judges besides: objects with ``judge(items, pseudonym=None)``, such as the consent of patients.
        session: the run's `RunSession`, whose evidence gets the finding; a run that the engine belongs to sets it.
        engine_id: id of the engine in the config; ``""`` takes the engine's class name.

    Raises:
        InputError: if the policy is unknown, or nobody is there to judge.
    """

    def __init__(
        self,
        policy: str = "deny-list",
        *,
        site: str | Path | None = None,
        evidence: str | Path | None = None,
        keys: Sequence[str] | None = None,
        judges: Sequence[ItemJudge] = (),
        session: Any = None,
        engine_id: str = "",
    ) -> None:
        own = [RegistryJudge(policy, site=site, evidence=evidence, keys=keys)] if site or evidence else []
        self.judges: tuple[ItemJudge, ...] = (*own, *judges)
        if not self.judges:
            raise InputError("Expected a registry to ask: got none. Give `evidence`, `site`, or both.")
        self.strict = policy == "allow-list"
        self.session = session
        self.engine_id = engine_id
        self.findings: tuple[Finding, ...] = ()
        self._interrupted = False

    def attach(self, engine: Engine) -> None:
        """Join an engine; a second time nothing happens."""
        if self in owners(engine):
            return
        engine.add_event_handler(Events.STARTED, self._started)
        move_to_front(engine, Events.STARTED, self._started)  # before a checkpoint is read or a model is moved
        engine.add_event_handler(Events.INTERRUPT, self._pause)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._resumed)

    def _started(self, engine: Engine) -> None:
        self._interrupted = False
        self._judge(engine)

    def _pause(self, _: Engine) -> None:
        self._interrupted = True

    def _resumed(self, engine: Engine) -> None:
        """An interrupted engine goes on without STARTED: the dataset may be another one by then."""
        if self._interrupted:
            self._interrupted = False
            self._judge(engine)

    def _judge(self, engine: Engine) -> None:
        error: EthicsError | None = None
        judgement = Judgement(n=0)
        try:
            judgement = self._judged(engine)
        except EthicsError as caught:  # the other processes must hear of it first
            error = caught
        refused = len(judgement.positions) + (error is not None)
        everywhere = int(idist.all_reduce(float(refused))) if _in_step(engine) else refused
        name = self.engine_id or type(engine).__name__
        self.findings = tuple(_told(one, name, others=everywhere - refused) for one in judgement.findings)
        if self.session is not None:
            self.session.admitted(name, self.findings)
        if error is not None:
            raise error
        if judgement.refusals:
            raise GateError(judgement.sentence())
        if everywhere:
            raise GateError(
                "Expected a dataset that may be used: another process of this run refuses items of its own. "
                "Take them out there."
            )

    def _judged(self, engine: Engine) -> Judgement:
        log = getattr(self.session, "evidence", None)
        items = items_of(_dataset(engine))
        if items is None:
            if self.strict:
                raise GateError(f"Expected a dataset that shows its items: got another. {_HIDDEN} Use GuardedDataset.")
            items = []
        serve(self.judges, engine)
        judgement = judged(self.judges, items, pseudonym=log.pseudonym if log is not None else None)
        if not items:
            return replace(judgement, findings=tuple(replace(one, reason=_HIDDEN) for one in judgement.findings))
        return judgement


def _dataset(engine: Engine) -> Any:
    loader = getattr(engine, "data_loader", None) or getattr(engine.state, "dataloader", None)
    dataset = getattr(loader, "dataset", loader)
    return dataset.dataset if isinstance(dataset, GuardedDataset) and not dataset.drop else dataset


def _in_step(engine: Engine) -> bool:
    """Whether every process runs this engine: a network that exchanges gradients waits for all of them."""
    parts = vars(engine)
    trains = any(parts.get(name) is not None for name in ("optimizer", "g_optimizer"))
    shared = any(isinstance(value, DistributedDataParallel) for value in parts.values())
    return trains and shared and idist.get_world_size() > 1


def _told(finding: Finding, name: str, *, others: int) -> Finding:
    """The finding with its engine, and with what other processes refused."""
    parameters = {**finding.parameters, "engine": name}
    if not others:
        return replace(finding, statement=f"{name}: {finding.statement}", parameters=parameters)
    statement = f"{name}: {finding.statement} Other processes refused {others} of their own items."
    return replace(finding, statement=statement, parameters=parameters, verdict=Verdict.WARNED, limit=None)


class RunGuard:
    """Puts an `AdmissionGuard` of the run's settings onto each engine that has none of this run.

    Args:
        session: the run's `RunSession`.
        engine_id: id of the engine in the config.
    """

    def __init__(self, session: Any, engine_id: str = "") -> None:
        self.session = session
        self.engine_id = engine_id

    def attach(self, engine: Engine) -> None:
        """Join an engine; nothing happens without settings."""
        settings = getattr(self.session, "guard", None)
        if settings is not None and not has_kind(engine, AdmissionGuard):
            guard = checked_guard(settings, session=self.session, engine_id=self.engine_id)
            guard.attach(engine)


def join_guards(session: Any, engine: Engine, engine_id: str) -> None:
    """Let guards that a user put onto an engine leave their findings in the run that it belongs to."""
    for one in owners(engine):
        if isinstance(one, AdmissionGuard) and (one.session is None or one.session is session):
            one.session, one.engine_id = session, one.engine_id or engine_id


def absolute_guard(settings: Any) -> Any:
    """Settings whose folders stay right when a bundle changes the current directory."""
    if not isinstance(settings, Mapping):
        return settings
    return {
        name: str(Path(value).absolute()) if name in ("site", "evidence") and isinstance(value, (str, Path)) else value
        for name, value in settings.items()
    }


def checked_guard(settings: Mapping[str, Any], *, session: Any = None, engine_id: str = "") -> AdmissionGuard:
    """A guard from the settings of a run.

    Args:
        settings: some of `SETTINGS`; without a registry the site log of the run, or of the environment, is asked.
        session: the run's `RunSession`.
        engine_id: id of the engine in the config.

    Raises:
        InputError: if a setting is unknown or wrong.
    """
    if not isinstance(settings, Mapping):
        raise InputError("`ethics#guard` must be a mapping: got something else. Write `--ethics#guard#site DIR`.")
    for name in settings:
        if name not in SETTINGS:
            near = difflib.get_close_matches(str(name), SETTINGS, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else "Remove it."
            raise InputError(f"`ethics#guard` may hold {', '.join(SETTINGS)}: got another key. {hint}")
    from monai_ethics.provenance.log.writing.witness import site_from

    given = dict(settings)
    if not given.get("site") and not given.get("evidence"):
        given["site"] = site_from(getattr(session, "site", None))
    if isinstance(given.get("keys"), str):
        given["keys"] = [key.strip() for key in given["keys"].split(",")]
    rule, purpose, codes = (given.pop(name, None) for name in ("consent", "purpose", "checked"))
    if rule is not None:
        how = {"rule": rule, "purpose": purpose, "checked": codes or ()}
        given["judges"] = [consent_judge(given.get("site"), **how, attributes=getattr(session, "attributes", None))]
    elif purpose or codes:
        raise InputError("`purpose` and `checked` go with `consent`: got them alone. Add `consent: opt-in` or opt-out.")
    return AdmissionGuard(**given, session=session, engine_id=engine_id)

# SPDX-License-Identifier: Apache-2.0
"""`RunSession`: what all engines of a run share, from the first event to the sealed evidence."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ignite.distributed as idist
from ignite.engine import Engine

from monai_ethics.handlers._audits import absolute, audits_on
from monai_ethics.handlers._environment import environment, run_name
from monai_ethics.handlers._fit import TableFit
from monai_ethics.handlers._ledger import EngineNotes, Ledger
from monai_ethics.handlers._sweep import OutputSweep
from monai_ethics.handlers.admission import absolute_guard, join_guards

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.fairness.data.scores import ScoreTable
    from monai_ethics.fairness.plan import Plan
    from monai_ethics.handlers._collect import EpochScores
    from monai_ethics.handlers._items import ItemDigests
    from monai_ethics.handlers._trace import CaseTrace
    from monai_ethics.handlers.synthesis_audit import SynthesisAudit
    from monai_ethics.provenance.log.writing.writer import EvidenceLog

__all__ = ["RunSession"]


class RunSession:
    """The evidence of one run. Constructing it does nothing; only process 0 ever writes.

    Args:
        out: the evidence folder.
        run_id: name of the run in the log; ``None`` makes one from the time.
        attributes: side table with the attributes of cases, or names of batch or meta keys.
        strata: attributes and intersections to compare, such as ``"sex,site,sex*site"``.
        policy: file with limits by which the findings are judged.
        threshold: score from which on a classifier's case is decided positive, chosen on other data; ``None`` for no
            decisions.
        plan: what is compared and how, some of `monai_ethics.fairness.plan.SETTINGS`.
        log: whether the engines' own loggers are given the groups' values.
        synthetic: whether every image that the run writes is declared synthetic: it gets a sidecar and is registered.
        synthesis: settings of `SynthesisAudit`: engines that train get one, and otherwise the synthetic images that
            the run wrote are audited when it ends.
        record: what a record cannot see by itself, a mapping or a JSON file: ``data`` (`license`, `source`, `consent`,
            `acquisition`, `deidentification` of the training data), ``generation`` (`generator`, `version`,
            `conditioning`, `sampler`), ``weights_license``, ``intended_use``, ``uses`` (of
            `LicenseCompatibility`).
        guard: settings of `AdmissionGuard`: before it iterates, every engine judges the items of its dataset.
        site: the site log, which is asked where things came from and witnesses the run's head; by default the one
            that ``MONAI_ETHICS_SITE`` names.
        config: what the launcher knows: ``files`` (name to SHA-256 of the raw files), ``engines`` (expected engines
            by id), ``workflow``, ``run_id``, ``outputs`` (folders to sweep; by default the one that `out` lies in).
    """

    def __init__(
        self,
        *,
        out: str | Path,
        run_id: str | None = None,
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
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.out = Path(out)
        self.run_id = run_id
        self.attributes = attributes
        self.strata = strata
        self.policy = policy
        self.threshold = threshold
        self.plan = plan
        self.log = log
        self.synthetic = synthetic
        self.synthesis = absolute(synthesis) if synthesis else None
        self.guard = absolute_guard(guard) if guard is not None else None
        self.site = Path(site).absolute() if site else None  # a bundle may change the current directory
        self.record = record
        self.config = dict(config or {})
        self.fit = TableFit()
        self.exit_code = 0
        self.findings: tuple[Finding, ...] = ()
        self._renew()

    def _renew(self) -> None:
        self.ledger = Ledger(self.config.get("engines", {}))
        self.activity: dict[str, Any] = {}
        self.audits: list[SynthesisAudit] = []
        self.admissions: dict[str, tuple[Finding, ...]] = {}
        self._evidence: EvidenceLog | None = None
        self._started = self._finished = False
        self.owned = False  # whether a handler began this run and is to end it
        self._depth = 0
        self._began = 0.0
        self._sweep: OutputSweep | None = None
        self._items: ItemDigests | None = None
        self.described: Mapping[str, Any] = {}
        self._synthesis: dict[str, Any] | None = None
        self.traces: dict[str, CaseTrace] = {}

    def comparison(self) -> Plan:
        """What is compared, and how.

        Raises:
            InputError: if the strata or the plan cannot be read.
        """
        from monai_ethics.fairness.plan import read_plan

        return read_plan(self.plan, strata=self.strata)

    @property
    def started(self) -> bool:
        """Whether the run has begun and its evidence is not sealed yet."""
        return self._started and not self._finished

    @property
    def evidence(self) -> EvidenceLog | None:
        """The open log on process 0; ``None`` elsewhere and outside a run."""
        return self._evidence

    @property
    def items(self) -> ItemDigests | None:
        """The queue that digests dataset items; ``None`` on other processes than 0."""
        return self._items

    def start(self) -> None:
        """Begin the run; after a finished one, begin another with a new id.

        Raises:
            InputError: if the side table or the policy cannot be read, before anything is written.
            ProvenanceError: if another writer holds the evidence folder.
        """
        if self.started:
            return
        if self._finished:
            self._renew()
        self._began = time.time()
        if idist.get_rank() == 0:
            self._open()
        self._started = True

    def _open(self) -> None:
        from monai_ethics.handlers._described import described
        from monai_ethics.handlers._groups import GroupSource
        from monai_ethics.handlers._items import ItemDigests
        from monai_ethics.handlers._settle import check_settings
        from monai_ethics.provenance.log.writing.writer import EvidenceLog

        check_settings(self)
        self.described = described(self.record, self.config.get("bundle", {}))
        if isinstance(self.attributes, (str, os.PathLike)):
            GroupSource(self.attributes).load()
        self._sweep = OutputSweep(exclude=self.out)
        for folder in self.config.get("outputs", (self.out.parent,) if self.config else ()):
            self._sweep.watch(folder)
        self._items = ItemDigests()
        self._evidence = EvidenceLog.open(self.out, run_id=self.run_id or run_name(self._began), site=self.site)
        self._evidence.append_many(
            [
                ("inputs", dict(self.config.get("files", {}))),
                ("environment", environment()),
                ("run", {"status": "started", "launched": self._launched()}),
            ]
        )

    def _launched(self) -> dict[str, Any]:
        known = ("workflow", "run_id", "engines", "overrides")
        return {key: self.config[key] for key in known if self.config.get(key) is not None}

    def enter(self, engine_id: str, engine: Engine) -> None:
        """An engine starts; the run begins with the first one."""
        self.start()
        self._depth += 1
        self.audits.extend(audit for audit in audits_on(engine) if audit not in self.audits)
        join_guards(self, engine, engine_id)
        self.observe_engine(engine_id, engine)

    def admitted(self, engine_id: str, findings: Sequence[Finding]) -> None:
        """Take what was found of the dataset of an engine; the last time holds."""
        self.admissions[engine_id] = tuple(findings)

    def leave(self) -> bool:
        """An engine has ended; whether it was the outermost one."""
        self._depth = max(self._depth - 1, 0)
        return self._depth == 0

    def observe_engine(self, engine_id: str, engine: Engine) -> EngineNotes:
        """Note that an engine ran and carried this package."""
        return self.ledger.observe(engine_id, engine)

    def submit(self, engine_id: str, tables: Sequence[ScoreTable], *, scores: EpochScores | None = None) -> None:
        """Hand in the scores of an engine's epoch; the last epoch of an engine holds.

        Args:
            engine_id: id of the engine.
            tables: its score tables.
            scores: all that its epoch gave, where `StratifiedScores` computed it.
        """
        self.ledger.submit(engine_id, tables, scores)

    def input_item(self, item: Mapping[str, Any], *, use: str = "") -> None:
        """Take one dataset item (``image``, ``label``, ...): its files are digested off this thread.

        Args:
            item: the item.
            use: id of the engine that reads it.
        """
        if self._items is not None:
            self._items.add(item, use=use)

    def trace(self, engine_id: str) -> CaseTrace | None:
        """Where an engine leaves a row for each case; ``None`` in a run that trains, or that leaves no evidence."""
        if self._evidence is None or any(notes.training for notes in self.ledger.engines.values()):
            return None
        from monai_ethics.handlers._trace import CaseTrace

        return self.traces.setdefault(engine_id, CaseTrace())

    def synthesis_fields(self) -> dict[str, Any]:
        """Fields that the records of generated images share, read once a run: who made them, how, from what."""
        if self._synthesis is None:
            from monai_ethics.handlers._made_by import synthesis_fields
            from monai_ethics.handlers._members import logs_to_ask

            own = [self._evidence.folder] if self._evidence is not None else []
            self._synthesis = synthesis_fields(self, logs_to_ask(self, own))
        return self._synthesis

    def output_file(self, path: str | Path, *, role: str = "output") -> None:
        """Note a file that the run wrote; it is digested when the run ends."""
        if self._sweep is not None:
            self._sweep.note(path, role)

    def watch(self, folder: str | Path) -> None:
        """Take every file that is new or changed below `folder` when the run ends as an output."""
        if self._sweep is not None:
            self._sweep.watch(folder)

    def note(self, **facts: Any) -> None:
        """Add facts, JSON-able and free of names, to the record of this run."""
        if self._evidence is not None:
            self.activity.update(facts)

    def finish(self, error: BaseException | None = None) -> None:
        """Compute the findings, store the scores, sweep the outputs, write the report and seal the evidence.

        Args:
            error: what ended the run, if it failed; only its type is kept.
        """
        if self._finished or not self._started:
            return
        self._finished = True
        log = self._evidence
        if log is None:
            return
        from monai_ethics.handlers._settle import settle

        try:
            settled = settle(self, log, error=error, outputs=self._sweep)
            self.findings, self.exit_code = settled.findings, settled.exit_code
        finally:
            if self._items is not None:
                self._items.close()
            log.close()
            self._evidence = None
        print(settled.summary, flush=True)

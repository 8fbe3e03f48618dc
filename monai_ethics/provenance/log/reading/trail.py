# SPDX-License-Identifier: Apache-2.0
"""What a log holds besides findings, for whoever asks whether to trust it: runs, keys, repairs, sets, models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai_ethics.provenance.log.reading.bodies import as_list, as_mapping, as_text, as_whole
from monai_ethics.provenance.log.reading.entries import Entry, iter_entries
from monai_ethics.provenance.marks.taint import carries_synthetic

__all__ = ["Key", "Made", "Published", "Repair", "Run", "Set", "Trail", "trail_of"]

MOST = 200  # lines of a kind that are kept; the others are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: its id, when it began, what wrote it, and how it ended as far as it says."""

    run_id: str
    time: str
    tool: str
    status: str = "not stated"
    workflow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that the log announced, and whether the key before it signed for it."""

    time: str
    fingerprint: str
    storage: str
    first: bool
    endorsed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """The end of a log that an interrupted writer left, and that the next one mended."""

    time: str
    truncated_bytes: int
    unsealed_entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """A set of images with the root of its tree; each image of no known patient is a subject of its own."""

    role: str
    n: int
    subjects: int
    unattributed: int
    root: str

    @property
    def patients(self) -> int:
        """How many patients the set names."""
        return max(self.subjects - self.unattributed, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A model as records name it."""

    name: str
    weights: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """That the log is a copy for the public: the smallest count that it shows but for 0, and how much it hides."""

    least: int
    hidden: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What the entries of a log say besides its findings.

    Args:
        log_id: the same for the whole log.
        runs: the last 200 runs in their order.
        keys: keys in their order.
        repairs: ends that were mended.
        redactions: time and number of private payloads that an entry says were deleted, with the reason.
        sets: sets of images.
        models: models that records name.
        intended: what records say that images or models are for.
        counts: entries by kind.
        synthetic: records and registered images that are synthetic, wholly or in part.
        published: what it says of itself as a copy for the public, if it is one.
    """

    log_id: str = ""
    runs: tuple[Run, ...] = ()
    keys: tuple[Key, ...] = ()
    repairs: tuple[Repair, ...] = ()
    redactions: tuple[tuple[str, int, str], ...] = ()
    sets: tuple[Set, ...] = ()
    models: tuple[Made, ...] = ()
    intended: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    synthetic: int = 0
    published: Published | None = None


def trail_of(folder: Path) -> Trail:
    """Read a log for its trail.

    Raises:
        InputError: if the folder holds no log.
        ProvenanceError: if a line is no entry.
    """
    return gathered(iter_entries(Path(folder)))


def gathered(entries: Iterable[Entry]) -> Trail:
    """The trail of entries, read once in their order."""
    found = _Gathered()
    for entry in entries:
        found.add(entry)
    return found.trail()


class _Gathered:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.runs: dict[str, Run] = {}
        self.keys: list[Key] = []
        self.repairs: list[Repair] = []
        self.redactions: list[tuple[str, int, str]] = []
        self.sets: dict[tuple[str, str], Set] = {}
        self.models: dict[Made, None] = {}
        self.intended: dict[str, None] = {}
        self.synthetic = 0
        self.published: Published | None = None
        self.log_id = ""

    def add(self, entry: Entry) -> None:
        self.counts[entry.kind] += 1
        if entry.kind in _LOOKS:
            _LOOKS[entry.kind](self, entry, entry.body)

    def trail(self) -> Trail:
        return Trail(
            log_id=self.log_id,
            runs=tuple(self.runs.values()),
            keys=tuple(self.keys),
            repairs=tuple(self.repairs),
            redactions=tuple(self.redactions),
            sets=tuple(self.sets.values()),
            models=tuple(self.models),
            intended=tuple(self.intended),
            counts=dict(sorted(self.counts.items())),
            synthetic=self.synthetic,
            published=self.published,
        )

    def _open(self, entry: Entry, body: Mapping[str, Any]) -> None:
        self.log_id = self.log_id or as_text(body.get("log_id"))
        run = Run(run_id=entry.run_id, time=entry.time, tool=as_text(body.get("tool")))
        self.runs.setdefault(entry.run_id, run)
        while len(self.runs) > MOST:
            del self.runs[next(iter(self.runs))]

    def _run(self, entry: Entry, body: Mapping[str, Any]) -> None:
        old = self.runs.get(entry.run_id) or Run(run_id=entry.run_id, time=entry.time, tool="")
        workflow = as_text(as_mapping(body.get("launched")).get("workflow"))
        self.runs[entry.run_id] = Run(
            run_id=old.run_id,
            time=old.time,
            tool=old.tool,
            status=as_text(body.get("status")) or old.status,
            workflow=workflow or old.workflow,
        )

    def _key(self, entry: Entry, body: Mapping[str, Any]) -> None:
        key = Key(
            time=entry.time,
            fingerprint=as_text(body.get("fingerprint")),
            storage=as_text(body.get("key")),
            first=body.get("previous") is None,
            endorsed=bool(body.get("endorsement")),
        )
        self.keys = [*self.keys[-MOST + 1 :], key]

    def _repair(self, entry: Entry, body: Mapping[str, Any]) -> None:
        repair = Repair(
            time=entry.time,
            truncated_bytes=as_whole(body.get("truncated_bytes")),
            unsealed_entries=as_whole(body.get("unsealed_entries")),
        )
        self.repairs = [*self.repairs[-MOST + 1 :], repair]

    def _erasure(self, entry: Entry, body: Mapping[str, Any]) -> None:
        count = len(as_list(body.get("commitments")))
        self.redactions = [*self.redactions[-MOST + 1 :], (entry.time, count, as_text(body.get("reason")))]

    def _training_set(self, entry: Entry, body: Mapping[str, Any]) -> None:
        names = ("n", "subjects", "unattributed")
        role, root = as_text(body.get("role")), as_text(body.get("root"))
        if len(self.sets) < MOST:
            n, subjects, unattributed = (as_whole(body.get(name)) for name in names)
            row = Set(role=role, n=n, subjects=subjects, unattributed=unattributed, root=root)
            self.sets.setdefault((role, root), row)

    def _record(self, entry: Entry, body: Mapping[str, Any]) -> None:
        self.synthetic += carries_synthetic(body.get("synthetic"))
        use = as_text(body.get("intended_use"))
        if use and len(self.intended) < MOST:
            self.intended.setdefault(use)
        model = body.get("model")
        if isinstance(model, Mapping) and len(self.models) < MOST:
            made = Made(name=_name(model), weights=as_text(model.get("weights_sha256")))
            if made.name or made.weights:
                self.models.setdefault(made)

    def _registered(self, entry: Entry, body: Mapping[str, Any]) -> None:
        self.synthetic += carries_synthetic(body.get("synthetic"))

    def _public_export(self, entry: Entry, body: Mapping[str, Any]) -> None:
        hidden = as_whole(as_mapping(body.get("left_out")).get("estimates"))
        self.published = Published(
            least=as_whole(body.get("least")), hidden=hidden, source=as_text(body.get("source_head"))
        )


_LOOKS: Mapping[str, Callable[[_Gathered, Entry, Mapping[str, Any]], None]] = {
    "open": _Gathered._open,
    "run": _Gathered._run,
    "key": _Gathered._key,
    "repair": _Gathered._repair,
    "erasure": _Gathered._erasure,
    "training_set": _Gathered._training_set,
    "record": _Gathered._record,
    "registered": _Gathered._registered,
    "public_export": _Gathered._public_export,
}


def _name(model: Mapping[str, Any]) -> str:
    bundle = as_mapping(model.get("bundle"))
    parts = (bundle.get("name"), bundle.get("version"), model.get("generator"), model.get("version"))
    words = [as_text(part) for part in parts]
    return " ".join(word for word in words if word)

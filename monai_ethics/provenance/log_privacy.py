# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.log_privacy`: does anything in a log look like what names a person or a file?"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from monai_ethics.errors import EthicsError
from monai_ethics.evidence import Estimate, Finding, Observation, Source, Stage, Verdict
from monai_ethics.provenance.log.files.payload import read_payload
from monai_ethics.provenance.log.reading.entries import Entry, iter_entries
from monai_ethics.registry import question_of

__all__ = ["PATTERNS", "LogLines", "LogPrivacy", "log_lines", "log_of"]

#: forms of text that no value of a public entry has
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "dicom_uid": re.compile(r"(?<![\d.])(?:1\.2\.840|1\.3\.6\.1|2\.25)\.\d+(?:\.\d+)*"),
    "person_name": re.compile(r"(?<=[^\W\d_])\^(?=[^\W\d_]|$|\s)"),
    "date": re.compile(r"(?<![0-9a-f.])(?:19|20)\d\d([-/.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\.?[0-9a-f])"),
    "long_number": re.compile(r"(?<![\w.\-])\d{7,31}(?![\w.])"),
    "mrn": re.compile(r"(?i)\b(?:mrn|patient[ _-]?id|accession)[ _#:=-]*\d{3,}"),
    "path": re.compile(r"(?<![\w:/.])(?:/[\w.~ -]+){2,}|\b[A-Za-z]:\\|\\\\\w|file://"),
    "image_file": re.compile(
        r"(?i)(?<=[\w-])\.(?:dcm|dicom|nii(?:\.gz)?|nrrd|mha|mhd|mgh|mgz|png|jpe?g|tiff?|npy|npz)\b"
    ),
    "email": re.compile(r"(?<=[\w.+-])@[\w-]+\.\w"),
    "blob": re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/=]{256,}"),
}
#: fields whose values are times, seeds, versions or titles by what they are
_EXPECTED = frozenset(
    ("at", "created", "monai_seed", "packages", "rule", "sources", "time", "torch_seed", "valid_from", "valid_to")
)
_NUMBER = "number "  # before a number that is no text: it is compared with what is private, and has no form by itself
#: the forms of this package's own times and run ids
_OWN = re.compile(r"^number \d+$|\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\brun-\d{8}T\d{6}Z-[0-9a-f]{8}", re.MULTILINE)
#: fields of private payloads that name a person, a case or a file; all texts of a list of names
_NAMING = frozenset(("case", "cases", "file", "files", "item", "items", "name", "path", "patient", "patients"))
_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
_KEYED = re.compile(r"[0-9a-f]{32,}|[a-z_]+")
_WORD = re.compile(r"\w+|\n")
SHORTEST = 6
EXACT = "private_identifier"
SOURCE = Source(
    title="Ethics by Design",
    locator="Table 1: deployment, highest data protection",
    url="https://arxiv.org/abs/2507.04249",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLines:
    """Texts of a log, entry by entry.

    Args:
        texts: for each entry its position and every text in it, one a line.
        known: identifiers that stand in private payloads, and so nowhere else.
        searched: whether private payloads were there to be read.
    """

    texts: Sequence[tuple[int, str]]
    known: frozenset[str] = frozenset()
    searched: bool = False

    def reordered(self, order: Sequence[int]) -> LogLines:
        """The same entries in another order."""
        return replace(self, texts=tuple(self.texts[i] for i in order))


@dataclass(frozen=True, kw_only=True)
class LogPrivacy:
    """Entries of a log that hold text in the form of an identifier, or an identifier that a private payload holds.

    Args:
        listed: most positions of entries that the finding lists for each pattern.
        most: most entries that are read; later ones are counted as not read.

    Notes:
        The finding never repeats what was found. Digests and pseudonyms of a fixed length, times in fields for times
        and sources are expected and do not count. Of private identifiers those of fewer than 6 characters and single
        words in small letters are not searched for: they stand in many texts by chance.

    References:
        Requirement LIF-D5, no pixels and no health information in logs.
    """

    id: ClassVar[str] = "provenance.log_privacy"
    title: ClassVar[str] = "Does anything in the log look like a name of a person or a file?"
    stage: ClassVar[Stage] = Stage.DEPLOYMENT
    requirements: ClassVar[tuple[str, ...]] = ("LIF-D5",)

    listed: int = 20
    most: int = 100_000

    def __call__(self, data: LogLines, /) -> Finding:
        """Search the texts of a log."""
        rows = sorted(data.texts)
        read, skipped = rows[: self.most], max(0, len(rows) - self.most)
        if len(rows) < 2:
            reason = "Fewer than two entries can be read."
            accounting = {"with_a_pattern": 0, "without": 0, "not_read": len(rows)}
            return self._finding(Verdict.NOT_ASSESSABLE, reason, reason=reason, accounting=accounting)
        find = _finder(data.known)
        found: dict[str, list[int]] = {name: [] for name in (*PATTERNS, *([EXACT] if data.searched else []))}
        for seq, text in read:
            for name in find(text):
                found[name].append(seq)
        bad = len({seq for places in found.values() for seq in places})
        kinds = ", ".join(f"{name} {len(places)}" for name, places in found.items() if places)
        statement = f"{bad} of {len(read)} entries hold text in the form of an identifier" + (
            f": {kinds}. Look at them before the log is given to anybody." if bad else "."
        )
        if not data.searched:
            statement += " Private payloads were not there to compare with."
        n, share = len(read), "share of entries with text in the form of an identifier, of any kind"
        estimates = [_estimate("entries_with_a_pattern", bad / n, n, estimand=share)]
        estimates += [
            _estimate(f"entries_with_{name}", len(places), n, estimand="number of entries with it")
            for name, places in found.items()
        ]
        looked = [
            Observation(
                label=name, items=[f"entry {seq}" for seq in places[: self.listed]], value=len(places), unit="1"
            )
            for name, places in found.items()
            if places
        ]
        accounting = {"with_a_pattern": bad, "without": len(read) - bad, "not_read": skipped}
        return self._finding(
            Verdict.MEASURED, statement, estimates=estimates, observations=looked, accounting=accounting
        )

    def _finding(self, verdict: Verdict, statement: str, **content: Any) -> Finding:
        return Finding(
            **question_of(self),
            verdict=verdict,
            statement=statement,
            parameters=asdict(self),
            limitations=(
                "Names that are ordinary words, and numbers of fewer than seven digits, have no form that tells them.",
                "A date or a long number may be no identifier: a person must look.",
            ),
            sources=(SOURCE,),
            **content,
        )

    @staticmethod
    def example(n: int, seed: int) -> LogLines:
        """`n` entries of which every tenth holds an address."""
        return LogLines(
            texts=[(i, f"run {seed}\n{'someone@example.org' if i % 10 == 3 else 'finding'}") for i in range(n)]
        )


def _estimate(name: str, value: float, n: int, *, estimand: str) -> Estimate:
    return Estimate(
        name=name,
        value=value,
        unit="1",
        n=n,
        n_unit="entries",
        estimand=estimand,
        reason="A complete count of these entries, not a sample of more.",
    )


def _finder(known: frozenset[str]) -> Callable[[str], Iterator[str]]:
    """What a text holds; identifiers are compared word by word, so that many of them cost no more than one."""
    begins: dict[str, set[tuple[str, ...]]] = {}
    for word in known:
        parts = tuple(_WORD.findall(word))
        if parts:
            begins.setdefault(parts[0], set()).add(parts)

    def find(text: str) -> Iterator[str]:
        plain = _OWN.sub("", text)
        yield from (name for name, pattern in PATTERNS.items() if pattern.search(plain))
        words = _WORD.findall(text) if begins else []
        if any(tuple(words[i : i + len(w)]) == w for i, word in enumerate(words) for w in begins.get(word, ())):
            yield EXACT

    return find


def log_lines(bodies: Iterable[Any], *, private: Path | None = None) -> LogLines:
    """Bodies of entries, and the identifiers that the private payloads of a folder hold.

    Args:
        bodies: JSON, one for each entry.
        private: the evidence folder whose payloads are read; they stay in memory only.
    """
    known = None if private is None else _identifiers(private, iter_entries(private))
    return LogLines(
        texts=[(seq, "\n".join(_texts(body))) for seq, body in enumerate(bodies)],
        known=known or frozenset(),
        searched=known is not None,
    )


def log_of(folder: Path, *, run_id: str | None = None, more: Iterable[Any] = ()) -> LogLines:
    """Every entry of an evidence folder, its run id among its texts.

    Args:
        folder: the evidence folder.
        run_id: entries and private payloads of this run only.
        more: bodies that are about to be appended.

    Raises:
        InputError: if the folder holds no log.
        ProvenanceError: if a line is no entry.
    """
    texts, payloads = [], []
    for entry in iter_entries(folder):
        if run_id in (None, entry.run_id):
            texts.append((entry.seq, "\n".join(_texts({"run_id": entry.run_id, "body": entry.body}))))
            if entry.kind == "payload":
                payloads.append(entry)
    first = texts[-1][0] + 1 if texts else 0
    texts += [(seq, "\n".join(_texts(body))) for seq, body in enumerate(more, start=first)]
    known = _identifiers(folder, payloads)
    return LogLines(texts=texts, known=known or frozenset(), searched=known is not None)


def _texts(value: Any) -> Iterator[str]:
    """Texts and names of fields; what some fields hold is expected and left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int):
        if abs(value) >= 10 ** (SHORTEST - 1):
            yield f"{_NUMBER}{abs(value)}"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            if key not in _EXPECTED:
                yield from _texts(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _texts(item)


def _identifiers(folder: Path, entries: Iterable[Entry]) -> frozenset[str] | None:
    """Names of cases, people and files in the private payloads; ``None`` where none can be read."""
    found: set[str] = set()
    seen = False
    for entry in entries:
        if entry.kind != "payload":
            continue
        try:
            payload = read_payload(folder, str(entry.body.get("commitment")))
        except (EthicsError, OSError):  # what was altered or may not be read is told by `verify`
            continue
        seen = seen or payload is not None
        if payload is not None:
            found.update(_named(str(entry.body.get("media_type")), payload))
    long = {word for name in found for word in (name, Path(name).name, Path(name).stem.removesuffix(".nii"))}
    return frozenset(w for w in long if len(w) >= SHORTEST and not _KEYED.fullmatch(w)) if seen else None


def _named(media_type: str, payload: bytes) -> Iterator[str]:
    text = payload.decode("utf-8", "replace")
    if media_type == "application/json":
        try:
            yield from _leaves(json.loads(text), named=False)
        except (ValueError, RecursionError):
            return
        return
    head = text.partition("\n")[0]
    if "\0" in text or not _NAMING & set(re.split(r"[\t,]", head.strip())):
        return
    for row in csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in head else ","):
        yield from (value for name, value in row.items() if name in _NAMING and isinstance(value, str))


def _leaves(value: Any, *, named: bool) -> Iterator[str]:
    """Texts of fields that name something, and what a pseudonym stands for."""
    if isinstance(value, str):
        if named:
            yield value
    elif isinstance(value, int):
        if named and abs(value) >= 10 ** (SHORTEST - 1):
            yield str(abs(value))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, named=key in _NAMING or _PSEUDONYM.fullmatch(key) is not None)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, named=named)

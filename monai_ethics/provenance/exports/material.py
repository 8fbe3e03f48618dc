# SPDX-License-Identifier: Apache-2.0
"""What leaves the house: the part of an evidence folder's records that every export is made of, and nothing else.

Left out are: records of single acquired images, of consent and of withdrawal, pseudonyms of patients, files and
cases, names of files, private payloads, findings but for the verdicts of audits, and every field not named here.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.exports.reduced import Checkpoint, Made, counted, is_released, made_of
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.log.reading.bodies import as_list, as_mapping, as_whole
from monai_ethics.provenance.log.reading.entries import Entry, iter_entries
from monai_ethics.provenance.log.tree.digits import is_hex, is_record_id
from monai_ethics.provenance.log.tree.head import Head, read_head
from monai_ethics.provenance.log.verifying.verify import as_signed
from monai_ethics.provenance.log.writing.relied import relied_on

__all__ = ["NAMESPACE", "NO_CLAIM", "Material", "Shared", "Told", "as_bytes", "read_material"]

NAMESPACE = "tag:monai_ethics,2026:terms/"
NO_CLAIM = (
    "This file states which marks are recorded, and its records are what the software noted: no claim that any law "
    "or standard is met."
)
_AUDITS = ("synthesis.", "provenance.")
#: entries of runs that only exported; they change no export
_READ = frozenset({"environment", "head", "open", "record", "run", "stored"})
_BESIDE = frozenset({"open", "key", "pseudonym_key", "head", "repair", "export", "report"})


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A file that is handed on: fully synthetic, by its values.

    Args:
        record: id of the record of its image.
        sha256: digest of its bytes.
        size: bytes.
        suffix: of its name, such as ``".nii.gz"``; the name itself stays here.
    """

    record: str
    sha256: str
    size: int
    suffix: str

    @property
    def name(self) -> str:
        """Name under which it is to be handed on: its own may name a patient."""
        return f"images/{self.sha256[:16]}{self.suffix}"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What only the person who exports knows.

    Args:
        name: of the data set, model or collection.
        license: SPDX expression; that of the records where empty.
        creator: a person or an organization.
        url: address where it will be found.
        version: of what is described.
        files: files that are handed on with a data set.
    """

    name: str = ""
    license: str = ""
    creator: str = ""
    url: str = ""
    version: str = ""
    files: Sequence[Shared] = ()


@dataclass(frozen=True, kw_only=True)
class Material:
    """The exportable part of one evidence folder.

    Args:
        tool: name and version of the software that wrote the last run.
        log_id: of the log.
        head: fingerprint of the first signed head that covers all of it.
        signer: fingerprint of the key of that head.
        time: of that head; the writer's claim.
        made: reduced records, in the order of the log.
        checkpoints: files with weights.
        packages: versions of software, by name.
        audits: verdicts by check.
        left_out: how many records were left out, by what they are.
    """

    tool: str
    log_id: str
    head: str
    signer: str
    time: str
    made: Sequence[Made]
    checkpoints: Sequence[Checkpoint] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    audits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, Made]:
        """Reduced records by id."""
        return {one.id: one for one in self.made}

    def of_kind(self, *kinds: str) -> list[Made]:
        """Reduced records of these kinds."""
        return [one for one in self.made if one.kind in kinds]

    @property
    def synthetic_images(self) -> list[Made]:
        """Reduced records of images with a synthetic part."""
        return [one for one in self.made if one.is_synthetic_image]

    @property
    def tool_version(self) -> tuple[str, str]:
        """Name and version of the tool."""
        name, _, version = self.tool.partition(" ")
        return name or "monai_ethics", version

    @property
    def layers(self) -> dict[str, int]:
        """Synthetic images by the layers of marks that are recorded of them."""
        layers = Counter(" and ".join(one.layers) or "none recorded" for one in self.synthetic_images)
        return dict(sorted(layers.items()))

    @property
    def layers_told(self) -> list[str]:
        """`layers` in words."""
        return [f"marking layers {name}: {counted(count, 'image')}" for name, count in self.layers.items()]

    @property
    def left_out_told(self) -> str:
        """`left_out` in words."""
        told = ", ".join(f"{what} ({count})" for what, count in sorted(self.left_out.items()) if count)
        return f"Left out: {told}." if told else ""

    def needs_some(self, found: Sequence[Any], what: str) -> None:
        """Refuse an export that would be about nothing.

        Raises:
            InputError: if nothing was found.
        """
        if not found:
            raise InputError(f"Expected evidence that records {what}: got none. Give another folder or format.")


def read_material(folder: Path, *, trusted: Sequence[bytes] = ()) -> Material:
    """Read what may leave; equal evidence gives equal material, however often it was exported before.

    Args:
        folder: the evidence folder.
        trusted: raw public keys or fingerprints of which one must have signed it, if any are given.

    Raises:
        GateError: if the log is not as it was signed, or nobody signed what is exported.
        InputError: if the folder holds no log.
    """
    found = as_signed(folder, trusted=trusted)
    if found.entries > found.sealed:
        raise GateError(_UNSIGNED)
    entries = [_lean(entry) for entry in iter_entries(folder, under=relied_on(folder, found))]
    aside = _only_exported(entries)
    own = [entry for entry in entries if entry.run_id not in aside]
    head = _covering(entries, own[-1].seq + 1 if own else 1, folder)
    records = {str(e.body.get("id")): e for e in own if e.kind == "record"}
    checkpoints = tuple(_checkpoints(own))
    layers = _layers(own)
    released = {name for name, entry in records.items() if is_released(entry.body) and is_record_id(name)}
    made = [
        made_of(entry, released=released, layers=layers.get(name, ()))
        for name, entry in records.items()
        if name in released
    ]
    return Material(
        tool=next((str(e.body.get("tool", "")) for e in reversed(own) if e.kind == "open"), "monai_ethics"),
        log_id=next((str(e.body.get("log_id", "")) for e in own if e.kind == "open"), ""),
        head=head.fingerprint,
        signer=fingerprint(bytes.fromhex(head.public_key)),
        time=head.time,
        made=made,
        checkpoints=checkpoints,
        packages=_packages(own),
        audits=_audits(own),
        left_out=_left_out(records, released),
    )


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """A document as JSON in ASCII, sorted: it can stand in a page of HTML, and no terminal obeys it."""
    text = json.dumps(_clean(document), allow_nan=False, ensure_ascii=True, indent=1, sort_keys=True)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("ascii") + b"\n"


def _clean(value: Any) -> Any:
    """Control, reordering and broken characters are replaced: what others show must not obey them."""
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return value
        return "".join("\N{REPLACEMENT CHARACTER}" if _unsafe(char) else char for char in value)
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, (list, tuple)) else value


def _unsafe(char: str) -> bool:
    if char in "\t\n":
        return False
    return unicodedata.category(char) in ("Cc", "Cs", "Cn") or unicodedata.bidirectional(char) in _BIDI


_BIDI = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


_UNSIGNED = "Expected evidence whose records are signed: got some that are not. End the run, or open it again."


def _lean(entry: Entry) -> Entry:
    """The entry without what no export reads of it: a log that grows need not fit into memory."""
    if entry.kind == "finding":
        return replace(entry, body={name: entry.body.get(name) for name in ("check", "verdict")})
    return entry if entry.kind in _READ else replace(entry, body={})


def _only_exported(entries: Sequence[Entry]) -> set[str]:
    kinds: dict[str, set[str]] = {}
    for entry in entries:
        kinds.setdefault(entry.run_id, set()).add(entry.kind)
    return {run for run, found in kinds.items() if "export" in found and found <= _BESIDE}


def _covering(entries: Sequence[Entry], size: int, folder: Path) -> Head:
    """The first head over at least `size` entries: an export is logged behind it, and later ones find it again."""
    heads = [Head.from_dict(dict(entry.body)) for entry in entries if entry.kind == "head"]
    last = read_head(folder)
    for head in [*heads, *([last] if last is not None else [])]:
        if head.size >= size:
            return head
    raise GateError(_UNSIGNED)


def _checkpoints(entries: Iterable[Entry]) -> Iterable[Checkpoint]:
    for entry in entries:
        body = entry.body
        if entry.kind == "stored" and body.get("role") == "checkpoint" and is_hex(body.get("sha256")):
            yield Checkpoint(
                record=str(body.get("record") or ""),
                sha256=str(body["sha256"]),
                size=as_whole(body.get("size")),
                weights=_strings(body.get("weights")),
            )


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(map(str, as_list(value)))


def _layers(entries: Iterable[Entry]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for entry in entries:
        if entry.kind == "stored" and entry.body.get("marks"):
            found.setdefault(str(entry.body.get("record")), set()).update(_strings(entry.body["marks"]))
    return {name: tuple(sorted(layers & {"header", "sidecar"})) for name, layers in found.items()}


def _packages(entries: Iterable[Entry]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        body = as_mapping(entry.body.get("environment")) if entry.kind == "run" else entry.body
        if entry.kind in ("run", "environment"):
            named = as_mapping(body.get("packages")).items()
            found |= {str(name): str(version) for name, version in named if version}
    return dict(sorted(found.items()))


def _audits(entries: Iterable[Entry]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for entry in entries:
        check = str(entry.body.get("check", ""))
        if entry.kind == "finding" and check.startswith(_AUDITS):
            found.setdefault(check, set()).add(str(entry.body.get("verdict")))
    return {check: sorted(verdicts) for check, verdicts in sorted(found.items())}


def _left_out(records: Mapping[str, Entry], released: set[str]) -> dict[str, int]:
    rest = [entry.body for name, entry in records.items() if name not in released]
    consent = sum(body.get("type") in ("consent", "withdrawal") for body in rest)
    return {"records of single acquired images": len(rest) - consent, "records of consent and withdrawal": consent}

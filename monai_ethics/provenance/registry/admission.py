# SPDX-License-Identifier: Apache-2.0
"""Judging the items of a dataset before anybody uses them; who judges is open: registries here, consent elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from monai_ethics.errors import GateError, InputError
from monai_ethics.evidence import Finding
from monai_ethics.provenance.images.digest import FileDigests
from monai_ethics.provenance.images.listing import declared_digests, is_image_file, item_files, marked_digests
from monai_ethics.provenance.log.files.payload import PRIVATE_NAME, pseudonym_of, read_pseudonym_key
from monai_ethics.provenance.log.reading.entries import LOG_NAME
from monai_ethics.provenance.log.tree.head import HEAD_NAME
from monai_ethics.provenance.marks.sidecar import SIDECAR
from monai_ethics.provenance.registry.guard import registries
from monai_ethics.provenance.registry.known import Known, load_known
from monai_ethics.provenance.synthetic_guard import AdmissionList, SyntheticGuard

__all__ = ["ANNOTATIONS", "ItemJudge", "Judgement", "Namer", "Refusal", "RegistryJudge", "judged", "refuse"]

Namer = Callable[[str, str], str]
ANNOTATIONS = ("label", "mask", "seg", "segmentation", "lesion", "lesions")
# whatever else an item names may hold an image, for one reader or another
TEXTS = (".json", ".csv", ".tsv", ".txt", ".yaml", ".yml", ".xml", ".md", ".bval", ".bvec")
_SAID = {"true": "yes", "yes": "yes", "1": "yes", "synthetic": "yes", "partial": "partial", "false": "no", "no": "no"}
_SHOWN = 20
_Row = tuple[int, str, FileDigests, bool]  # position, name, digests, whether it is an annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refused item of a dataset.

    Args:
        position: of the item, from 1.
        item: pseudonym of the file, or of the patient, that it is refused for.
        kind: why, in one word, such as a class of `SyntheticGuard`.
        why: the evidence, in words.
    """

    position: int
    item: str
    kind: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of a dataset.

    Args:
        n: number of its items.
        refusals: refused items; one item may be refused for several reasons.
        findings: the same as evidence.
    """

    n: int
    refusals: tuple[Refusal, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions of refused items, from 1, each once, in order."""
        return tuple(sorted({refusal.position for refusal in self.refusals}))

    def sentence(self) -> str:
        """What a refusal says: positions and pseudonyms, never a name."""
        from monai_ethics.provenance.consent_coverage import NOBODY

        first = {refusal.position: refusal for refusal in reversed(self.refusals)}
        told = [f"{place} ({first[place].item}: {first[place].kind})" for place in self.positions[:_SHOWN]]
        more = f" and {len(self.positions) - _SHOWN} more" if len(self.positions) > _SHOWN else ""
        nameless = any(refusal.why == NOBODY for refusal in self.refusals)
        who = " Say whose images they are: `patient_id` in the items, or a table as `attributes`." if nameless else ""
        return (
            f"Expected a dataset that may be used: {len(self.positions)} of {self.n} items are refused, at "
            f"{', '.join(told)}{more}.{who} Take out what may not be used; `monai-ethics guard` or "
            "`monai-ethics consent status` tells more."
        )


class ItemJudge(Protocol):
    """Whoever can refuse items of a dataset: digests against registries, or patients against their consent."""

    def judge(self, items: Sequence[Mapping[str, Any]], *, pseudonym: Namer | None = None) -> Judgement:
        """Judge items as the dataset was given them.

        Args:
            items: dicts with paths of files; what holds none cannot be judged by its content.
            pseudonym: of a domain and an identifier, where the evidence has pseudonyms of its own.
        """
        ...


def judged(
    judges: Sequence[ItemJudge], items: Sequence[Mapping[str, Any]], *, pseudonym: Namer | None = None
) -> Judgement:
    """All judges' refusals and findings in one.

    Args:
        judges: each is asked about all items.
        items: of the dataset.
        pseudonym: as for `ItemJudge`.
    """
    each = [judge.judge(items, pseudonym=pseudonym) for judge in judges]
    return Judgement(
        n=len(items),
        refusals=tuple(refusal for one in each for refusal in one.refusals),
        findings=tuple(finding for one in each for finding in one.findings),
    )


class RegistryJudge:
    """Refuse items whose files are known to be synthetic, or are not attested.

    Args:
        policy: ``"deny-list"`` or ``"allow-list"``.
        site: a site log that registers images.
        evidence: an evidence folder that does; one of the two is needed.
        trusted: keys by which they must be signed.
        keys: item keys to look at; ``None`` takes every file. Under the allow-list those under the keys in
            `ANNOTATIONS` are judged by the deny-list, since nobody attests that a label was acquired.

    Raises:
        InputError: if the policy is unknown or no registry is given.
    """

    def __init__(
        self,
        policy: str = "deny-list",
        *,
        site: str | Path | None = None,
        evidence: str | Path | None = None,
        trusted: Sequence[bytes] = (),
        keys: Sequence[str] | None = None,
    ) -> None:
        if policy is None:
            raise InputError("`policy` must be deny-list or allow-list: got none. Choose one.")
        self.check = SyntheticGuard(policy=policy)
        absolute = [Path(folder).absolute() if folder else None for folder in (evidence, site)]
        self.folders = registries(*absolute)  # absolute: a bundle may change the current directory
        self.trusted = tuple(trusted)
        self.keys = (keys,) if isinstance(keys, str) else keys
        self._digests: dict[tuple[Any, ...], FileDigests] = {}
        self._last: tuple[Any, Judgement] | None = None

    def judge(self, items: Sequence[Mapping[str, Any]], *, pseudonym: Namer | None = None) -> Judgement:
        """Judge items by their files. Nothing is computed again while neither a file nor a registry has changed.

        Raises:
            GateError: if a registry is not as it was signed.
            InputError: if a registry cannot be read.
        """
        before = [_registry_stamp(folder) for folder in self.folders]
        name = pseudonym or self._namer()
        rows = [row for position, item in enumerate(items, start=1) for row in self._rows(position, item)]
        seen = (before, len(items), [(place, name("file", said), digests) for place, said, digests, _ in rows])
        if self._last is not None and self._last[0] == seen:
            return self._last[1]
        known = load_known(self.folders, trusted=self.trusted)
        labels = [row for row in rows if row[3]]
        images = [row for row in rows if not row[3]]
        refusals, finding = self._judged(self.check, images, known, name)
        findings = [finding]
        if labels:
            more, finding = self._judged(SyntheticGuard(policy="deny-list"), labels, known, name)
            refusals += more
            findings += [finding] if more else []
        refusals.sort(key=lambda refusal: refusal.position)
        judgement = Judgement(n=len(items), refusals=tuple(refusals), findings=tuple(findings))
        self._last = (seen, judgement)
        return judgement

    @staticmethod
    def _judged(
        check: SyntheticGuard, rows: Sequence[_Row], known: Known, name: Namer
    ) -> tuple[list[Refusal], Finding]:
        data = AdmissionList(
            items=tuple(name("file", said) for _, said, _, _ in rows),
            digests=tuple(digests for _, _, digests, _ in rows),
            known_synthetic=known.synthetic,
            known_real=known.real,
            near_synthetic=known.near_synthetic,
            near_real=known.near_real,
            gaps=known.gaps,
        )
        refusals = [
            Refusal(position=position, item=row.item, kind=row.kind, why=row.why)
            for (position, *_), row in zip(rows, check.judge(data), strict=True)
            if row.refused
        ]
        return refusals, check(data)

    def _namer(self) -> Namer:
        key = read_pseudonym_key(self.folders[0])
        if key is None:
            return lambda domain, text: "item"
        return lambda domain, text: pseudonym_of(key, domain, text)

    def _rows(self, position: int, item: Mapping[str, Any]) -> list[_Row]:
        """Each file of an item; one row for an item without a file that its own policy speaks of."""
        said = _SAID.get(str(item.get("synthetic", "")).strip().lower())
        rows = []
        for key, path in item_files(item):
            if (self.keys is None or key in self.keys) and (image := self._of(Path(path))) is not None:
                label = self.keys is None and self.check.policy == "allow-list" and key.lower() in ANNOTATIONS
                rows.append((position, str(Path(path).absolute()), _saying(image, said), label))
        if any(not row[3] for row in rows):
            return rows
        nothing = FileDigests(file_sha256="", voxel_v1=None, geometry_v1="")
        return [*rows, (position, f"item#{position}", _saying(nothing, said), False)]

    def _of(self, path: Path) -> FileDigests | None:
        """Digests of a file, computed once while it stays the same; ``None`` for one that holds no image."""
        name = path.name.lower()
        if name.endswith(SIDECAR) or (name.endswith(TEXTS) and not is_image_file(path)):
            return None
        sidecar = path.with_name(path.name + SIDECAR)
        stamp = (str(path), _file_stamp(path), _file_stamp(sidecar) if sidecar.is_file() else None)
        if stamp not in self._digests:
            self._digests[stamp] = _digests(path)
        return self._digests[stamp]


def _file_stamp(path: Path) -> tuple[int, ...]:
    """What changes with a file; the time of the last change of its inode cannot be set back."""
    info = os.stat(path)
    return (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_dev)


def _registry_stamp(folder: Path) -> tuple[Any, ...]:
    """What changes with every entry, signature or erasure of a log."""
    named = [folder / name for name in (LOG_NAME, HEAD_NAME, PRIVATE_NAME)]
    return tuple((info.st_size, info.st_mtime_ns) for info in (path.stat() for path in named if path.exists()))


def _digests(path: Path) -> FileDigests:
    """Digests; of what is not read here the bytes' alone, so that its header or sidecar can still speak for it."""
    try:
        return marked_digests(path)
    except InputError:
        return declared_digests(path)


def _saying(digests: FileDigests, said: str | None) -> FileDigests:
    """The digests with what the datalist says of the item, where the file itself says nothing."""
    if said is None or digests.marks.synthetic is not None:
        return digests
    return replace(digests, marks=replace(digests.marks, synthetic=said))


def refuse(judgement: Judgement) -> None:
    """Raise if a judgement refuses anything.

    Raises:
        GateError: with positions and pseudonyms.
    """
    if judgement.refusals:
        raise GateError(judgement.sentence())

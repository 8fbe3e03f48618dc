# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.synthetic_guard`: which images of a list are known to be synthetic, and which are attested."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Direction, Finding, Limit, Observation, Source, Stage, Verdict
from monai_ethics.provenance.images.digest import FileDigests
from monai_ethics.provenance.images.read import Marks
from monai_ethics.provenance.images.robust import NEAR
from monai_ethics.provenance.marks.taint import carries_synthetic
from monai_ethics.provenance.records.counts import counted
from monai_ethics.provenance.registry.known import match
from monai_ethics.provenance.registry.near import Near, nearest
from monai_ethics.registry import question_of

__all__ = ["CLASSES", "POLICIES", "AdmissionList", "Admitted", "SyntheticGuard", "classify"]

CLASSES = (
    "real-attested",
    "unknown",
    "derived",
    "synthetic-declared",
    "synthetic-by-digest",
    "near-copy",
    "conflict",
)
POLICIES = ("deny-list", "allow-list")
_KNOWN = ("synthetic-declared", "synthetic-by-digest", "conflict")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionList:
    """Images that somebody wants to use as acquired ones.

    Args:
        items: pseudonyms, shape ``(N,)``.
        digests: of each image, with what it says of itself.
        known_synthetic: registered digest to record id.
        known_real: registered digest to record id.
        near_synthetic: `robust_v1` of registered synthetic images to record id.
        near_real: `robust_v1` of registered acquired images to record id.
        gaps: registrations that can no longer be read.
    """

    items: Sequence[str]
    digests: Sequence[FileDigests]
    known_synthetic: Mapping[str, str] = field(default_factory=dict)
    known_real: Mapping[str, str] = field(default_factory=dict)
    near_synthetic: Mapping[str, str] = field(default_factory=dict)
    near_real: Mapping[str, str] = field(default_factory=dict)
    gaps: int = 0

    def __post_init__(self) -> None:
        if len(self.items) != len(self.digests):
            raise InputError(
                f"`digests` must have one entry per item: got {len(self.digests)} for {len(self.items)}. Match them."
            )

    def reordered(self, order: Sequence[int]) -> AdmissionList:
        """The same list in another order."""
        return AdmissionList(
            items=tuple(self.items[index] for index in order),
            digests=tuple(self.digests[index] for index in order),
            known_synthetic=self.known_synthetic,
            known_real=self.known_real,
            near_synthetic=self.near_synthetic,
            near_real=self.near_real,
            gaps=self.gaps,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What became of one image.

    Args:
        item: its pseudonym.
        kind: one of `CLASSES`.
        refused: whether the policy refuses it.
        why: the evidence, in words.
        record: id of the record behind it, or ``None``.
        distance: share of bits in which a near copy differs from the registered image, else ``None``.
    """

    item: str
    kind: str
    refused: bool
    why: str
    record: str | None
    distance: float | None = None


def classify(
    digests: FileDigests,
    known_synthetic: Mapping[str, str],
    known_real: Mapping[str, str],
    *,
    near: Near | None = None,
    near_real: Near | None = None,
) -> tuple[str, str, str | None]:
    """Class of an image, the reason in words, and the record behind it.

    A mark is believed when it says synthetic and never when it says not: absent or ``NO`` are no attestation. What
    only looks like a registered synthetic image is a near copy, for review: it proves nothing.

    Args:
        digests: of the image, with what it says of itself.
        known_synthetic: registered digest to record id.
        known_real: registered digest to record id.
        near: the registered synthetic image that it looks like.
        near_real: the registered acquired image that it looks like.
    """
    synthetic = match(digests, known_synthetic, any_slice=True)
    real = match(digests, known_real, any_slice=False)
    contradiction = _contradiction(digests.marks, synthetic=synthetic, real=real)
    if contradiction:
        return "conflict", contradiction, real or synthetic or digests.marks.record
    if carries_synthetic(digests.marks.synthetic):
        return _marked(digests, synthetic)
    if synthetic:
        return "synthetic-by-digest", "not marked, but its voxels or a slice are registered as synthetic", synthetic
    if real:
        return "real-attested", "registered as acquired", real
    if near is not None:
        return "near-copy", _near_words(near, near_real), near.record
    if digests.marks.derived:
        return "derived", "says that it was derived from other images", None
    return "unknown", "neither marked nor registered", None


def _contradiction(marks: Marks, *, synthetic: str | None, real: str | None) -> str:
    if synthetic and real:
        return "registered both as synthetic and as acquired"
    if synthetic and marks.synthetic == "no":
        return "says that it is not synthetic, but is registered as synthetic"
    if marks.contradiction:
        return marks.contradiction
    return "marked as synthetic, but registered as acquired" if real and carries_synthetic(marks.synthetic) else ""


def _marked(digests: FileDigests, synthetic: str | None) -> tuple[str, str, str | None]:
    marks = digests.marks
    if not synthetic and marks.voxel_v1 not in (None, digests.voxel_v1):
        return "derived", "carries a synthetic mark that was made for other voxels", marks.record
    return "synthetic-declared", "marked as synthetic", synthetic or marks.record


def _near_words(near: Near, real: Near | None) -> str:
    why = f"for review: differs in {near.distance:.1%} of the bits of a robust hash from a registered synthetic image"
    if real is not None and real.distance <= near.distance:
        why += f", and in {real.distance:.1%} from an acquired one"
    return why


@dataclass(frozen=True, kw_only=True)
class SyntheticGuard:
    """Which images of a list are known to be synthetic, and which are registered as acquired.

    Args:
        policy: ``"deny-list"`` refuses what is known to be synthetic or contradicts itself; ``"allow-list"`` refuses
            all but images registered as acquired; ``None`` counts and refuses nothing.
        listed: most images, refused or for review, that the finding lists.
        near: share of differing bits of `robust_v1` up to which an image is a near copy, for review.

    Notes:
        A match proves presence in a registry. No match never proves that an image is real: one that was changed on
        purpose, or made by a generator that registered nothing, is ``unknown``, and only the allow-list faces those. A
        near copy is for review: a crop or resampling of a registered image, or another image of the same person, or
        the acquired image that a generator repeated. The deny-list admits it and lists it.

    References:
        Misinformation in synthetic imaging, requirements MIS-05 and MIS-06; DICOM PS3.3 C.12.1 (Synthetic Data).
    """

    policy: str | None = None
    listed: int = 100
    near: float = NEAR

    id: ClassVar[str] = "provenance.synthetic_guard"
    title: ClassVar[str] = "Are there synthetic images among those that are meant to be real?"
    stage: ClassVar[Stage] = Stage.COLLECTION
    requirements: ClassVar[tuple[str, ...]] = ("MIS-05", "MIS-06")

    def __post_init__(self) -> None:
        if self.policy not in (None, *POLICIES):
            raise InputError(f"`policy` must be {' or '.join(POLICIES)}: got another. Choose one.")
        if not 0 <= self.near <= 1:
            raise InputError("`near` must lie in [0, 1]: got another. It is a share of differing bits.")

    def judge(self, data: AdmissionList) -> list[Admitted]:
        """Class and refusal of each image, in the order of the list."""
        hashes = [digests.robust_v1 for digests in data.digests]
        near = nearest(hashes, data.near_synthetic, most=self.near)
        wanted = [text if found is not None else None for text, found in zip(hashes, near, strict=True)]
        near_real = nearest(wanted, data.near_real, most=self.near)
        rows = []
        for item, digests, fake, real in zip(data.items, data.digests, near, near_real, strict=True):
            kind, why, record = classify(digests, data.known_synthetic, data.known_real, near=fake, near_real=real)
            refused = self._refuses(kind, marked=carries_synthetic(digests.marks.synthetic))
            away = fake.distance if fake is not None and kind == "near-copy" else None
            rows.append(Admitted(item=item, kind=kind, refused=refused, why=why, record=record, distance=away))
        return rows

    def _refuses(self, kind: str, *, marked: bool) -> bool:
        if self.policy is None:
            return False
        if self.policy == "allow-list":
            return kind != "real-attested"
        # derived alone is no reason: reformatted real images are derived too
        return kind in _KNOWN or (kind == "derived" and marked)

    def __call__(self, data: AdmissionList, /) -> Finding:
        """Judge an `AdmissionList`."""
        rows = sorted(self.judge(data), key=lambda row: (row.item, row.kind))
        usable = sum(digests.voxel_v1 is not None or digests.marks.synthetic is not None for digests in data.digests)
        counts = Counter(row.kind for row in rows)
        accounting = {kind: counts[kind] for kind in CLASSES if counts[kind]}
        parameters = {"policy": self.policy, "listed": self.listed, "near": self.near}
        if not usable:
            reason = "The list is empty." if not rows else "No image has an identity or a mark: all are constant."
            return self._finding(
                Verdict.NOT_ASSESSABLE, reason, reason=reason, accounting=accounting, parameters=parameters
            )
        return self._judged(rows, data, accounting=accounting, parameters=parameters)

    def _judged(
        self,
        rows: Sequence[Admitted],
        data: AdmissionList,
        *,
        accounting: Mapping[str, int],
        parameters: Mapping[str, object],
    ) -> Finding:
        refused = [row for row in rows if row.refused]
        known = sum(row.kind in _KNOWN for row in rows)
        near = sum(row.kind == "near-copy" for row in rows)
        estimates = [
            counted(name, value, len(rows), estimand="number of images in this list")
            for name, value in (("known_synthetic", known), ("refused", len(refused)), ("near_copies", near))
        ]
        limit = None
        verdict = Verdict.MEASURED
        if self.policy is not None:
            source = Source(title=f"Guard policy '{self.policy}'", locator="chosen by the caller")
            limit = Limit(estimate="refused", value=0, direction=Direction.AT_MOST, source=source)
            verdict = Verdict.FAILED if refused else Verdict.PASSED
        gaps = f" {data.gaps} registrations can no longer be read." if data.gaps else ""
        review = f" For review, because it looks like a registered synthetic image: {near}." if near else ""
        statement = (
            f"Known to be synthetic: {known} of {len(rows)} images. "
            f"Refused under {self.policy or 'no policy'}: {len(refused)}.{review}{gaps}"
        )
        review_only = [row for row in rows if row.kind == "near-copy" and not row.refused]
        listed = [*refused, *review_only] if self.policy else [row for row in rows if row.kind in CLASSES[3:]]
        observations = [
            Observation(label=row.kind, items=(row.item,), value=row.distance, unit="1", note=row.why)
            for row in listed[: self.listed]
        ]
        return self._finding(
            verdict,
            statement,
            estimates=estimates,
            observations=observations,
            accounting=accounting,
            parameters=parameters,
            limit=limit,
        )

    def _finding(self, verdict: Verdict, statement: str, **content: Any) -> Finding:
        return Finding(
            **question_of(self),
            verdict=verdict,
            statement=statement,
            limitations=(
                "An image that is not known to be synthetic is not thereby real.",
                "A copy that was cropped, resampled or rescaled is at most flagged for review, never proven.",
                "A copy that was changed on purpose, and an image of a generator that registered nothing, are unknown.",
            ),
            sources=(Source(title="DICOM PS3.3", locator="C.12.1 SOP Common Module, Synthetic Data (0008,001C)"),),
            **content,
        )

    @staticmethod
    def example(n: int, seed: int) -> AdmissionList:
        """`n` images, of which the first is constant and the others are of every class in turn."""

        def digest(index: int) -> str:
            return hashlib.sha256(f"{seed}/{index}".encode()).hexdigest()

        def bits(kind: int) -> str:
            return (digest(-1 - kind) + digest(-2 - kind))[:54]

        kinds = [index % 6 if index % 12 != 6 else 6 for index in range(n)]
        flags = {2: Marks(synthetic="yes"), 3: Marks(derived=True), 5: Marks(synthetic="no")}
        return AdmissionList(
            items=tuple(digest(-index - 1)[:32] for index in range(n)),
            digests=tuple(
                FileDigests(
                    file_sha256=digest(index),
                    voxel_v1=digest(index) if index else None,
                    geometry_v1=digest(0),
                    marks=flags.get(kind, Marks()),
                    robust_v1=bits(6) if kind == 6 else None,
                )
                for index, kind in enumerate(kinds)
            ),
            known_synthetic={
                digest(index): "sha256:" + digest(1) for index, kind in enumerate(kinds) if kind in (1, 5)
            },
            known_real={digest(index): "sha256:" + digest(4) for index, kind in enumerate(kinds) if kind == 4},
            near_synthetic={bits(6): "sha256:" + digest(6)},
        )

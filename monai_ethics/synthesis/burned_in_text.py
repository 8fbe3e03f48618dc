# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.burned_in_text`: is there text in the images, and where does that of synthetic ones come from?"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from monai_ethics.evidence import Estimate, Finding, Observation, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import clopper_pearson
from monai_ethics.synthesis.data.feature_sets import ROLES
from monai_ethics.synthesis.data.text_scan import TextHit, TextScan
from monai_ethics.synthesis.methods.text_origin import Origin, origin

__all__ = ["BurnedInText"]

COUNTED = "A count in these sets, not an estimate from a sample."
UNREAD = "no text reader was at hand; install the extra `ocr`"
UNLOOKED = "nobody looked for static marks, or there were fewer than ten held-out patients or synthetic images"
COUNTS = {
    Origin.LEAK: ("leaks", "as a text that stands open in a training image"),
    Origin.DECODED_MASK: ("decoded_masks", "as a text that was masked in training, or at a masked place"),
    Origin.INVENTION: ("inventions", "surely, and as nothing found in training"),
    Origin.UNKNOWN: ("unknown_origins", "not surely enough to say where they come from"),
}
SOURCES = (
    Source(title="D. Jha et al., Practical and ethical considerations for generative AI in medical imaging"),
    Source(title="DICOM PS3.3, C.7.6.1 (0028,0301) BurnedInAnnotation and (0028,0302) RecognizableVisualFeatures"),
)
LIMITATIONS = (
    "It flags text-like regions; it does not show that there is no text. On 36 easy renders (one font, 10 to 28 "
    "pixels) the reader found 0.89 to 0.92; handwriting, other fonts and other languages were not measured.",
    "A leak is told by a match with what was found in training: text that the reader missed there reads as invented.",
    "Static marks are found only where synthetic images have them more often than held-out ones.",
    "A header that declares no text is the word of whoever wrote it.",
    "What was read may be a name: readings are in the private details only.",
)


@dataclass(frozen=True, kw_only=True)
class BurnedInText:
    """Do training and synthetic images hold text, and is that of synthetic images a leak?

    Each text-like region of a synthetic image is compared with those of all training images, by reading and by look:
    an open text repeated (leak), a text that was masked (decoded mask), a sure reading that is neither (invention), or
    unknown. Beside it stand static marks and what DICOM headers declare.

    Args:
        similarity: share of equal letters above which two readings are one text.
        correlation: of two patches at one place above which they look alike.
        sure: score from which a reading counts as sure.
        level: nominal coverage of the intervals.
        listed: regions listed for review.

    Notes:
        The finding holds counts and kinds, never what was read; `details` gives that, for the private part of the
        evidence.

    References:
        Text remnants in generated images, and telling a leak from a decoded mask, are asked for by GEN-03 and GEN-04.
    """

    id: ClassVar[str] = "synthesis.burned_in_text"
    title: ClassVar[str] = "Is there text in the images, and does that of synthetic ones come from training?"
    stage: ClassVar[Stage] = Stage.PROCESSING
    requirements: ClassVar[tuple[str, ...]] = ("GEN-03", "GEN-04")

    similarity: float = 0.8
    correlation: float = 0.9
    sure: float = 0.8
    level: float = 0.95
    listed: int = 20

    def __call__(self, data: TextScan, /) -> Finding:
        """Count text-like regions and say where those of synthetic images come from.

        Args:
            data: what was found in training, held-out and synthetic images.

        Returns:
            A finding, `measured` if two synthetic images and a training image were looked at.
        """
        scan = data.canonical()
        looked = scan.reader is not None or scan.marks is not None or bool(scan.flags)
        if scan.size("synthetic") < 2 or not scan.size("train") or not looked:
            reason = (
                f"At least two synthetic images and a training image are needed: got {scan.size('synthetic')} and "
                f"{scan.size('train')}."
                if looked
                else f"Nothing was looked for: {UNREAD}."
            )
            return self._finding(
                scan,
                verdict=Verdict.NOT_ASSESSABLE,
                statement="Whether there is text in the images could not be assessed.",
                reason=reason,
            )
        origins = self._origins(scan)
        return self._finding(
            scan,
            verdict=Verdict.MEASURED,
            statement=_statement(scan, origins),
            estimates=[
                *(self._share(scan, role) for role in ROLES if scan.size(role)),
                *_counts(scan, origins),
                _marks(scan),
                *_declared(scan),
            ],
            observations=self._listed(scan, origins),
        )

    @staticmethod
    def example(n: int, seed: int) -> TextScan:
        """`n` training and synthetic images; each tenth holds text, that of the synthetic ones partly leaked."""
        box = (0.05, 0.1 + 0.01 * (seed % 7), 0.1, 0.4)
        hits = {
            role: [(TextHit(box=box, text=f"{word} {i // 20}", score=0.9),) if i % 10 == 0 else () for i in range(n)]
            for role, word in (("train", "EXAMPLE"), ("synthetic", "EXAMPLE"))
        }
        flags = {"train": [("NO", None) for _ in range(n)]}
        return TextScan(hits=hits, reader="example", flags=flags, items=[f"synthetic-{i}" for i in range(n)])

    def details(self, data: TextScan) -> list[dict[str, Any]]:
        """Every region with its reading and origin, for the private part of the evidence only."""
        scan = data.canonical()
        found: list[dict[str, Any]] = [
            {"set": role, "unit": scan.units[role][i], "text": hit.text, "box": hit.box, "score": hit.score}
            for role in ("train", "holdout")
            for i, hits in enumerate(scan.hits[role])
            for hit in hits
        ]
        for i, hit, kind in self._origins(scan):
            item = None if scan.items is None else scan.items[i]
            found.append(
                {"set": "synthetic", "item": item, "text": hit.text, "box": hit.box, "score": hit.score, "origin": kind}
            )
        return found

    def _origins(self, scan: TextScan) -> list[tuple[int, TextHit, Origin]]:
        training = list(dict.fromkeys(hit for hits in scan.hits["train"] for hit in hits))
        return [
            (
                i,
                hit,
                origin(
                    hit,
                    training=training,
                    masks=scan.masks,
                    masked_texts=scan.masked_texts,
                    similarity=self.similarity,
                    correlation=self.correlation,
                    sure=self.sure,
                ),
            )
            for i, hits in enumerate(scan.hits["synthetic"])
            for hit in hits
        ]

    def _share(self, scan: TextScan, role: str) -> Estimate:
        units = sorted({*scan.units[role]})
        marked = {unit for unit, hits in zip(scan.units[role], scan.hits[role], strict=True) if hits}
        what = "patients" if role != "synthetic" else "synthetic units"
        kept: dict[str, Any] = {
            "name": "share_with_text",
            "unit": "1",
            "n": len(units),
            "n_unit": what,
            "estimand": f"share of {what} with a text-like region in any image, as far as the reader sees it",
            "group": {"set": role},
        }
        if scan.reader is None:
            return Estimate(value=None, reason=UNREAD, n_valid=0, **kept)
        low, high = clopper_pearson(len(marked), len(units), level=self.level)
        how = "Clopper-Pearson by unit; what the reader misses is not in it"
        return Estimate(value=len(marked) / len(units), low=low, high=high, level=self.level, method=how, **kept)

    def _listed(self, scan: TextScan, origins: list[tuple[int, TextHit, Origin]]) -> list[Observation]:
        if scan.items is None:
            return []
        ranked = sorted(origins, key=lambda found: (list(Origin).index(found[2]), -found[1].score))
        return [
            Observation(
                label="text-like region",
                items=[scan.items[i]],
                value=hit.score,
                unit="1",
                note=f"Origin: {kind}. What was read is in the private details.",
            )
            for i, hit, kind in ranked[: self.listed]
        ]

    def _finding(self, scan: TextScan, **kept: Any) -> Finding:
        return Finding(
            **question_of(self),
            subjects=[scan.reader] if scan.reader else (),
            accounting={f"{role}_images": scan.size(role) for role in ROLES},
            parameters={**asdict(self), "masks": len(scan.masks), "masked_texts": len(scan.masked_texts)},
            limitations=LIMITATIONS,
            sources=SOURCES,
            **kept,
        )


def _statement(scan: TextScan, origins: list[tuple[int, TextHit, Origin]]) -> str:
    parts = []
    if scan.reader is not None:
        with_text = {i for i, _, _ in origins}
        kinds = Counter(kind for _, _, kind in origins)
        named = ", ".join(f"{kinds[kind]} {kind}" for kind in Origin if kinds[kind])
        told = f" ({len(origins)} regions: {named})" if origins else ""
        train = sum(bool(hits) for hits in scan.hits["train"])
        parts.append(
            f"Text-like regions are in {train} of {scan.size('train')} training and {len(with_text)} of "
            f"{scan.size('synthetic')} synthetic images{told}."
        )
    if scan.marks is not None:
        number = len(scan.marks.boxes)
        parts.append(f"Fine marks stand at {number} places of more synthetic than held-out images.")
    if scan.flags:
        declared = sum(burned == "YES" for values in scan.flags.values() for burned, _ in values)
        parts.append(f"Headers of {declared} images declare burned-in text.")
    parts.append("Finding nothing would not show that there is none.")
    return " ".join(parts)


def _counts(scan: TextScan, origins: list[tuple[int, TextHit, Origin]]) -> list[Estimate]:
    kinds = Counter(kind for _, _, kind in origins)
    return [
        Estimate(
            name=name,
            value=None if scan.reader is None else kinds[kind],
            unit="regions",
            n=len(origins),
            n_unit="regions",
            estimand=f"text-like regions of synthetic images that read or look {how}",
            reason=UNREAD if scan.reader is None else COUNTED,
        )
        for kind, (name, how) in COUNTS.items()
    ]


def _marks(scan: TextScan) -> Estimate:
    return Estimate(
        name="static_marks",
        value=None if scan.marks is None else len(scan.marks.boxes),
        unit="places",
        n=scan.size("synthetic"),
        n_unit="images",
        estimand="places where synthetic images have fine detail more often than halves of held-out images ever differ",
        reason=UNLOOKED if scan.marks is None else COUNTED,
    )


def _declared(scan: TextScan) -> list[Estimate]:
    """What headers declare, by set."""
    found = []
    for role, values in sorted(scan.flags.items()):
        rows = (
            ("declared_burned_in", sum(burned == "YES" for burned, _ in values), "declare burned-in text"),
            ("undeclared", sum(burned is None for burned, _ in values), "are silent about burned-in text"),
            ("declared_recognizable", sum(seen == "YES" for _, seen in values), "declare recognizable features"),
            (
                "text_despite_declaration",
                sum(b == "NO" and bool(hits) for (b, _), hits in zip(values, scan.hits[role], strict=True)),
                "declare no burned-in text, and a text-like region was found",
            ),
        )
        kept: dict[str, Any] = {"unit": "images", "n": len(values), "n_unit": "images", "group": {"set": role}}
        unread = scan.reader is None
        found += [
            Estimate(
                name=name,
                value=None if unread and name == "text_despite_declaration" else value,
                estimand=f"images whose headers {what}",
                reason=UNREAD if unread and name == "text_despite_declaration" else COUNTED,
                **kept,
            )
            for name, value, what in rows
        ]
    return found

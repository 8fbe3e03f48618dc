# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.mix`: which share of what a run saw was synthetic, and how much of it is not known."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of

__all__ = ["KINDS", "MixTable", "SyntheticMix"]

SOURCES = (
    Source(title="Ethical medical image synthesis", url="https://arxiv.org/abs/2508.09293"),
    Source(title="Raja Babu et al., Building trust in synthetic data", url="https://arxiv.org/abs/2502.02076"),
)
LIMITATIONS = (
    "It rests on the flags that the items carry: an image declared acquired is not examined.",
    "Items without a name are counted by use only.",
)
COUNTED = "a complete count of this run, not an estimate from a sample"
KINDS = ("real", "synthetic", "unknown")


@dataclass(frozen=True, kw_only=True, eq=False)
class MixTable:
    """What a run saw: one row per item, split and flag.

    Args:
        items: name or pseudonym of each item, ``None`` where it has none, shape ``(N,)``.
        synthetic: its flag; ``None`` = not known, which is never taken for real.
        splits: split in which it was seen, such as ``"train"``.
        uses: how often it was seen.

    Raises:
        InputError: if lengths differ, or an item was seen less than once.
    """

    items: Sequence[str | None]
    synthetic: Sequence[bool | None]
    splits: Sequence[str]
    uses: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.uses is None:
            object.__setattr__(self, "uses", (1,) * len(self.items))
        for name in ("synthetic", "splits", "uses"):
            if len(getattr(self, name)) != len(self.items):
                raise InputError(
                    f"`{name}` must have one entry per item: got {len(getattr(self, name))} for {len(self.items)}. "
                    "Match them."
                )
        if any(count < 1 for count in self.uses or ()):
            raise InputError("`uses` must be 1 or more: got less. Leave items out that were not seen.")

    def reordered(self, order: Sequence[int]) -> MixTable:
        """The same rows in another order."""
        return replace(
            self, **{name: [getattr(self, name)[i] for i in order] for name in ("items", "synthetic", "splits", "uses")}
        )


@dataclass(frozen=True, kw_only=True)
class SyntheticMix:
    """Which share of what a run saw was synthetic, by split, and how much of it is not known?

    Shares count uses: an item drawn twice counts twice. Items are counted beside them, and a digest of the sorted
    names of the synthetic ones says whether two runs saw the same.

    Args:
        test_splits: splits that support claims about real images.

    Notes:
        Unknown is not real: the share lies between synthetic over all uses and synthetic with unknown over all uses.

    References:
        arXiv 2508.09293 (no silent substitution).
    """

    id: ClassVar[str] = "synthesis.mix"
    title: ClassVar[str] = "Which share of what the run saw was synthetic?"
    stage: ClassVar[Stage] = Stage.TRAINING
    requirements: ClassVar[tuple[str, ...]] = ("MIS-05", "MIS-06")

    test_splits: tuple[str, ...] = ("test",)

    def __call__(self, data: MixTable, /) -> Finding:
        """Count uses and items by split.

        Args:
            data: what the run saw.

        Returns:
            Verdict `measured`, `warned` if a flag is not known or a split of `test_splits` holds synthetic items;
            `not_assessable` with fewer than 2 uses or without any flag.
        """
        flags = [KINDS[2] if flag is None else KINDS[bool(flag)] for flag in data.synthetic]
        uses: Counter[tuple[str, str]] = Counter()
        for split, flag, count in zip(data.splits, flags, data.uses or (), strict=True):
            uses[split, flag] += count
        splits = sorted({*data.splits})
        total = sum(uses.values())
        reason = None
        if total < 2 or all(flag == "unknown" for flag in flags):
            reason = (
                f"{total} uses of items, of which none says whether it is synthetic" if total > 1 else "next to no use"
            )
        seen = sum(uses[split, "synthetic"] for split in splits if split in self.test_splits)
        unknown = sum(uses[split, "unknown"] for split in splits)
        verdict = Verdict.NOT_ASSESSABLE if reason else Verdict.WARNED if seen or unknown else Verdict.MEASURED
        return Finding(
            **question_of(self),
            verdict=verdict,
            statement=_statement(uses, splits, self.test_splits, reason),
            subjects=tuple(splits),
            estimates=[] if reason else [row for split in splits for row in _rows(data, flags, uses, split)],
            accounting={f"uses_of_{kind}_items": sum(uses[split, kind] for split in splits) for kind in KINDS},
            parameters={**asdict(self), "synthetic_items_digest": _digests(data, flags, splits)},
            reason=reason,
            limitations=LIMITATIONS,
            sources=SOURCES,
        )

    @staticmethod
    def example(n: int, seed: int) -> MixTable:
        """`n` items in two splits, a third of the training items synthetic."""
        splits = ["test" if i % 5 == seed % 5 else "train" for i in range(n)]
        made = [split == "train" and i % 3 == 0 for i, split in enumerate(splits)]
        return MixTable(
            items=[f"i{i}" for i in range(n)], synthetic=made, splits=splits, uses=[1 + i % 3 for i in range(n)]
        )


def _rows(data: MixTable, flags: Sequence[str], uses: Counter[tuple[str, str]], split: str) -> list[Estimate]:
    own = [i for i, name in enumerate(data.splits) if name == split]
    total = sum(uses[split, kind] for kind in KINDS)
    group = {"split": split}
    common: dict[str, Any] = {"group": group, "reason": COUNTED, "n": total, "n_unit": "uses", "unit": "1"}
    rows = [
        Estimate(
            name=f"{kind}_share",
            value=uses[split, kind] / total,
            estimand=f"share of uses in this split whose item is {kind if kind != 'unknown' else 'of unknown source'}",
            **common,
        )
        for kind in KINDS
    ]
    for kind in KINDS:
        named = {data.items[i] for i in own if flags[i] == kind and data.items[i] is not None}
        kept = {**common, "unit": "items", "n": len({data.items[i] for i in own} - {None}), "n_unit": "items"}
        rows.append(Estimate(name=f"{kind}_items", value=len(named), estimand=f"different named {kind} items", **kept))
    return rows


def _digests(data: MixTable, flags: Sequence[str], splits: Sequence[str]) -> dict[str, str]:
    """SHA-256 over the sorted names of each split's synthetic items, NUL between them."""
    out = {}
    for split in splits:
        rows = zip(data.items, data.splits, flags, strict=True)
        names = {name for name, place, flag in rows if place == split and flag == "synthetic" and name is not None}
        out[split] = hashlib.sha256("\0".join(sorted(names)).encode("utf-8", "surrogatepass")).hexdigest()
    return out


def _statement(uses: Counter[tuple[str, str]], splits: Sequence[str], tests: Sequence[str], reason: str | None) -> str:
    if reason:
        return f"Which share of what the run saw was synthetic cannot be said: {reason}."
    parts = []
    for split in splits:
        total = sum(uses[split, kind] for kind in KINDS)
        text = f"{split}: {uses[split, 'synthetic']} of {total} uses were of synthetic items"
        if uses[split, "unknown"]:
            text += f" and {uses[split, 'unknown']} of items whose source is not known"
        parts.append(
            text + (", in a split meant for acquired ones" if split in tests and uses[split, "synthetic"] else "")
        )
    return "; ".join(parts) + "."

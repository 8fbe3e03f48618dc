# SPDX-License-Identifier: Apache-2.0
"""`GuardedDataset`: a dataset whose items are judged before anybody gets one."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.data import ArrayDataset, ImageDataset, ZipDataset
from torch.utils.data import ConcatDataset, Dataset, Subset

from monai_ethics.errors import InputError
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.admission import ItemJudge, Judgement, RegistryJudge, judged, refuse

__all__ = ["GuardedDataset", "items_of"]

_SHOWN = 100


def items_of(dataset: Any) -> list[Mapping[str, Any]] | None:
    """Items of a dataset as it was given them, before any transform, by position; ``None`` if it does not show them.

    Args:
        dataset: a list of dicts or of files, a dataset with `data` as MONAI's have it, its `ImageDataset`,
            `ArrayDataset` and `ZipDataset`, or a subset or chain of such. A file is shown as ``{"image": file}``.
    """
    if isinstance(dataset, Subset):
        inner = items_of(dataset.dataset)
        return None if inner is None else [inner[index] for index in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [items_of(part) for part in dataset.datasets]
        return None if any(part is None for part in parts) else [item for part in parts for item in part or ()]
    if isinstance(dataset, ImageDataset):
        labels: Sequence[Any] = dataset.seg_files or [None] * len(dataset.image_files)
        return [{"image": image, "label": label} for image, label in zip(dataset.image_files, labels, strict=True)]
    if isinstance(dataset, ArrayDataset):
        return items_of(dataset.dataset)
    if isinstance(dataset, ZipDataset):
        return _zipped([items_of(part) for part in dataset.data])
    return _plain(dataset if isinstance(dataset, (list, tuple)) else getattr(dataset, "data", None))


def _plain(data: Any) -> list[Mapping[str, Any]] | None:
    """Items of a sequence of dicts, files, or lists of files."""
    if not isinstance(data, Sequence) or isinstance(data, (str, bytes)):
        return None
    items = [item if isinstance(item, Mapping) else {"image": item} if _is_file(item) else None for item in data]
    return None if any(item is None for item in items) else [item for item in items if item is not None]


def _is_file(item: Any) -> bool:
    if isinstance(item, (list, tuple)):
        return bool(item) and all(map(_is_file, item))
    return isinstance(item, (str, os.PathLike))


def _zipped(parts: list[list[Mapping[str, Any]] | None]) -> list[Mapping[str, Any]] | None:
    """Items of datasets side by side, each key with the number of its dataset where it comes again."""
    if not parts or any(part is None for part in parts):
        return None
    items: list[Mapping[str, Any]] = []
    for row in zip(*(part or () for part in parts), strict=False):
        item: dict[str, Any] = {}
        for place, part in enumerate(row):
            item |= {f"{key}#{place}" if key in item else str(key): value for key, value in part.items()}
        items.append(item)
    return items


class GuardedDataset(Dataset[Any]):
    """Judge every item of a map-style dataset before the first access, which a `DataLoader` makes as it is built.

    Args:
        dataset: items are dicts with paths of files. MONAI's datasets, lists, subsets and chains of them show their
            items as they were given; of any other dataset every item is loaded once to be looked at.
        policy: ``"deny-list"`` refuses what is known to be synthetic, ``"allow-list"`` all that is not registered as
            acquired.
        site: a site log that registers images.
        evidence: an evidence folder that does; one of the two is needed unless `judges` are given.
        drop: whether to leave refused items out, with their positions and pseudonyms logged, in place of refusing the
            whole dataset.
        log: an open evidence log that is given the finding.
        keys: item keys to look at; ``None`` takes those that `RegistryJudge` takes.
        judges: who judges besides, such as the consent of patients.

    Raises:
        InputError: if the policy is unknown, or nobody is there to judge.
        GateError: at the first access, if an item is refused and `drop` is not set.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        policy: str = "deny-list",
        site: str | Path | None = None,
        evidence: str | Path | None = None,
        drop: bool = False,
        log: EvidenceLog | None = None,
        keys: Sequence[str] | None = None,
        judges: Sequence[ItemJudge] = (),
    ) -> None:
        self.dataset = dataset
        self.drop = drop
        own = [RegistryJudge(policy, site=site, evidence=evidence, keys=keys)] if site or evidence else []
        self._judges: tuple[ItemJudge, ...] = (*own, *judges)
        if not self._judges:
            raise InputError("Expected a registry to ask: got none. Give `evidence`, `site`, or both.")
        self._log = log
        self._kept: list[int] | None = None
        self._judgement: Judgement | None = None

    def __getstate__(self) -> dict[str, Any]:
        """A worker process gets the judgement and no log: it never writes evidence."""
        self.judge()
        return {**self.__dict__, "_log": None}

    def judge(self) -> Judgement:
        """Judge now, once; later calls return the same.

        Raises:
            GateError: if an item is refused and `drop` is not set, or a registry was altered.
        """
        if self._judgement is None or self._kept is None:
            judgement = judged(self._judges, self._items(), pseudonym=self._log.pseudonym if self._log else None)
            if self._log is not None:
                self._log.add_findings(judgement.findings)
            if not self.drop:
                refuse(judgement)
            refused = set(judgement.positions)
            self._kept = [index for index in range(judgement.n) if index + 1 not in refused]
            self._judgement = judgement
            _tell(judgement)
        return self._judgement

    def _items(self) -> list[Mapping[str, Any]]:
        shown = items_of(self.dataset)
        if shown is not None:
            return shown
        loaded = [self.dataset[index] for index in range(len(self.dataset))]
        return [item if isinstance(item, Mapping) else {"image": item} for item in loaded]

    @property
    def dropped(self) -> tuple[int, ...]:
        """Positions, from 1, of items that were left out."""
        return self.judge().positions

    @property
    def data(self) -> list[Any]:
        """The admitted items as they were given, as MONAI's datasets have them."""
        self.judge()
        items = self._items()
        return [items[index] for index in self._kept or ()]

    @property
    def transform(self) -> Any:
        """The transform of the dataset within."""
        return getattr(self.dataset, "transform", None)

    def __len__(self) -> int:
        self.judge()
        return len(self._kept or ())

    def __getitem__(self, index: Any) -> Any:
        self.judge()
        kept = self._kept or []
        if isinstance(index, slice):
            return Subset(self, list(range(len(kept)))[index])
        if not isinstance(index, int) and not hasattr(index, "__index__"):
            return Subset(self, [int(one) for one in index])
        return self.dataset[kept[int(index)]]


def _tell(judgement: Judgement) -> None:
    if not judgement.refusals:
        return
    first = {refusal.position: refusal for refusal in reversed(judgement.refusals)}
    listed = [f"{place} ({first[place].item}: {first[place].kind})" for place in judgement.positions[:_SHOWN]]
    text = "left out %d of %d items: %s"
    logging.getLogger(__name__).warning(text, len(judgement.positions), judgement.n, ", ".join(listed))

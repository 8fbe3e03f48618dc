# SPDX-License-Identifier: Apache-2.0
"""Features of the images that pass through an engine, streamed and gathered over all processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from monai.metrics import CumulativeIterationMetric
from monai.utils import evenly_divisible_all_gather
from torch.utils.data import DistributedSampler

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.image_set import ImageSet
from monai_ethics.synthesis.features.extractor import FeatureExtractor

__all__ = ["FeatureCollector"]


class FeatureCollector(CumulativeIterationMetric):
    """Keep features instead of images: a MONAI metric whose buffer holds one row for each image.

    It is called like any MONAI metric, by hand or through ``IgniteMetricHandler(metric_fn=collector,
    output_transform=from_engine(["image", "patient_id"]))``. Every process calls `aggregate` or `collected`, also one
    that saw no image. Rows with which a ``DistributedSampler`` fills up the processes' shares are dropped by their
    position, and the others stand in the order in which the sampler dealt them out: what two processes collect is
    what one collects.

    Args:
        extractors: one for each space, the main one first.
        sampler: the sampler of the loader; without one rows are in the order of the processes, none dropped.

    Raises:
        InputError: if there is no extractor, or two have one name.
    """

    def __init__(
        self, extractors: FeatureExtractor | Sequence[FeatureExtractor], *, sampler: Any | None = None
    ) -> None:
        super().__init__()
        self.extractors = tuple(extractors) if isinstance(extractors, Sequence) else (extractors,)
        self.sampler = sampler
        if not self.extractors or len({each.protocol.name for each in self.extractors}) != len(self.extractors):
            raise InputError("Expected extractors with names of their own: got none, or two of one name. Name each.")

    def reset(self) -> None:
        """Forget all rows."""
        super().reset()  # type: ignore[no-untyped-call]
        self._patients: list[str] = []
        self._named: tuple[str, ...] = ()

    def __call__(self, y_pred: Any, y: Any = None, **kwargs: Any) -> Any:
        """Add images.

        Args:
            y_pred: shape ``(B, C, *spatial)``, or a list of ``(C, *spatial)``.
            y: patient of each image; ``None`` if they are not known.
            kwargs: not used.

        Returns:
            Features by space, each of shape ``(B, d)``.

        Raises:
            InputError: if the number of patients is not that of the images, or only some batches have any.
        """
        before = len(self._buffers[0]) if self._buffers else 0
        if (y is None and self._patients) or (y is not None and len(self._patients) != before):
            raise InputError("Expected patients with every batch or with none: got both. Give them with every batch.")
        if y is not None and len(y) != len(y_pred):
            raise InputError(
                f"Expected a patient for each of {len(y_pred)} images: got {len(y)}. Give one for each image."
            )
        found = super().__call__(y_pred, None)
        self._patients += [] if y is None else [str(patient) for patient in y]
        return found

    def _compute_tensor(self, y_pred: torch.Tensor, y: Any = None, **kwargs: Any) -> list[torch.Tensor]:
        images = y_pred.as_tensor() if hasattr(y_pred, "as_tensor") else y_pred
        return [extractor(images) for extractor in self.extractors]

    def _sync(self) -> None:
        """Gather the rows of every process; always a collective, since another process may have got new ones."""
        held = self._buffers or [[] for _ in self.extractors]
        local = [
            torch.stack(rows) if rows else torch.zeros(0, extractor.protocol.width)
            for rows, extractor in zip(held, self.extractors, strict=True)
        ]
        count, texts = len(local[0]), json.dumps(self._patients)
        shared = idist.get_world_size() > 1
        counts: Any = idist.all_gather(count) if shared else [count]
        every: Any = idist.all_gather(texts) if shared else [texts]
        patients = [patient for text in every for patient in json.loads(text)]
        order = _order([int(item) for item in counts], self.sampler)
        whole: Any = [evenly_divisible_all_gather(rows, concat=True) for rows in local]
        self._gathered: list[torch.Tensor] = [rows[order] for rows in whole]
        self._synced_tensors = list(self._gathered)
        self._named = tuple(patients[i] for i in order) if patients else ()
        self._synced = True

    def aggregate(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Features of all images of all processes in the main space, shape ``(N, d)``."""
        self._sync()
        return self._gathered[0]

    def collected(self) -> ImageSet:
        """Features of all images of all processes, as `write_features` takes them (a collective).

        Raises:
            InputError: if there is no image.
        """
        self._sync()
        gathered = [rows.detach().float().cpu().numpy() for rows in self._gathered]
        if not len(gathered[0]):
            raise InputError("Expected at least one image on some process: got none. Call the collector with images.")
        names = tuple(f"row {i + 1}" for i in range(len(gathered[0])))
        protocols = {extractor.protocol.name: extractor.protocol for extractor in self.extractors}
        return ImageSet(
            features=dict(zip(protocols, gathered, strict=True)),
            patients=self._named or names,
            names=names,
            protocols=protocols,
        )


def _order(counts: Sequence[int], sampler: Any) -> list[int]:
    """Which gathered rows count, in the order in which the sampler dealt them out."""
    starts = [sum(counts[:rank]) for rank in range(len(counts))]
    if not isinstance(sampler, DistributedSampler) or type(sampler).__iter__ is not DistributedSampler.__iter__:
        return list(range(sum(counts)))
    share, total = max(sampler.num_samples, 1), len(sampler.dataset)  # type: ignore[arg-type]
    placed = []
    for rank, (start, count) in enumerate(zip(starts, counts, strict=True)):
        each, rest = divmod(count, share) if count > share else (1, 0)
        if rest:
            raise InputError("Expected equally many images of each item: got others. Collect without the sampler.")
        placed += [(rank + sampler.num_replicas * (i // each), i % each, start + i) for i in range(count)]
    return [row for position, _, row in sorted(placed) if position < total]

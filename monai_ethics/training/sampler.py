# SPDX-License-Identifier: Apache-2.0
"""`GroupBalancedSampler`: every group is drawn equally often, on one process or on many."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch.utils.data import DistributedSampler

from monai_ethics.errors import InputError
from monai_ethics.training.groups import TrainingGroups
from monai_ethics.training.weights import balanced_weights

__all__ = ["GroupBalancedSampler"]


class GroupBalancedSampler(DistributedSampler[int]):
    """Draw items with replacement by `balanced_weights`.

    An epoch is one list of draws that depends on `seed` and epoch alone; process ``r`` of ``W`` takes draws ``r``,
    ``r + W``, ... . All processes have the same length, and every draw belongs to exactly one process, but an item may
    be drawn several times and so come to several processes. Some items are not drawn in an epoch. It is a
    `DistributedSampler`, so MONAI's trainers call `set_epoch`.

    Args:
        groups: the groups of the dataset's items, in the dataset's order.
        num_samples: draws of an epoch on all processes together, rounded up to a multiple of their number; ``None``
            draws as many as there are items.
        by_patient: whether the patients of a group share its probability, instead of its items.
        seed: seed of the draws.
        num_replicas: number of processes; ``None`` asks torch.
        rank: this process; ``None`` asks torch.

    Raises:
        InputError: if `num_samples` is not positive.
    """

    def __init__(
        self,
        groups: TrainingGroups,
        *,
        num_samples: int | None = None,
        by_patient: bool = True,
        seed: int = 0,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        many = dist.is_available() and dist.is_initialized()
        replicas = num_replicas if num_replicas is not None else dist.get_world_size() if many else 1
        place = rank if rank is not None else dist.get_rank() if many else 0
        super().__init__(range(len(groups)), num_replicas=replicas, rank=place, seed=seed)  # type: ignore[arg-type]
        draws = len(groups) if num_samples is None else num_samples
        if draws < 1:
            raise InputError(f"Expected at least one draw in an epoch: got {draws}.")
        self.num_samples = -(-draws // replicas)
        self.total_size = self.num_samples * replicas
        self.weights = torch.from_numpy(balanced_weights(groups.codes, groups.patients if by_patient else None))

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator()
        generator.manual_seed(self.seed + self.epoch)
        drawn = torch.multinomial(self.weights, self.total_size, replacement=True, generator=generator)
        return iter(drawn[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples

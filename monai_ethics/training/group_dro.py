# SPDX-License-Identifier: Apache-2.0
"""`GroupDROLoss`: the loss of the worst group, by online exponentiated gradient."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn

from monai_ethics.errors import InputError
from monai_ethics.training.groups import TrainingGroups

if TYPE_CHECKING:
    from ignite.engine import Engine

__all__ = ["GroupDROLoss"]


class GroupDROLoss(nn.Module):
    """A loss whose weight moves to the group with the largest loss.

    With the losses ``l_g`` of the groups in a batch, the weights become ``q_g exp(step_size * a_g)``, normalized,
    with ``a_g = l_g + adjustment / sqrt(n_g)``, and the loss is ``sum_g q_g l_g``. A group that is absent from a batch
    keeps its weight. MONAI's trainers call a loss with prediction and reference only, so it also joins the trainer and
    reads the groups of each batch from there: in a bundle, ``"train#trainer#additional_metrics": {"dro": "@loss"}``,
    which shows the weights as well, or ``"+train#handlers": ["@loss"]`` where no process leaves handlers out.

    With several processes, sums and counts of the groups are added up over all of them, so that the weights agree;
    the loss of each is scaled so that the mean of the gradients, which DistributedDataParallel takes, is the gradient
    of the loss over all cases. Weights are buffers: save the loss in a checkpoint to resume.

    Args:
        loss: a loss of MONAI or torch. With ``reduction="none"`` and not over the batch it is computed once; any other
            is computed for each case alone.
        groups: the groups of the training list.
        step_size: eta of the exponentiated gradient.
        adjustment: C of the group-size adjustment; groups of few patients are then weighted up.

    Raises:
        InputError: if a step is not positive, or the adjustment negative or not finite.

    Notes:
        It needs strong regularization to help (Sagawa 2020, section 3), and a group that looks worst need not be the
        one to treat. Measure before and after on data that chose nothing: ``monai-ethics mitigation``.

    References:
        Sagawa, Koh, Hashimoto & Liang 2020, Distributionally Robust Neural Networks, ICLR, algorithm 1 and section 3.3.
    """

    log_weights: torch.Tensor
    group_losses: torch.Tensor
    _margins: torch.Tensor

    def __init__(
        self,
        loss: Callable[..., torch.Tensor],
        groups: TrainingGroups,
        *,
        step_size: float = 0.01,
        adjustment: float = 0.0,
    ) -> None:
        super().__init__()
        numbers = all(isinstance(number, int | float) and math.isfinite(number) for number in (step_size, adjustment))
        if not numbers or step_size <= 0 or adjustment < 0:
            raise InputError("Expected a positive `step_size` and an `adjustment` of at least 0: got other numbers.")
        self.loss = loss
        self.groups = groups
        self.step_size = step_size
        n = len(groups.labels)
        self.register_buffer("log_weights", torch.full((n,), -math.log(n), dtype=torch.float64))
        self.register_buffer("group_losses", torch.full((n,), torch.nan, dtype=torch.float64))
        margins = [adjustment / math.sqrt(max(size, 1)) for size in groups.sizes]
        self.register_buffer("_margins", torch.tensor(margins, dtype=torch.float64), persistent=False)
        self._codes: list[int] | None = None

    @property
    def weights(self) -> torch.Tensor:
        """Weight of each group, shape ``(G,)``, adding up to 1."""
        return self.log_weights.exp()

    def attach(self, engine: Engine, name: str | None = None) -> None:
        """Read the groups of each batch of a trainer.

        Args:
            engine: the trainer.
            name: given when this stands among ``additional_metrics``: the weights are then shown to the loggers after
                each epoch, as ``<name>_<group>``.
        """
        from ignite.engine import Events

        engine.add_event_handler(Events.ITERATION_STARTED, self._read)
        if name is not None:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._show, name)

    def _show(self, engine: Engine, name: str) -> None:
        labels = ["not_recorded" if label is None else re.sub(r"[^\w.-]+", "-", label) for label in self.groups.labels]
        shown = zip(labels, self.weights.tolist(), strict=True)
        engine.state.metrics.update({f"{name}_{label}": weight for label, weight in shown})

    def _read(self, engine: Engine) -> None:
        self._codes = self.groups.codes_of(engine.state.batch)

    def forward(self, pred: torch.Tensor, target: torch.Tensor, codes: Any = None) -> torch.Tensor:
        """The weighted loss of a batch; in training mode the weights move first.

        Args:
            pred: predictions, shape ``(B, ...)``.
            target: references, shape ``(B, ...)``.
            codes: group of each case, length ``B``; ``None`` takes those that the trainer's batch gave.

        Returns:
            The loss, 0-dimensional, float32 or wider also under autocast.

        Raises:
            InputError: if the groups of the batch are not known, or a code is of no group.
        """
        known = self._codes if codes is None else codes
        if known is None or len(known) != len(pred):
            raise InputError(
                f"Expected a group for each of {len(pred)} cases: got {0 if known is None else len(known)}. "
                "Give this loss to the trainer as well, among its handlers or `additional_metrics`, or pass `codes`."
            )
        losses = self._per_case(pred, target)
        n = len(self.groups.labels)
        code = _as_codes(known, n).to(losses.device)
        self.to(losses.device)
        sums = torch.zeros(n, dtype=losses.dtype, device=losses.device).index_add(0, code, losses)
        counts = torch.bincount(code, minlength=n).to(torch.float64)
        totals = torch.stack([sums.detach().double(), counts])
        world = _add_up(totals)
        means = totals[0] / totals[1].clamp(min=1)
        if self.training and torch.is_grad_enabled():
            self._move(means, totals[1] > 0)
        share = (self.weights / totals[1].clamp(min=1)).to(losses.dtype)
        return world * (share * sums).sum()

    def _move(self, means: torch.Tensor, present: torch.Tensor) -> None:
        usable = present & means.isfinite()  # an overflow under AMP is skipped by the scaler as well
        steps = torch.where(usable, self.step_size * (means + self._margins), 0.0)
        moved = self.log_weights + steps
        self.log_weights.copy_(moved - moved.logsumexp(0))
        self.group_losses.copy_(torch.where(usable, means, self.group_losses))

    def _per_case(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of each case, shape ``(B,)``, at least float32."""
        plain = [t.as_tensor() if hasattr(t, "as_tensor") else t for t in (pred, target)]
        if getattr(self.loss, "reduction", None) == "none" and not getattr(self.loss, "batch", False):
            found = self.loss(*plain)
            if found.ndim and len(found) == len(pred):
                return _wide(found).reshape(len(pred), -1).mean(1)
        single = [self.loss(plain[0][i : i + 1], plain[1][i : i + 1]) for i in range(len(pred))]
        return torch.stack([_wide(value).mean() for value in single])


def _as_codes(known: Any, n: int) -> torch.Tensor:
    """Codes as a tensor; those of no group are refused here, since on a GPU they would end the process."""
    try:
        code = torch.as_tensor(known)
    except (TypeError, ValueError, RuntimeError):
        code = torch.tensor(-1)
    if code.ndim != 1 or code.is_floating_point() or code.is_complex() or bool(((code < 0) | (code >= n)).any()):
        raise InputError(f"Codes must be whole numbers from 0 to {n - 1}, one per case: got others. Use `codes_of`.")
    return code.to(torch.int64)


def _wide(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def _add_up(totals: torch.Tensor) -> int:
    """Add `totals` up over all processes in place; returns their number."""
    if not (dist.is_available() and dist.is_initialized()):
        return 1
    dist.all_reduce(totals)
    return dist.get_world_size()

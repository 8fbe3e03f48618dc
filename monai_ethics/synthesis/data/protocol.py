# SPDX-License-Identifier: Apache-2.0
"""How features were computed: two audits agree only if this does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from monai_ethics.errors import InputError

__all__ = ["FeatureProtocol"]


@dataclass(frozen=True, kw_only=True)
class FeatureProtocol:
    """Everything on which a feature depends besides the image.

    Args:
        name: name of the space, such as ``"raw pixels 16x16"``.
        width: features of an image.
        weights: SHA-256 of the network's weights; ``None`` if it has none.
        preprocessing: what is done to an image before, as JSON.
        spatial_dims: 2 or 3; ``None`` if not known.
        planes: whether a volume is seen as slices of three planes.
        fitted_on_train: whether anything in it was fitted to the training images of the audit; ``None`` if not known.

    Raises:
        InputError: if the name is empty or the width below 1.
    """

    name: str
    width: int
    weights: str | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    spatial_dims: int | None = None
    planes: bool = False
    fitted_on_train: bool | None = False

    def __post_init__(self) -> None:
        if not self.name.strip() or self.width < 1:
            raise InputError("A feature protocol needs a name and at least one feature: got none. Name the space.")

    @property
    def digest(self) -> str:
        """SHA-256 of the protocol's JSON; equal protocols have equal digests."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """The protocol as it stands in a feature file."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            InputError: if it is something else.
        """
        try:
            found = cls(**json.loads(text))
            found.to_json()  # which refuses numbers that are none
            return found
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                "Expected the protocol of a feature file as this package writes it: got another. Compute them anew."
            ) from error

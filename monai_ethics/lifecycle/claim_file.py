# SPDX-License-Identifier: Apache-2.0
"""Reading a file of sentences that somebody wants to publish."""

from __future__ import annotations

from monai_ethics.lifecycle.claim_results import result_name
from monai_ethics.lifecycle.claims import Claim
from monai_ethics.lifecycle.policy_file import load_mapping

__all__ = ["read_claims"]


def read_claims(data: bytes) -> tuple[Claim, ...]:
    """Read the bytes of a YAML file of ``schemas/claims-1.schema.json``.

    Args:
        data: the file's bytes, UTF-8.

    Returns:
        The sentences in the file's order, numbered from 1.

    Raises:
        InputError: if it is no such file; one sentence that names the key.
    """
    content = load_mapping(data, schema="claims-1", noun="claims file", page="docs/how-to/back-a-claim.md")
    return tuple(
        Claim(
            position=place,
            text=item["text"],
            results=tuple(result_name(name) for name in item["results"]),
            says=item.get("says"),
        )
        for place, item in enumerate(content["claims"], start=1)
    )

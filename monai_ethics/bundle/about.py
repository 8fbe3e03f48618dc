# SPDX-License-Identifier: Apache-2.0
"""What a bundle says of itself: name, version, licenses, intended use, and the scheduler of its sampler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_ethics.bundle.engines import walk
from monai_ethics.provenance.records.licenses import spdx_of_text

__all__ = ["about_bundle"]

STEPS = ("num_train_timesteps", "num_inference_steps", "prediction_type")
DATA_LICENSES = ("docs/data_license.txt", "docs/license.txt")
LONGEST = 400


def about_bundle(root: Path, config: Any = None) -> dict[str, Any]:
    """Facts of a bundle as far as its files hold them.

    Args:
        root: folder of the bundle.
        config: its config, for the scheduler of a diffusion sampler.

    Returns:
        Of `bundle` (`name`, `version`), `license` and `data_license` (SPDX), `intended_use`, `data_source` and
        `sampler` what is there.
    """
    metadata = _metadata(root)
    named = {key: str(metadata[key])[:LONGEST] for key in ("name", "version") if metadata.get(key)}
    found: dict[str, Any] = {
        "bundle": named,
        "license": spdx_of_text(str(metadata.get("license", ""))) or _license(root, ("LICENSE",)),
        "data_license": _license(root, DATA_LICENSES),
        "intended_use": str(metadata.get("intended_use", ""))[:LONGEST],
        "data_source": str(metadata.get("data_source", ""))[:LONGEST],
        "sampler": _sampler(config),
    }
    return {key: value for key, value in found.items() if value}


def _metadata(root: Path) -> Mapping[str, Any]:
    try:
        content = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _license(root: Path, names: tuple[str, ...]) -> str:
    for name in names:
        try:
            text = (root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # a notice that names several licenses is left to people
        if found := spdx_of_text(text):
            return found
    return ""


def _sampler(config: Any) -> dict[str, Any] | None:
    """The one noise scheduler that a config declares."""
    found = []
    for _, item in walk(config) if config is not None else ():
        target = str(item.get("_target_", "")).rpartition(".")[2] if isinstance(item, Mapping) else ""
        if target.startswith(("DDPM", "DDIM", "PNDM", "RFlow")) and target.endswith("Scheduler"):
            told = {name: item[name] for name in STEPS if isinstance(item.get(name), (int, str))}
            found.append({"class": target, **told})
    return found[0] if len(found) == 1 else None

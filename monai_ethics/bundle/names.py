# SPDX-License-Identifier: Apache-2.0
"""Words that the rewriting and the reading of configs share."""

from __future__ import annotations

__all__ = ["INJECTOR", "SAVER_NAMES", "display_id"]

INJECTOR = "monai_ethics_run"  # name of the injector among the globals of the config's expressions
SAVER_NAMES = ("SaveImage",)  # what generative bundles without an engine hand to their samplers


def display_id(engine_id: str) -> str:
    """A config id as people write it: ``train#trainer``."""
    return engine_id.replace("::", "#")

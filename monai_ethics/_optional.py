# SPDX-License-Identifier: Apache-2.0
"""Optional dependencies: imported inside the function that needs them, with the extra named when absent."""

from __future__ import annotations

import importlib
from types import ModuleType

from monai_ethics.errors import MissingDependencyError

__all__ = ["need"]


def need(module: str, *, extra: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: dotted module name, such as ``"matplotlib.pyplot"``.
        extra: the extra of this package that installs it, such as ``"report"``.

    Returns:
        The imported module.

    Raises:
        MissingDependencyError: if the module cannot be imported; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"This needs the package that provides `{module}`, which is not installed: "
            f'run `pip install "monai_ethics[{extra}]"`.'
        ) from error

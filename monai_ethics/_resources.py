# SPDX-License-Identifier: Apache-2.0
"""Where bundles and policies that travel with this package lie: in a checkout, an editable install and a wheel."""

from __future__ import annotations

from pathlib import Path

from monai_ethics.errors import InputError

__all__ = ["bundle_names", "bundle_path", "policy_path"]

# `monai_ethics/bundles` is a link to `bundles` in a checkout and a folder in a wheel; without links, look beside us
ROOTS = (Path(__file__).parent / "bundles", Path(__file__).parent.parent / "bundles")


def bundle_names() -> tuple[str, ...]:
    """Names of the bundles found, sorted."""
    return tuple(sorted({p.parents[1].name for root in ROOTS for p in root.glob("*/configs/metadata.json")}))


def bundle_path(name: str) -> Path:
    """Root folder of a bundle; treat it as read-only and give `--output_dir` and `--ckpt_dir` to what writes.

    Args:
        name: such as ``"lesion_segmentation"``.

    Raises:
        InputError: if no such bundle travels with the package.
    """
    if name in bundle_names():
        for root in ROOTS:
            if (root / name / "configs" / "metadata.json").is_file():
                return (root / name).resolve()
    raise InputError(
        f"Expected the name of a bundle: got an unknown one. Known: {', '.join(bundle_names()) or 'none'}."
    )


def policy_path(name: str) -> Path:
    """File of a policy that travels with the package, such as ``"demo"``.

    Raises:
        InputError: if there is no such policy.
    """
    path = Path(__file__).parent / "lifecycle" / "policies" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise InputError(
            f"Expected the name of a policy that comes with the package: got an unknown one. Known: {known}."
        )
    return path

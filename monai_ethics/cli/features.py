# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics features`: features of a folder of images in one file, for audits without images or GPU."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from monai_ethics.synthesis.data.image_set import ImageSet

__all__ = ["command"]


def command(
    images: Annotated[Path, typer.Option(help="Folder of images (NIfTI, DICOM, PNG, npy).")],
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    extractor: Annotated[
        str, typer.Option(help="pixels, random-conv, efficientnet-lite0, or a file of a network.")
    ] = "random-conv",
    layer: Annotated[str | None, typer.Option(help="Layer of the network whose output is taken.")] = None,
    attributes: Annotated[Path | None, typer.Option(help="Table of attributes of patients or images.")] = None,
    pattern: Annotated[str, typer.Option(help="Which files are images, such as '*_image.nii.gz'.")] = "*",
    views: Annotated[bool, typer.Option("--views", help="Compute flipped and shifted images as well.")] = False,
    planes: Annotated[
        int, typer.Option(min=0, max=512, help="See volumes as so many slices of each of three planes.")
    ] = 0,
    size: Annotated[int | None, typer.Option(min=1, max=4096, help="Pixels a side that the network sees.")] = None,
    channels: Annotated[int, typer.Option(min=1, max=512, help="Channels that a network in a file takes.")] = 1,
    scale: Annotated[str, typer.Option(help="standard, range or none, for a network in a file.")] = "standard",
    fitted_on_train: Annotated[
        bool | None,
        typer.Option(
            "--fitted-on-train/--not-fitted-on-train", help="Whether the network was fitted to training images."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="Seed of random convolutions.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in memory at a time.")] = 16,
    device: Annotated[str, typer.Option(help="Where the network runs, such as cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON for machines.")] = False,
) -> None:
    """Compute the features of images once; audits then need the file only."""
    from monai_ethics.cli._digests import image_digests
    from monai_ethics.cli._extractors import Asked, extractors_for
    from monai_ethics.cli._progress import Steps
    from monai_ethics.synthesis.data.feature_file import write_features
    from monai_ethics.synthesis.data.folder import read_image_set

    if out.suffix != ".npz" or not out.absolute().parent.is_dir():
        raise InputError("Expected `--out` to be an .npz file in a folder that exists: got another. Name one.")
    if not images.is_dir():
        raise InputError("Expected `--images` to be a folder of images: got none. Check the path.")
    require_device(device)
    asked = Asked(
        extractor=extractor,
        layer=layer,
        size=size,
        channels=channels,
        scale=scale,
        planes=planes,
        fitted_on_train=fitted_on_train,
        seed=seed,
        device=device,
    )
    with Steps(quiet=as_json) as steps:
        found = read_image_set(
            images,
            pattern=pattern,
            attributes=attributes,
            extractors=extractors_for(asked),
            views=views,
            batch_size=batch_size,
            progress=lambda done, total: steps.step("features of images", done, total),
        )
    found = replace(found, digests=image_digests(found))
    part = out.with_name(f".{out.stem}.{os.getpid()}.npz")
    try:
        write_features(part, found)
        part.replace(out)  # a run that is stopped leaves the file that was there
    finally:
        part.unlink(missing_ok=True)
    print(json.dumps(_facts(found), indent=1, sort_keys=True) if as_json else _sentence(found))


def require_device(device: str) -> None:
    """Refuse a device that this machine does not have."""
    import torch

    try:
        torch.zeros(1, device=device).item()  # a device that only plans, such as meta, fails here
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError("`--device` must be a device of this machine: got another. Use cpu.") from error


def _facts(found: ImageSet) -> dict[str, object]:
    return {
        "images": len(found),
        "patients": len(set(found.patients)),
        "sites": len(set(found.sites)) if found.sites else None,
        "attributes": sorted(found.attributes),
        "views": max((rows.shape[1] for rows in found.views.values()), default=0),
        "spaces": {
            space: {"width": rows.shape[1], "protocol": found.protocols[space].digest}
            for space, rows in found.features.items()
        },
    }


def _sentence(found: ImageSet) -> str:
    spaces = ", ".join(f"{space} ({rows.shape[1]})" for space, rows in found.features.items())
    views = max((rows.shape[1] for rows in found.views.values()), default=0)
    named = f"\nattributes: {', '.join(sorted(found.attributes))}" if found.attributes else ""
    more = f"\nviews of each image: {views}" if views else ""
    return f"{len(found)} images of {len(set(found.patients))} patients\nfeatures: {spaces}{named}{more}"

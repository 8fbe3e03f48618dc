# SPDX-License-Identifier: Apache-2.0
"""Feature extractors by the words of the command line."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from monai_ethics.synthesis.features.extractor import FeatureExtractor

__all__ = ["KNOWN", "Asked", "extractors_for", "load_network"]

KNOWN = ("pixels", "random-conv", "efficientnet-lite0")
CONFIGS = ("inference", "evaluate", "train")
DEFINITIONS = ("network_def", "network", "net")
WEIGHTS = ("model", "state_dict", "network", "net")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which extractor is wanted.

    Args:
        extractor: one of `KNOWN`, or a file of a network.
        layer: layer whose output is taken; of a network in a file only.
        size: pixels a side that the network sees; ``None`` for the extractor's own.
        channels: channels that a network in a file takes.
        scale: how intensities are scaled for a network in a file; see `Preprocessing`.
        planes: slices of each of three planes through a volume; 0 for the volume itself, where that is possible.
        fitted_on_train: whether a network in a file was fitted to the training images of the audit.
        seed: seed of random convolutions.
        device: where it runs.
    """

    extractor: str
    layer: str | None = None
    size: int | None = None
    channels: int = 1
    scale: str = "standard"
    planes: int = 0
    fitted_on_train: bool | None = None
    seed: int = 0
    device: str = "cpu"


def extractors_for(asked: Asked) -> Callable[[int], Sequence[FeatureExtractor]]:
    """The extractors for images of a number of dimensions; raw pixels come on top wherever images are read.

    Args:
        asked: which one.

    Raises:
        InputError: if there is no such extractor or file.
    """
    known = asked.extractor in KNOWN
    if known and (asked.layer is not None or asked.fitted_on_train):
        raise InputError("`--layer` and `--fitted-on-train` speak of a network in a file: got another. Give the file.")
    if asked.extractor == "pixels" and (asked.size or asked.planes):
        raise InputError("`--size` and `--planes` speak of a network: got `pixels`, which are 16 a side. Drop them.")
    if not known and not Path(asked.extractor).is_file():
        raise InputError(
            f"Expected `--extractor` to be {', '.join(KNOWN)} or a file: got neither. Choose one, or check the path."
        )

    def made(dims: int) -> Sequence[FeatureExtractor]:
        if asked.extractor == "pixels":
            return []
        slices = asked.planes if dims == 3 else 0
        if dims == 3 and asked.extractor == "efficientnet-lite0":
            slices = slices or 8
        inner = _one(asked, 2 if slices else dims)
        if not slices:
            return [inner]
        from monai_ethics.synthesis.features.triplanar import TriplanarExtractor

        return [TriplanarExtractor(inner, slices=slices)]

    return made


def _one(asked: Asked, dims: int) -> FeatureExtractor:
    if asked.extractor == "random-conv":
        from monai_ethics.synthesis.features.random_conv import random_conv

        return random_conv(dims, seed=asked.seed, size=asked.size, device=asked.device)
    if asked.extractor == "efficientnet-lite0":
        from monai_ethics.synthesis.features.efficientnet import efficientnet_lite0

        return efficientnet_lite0(size=asked.size or 160, device=asked.device)
    from monai_ethics.synthesis.features.extractor import module_extractor
    from monai_ethics.synthesis.features.preprocessing import Preprocessing

    network = load_network(Path(asked.extractor))
    return module_extractor(
        network.to(asked.device),
        name="network of a file" + (f", layer {asked.layer}" if asked.layer else ""),
        spatial_dims=dims,
        preprocessing=Preprocessing(size=asked.size or 64, scale=asked.scale, channels=asked.channels),
        layer=asked.layer,
        fitted_on_train=asked.fitted_on_train,
    )


def load_network(file: Path) -> nn.Module:
    """A network from a file, none of whose pickled code is run; a bundle's config is read as MONAI reads it.

    Args:
        file: a TorchScript module, or weights in the folder ``models`` of a MONAI bundle, whose configs say with
            ``network_def`` which network they are of.

    Raises:
        InputError: if it is neither, or the weights do not fit the network.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scripted: nn.Module = torch.jit.load(str(file), map_location="cpu")  # type: ignore[no-untyped-call]
            return scripted.eval()
        except RuntimeError:
            pass  # no TorchScript: weights
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the reader of damaged files raises what it likes
        raise InputError(
            "Expected a TorchScript module, or the weights of a bundle: got another file. Save it with "
            "`torch.jit.save`, or save its `state_dict`."
        ) from error
    network = _of_bundle(file.absolute().parent.parent)
    nested = [content[name] for name in WEIGHTS if isinstance(content, dict) and isinstance(content.get(name), dict)]
    try:
        network.load_state_dict(nested[0] if nested else content)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InputError(
            "Expected weights of the network that the bundle's config defines: got others. Check file and config."
        ) from error
    return network.eval()


def _of_bundle(root: Path) -> nn.Module:
    """The network that a bundle's config defines, with its first weights."""
    import torch
    from monai.bundle import ConfigParser

    files = [root / "configs" / f"{name}{end}" for name in CONFIGS for end in (".json", ".yaml", ".yml")]
    for file in files:
        if not file.is_file():
            continue
        parser: Any = ConfigParser()
        parser.read_config(str(file))
        name = next((name for name in DEFINITIONS if parser.get(name) is not None), None)
        if name is not None:
            with torch.random.fork_rng(devices=[]):
                network: nn.Module = parser.get_parsed_content(name)
            return network
    raise InputError(
        "Expected weights in the folder `models` of a bundle whose config has `network_def`: got others. "
        "Put them there, or save the network with `torch.jit.save`."
    )

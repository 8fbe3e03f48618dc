# SPDX-License-Identifier: Apache-2.0
"""Founder anatomies: tissue maps of real atlases, read as files of installed packages whose code is never imported.

`icbm152` comes from nilearn's wheel (ICBM 2009a template), `colin27` (one man, scanned 27 times) from neurora's. With
neither installed, an analytic `ellipsoid` stands in, so that nothing ever needs a download.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
import torch.nn.functional as F

from monai_ethics.cohort.cache import cached_volume
from monai_ethics.cohort.grid import CENTER_MM, FIELD_OF_VIEW_MM, blur, cube, resample_file

__all__ = ["COARSE", "Founder", "analytic_founders", "load_founders"]

COARSE = 24  # points along an axis of every deformation field
ICBM_FILE = "datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
COLIN_FILE = "template/ch2bet.nii.gz"
COLIN_CLIP = 133.0  # the file's values are clipped here


@dataclass(frozen=True, kw_only=True, eq=False)
class Founder:
    """One anatomy on the cohort's cube.

    Args:
        name: ``"icbm152"``, ``"colin27"`` or ``"ellipsoid"``.
        maps: ``(4, n, n, n)`` float32: gray matter, white matter and fluid fractions in [0, 1], and the texture, a
            relative deviation of the real T1 from what the three fractions explain.
    """

    name: str
    maps: torch.Tensor

    @cached_property
    def ventricle_gradient(self) -> torch.Tensor:
        """Direction towards the ventricles on the coarse grid, ``(3, m, m, m)``: what makes them grow with age."""
        central = _near((0.0, -20.0, 12.0), (26.0, 42.0, 24.0), self.maps.shape[-1])
        fluid = (self.maps[2] * central)[None, None]
        coarse = F.interpolate(fluid, size=(COARSE,) * 3, mode="trilinear", align_corners=True)[0]
        gradient = torch.gradient(blur(coarse, 1.6 * COARSE / 32)[0], spacing=2 / (COARSE - 1))
        return torch.stack(list(gradient))


@lru_cache(maxsize=2)
def load_founders(mm: float = 2.0) -> Mapping[str, Founder]:
    """Every founder that is installed, in a fixed order; the analytic one if there is none.

    Args:
        mm: resolution of the maps in millimeters; 2 is close to the pixel of a 128 x 128 slice.

    Returns:
        Name to founder. The first call reads the atlases (about 5 s), later processes a cache of 1 MB.
    """
    n = round(FIELD_OF_VIEW_MM / mm) + 1
    readers: tuple[tuple[str, str, Callable[[int], torch.Tensor | None]], ...] = (
        ("icbm152", "nilearn", _icbm152),
        ("colin27", "neurora", _colin27),
    )
    found: dict[str, Founder] = {}
    for name, package, read in readers:
        release = _release(package)
        maps = cached_volume(f"{name}-{package}-{release}-{n}", lambda read=read: read(n)) if release else None  # type: ignore[misc]
        if maps is not None:
            found[name] = Founder(name=name, maps=maps)
    return found or analytic_founders(mm)


def analytic_founders(mm: float = 4.0) -> Mapping[str, Founder]:
    """The founder made of nested ellipsoids: no file, made in milliseconds."""
    n = round(FIELD_OF_VIEW_MM / mm) + 1
    brain = _ellipsoid((68.0, 85.0, 78.0), (0.0, 0.0, 0.0), n)
    white = _ellipsoid((56.0, 72.0, 64.0), (0.0, 0.0, 0.0), n)
    fluid = sum(_ellipsoid((9.0, 26.0, 14.0), (x, 0.0, 6.0), n) for x in (12.0, -12.0))
    fluid = torch.as_tensor(fluid).clamp(0, 1)
    gray, white = (brain - white).clamp(0, 1), (white - fluid).clamp(0, 1)
    return {"ellipsoid": Founder(name="ellipsoid", maps=torch.stack([gray, white, fluid, torch.zeros_like(gray)]))}


def _release(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _package_file(package: str, relative: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(root) / relative).is_file():
            return Path(root) / relative
    return None


def _icbm152(n: int) -> torch.Tensor | None:
    files = [_package_file("nilearn", ICBM_FILE.format(kind)) for kind in ("t1", "gm", "wm")]
    if None in files:
        return None
    t1, gray, white = (resample_file(file, n, scale=255.0) for file in files if file)
    brain = blur((t1 > 0.10).float()[None], 0.7)[0]
    return _pack(gray, white, (brain - gray - white).clamp(0, 1), t1)


def _colin27(n: int) -> torch.Tensor | None:
    file = _package_file("neurora", COLIN_FILE)
    if file is None:
        return None
    t1 = resample_file(file, n, scale=COLIN_CLIP)
    brain = blur((t1 > 0.05).float()[None], 0.7)[0]
    centers = _three_means(t1[t1 > 0.08][::7])
    weights = torch.softmax(-(((t1[..., None] - centers) / 0.055) ** 2), -1) * brain[..., None]
    return _pack(weights[..., 1], weights[..., 2], weights[..., 0], t1 / centers[2] * 0.85)


def _three_means(values: torch.Tensor) -> torch.Tensor:
    """Centers of fluid, gray and white matter in a T1 by k-means from fixed starts."""
    centers = torch.tensor([0.28, 0.62, 0.83])
    for _ in range(12):
        nearest = (values[:, None] - centers).abs().argmin(1)
        centers = torch.stack([values[nearest == k].mean() for k in range(3)])
    return centers


def _pack(gray: torch.Tensor, white: torch.Tensor, fluid: torch.Tensor, t1: torch.Tensor) -> torch.Tensor:
    model = 0.62 * gray + 0.85 * white + 0.20 * fluid
    inside = (gray + white + fluid) > 0.5
    texture = torch.where(inside, (t1 / model.clamp(min=0.12) - 1).clamp(-0.35, 0.35), torch.zeros(()))
    return torch.stack([gray, white, fluid, texture - blur(texture[None], 6.0)[0]])  # only fine detail is kept


def _near(center_mm: tuple[float, float, float], radius_mm: tuple[float, float, float], n: int) -> torch.Tensor:
    world = cube(n) * (FIELD_OF_VIEW_MM / 2) + torch.tensor(CENTER_MM)
    return torch.exp(-((((world - torch.tensor(center_mm)) / torch.tensor(radius_mm)) ** 2).sum(-1) ** 2))


def _ellipsoid(radius_mm: tuple[float, float, float], offset_mm: tuple[float, float, float], n: int) -> torch.Tensor:
    scaled = (cube(n) * (FIELD_OF_VIEW_MM / 2) - torch.tensor(offset_mm)) / torch.tensor(radius_mm)
    return torch.sigmoid((1 - scaled.pow(2).sum(-1).sqrt()) * 25)

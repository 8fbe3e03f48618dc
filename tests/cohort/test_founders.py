# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import sys

import pytest
import torch

from monai_ethics.cohort import founders
from monai_ethics.cohort.cache import cached_volume


def test_without_any_atlas_the_analytic_founder_stands_in(monkeypatch):
    monkeypatch.setattr(founders, "_release", lambda package: None)
    assert list(founders.load_founders.__wrapped__(8.0)) == ["ellipsoid"]


def test_a_package_without_its_file_is_no_founder(monkeypatch):
    monkeypatch.setattr(founders, "_release", lambda package: "0")
    monkeypatch.setattr(founders, "_package_file", lambda package, relative: None)
    assert list(founders.load_founders.__wrapped__(8.0)) == ["ellipsoid"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nilearn") is None, reason="nilearn is not installed")
def test_an_atlas_is_read_as_a_file_and_its_package_is_never_imported(own_cache):
    found = founders.load_founders.__wrapped__(8.0)
    assert "icbm152" in found
    assert "nilearn" not in sys.modules
    gray, white, fluid, texture = found["icbm152"].maps
    assert 0.5 < float(gray.max()) <= 1
    assert 0.5 < float(white.max()) <= 1
    assert float(fluid.min()) >= 0
    assert float(texture.abs().max()) > 0
    assert len(list((own_cache / "monai_ethics").iterdir())) == len(found)


def test_the_cache_gives_the_same_values_as_the_source(own_cache):
    made = []

    def make():
        made.append(1)
        return torch.linspace(-1, 1, 64).reshape(4, 4, 4)

    first, second = cached_volume("key", make), cached_volume("key", make)
    assert torch.equal(first, second)
    assert len(made) == 1
    assert [p.suffix for p in (own_cache / "monai_ethics").iterdir()] == [".npz"]


def test_a_torn_cache_file_is_made_again(own_cache):
    cached_volume("key", lambda: torch.ones(2, 2))
    file = next((own_cache / "monai_ethics").iterdir())
    file.write_bytes(file.read_bytes()[:40])
    assert torch.equal(cached_volume("key", lambda: torch.ones(2, 2)), torch.ones(2, 2))


def test_a_cache_folder_that_cannot_be_made_costs_only_time(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert torch.equal(cached_volume("key", lambda: torch.ones(2)), torch.ones(2))


def test_a_missing_source_is_not_cached(own_cache):
    assert cached_volume("key", lambda: None) is None
    assert not (own_cache / "monai_ethics").exists()

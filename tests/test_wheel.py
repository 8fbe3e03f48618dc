# SPDX-License-Identifier: Apache-2.0
"""A wheel, in an empty directory and with the core dependencies alone, runs the main job."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXTRAS = ("matplotlib", "nilearn", "neurora", "statsmodels", "sklearn", "hypothesis", "pytest")

# what is hidden is not found, as if it were not installed: by `import` and by `importlib.util.find_spec` alike
BLOCKER = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in {EXTRAS!r} else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Environment in which only the wheel provides the package, and no extra can be imported."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run(wheel, check=True, capture_output=True)
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), *map(str, folder.glob("*.whl"))], check=True)
    (target / "sitecustomize.py").write_text(BLOCKER)
    keep = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "OMP_NUM_THREADS")}
    return {
        **keep,
        "PYTHONPATH": str(target),
        "MONAI_ETHICS_KEY_HOME": str(folder / "keys"),
        "XDG_CACHE_HOME": str(folder),
    }


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_package(installed):
    asked = subprocess.run(["git", "ls-files", "monai_ethics"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [line for line in asked.stdout.splitlines() if not (ROOT / line).is_symlink()]
    assert len(files) > 500
    assert [line for line in files if not (Path(installed["PYTHONPATH"]) / line).is_file()] == []


@pytest.mark.slow
def test_wheel_with_core_dependencies_runs_the_demo_from_an_empty_directory(installed, tmp_path):
    command = [sys.executable, "-m", "monai_ethics", "demo", "--out", "out", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["refused"] is True
    where = [sys.executable, "-c", "import monai_ethics; print(monai_ethics.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=installed, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(installed["PYTHONPATH"])
    report = json.loads((tmp_path / "out" / "evidence" / "report.json").read_text())
    assert {finding["check"] for finding in report["findings"]} >= {"fairness.score_gap", "provenance.synthetic_guard"}
    assert "matplotlib is not installed" in (tmp_path / "out" / "evidence" / "report.html").read_text()

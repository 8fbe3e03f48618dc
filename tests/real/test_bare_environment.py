# SPDX-License-Identifier: Apache-2.0
"""What the design promises an auditor: the package without its dependencies, cryptography, rfc8785 and jinja2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monai_ethics.evidence import Estimate, Finding, Stage, Verdict
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting.sealed import seal_report

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
NEEDS = ("cryptography", "rfc8785", "jinja2")
READ = """
import sys
from pathlib import Path
from monai_ethics.provenance.log.reading.entries import read_report
from monai_ethics.reporting.render import render
files = render(read_report(Path(sys.argv[1])))
print(sorted(files), all(files.values()))
"""


@pytest.fixture(scope="module")
def auditor(tmp_path_factory):
    """A fresh environment's folder of programs."""
    folder = tmp_path_factory.mktemp("auditor")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    programs = folder / "venv" / "bin"
    pip = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
    done = subprocess.run(
        [*pip, "install", "-c", str(ROOT / "constraints.txt"), *NEEDS], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = f"pip found no index with {', '.join(NEEDS)}"
        print(reason)
        pytest.skip(reason)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "source")], check=True)
    build = [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(folder / "source")], check=True, capture_output=True)
    subprocess.run([*pip, "install", "--no-deps", *map(str, folder.glob("*.whl"))], check=True)
    return programs


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    """What a run leaves: a finding, a private payload, a sealed report."""
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "writer"))
    row = Estimate(
        name="dice",
        value=0.81,
        low=0.78,
        high=0.84,
        level=0.95,
        method="bootstrap",
        unit="1",
        n=40,
        n_unit="patients",
        estimand="mean over patients",
    )
    finding = Finding(
        check="fairness.score_gap",
        title="Dice by sex",
        stage=Stage.EVALUATION,
        verdict=Verdict.MEASURED,
        statement="Measured.",
        estimates=(row,),
    )
    with EvidenceLog.open(tmp_path / "evidence", run_id="a") as log:
        log.add_findings([finding])
        log.put_private("cases", b"case", media_type="text/plain")
        seal_report(log)
    return tmp_path / "evidence"


def run(program, *words, cwd):
    keep = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME")}
    return subprocess.run(
        [str(program), *map(str, words)],
        cwd=cwd,
        env={**keep, "MONAI_ETHICS_KEY_HOME": str(cwd / "auditor")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_auditor_without_monai_verifies_and_reads(auditor, evidence, tmp_path):
    tool, trust = auditor / "monai-ethics", ("--trust", tmp_path / "writer" / "ed25519.pub.pem")
    done = run(tool, "verify", evidence, *trust, "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "trusted"
    done = run(tool, "verify", evidence, *trust, cwd=tmp_path)
    assert done.stdout.startswith("trusted")
    done = run(tool, "keys", "show", cwd=tmp_path)
    assert "kept in a file of the key home" in done.stdout
    done = run(auditor / "python", "-c", READ, evidence, cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("['report.html', 'report.json', 'report.md'] True", "")
    log = evidence / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"0.81", b"0.91"))
    done = run(tool, "verify", evidence, *trust, cwd=tmp_path)
    assert done.returncode == 1
    done = run(tool, "report", evidence, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    installed = run(auditor / "python", "-m", "pip", "list", "--format", "freeze", cwd=tmp_path).stdout
    assert "typer" not in installed
    assert "numpy" not in installed
    print(installed)

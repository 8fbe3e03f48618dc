# SPDX-License-Identifier: Apache-2.0
"""The report as a browser shows it: nothing blocked, nothing loaded, and axe-core finds no violation."""

import html
import json
import re
import shutil
import subprocess
import tarfile

import pytest

from monai_ethics.reporting.render import write_report

pytestmark = pytest.mark.browser
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=60000",
)  # fmt: skip
RUN_AXE = """
axe.run(document, {resultTypes: ["violations"]}).then(found => {
  const out = document.createElement("pre");
  out.id = "axe-result";
  out.textContent = JSON.stringify(found.violations.map(v => [v.id, v.impact, v.nodes.map(n => n.html.slice(0, 120))]));
  document.body.append(out);
});
"""


@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("chromium is not installed: the report was not opened in a browser")
    return found


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    done = npm and subprocess.run(
        [npm, "pack", "axe-core@4"], cwd=folder, capture_output=True, timeout=120, check=False
    )
    packed = sorted(folder.glob("axe-core-*.tgz"))
    if not done or done.returncode or not packed:
        pytest.skip("axe-core could not be had from npm: accessibility rules were not run")
    with tarfile.open(packed[0]) as archive:
        return archive.extractfile("package/axe.min.js").read().decode("utf-8")


def opened(chromium, page, profile, *options):
    command = [chromium, *QUIET, f"--user-data-dir={profile}", *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("name", ["told", "hostile", "hostile_told", "empty"])
def test_the_page_opens_without_a_word_on_the_console(chromium, name, request, tmp_path):
    write_report(request.getfixturevalue(name), tmp_path)
    page, console = opened(chromium, tmp_path / "report.html", tmp_path / "profile")
    assert console == []
    assert "What was examined, what was found" in page
    assert "<script" not in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["told", "hostile_told"])
def test_axe_finds_no_violation(chromium, axe, name, scheme, request, integrity, tmp_path):
    write_report(request.getfixturevalue(name), tmp_path, integrity=integrity)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)  # or the judge could not run
    text = text.replace("<details", "<details open").replace(
        "</body>", f"<script>{axe}</script><script>{RUN_AXE}</script></body>"
    )
    copy = tmp_path / "judged.html"
    copy.write_text(text, encoding="utf-8")
    dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
    page, _ = opened(chromium, copy, tmp_path / "profile", "--window-size=1280,2000", *dark)
    found = re.search(r'<pre id="axe-result">(.*?)</pre>', page, re.DOTALL)
    assert found, "axe did not finish"
    assert json.loads(html.unescape(found[1])) == []

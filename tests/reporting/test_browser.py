# SPDX-License-Identifier: Apache-2.0
"""The report as a browser shows it: nothing blocked or loaded; axe-core, keyboard, narrow window and paper."""

import html
import json
import re
import shutil
import subprocess
import tarfile
from dataclasses import replace

import pytest

from monai_ethics.provenance.log.reading.trail import Key, Made, Published, Repair, Run, Set, Trail
from monai_ethics.reporting.names import as_told
from monai_ethics.reporting.render import write_report

pytestmark = pytest.mark.browser
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=60000",
)  # fmt: skip
AXE = "wcag2a wcag2aa wcag21a wcag21aa wcag22aa best-practice"
PROBE = """
const told = {}, note = (key, value) => (told[key] = told[key] || []).push(value);
const name = el => el.outerHTML.slice(0, 100);
const wide = document.documentElement.scrollWidth, room = document.documentElement.clientWidth;
if (wide > room) {
  note("wider than the window", wide + " of " + room);
  for (const el of document.body.querySelectorAll("*"))
    if (el.getBoundingClientRect().right > room + 1 && !el.closest(".scroll, .plate"))
      note("beyond the edge", name(el));
}
for (const el of document.querySelectorAll(".scroll, .plate"))
  if (el.tabIndex !== 0 || !el.getAttribute("aria-label")) note("scrolls without the keyboard", name(el));
const stops = [...document.querySelectorAll("a[href], summary, [tabindex]")].filter(
  el => el.tabIndex >= 0 && el.getClientRects().length);
if (!stops[0].matches(".skip")) note("first stop", name(stops[0]));
let above = -Infinity;
for (const el of stops) {
  if (el.tabIndex > 0) note("stops out of order", name(el));
  el.focus({preventScroll: true});
  const style = getComputedStyle(el);
  if (document.activeElement !== el) note("cannot be focused", name(el));
  if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) note("focus is not seen", name(el));
  const top = el.getBoundingClientRect().top + scrollY;
  const alone = el.closest("main") && !el.closest("table") && innerWidth < 600;
  if (alone && top < above - 40) note("order is not that of the eye", name(el));
  if (el.closest("main")) above = Math.max(above, top);
}
const heads = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(el => +el.tagName[1]);
heads.forEach((level, at) => { if (level > (heads[at - 1] || 0) + 1) note("heading skips a level", at); });
if (heads.filter(level => level === 1).length !== 1) note("headings of level 1", heads.length);
for (const el of document.querySelectorAll("table")) if (!el.caption) note("table without a caption", name(el));
for (const el of document.querySelectorAll("th")) if (!el.scope) note("heading without scope", name(el));
for (const mark of ["header", "nav", "main", "footer"])
  if (document.body.querySelectorAll(":scope > * > " + mark).length !== 1) note("landmarks", mark);
document.activeElement.blur();
"""
RUN_AXE = """
const options = {resultTypes: ["violations"], runOnly: {type: "tag", values: "TAGS".split(" ")},
                 rules: {"target-size": {enabled: true}}};
axe.run(document, options).then(found => {
  const out = document.createElement("pre");
  out.id = "axe-result";
  const seen = found.violations.map(v => [v.id, v.impact, v.nodes.slice(0, 5).map(n => n.html.slice(0, 160))]);
  out.textContent = JSON.stringify([seen, told]);
  document.body.append(out);
});
""".replace("TAGS", AXE)
NAMES = ["told", "hostile_told", "empty", "all_checks", "many_groups"]


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


@pytest.fixture(scope="module")
def all_checks(every_check):
    """What every installed check finds, of synthetic images too."""
    return every_check(24, 1)


@pytest.fixture
def many_groups(report):
    """Two hundred groups of one attribute, a third of them with long names, and one too small to be judged."""
    scores = report.findings[0]
    whole = [row for row in scores.estimates if row.name == "median"]
    named = [row for row in whole if row.value is not None][1]
    held = next(row for row in whole if row.value is None)
    rows = [
        replace(named, group={"site": f"site-{n:03d}{'-of-a-hospital-with-a-long-name' * (n % 3 == 0)}"})
        for n in range(200)
    ]
    rows = [whole[0], *rows, replace(held, group={"site": "site-small"})]
    return replace(report, findings=[replace(scores, estimates=rows), *report.findings[1:]])


@pytest.fixture
def trail():
    """What a log with every kind of line says of itself."""
    return Trail(
        log_id="ab" * 16,
        runs=(Run(run_id="eval", time="2026-03-02T09:00:00Z", tool="monai_ethics 0.1.0", status="completed"),),
        keys=(
            Key(time="2026-03-02T09:00:00Z", fingerprint="cd" * 32, storage="persistent", first=True, endorsed=False),
        ),
        repairs=(Repair(time="2026-03-02T09:00:00Z", truncated_bytes=12, unsealed_entries=1),),
        redactions=(("2026-03-02T09:00:00Z", 2, "withdrawal"),),
        sets=(Set(role="training set", n=20, subjects=10, unattributed=1, root="ef" * 32),),
        models=(Made(name="Lesions 0.1.0", weights="a1" * 32),),
        intended=("Demonstration only",),
        counts={"open": 1, "consent": 3, "withdrawal": 1},
        synthetic=4,
    )


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_and_the_keyboard_find_no_fault(chromium, axe, name, scheme, width, request, integrity, trail, tmp_path):
    write_report(request.getfixturevalue(name), tmp_path, integrity=integrity, trail=trail)
    judged_by_axe(chromium, axe, scheme, width, tmp_path)


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_fault_in_a_copy_for_the_public(chromium, axe, width, told, integrity, trail, tmp_path):
    public = replace(trail, published=Published(least=11, hidden=425, source="ab" * 32))
    write_report(told, tmp_path, integrity=integrity, trail=public)
    judged_by_axe(chromium, axe, "light", width, tmp_path)


def judged_by_axe(chromium, axe, scheme, width, tmp_path):
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)  # or the judge could not run
    text = text.replace("<details", "<details open").replace("scroll-behavior: smooth", "scroll-behavior: auto")
    text = text.replace("</body>", f"<script>{axe}</script><script>{PROBE}{RUN_AXE}</script></body>")
    copy = tmp_path / "judged.html"
    copy.write_text(text, encoding="utf-8")
    dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
    page, _ = opened(chromium, copy, tmp_path / "profile", f"--window-size={width},2000", *dark)
    found = re.search(r'<pre id="axe-result">(.*?)</pre>', page, re.DOTALL)
    assert found, "axe did not finish"
    violations, faults = json.loads(html.unescape(found[1]))
    assert (violations, {fault: where[:3] for fault, where in faults.items()}) == ([], {})


def test_nothing_is_cut_off_on_paper(chromium, told, integrity, trail, tmp_path):
    """Each statement, table and figure is on the pages of the PDF, folded or not; needs pdftotext."""
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext is not installed: the printed report was not read")
    write_report(told, tmp_path, integrity=integrity, trail=trail)
    page, paper = (tmp_path / "report.html").as_uri(), tmp_path / "report.pdf"
    command = [chromium, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={paper}", page]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    text = subprocess.run(
        [reader, "-layout", paper, "-"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    words = re.sub(r"\s+", " ", text)
    for finding in told.findings:
        assert as_told(finding).statement[:40] in words, finding.statement
        for source in finding.sources:
            assert source.url is None or source.url in text.replace("\n", "")
    assert "ef" * 8 in words  # the root of the training set, on the page of provenance
    assert "printed below, with their questions" in words or "more answers" not in words

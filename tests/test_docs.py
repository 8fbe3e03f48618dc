# SPDX-License-Identifier: Apache-2.0
"""Every snippet of the documentation runs, and every command in it exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monai_ethics.__main__ import main
from monai_ethics.bundle import settings
from monai_ethics.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


#: pages whose snippets need data that no package brings; tests/real runs them
REAL = {ROOT / "docs" / "tutorials" / "chest-x-rays-by-group.md"}


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p, "python") and p not in REAL], ids=lambda p: str(p.relative_to(ROOT))
)
@pytest.mark.slow
def test_python_of_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    code = compile("\n".join(blocks(page, "python")), str(page.name), "exec")
    exec(code, {"__name__": "page"})


#: commands that hold further ones
GROUPS = ("consent", "keys", "watermark")

COMMANDS = [
    (page.name, line.strip())
    for page in PAGES
    for body in blocks(page, "bash", "sh", "console")
    for line in body.replace("\\\n", " ").splitlines()
    if line.strip().startswith("monai-ethics ") and not line.strip().startswith("monai-ethics run")
]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_command_of_page_exists_with_its_options(page, line, capsys):
    words = shlex.split(line, comments=True)
    within = words[2:3] if words[1] in GROUPS else []
    assert main([words[1], *within, "--help"]) == 0
    usage = capsys.readouterr().out
    assert [word for word in words[2:] if word.startswith("--") and word.split("=")[0] not in usage] == []


def test_every_command_stands_in_the_reference():
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in ("run", *app.COMMANDS) if f"| `{name}" not in text] == []


def test_every_check_stands_in_the_readme():
    pages = sorted((ROOT / "docs" / "reference" / "checks").rglob("*.md"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in pages if page.relative_to(ROOT).as_posix() not in text] == []


def options(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for name, below in getattr(command, "commands", {}).items():
        yield from options(below, (*path, name))
    for param in () if hasattr(command, "commands") else command.params:
        yield from ((" ".join(path), word) for word in (*param.opts, *param.secondary_opts) if word.startswith("--"))


def test_every_option_and_setting_stands_in_the_reference():
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    known = list(options(app.parser()))
    assert len(known) > 150
    assert [pair for pair in known if not re.search(rf"{pair[1]}\b", text)] == []
    assert [name for name in settings.KEYS if f"| `{name}` |" not in text] == []


LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)


def anchors(page: Path) -> set[str]:
    """Names by which the headings of a page are linked, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return {"#" + re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_page_lead_somewhere(page):
    targets = [((page.parent / name) if name else page, at) for name, at in LINK.findall(page.read_text("utf-8"))]
    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [(target.name, at) for target, at in targets if at and at not in anchors(target)] == []


def test_start_page_leads_to_every_page_but_checks_and_decisions():
    start = ROOT / "docs" / "index.md"
    named = {(start.parent / name).resolve() for name, _ in LINK.findall(start.read_text(encoding="utf-8")) if name}
    left = {"checks", "decisions"}
    pages = [page for page in PAGES if start.parent in page.parents and not left & set(page.parts)]
    assert [page.name for page in pages if page.resolve() not in {*named, start}] == []

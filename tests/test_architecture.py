# SPDX-License-Identifier: Apache-2.0
"""The house's promises, held for every file and every registered check."""

import ast
import dataclasses
import importlib.util
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from monai_ethics.evidence import Stage, Verdict, plain
from monai_ethics.registry import Check, load_check, registered

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "monai_ethics"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400
CHECKS = sorted(registered())
SECTIONS = ("Args:", "Notes:", "References:")


def top_level_names(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    named = {node.name for node in tree.body if isinstance(node, kinds)}
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    aliases = {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in named | aliases if not name.startswith("_")}


def test_every_file_is_short_and_licensed():
    texts = {path: path.read_text(encoding="utf-8").splitlines() for path in (*FILES, *(ROOT / "tests").rglob("*.py"))}
    assert {str(path): len(lines) for path, lines in texts.items() if len(lines) > LONGEST} == {}
    assert [str(path) for path, lines in texts.items() if lines[:1] != ["# SPDX-License-Identifier: Apache-2.0"]] == []


def test_no_log_that_may_grow_is_read_whole():
    whole = {path.name for path in FILES if "read_entries(" in path.read_text(encoding="utf-8")}
    assert whole == {"entries.py"}, "use iter_entries: `read_entries` is for logs that are known to be small"


@pytest.mark.slow
def test_no_public_name_is_one_of_monais():
    monai = Path(importlib.util.find_spec("monai").submodule_search_locations[0])
    theirs = set().union(*(top_level_names(path) for path in monai.rglob("*.py")))
    assert len(theirs) > 2000, "the walk over MONAI found too little to mean anything"
    ours = {name: path.relative_to(ROOT) for path in FILES for name in top_level_names(path) if not name.isupper()}
    assert {name: str(path) for name, path in ours.items() if name in theirs} == {}


def test_import_and_help_cost_no_heavy_import():
    code = (
        "import sys, monai_ethics; from monai_ethics.__main__ import main; assert main(['--help']) == 0;"
        "print([m for m in ('monai', 'torch', 'numpy', 'ignite', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_some_checks_are_registered():
    assert len(CHECKS) >= 5


@pytest.fixture(params=CHECKS)
def check_type(request):
    return load_check(request.param)


def test_check_has_file_test_page_and_docstring(check_type):
    concern, module = check_type.id.split(".")
    assert inspect.getfile(check_type) == str(PACKAGE / concern / f"{module}.py")
    assert (ROOT / "tests" / concern / f"test_{module}.py").is_file()
    assert (ROOT / "docs" / "reference" / "checks" / concern / f"{module}.md").is_file()
    assert [section for section in SECTIONS if section not in inspect.getdoc(check_type)] == []


def test_requirements_of_a_check_are_explained(check_type):
    page = (ROOT / "docs" / "reference" / "requirements.md").read_text(encoding="utf-8")
    assert [name for name in check_type.requirements if f"| {name} |" not in page] == []


def test_check_is_a_frozen_dataclass_with_json_parameters(check_type):
    check = check_type()
    assert isinstance(check, Check)
    assert dataclasses.is_dataclass(check)
    assert check_type.__dataclass_params__.frozen
    assert check_type.stage in Stage
    assert check_type.requirements
    parameters = {item.name: getattr(check, item.name) for item in dataclasses.fields(check)}
    assert check_type(**json.loads(json.dumps(plain(parameters)))) is not None


@pytest.mark.parametrize("n", [0, 1])
def test_check_answers_not_assessable_for_next_to_nothing(check_type, n):
    finding = check_type()(check_type.example(n, seed=1))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert finding.reason


@pytest.mark.parametrize("n", [0, 1, 40])
def test_check_is_reproducible_whatever_the_order_of_its_cases(check_type, n):
    first = check_type()(check_type.example(n, seed=3)).to_dict()
    data = check_type.example(n, seed=3)
    again = check_type()(data.reordered(list(reversed(range(n))))).to_dict()
    assert json.dumps(first, sort_keys=True) == json.dumps(again, sort_keys=True)


def test_check_follows_the_schema_and_accounts_for_every_case(check_type):
    schema = json.loads((PACKAGE / "schemas" / "report-1.schema.json").read_text(encoding="utf-8"))
    finding = check_type()(check_type.example(40, seed=5))
    report = {"schema_version": "1", "created": "2026-01-01T00:00:00Z", "tool": "t", "environment": {}, "inputs": {}}
    jsonschema.Draft202012Validator(schema).validate({**report, "findings": [finding.to_dict()]})
    assert finding.check == check_type.id
    assert finding.requirements == check_type.requirements
    assert sum(finding.accounting.values()) >= 40


def test_documents_and_code_name_no_path_of_a_machine():
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bundles").rglob("*.json"), *FILES]
    private = re.compile(r"(?<![\w.])/(?:home|root|opt|Users|tmp|work)/")
    assert [str(path) for path in texts if private.search(path.read_text(encoding="utf-8"))] == []


def test_readme_is_short_and_opens_with_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    blocks = text.split("```bash\n")[1:3]
    assert "monai-ethics demo" in blocks[0]
    assert "runtests.sh" in blocks[1]

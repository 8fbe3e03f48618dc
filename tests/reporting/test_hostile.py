# SPDX-License-Identifier: Apache-2.0
"""Every text field of every object of the evidence, found by walking it, made hostile: it stays text everywhere.

What a page of hostile text looks like is compared with the page of its harmless twin, in which each dangerous character
is a letter: the same elements, attributes, tokens and shapes, as often.
"""

import base64
import io
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, make_dataclass, replace
from enum import StrEnum
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from monai_ethics._json import Serializable
from monai_ethics.errors import EthicsError
from monai_ethics.evidence import Curve, Direction, Estimate, EvidenceReport, Finding, Limit, Observation, Source, Stage
from monai_ethics.provenance.lineage.sketch import Arrow, Box, Sketch
from monai_ethics.provenance.log.reading.trail import Key, Made, Published, Repair, Run, Set, Trail
from monai_ethics.reporting.escape import clean
from monai_ethics.reporting.render import render
from monai_ethics.reporting.terminal import print_summary

STRINGS = {
    "script": "<script>alert(1)</script>",
    "end of script and style": "</script></style></title></svg><svg onload=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "image": "<img src=x onerror=alert(1)>",
    "comment": "<!-- a --> <!DOCTYPE a> <?php a ?>",
    "cdata": "]]> <![CDATA[ ]]>",
    "entity": "&lt;b&gt; &#60;b&#62; &amp;lt; &bogus;",
    "template": "{{ 7*7 }} {% raw %} ${7*7} #{7}",
    "tex": "$\\frac{$ \\input{a} $x_1^2$",
    "nul": "a\x00b\x01\x08\x7f\x85",
    "escape sequence": "\x1b[31m\x1b[2J\x1b]8;;https://e.org\x07x\x1b]0;title\x07\x9b31m",
    "bidirectional": "\u202eabc\u202c\u2066d\u2069\u200f\u061c\u2028\u2029\ufeff",
    "rich markup": "[red]x[/red] [/] [link=https://e.org]y[/link] :smile: \\[b]",
    "address": "javascript:alert(1) data:text/html,a https://e.org/ www.e.org a@e.org",
    "markdown link": "[x](javascript:alert(1)) ![x](https://e.org/x.png) <https://e.org> [a]: https://e.org",
    "markdown table": "a | b |\n|---|---|\n| c | d",
    "markdown blocks": "\n\n# x\n- y\n1. z\n> q\n```\ncode\n```\n***\n===\n    indented\n",
    "markdown inline": "**a** __b__ `c` ~~d~~ \\ a  \nb <b>e</b>",
    "formula": '=HYPERLINK("https://e.org") @SUM(A1) +1 -1',
    "surrogate": "a\ud800b\udfff\ufffe\uffff",
    "spaces": "\t a \r\n b \x0b c \x0c \u00a0 \u3000 ",
    "nothing": "",
}
LONG = "<b>" + "a\u0301" * 50_000


def twin(text):
    """The same text with a letter for each character that could mean something."""
    return re.sub(r"[^A-Za-z0-9 .,]", "x", clean(text))


NUMBER = {"unit": "mm", "n": 9, "n_unit": "patients", "estimand": "mean over patients"}
ENDS = {"low": 0.4, "high": 0.6, "level": 0.95, "method": "t interval"}
PAPER = Source(title="A paper", locator="section 2", url="https://example.org/a")


def rows():
    groups = [{"sex": "F"}, {"sex": "M"}, {"site": "A", "sex": "F"}]
    found = [Estimate(name="median", value=0.5, n_valid=8, group=g, reason="note", **NUMBER, **ENDS) for g in groups]
    found.append(Estimate(name="median", value=None, group={"sex": None}, reason="few", **NUMBER))
    return found


def objects():
    """Report, verification, lineage and trail in which every text field holds text."""
    line = Curve(
        name="roc", x_name="false alarms", y_name="found", x=[0, 1], y=[0, 1], low=[0, 0.9], high=[0.1, 1], n=9,
        n_unit="patients", method="empirical", x_unit="1", y_unit="1", level=0.95, group={"sex": "F"}, reason="thin",
    )  # fmt: skip
    shared = {
        "check": "fairness.group_scores", "title": "Who?", "stage": Stage.EVALUATION, "statement": "It was measured.",
        "requirements": ["FMF-03"], "subjects": ["dice"], "accounting": {"scored": 9, "missed": 1},
        "parameters": {"attribute": "sex", "more": {"a": ["b"]}}, "limitations": ["Labels differ."], "seed": 1,
        "sources": [PAPER], "run": "run-1", "phase": 2,
    }  # fmt: skip
    limit = Limit(estimate="median", value=0.4, direction=Direction.AT_LEAST, source=PAPER, group={"sex": "F"})
    listed = Observation(label="nearest", items=["p1", "p2"], value=0.1, unit="mm", note="look at it")
    findings = [
        Finding(**shared, verdict="passed", limit=limit, estimates=rows(), observations=[listed], curves=[line]),
        Finding(**{**shared, "run": "run-2"}, verdict="not_assessable", reason="Nothing was there."),
        Finding(**{**shared, "check": "synthesis.mix"}, verdict="warned", estimates=rows()[:1], reason="few"),
    ]
    report = EvidenceReport(
        created="2026-01-01T00:00:00Z", tool="monai_ethics 1", environment={"python": "3", "more": {"cuda": ["none"]}},
        inputs={"scores": "aa"}, findings=findings,
    )  # fmt: skip
    integrity = {
        "status": "torn", "text": "It ends early.", "problems": ("One line is broken.",), "notes": ("Look.",),
        "head": "ab", "signer": "cd", "key": "persistent", "expected_head": "same", "other": "more",
    }  # fmt: skip
    verified = make_dataclass("Verified", list(integrity))(**integrity)  # its names are fixed, its values are not
    box = Box(label="images", note="of a set", count=3, column=0, marked=True, asked=False)
    lineage = Sketch(
        boxes=(box, replace(box, label="model", column=1)), arrows=(Arrow(parent=0, child=1, count=1),), whole=True,
        unseen=(("parents nobody recorded", 2),),
    )  # fmt: skip
    day = "2026-01-01T00:00:00Z"
    trail = Trail(
        log_id="ef", runs=(Run(run_id="run-1", time=day, tool="t", status="completed", workflow="w"),),
        keys=(Key(time=day, fingerprint="cd", storage="persistent", first=True, endorsed=False),),
        repairs=(Repair(time=day, truncated_bytes=1, unsealed_entries=2),), redactions=((day, 1, "asked"),),
        sets=(Set(role="input set", n=3, subjects=2, unattributed=1, root="aa"),),
        models=(Made(name="unet", weights="bb"),), intended=("research",), counts={"open": 1}, synthetic=1,
        published=Published(least=11, hidden=3, source="dd"),
    )  # fmt: skip
    return report, verified, lineage, trail


def places(value):
    """Path of every text in a value: fields of dataclasses, items, and keys of free mappings."""
    if isinstance(value, StrEnum):
        return
    if isinstance(value, str):
        yield ()
    elif is_dataclass(value):
        for item in fields(value):
            yield from ((item.name, *path) for path in places(getattr(value, item.name)))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield (("key", key),)
            yield from (((key,), *path) for path in places(item))
    elif isinstance(value, (tuple, list)):
        for place, item in enumerate(value):
            yield from ((place, *path) for path in places(item))


def put(value, path, text):
    """The value with a text put in one place."""
    if not path:
        return text
    step, rest = path[0], path[1:]
    if is_dataclass(value):
        return replace(value, **{step: put(getattr(value, step), rest, text)})
    if isinstance(value, Mapping):
        if step[0] == "key" and len(step) == 2:
            return {text if key == step[1] else key: item for key, item in value.items()}
        return {key: put(item, rest, text) if key == step[0] else item for key, item in value.items()}
    return tuple(put(item, rest, text) if place == step else item for place, item in enumerate(value))


def everywhere(value, text):
    """The value with the text in every place that takes it; keys of a mapping stay apart."""
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return text
    if is_dataclass(value):
        for item in fields(value):
            try:
                value = replace(value, **{item.name: everywhere(getattr(value, item.name), text)})
            except EthicsError:
                continue
    elif isinstance(value, Mapping):
        return {f"{text}{place}": everywhere(item, text) for place, item in enumerate(value.values())}
    elif isinstance(value, (tuple, list)):
        return tuple(everywhere(item, text) for item in value)
    return value


class Shape(HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.open, self.images = Counter(), [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found[tag, tuple(sorted(name for name, _ in attrs))] += 1
        self.images += [value for name, value in attrs if name == "src"]
        if tag not in ("meta", "img", "br", "use", "path", "circle", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found[tag, tuple(sorted(name for name, _ in attrs))] += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        self.found["comment"] += 1

    handle_decl = handle_pi = unknown_decl = handle_comment


def tokens(text):
    found = Counter()
    pile = list(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text))
    while pile:
        token = pile.pop()
        found[token.type, token.tag] += 1
        pile += token.children or []
    return found


def shown(report):
    out = io.StringIO()
    print_summary(report, console=Console(file=out, force_terminal=True, highlight=False, soft_wrap=True))
    return out.getvalue()


def styles(text):
    """How often each style is used; no other control character may be there."""
    found = Counter(re.findall(r"\x1b\[[0-9;]*m", text))
    rest = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]", rest)
    return found


def check(given):
    """Render and hold every output against what it may be; returns the shapes to compare."""
    report, verified, lineage, trail = given
    files = {
        name: data.decode()
        for name, data in render(report, integrity=vars(verified), lineage=lineage, trail=trail).items()
    }
    assert EvidenceReport.from_json(files["report.json"]) == report
    for name in ("report.html", "report.md"):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", files[name])
    page = Shape(files["report.html"])
    drawn = Counter()
    for image in page.images:
        for item in ElementTree.fromstring(base64.b64decode(image.split(",")[1])).iter():
            drawn[item.tag, tuple(sorted(item.keys()))] += item.tag.rpartition("}")[2] not in ("path", "use", "g")
    return page.found, tokens(files["report.md"]), styles(shown(report)), drawn


def same(given, text, path=None):
    def made(words):
        return everywhere(given, words) if path is None else put(given, path, words)

    try:
        hostile = made(text)
    except EthicsError:
        return False
    for found, wanted in zip(check(hostile), check(made(twin(text))), strict=True):
        assert found == wanted
    return True


@pytest.fixture
def unplotted(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_the_walk_meets_every_field_of_every_object_of_the_evidence():
    seen = {}
    pile = list(objects())
    while pile:
        value = pile.pop()
        if is_dataclass(value):
            own = {item.name: getattr(value, item.name) for item in fields(value)}
            seen.setdefault(type(value), set()).update(k for k, v in own.items() if v not in (None, "", (), {}))
            pile += own.values()
        elif isinstance(value, (tuple, list)):
            pile += value
    kinds = {getattr(sys.modules[kind.__module__], kind.__name__) for kind in Serializable.__subclasses__()}
    assert {Finding, Curve, Estimate, Limit, Observation, Source, EvidenceReport} <= kinds
    for kind in (*kinds, Sketch, Box, Trail):
        assert seen.get(kind, set()) == {item.name for item in fields(kind)}, kind.__name__


def test_hostile_text_in_every_field_at_once_is_text(unplotted):
    assert same(objects(), " ".join(STRINGS.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STRINGS if STRINGS[name]])
def test_one_kind_of_hostile_text_in_every_field_is_text(name, unplotted):
    assert same(objects(), STRINGS[name])


@pytest.mark.slow
def test_hostile_text_in_one_field_after_another_is_text(unplotted):
    given, kinds = objects(), list(STRINGS)
    paths = list(places(given))
    taken = [same(given, STRINGS[kinds[place % len(kinds)]], path) for place, path in enumerate(paths)]
    print(f"hostile text of {len(kinds)} kinds: {sum(taken)} of {len(paths)} places took it, the others refuse it")
    assert sum(taken) > 0.9 * len(paths)


@pytest.mark.slow
def test_a_hundred_thousand_characters_in_any_field_are_text(unplotted):
    given = objects()
    taken = [same(given, LONG, path) for path in list(places(given))[::8]]
    assert sum(taken) > 0.9 * len(taken)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["end of script and style", "tex", "nul", "cdata", "surrogate", "bidirectional"])
def test_hostile_text_in_figures_is_text(name):
    assert same(objects(), STRINGS[name])

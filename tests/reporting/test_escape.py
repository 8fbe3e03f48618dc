# SPDX-License-Identifier: Apache-2.0
import io
import json

import pytest
from markupsafe import Markup
from rich.console import Console
from rich.text import Text

from monai_ethics.reporting.escape import (
    clean,
    coded,
    coded_markdown,
    for_html,
    for_markdown,
    for_svg,
    for_terminal,
    json_text,
    link,
)


def test_controls_become_visible_and_names_that_differ_stay_different():
    assert clean("F\x00") == "F␀"
    assert clean("F\x1b[31m") == "F␛[31m"
    assert clean("a\tb\nc") == "a b c"
    assert clean("\u202eabc\ud800\ufffe\x85") == "�abc���"
    assert clean("شمال עברית 北") == "شمال עברית 北"
    assert clean("F\x00") != clean("F")


def test_html_is_escaped_once():
    assert for_html("<b>'\"&") == Markup("&lt;b&gt;&#39;&#34;&amp;")
    assert for_html(for_html("<b>")) == "&lt;b&gt;"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<b>a</b> & c", "&lt;b&gt;a&lt;/b&gt; &amp; c"),
        ("a|b", r"a\|b"),
        ("[x](https://e.org)", r"\[x\](https:\//e.org)"),
        ("www.e.org", r"www\.e.org"),
        ("*a* _b_ `c`", r"\*a\* \_b\_ \`c\`"),
        ("# head", r"\# head"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("12) item", r"12\) item"),
        ("0.5 mm", "0.5 mm"),
        ("a\nb", "a b"),
    ],
)
def test_markdown_has_no_markup_of_its_own(text, written):
    assert for_markdown(text) == written


def test_a_name_between_backticks_is_code_and_nothing_else_is():
    assert coded("`val_x` `val_y` <b>", {"val_x"}) == Markup("<code>val_x</code> `val_y` &lt;b&gt;")
    assert coded_markdown("*a* `val_x` `y` www.e.org", {"val_x"}) == r"\*a\* `val_x` \`y\` www\.e.org"
    assert coded_markdown("gap (`max_gap`): 1", {"max_gap"}) == "gap (`max_gap`): 1"
    for text in ('`a"b`', "`<script>`", "`", "``", "`a"):
        assert "<code>" not in coded(text, {"a", "b"} - {text})
        assert coded_markdown(text, ()) == for_markdown(text)


def test_a_long_name_is_shortened_in_the_middle_of_a_figure():
    assert for_svg("a" * 20 + "z" * 20, width=11) == "aaaaaa…zzzz"
    assert for_svg("short") == "short"


def test_terminal_text_keeps_brackets_and_loses_escapes():
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(Text(for_terminal("[red]x[/red] [/] \x1b[2J")))
    assert "[red]x[/red] [/] ␛[2J" in console.export_text()


def test_json_in_html_cannot_close_an_element():
    text = json_text({"b": "</script>", "a": 1})
    assert "</" not in text
    assert json.loads(text) == {"a": 1, "b": "</script>"}


@pytest.mark.parametrize(
    "url",
    [None, "", "http://e.org", "javascript:alert(1)", "data:x", "https://", "https://u@e.org",
     "https://e.org/\x00", 'https://e"', "https://["],
)  # fmt: skip
def test_only_plain_https_addresses_become_links(url):
    assert link(url) is None
    assert link("https://arxiv.org/abs/1") == "https://arxiv.org/abs/1"

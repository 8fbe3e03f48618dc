# SPDX-License-Identifier: Apache-2.0
r"""The one place where text of unknown origin becomes safe to show: HTML, SVG, Markdown, terminal, JSON in HTML.

A group may be named ``$\frac{$``, ``</script>``, ``[red]`` or an escape sequence. Nothing is dropped silently: a
control character is replaced by its visible picture, so that two names that differ stay different.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Container
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup, escape

__all__ = [
    "clean",
    "coded",
    "coded_markdown",
    "for_html",
    "for_markdown",
    "for_svg",
    "for_terminal",
    "json_text",
    "link",
]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# characters that reorder or hide their neighbors; plain right-to-left letters are untouched
REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff")
MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~$@!])")
CODE = re.compile(r"`([A-Za-z0-9_.]+)`")
LINE_START = re.compile(r"^(\s*\d*)([-+=.)])(?=\s|$|[-+=])")


def _visible(char: str) -> str:
    code = ord(char)
    if char in "\t\n\r":
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    if unicodedata.category(char) in ("Cc", "Cs") or char in REORDERING or code & 0xFFFE == 0xFFFE:
        return REPLACEMENT
    return char


def clean(text: object) -> str:
    """Text without control, reordering or surrogate characters, each shown by a visible stand-in."""
    return "".join(map(_visible, str(text)))


def for_html(text: object) -> Markup:
    """Text for an HTML element or a quoted attribute."""
    return text if isinstance(text, Markup) else escape(clean(text))


def coded(text: object, names: Container[str]) -> Markup:
    """Text for an HTML element in which one of the names, between backticks, is shown as code."""
    return Markup(CODE.sub(lambda found: _code(found, names), str(for_html(text))))


def _code(found: re.Match[str], names: Container[str]) -> str:
    return f"<code>{found[1]}</code>" if found[1] in names else found[0]


def for_svg(text: object, *, width: int = 34) -> str:
    """Text for a figure: cleaned and shortened in the middle; the table beside the figure holds it in full."""
    label = clean(text)
    if len(label) <= width:
        return label
    head = (width - 1) * 2 // 3
    return f"{label[:head]}…{label[len(label) - (width - 1 - head) :]}"


def for_markdown(text: object) -> str:
    """Text for Markdown, in running text or a table cell: no markup, no link, no HTML of its own."""
    return LINE_START.sub(r"\1\\\2", _unmarked(clean(text)))


def coded_markdown(text: object, names: Container[str]) -> str:
    """Text for Markdown in which one of the names, between backticks, is shown as code."""
    given, out, end = clean(text), "", 0
    for found in CODE.finditer(given):
        if found[1] in names:
            out += _unmarked(given[end : found.start()]) + found[0]
            end = found.end()
    return LINE_START.sub(r"\1\\\2", out + _unmarked(given[end:]))


def _unmarked(text: str) -> str:
    out = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return MARKDOWN.sub(r"\\\1", out).replace("://", ":\\//").replace("www.", "www\\.")


def for_terminal(text: object) -> str:
    """Text for a terminal: no escape sequence survives; give it to `rich.text.Text`, never to markup."""
    return clean(text)


def json_text(value: Any) -> str:
    """JSON for display inside HTML: ``</`` cannot close an element, keys are sorted."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False).replace("</", "<\\/")


def link(url: str | None) -> str | None:
    """The address if it is a plain ``https`` one, otherwise ``None``."""
    if not url or clean(url) != url or any(char in " \"'<>\\^`{|}" for char in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme == "https" and parts.hostname and "@" not in parts.netloc else None

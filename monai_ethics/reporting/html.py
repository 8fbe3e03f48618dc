# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page: no script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from monai_ethics.evidence import Estimate
from monai_ethics.reporting import published, quantity
from monai_ethics.reporting.escape import clean, coded, for_html, json_text, link
from monai_ethics.reporting.names import name_told
from monai_ethics.reporting.telling import BRIEF, brief, capital, limit_label
from monai_ethics.reporting.view import View
from monai_ethics.reporting.words import STAGE_NOTE, VERDICTS, Words, words_of

__all__ = ["render_html"]


def render_html(view: View) -> str:
    """The page as text."""
    template = environment().get_template("report.html")
    return template.render(view=view, verdict_words=VERDICTS, stage_note=STAGE_NOTE, published=published) + "\n"


@cache
def environment() -> Environment:
    """Templates that escape everything, with `clean` applied to every string."""
    found = Environment(
        loader=PackageLoader("monai_ethics.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    found.tests["brief"] = BRIEF.__contains__
    found.globals["name_counts"] = quantity.WHOLE.__contains__
    found.filters.update(
        brief=brief,
        capital=capital,
        coded=coded,
        counted=quantity.counted,
        data=data,
        estimands=estimands,
        group=quantity.group_label,
        image=image,
        interval=quantity.interval,
        json=json_text,
        limit=limit_label,
        link=link,
        name=quantity.name_label,
        number=quantity.number,
        percent=quantity.percent,
        said=words_of,
        unit=quantity.unit_label,
        value=quantity.value_label,
        words=name_told,
        verdict=badge,
    )
    return found


def _finalize(value: Any) -> Any:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def badge(words: Words, *, count: int | None = None) -> Markup:
    """Verdict as an icon with its own shape, and in words."""
    number = Markup("<b>{}</b> ").format(count) if count is not None else ""
    return Markup(
        '<span class="verdict v-{}"><svg aria-hidden="true" width="18" height="18"><use href="#i-{}"/></svg>'
        "<span>{}{}</span></span>"
    ).format(words.tone, words.verdict.value, number, words.word)


def data(value: float | None, text: str) -> Markup:
    """Rounded text that carries the exact number, the one in `report.json`."""
    if value is None:
        return for_html(text)
    return Markup('<data value="{}">{}</data>').format(repr(value), for_html(text))


def estimands(rows: Sequence[Estimate]) -> dict[str, str]:
    """What each number stands for; empty for a name whose rows differ, which say it themselves."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.name, set()).add(row.estimand)
    return {name: next(iter(texts)) if len(texts) == 1 else "" for name, texts in found.items()}


def image(svg: str) -> str:
    """SVG as an address that an ``img`` can show: what is inside can neither run nor load anything."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode("utf-8")).decode("ascii")

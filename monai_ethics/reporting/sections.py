# SPDX-License-Identifier: Apache-2.0
"""A table with its heading: the form of every section that HTML and Markdown show in the same way."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ethics.reporting.words import Words

__all__ = ["Section", "TableCell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """One cell of a section's table.

    Args:
        text: what stands in it.
        anchor: what it links to on the page, such as ``"finding-3"``; empty if nothing.
        said: a verdict, shown as word and shape before the text.
        code: whether it is a digest or a command.
    """

    text: str
    anchor: str = ""
    said: Words | None = None
    code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, sentences and a table.

    Args:
        anchor: id on the page.
        title: heading.
        short: the words of the table of contents.
        intro: sentences before the table.
        caption: what the table shows.
        head: names of the columns; the first cell of each row is its heading.
        rows: cells, as many as columns in each row.
        notes: sentences after the table.
        most: rows that are seen without a click.
    """

    anchor: str
    title: str
    short: str
    intro: tuple[str, ...] = ()
    caption: str = ""
    head: tuple[str, ...] = ()
    rows: tuple[tuple[TableCell, ...], ...] = ()
    notes: tuple[str, ...] = ()
    most: int = 12

# SPDX-License-Identifier: Apache-2.0
"""Looking for burned-in text in the images of an audit, where they are at hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ethics.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from monai_ethics.evidence import Finding
    from monai_ethics.synthesis.data.image_set import ImageSet
    from monai_ethics.synthesis.features.text_of_sets import Reader

__all__ = ["TextAsked", "TextFound", "text_asked", "text_found"]


@dataclass(frozen=True, kw_only=True)
class TextAsked:
    """How text is looked for.

    Args:
        reader: what reads; ``None`` if nothing is installed, and then marks, masks and headers are looked at.
        most: pictures of a set.
    """

    reader: Reader | None
    most: int


@dataclass(frozen=True, kw_only=True)
class TextFound:
    """What was found of text.

    Args:
        finding: counts and kinds.
        details: what was read; private.
    """

    finding: Finding
    details: Sequence[dict[str, Any]]

    def payload(self, named: Callable[[str], str]) -> bytes:
        """The readings for the private part, synthetic images under their pseudonym.

        Args:
            named: pseudonym of an item.
        """
        rows = [{**row, "item": named(row["item"])} if row.get("item") else row for row in self.details]
        return json.dumps(rows).encode()


def text_asked(paths: Sequence[Path], *, wanted: bool | None, most: int) -> TextAsked | None:
    """How text is looked for in the images of three sets; ``None`` if not at all.

    Args:
        paths: the sets, folders or feature files.
        wanted: whether it was asked for; ``None`` = in folders, with a reader if one is installed.
        most: pictures of a set.

    Raises:
        InputError: if it was asked for and there is a feature file.
        MissingDependencyError: if it was asked for and no reader is installed.
    """
    folders = all(path.is_dir() for path in paths)
    if wanted is False or (wanted is None and not folders):
        return None
    if not folders:
        raise InputError("`--text` looks into images: got feature files. Give folders of images, or leave it out.")
    from monai_ethics.synthesis.features.text_reader import TextReader

    try:
        return TextAsked(reader=TextReader(), most=most)
    except MissingDependencyError:
        if wanted:
            raise
    print('Text in images is not read without a reader: pip install "monai_ethics[ocr]".', file=sys.stderr)
    return TextAsked(reader=None, most=most)


def text_found(
    images: dict[str, ImageSet], asked: TextAsked, *, seed: int, progress: Callable[[str, int, int], None]
) -> TextFound:
    """Look for text in the images of three sets.

    Args:
        images: the sets, with their files.
        asked: how.
        seed: of the draw of images.
        progress: called with a text, the images done and their number.
    """
    from monai_ethics.synthesis.burned_in_text import BurnedInText
    from monai_ethics.synthesis.features.text_of_sets import drawn_only, scan_text
    from monai_ethics.synthesis.limits import with_intrinsic_limits

    scan = scan_text(images, reader=asked.reader, most=asked.most, seed=seed, progress=progress)
    check = BurnedInText()
    finding = drawn_only(check(scan), images, most=asked.most, seed=seed)
    return TextFound(finding=with_intrinsic_limits(finding), details=check.details(scan))

# SPDX-License-Identifier: Apache-2.0
"""What the text of a license says of commercial use, changes and sharing alike; nothing that it does not say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LICENSES", "License", "spdx_of_text", "terms_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """What a license says. ``None`` where its text says nothing of it.

    Args:
        spdx: identifier of the SPDX license list, or ``LicenseRef-...``.
        commercial: whether commercial use is permitted.
        derivatives: whether adapted material may be shared.
        share_alike: whether adapted material must be under the same terms.
        attribution: whether the source must be named.
        url: the text.
        models: what the text says of models trained on the material; empty where it does not name them.
    """

    spdx: str
    commercial: bool | None
    derivatives: bool | None
    share_alike: bool | None
    attribution: bool | None
    url: str
    models: str = ""


def _cc(spdx: str, *, commercial: bool = True, derivatives: bool = True, alike: bool = False) -> License:
    code, version = spdx.removeprefix("CC-").lower().rsplit("-", 1)
    return License(
        spdx=spdx,
        commercial=commercial,
        derivatives=derivatives,
        share_alike=alike,
        attribution=True,
        url=f"https://creativecommons.org/licenses/{code}/{version}/legalcode",
    )


def _permissive(spdx: str, url: str) -> License:
    return License(spdx=spdx, commercial=True, derivatives=True, share_alike=False, attribution=True, url=url)


#: What the licenses' own texts say.
LICENSES: Mapping[str, License] = {
    item.spdx: item
    for item in (
        License(
            spdx="CC0-1.0",
            commercial=True,
            derivatives=True,
            share_alike=False,
            attribution=False,
            url="https://creativecommons.org/publicdomain/zero/1.0/legalcode",
        ),
        *(_cc(f"CC-BY-{version}") for version in ("3.0", "4.0")),
        *(_cc(f"CC-BY-SA-{version}", alike=True) for version in ("3.0", "4.0")),
        *(_cc(f"CC-BY-ND-{version}", derivatives=False) for version in ("3.0", "4.0")),
        *(_cc(f"CC-BY-NC-{version}", commercial=False) for version in ("3.0", "4.0")),
        *(_cc(f"CC-BY-NC-SA-{version}", commercial=False, alike=True) for version in ("3.0", "4.0")),
        *(_cc(f"CC-BY-NC-ND-{version}", commercial=False, derivatives=False) for version in ("3.0", "4.0")),
        _permissive("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
        _permissive("MIT", "https://opensource.org/license/mit"),
        _permissive("BSD-2-Clause", "https://opensource.org/license/bsd-2-clause"),
        _permissive("BSD-3-Clause", "https://opensource.org/license/bsd-3-clause"),
        License(
            spdx="GPL-3.0-only",
            commercial=True,
            derivatives=True,
            share_alike=True,
            attribution=True,
            url="https://www.gnu.org/licenses/gpl-3.0.txt",
        ),
        License(
            spdx="CDLA-Permissive-2.0",
            commercial=True,
            derivatives=True,
            share_alike=False,
            attribution=None,
            url="https://cdla.dev/permissive-2-0/",
            models="No obligation on results, which include machine learning models (section 3).",
        ),
        License(
            spdx="ODbL-1.0",
            commercial=True,
            derivatives=True,
            share_alike=True,
            attribution=True,
            url="https://opendatacommons.org/licenses/odbl/1-0/",
        ),
        _permissive("ODC-By-1.0", "https://opendatacommons.org/licenses/by/1-0/"),
    )
}

_BY_NAME = {name.lower(): name for name in LICENSES}
_TITLES = (
    (r"Apache License,? *\n? *Version 2\.0", "Apache-2.0"),
    (r"\bMIT License\b|Permission is hereby granted, free of charge", "MIT"),
    (r"BSD 3-Clause", "BSD-3-Clause"),
    (r"BSD 2-Clause", "BSD-2-Clause"),
    (r"CC0 1\.0", "CC0-1.0"),
    (r"GNU GENERAL PUBLIC LICENSE\s+Version 3", "GPL-3.0-only"),
)
_WORDS = {"NonCommercial": "NC", "ShareAlike": "SA", "NoDerivatives": "ND", "NoDerivs": "ND"}
_CC = re.compile(
    r"(?:Creative Commons\s+)?Attribution((?:[- ](?:NonCommercial|ShareAlike|NoDerivatives|NoDerivs))*)\s+([34]\.0)"
)
_CC_SHORT = re.compile(r"\bCC[- ]BY((?:-(?:NC|SA|ND))*)[- ]([34]\.0)", re.IGNORECASE)


def terms_of(expression: str) -> list[License | None]:
    """Terms of the licenses that a simple SPDX expression joins with AND; ``None`` for each that is not in the table.

    A choice (OR), an exception (WITH) or brackets are left to people: such an expression gives one ``None``.

    Args:
        expression: such as ``"CC-BY-4.0"`` or ``"Apache-2.0 AND CC-BY-NC-4.0"``.
    """
    words = expression.split()
    if not words or len(words) % 2 == 0 or any(word.upper() != "AND" for word in words[1::2]):
        return [None] if words else []
    return [LICENSES.get(_BY_NAME.get(word.lower(), "")) for word in words[::2]]


def spdx_of_text(text: str) -> str:
    """SPDX identifier of a license by the title in its text; empty unless exactly one license is recognized.

    Args:
        text: an identifier, a notice, or the whole license.
    """
    name = _BY_NAME.get(text.strip().lower())
    if name:
        return name
    found = {spdx for pattern, spdx in _TITLES if re.search(pattern, text)}
    for match in _CC.finditer(text):
        parts = [_WORDS[word] for word in re.split(r"[- ]", match.group(1)) if word]
        found.add("-".join(["CC-BY", *parts, match.group(2)]))
    found |= {f"CC-BY{match.group(1).upper()}-{match.group(2)}" for match in _CC_SHORT.finditer(text)}
    return found.pop() if len(found) == 1 and found <= set(LICENSES) else ""

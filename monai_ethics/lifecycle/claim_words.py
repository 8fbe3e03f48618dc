# SPDX-License-Identifier: Apache-2.0
"""Words in a sentence that promise a test, an interval or more: looked up in lists, without understanding it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from monai_ethics.evidence import Source

__all__ = ["WordLists", "kinds_of", "word_lists"]

DASHES = re.compile("[\u2010-\u2015\u2212]")
# "no difference between age bands was shown": as a phrase, with what stands between
NOT_SHOWN = re.compile(
    r"\bno (?:\w+ )?differences?\b[^.;,]{0,60}\b(?:was|were|could be) (?:shown|found|detected|seen|observed)\b"
    r"|\b(?:did not|could not|cannot) (?:detect|find|show|see|observe) (?:a |any )?(?:statistically )?(?:significant )?"
    r"(?:differences?|gaps?)\b(?: (?:between|across|among|in)\b)?"
    r"|\b(?:differences?|gaps?) (?:between|across|among|in)\b[^.;,]{0,60}\bnot (?:statistically )?significant\b"
)
# who says that it is open claims nothing
OPEN = re.compile(r"\b(?:cannot|could not|can not) (?:say|tell|judge|conclude) (?:whether|if)\b[^.;,]*")
# a comparison that is denied says that there is none, or none that way: "not lower", "did not find them worse"
DENIES = re.compile(
    r"(?:\b(?:not|no|nor|never|neither|none|nobody|hardly|cannot|without|lack of|fail\w* to)\b|n['\u2019]t\b)"
    r"[^.;,:]{0,40}$"
)
DENIED = {**dict.fromkeys(("better", "worse", "higher", "lower", "differs"), "equality"), "significance": "not_shown"}
HIDDEN = " \N{MIDDLE DOT} "
JOINING = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")  # they hide a word from a list and not from a reader


@dataclass(frozen=True, slots=True, kw_only=True)
class WordLists:
    """The lists of one language.

    Args:
        language: such as ``"en"``.
        phrases: pattern and kind, longest phrase first.
        sources: kind to why such words need a result.
        higher_is_better: name of a number to which way is better.
    """

    language: str
    phrases: tuple[tuple[re.Pattern[str], str], ...]
    sources: Mapping[str, Source]
    higher_is_better: Mapping[str, bool]


@cache
def word_lists(language: str = "en") -> WordLists:
    """Read ``words/claims-<language>.json``, which travels with the package."""
    text = files("monai_ethics").joinpath(f"lifecycle/words/claims-{language}.json").read_text("utf-8")
    data = json.loads(text)
    words = [(word, part["kind"]) for part in data["lists"] for word in part["words"]]
    words.sort(key=lambda item: (-len(item[0]), item[0]))
    better = data["higher_is_better"]
    return WordLists(
        language=data["language"],
        phrases=tuple((_pattern(word), kind) for word, kind in words),
        sources={part["kind"]: Source(**part["source"]) for part in data["lists"]},
        higher_is_better={name: way == "true" for way, names in better.items() for name in names},
    )


def kinds_of(text: str, lists: WordLists) -> frozenset[str]:
    """Kinds of the words that a sentence holds; a phrase hides the words within it: "no difference was shown".

    A word that compares and is denied, as in "not lower", is also of the kind ``equality``, and "not ... significant"
    of the kind ``not_shown`` alone.
    """
    left = JOINING.sub("", DASHES.sub("-", unicodedata.normalize("NFKC", text))).casefold()
    found = set()
    for pattern, kind in ((OPEN, "open"), (NOT_SHOWN, "not_shown")):
        left, times = pattern.subn(HIDDEN, left)
        found |= {kind} if times else set()
    for pattern, kind in lists.phrases:
        for match in pattern.finditer(left):
            denied = kind in DENIED and DENIES.search(left[: match.start()])
            found |= {DENIED[kind], *([kind] if kind != "significance" else [])} if denied else {kind}
        left = pattern.sub(HIDDEN, left)
    return frozenset(found - {"plain"})


def _pattern(word: str) -> re.Pattern[str]:
    """Spaces also match hyphens, hyphens also match nothing: "state of the art", "noninferior"."""
    parts = [re.escape(part).replace(r"\-", r"[\s-]?") for part in word.rstrip("*").split(" ")]
    stem = r"[\s-]+".join(parts) if word[-1].isalnum() or word.endswith("*") else r"\s*".join(parts)
    ends = r"\w*" if word.endswith("*") else r"(?!\w)" if word[-1].isalnum() else ""
    return re.compile(rf"(?<!\w){stem}{ends}")

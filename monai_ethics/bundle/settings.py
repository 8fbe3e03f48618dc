# SPDX-License-Identifier: Apache-2.0
"""The `ethics` section of a config: what it may hold, and which words of a command belong to it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from types import NoneType
from typing import Any

from monai_ethics.bundle.engines import walk
from monai_ethics.errors import InputError

__all__ = ["FLAGS", "KEYS", "SECTION", "checked", "claim_flags", "place", "pop_settings", "switch"]

SECTION = "ethics"
KEYS = (
    "attributes",
    "strata",
    "policy",
    "threshold",
    "plan",
    "record",
    "out",
    "site",
    "log",
    "name",
    "marks",
    "synthetic",
    "synthesis",
    "guard",
)
SWITCHES = ("log", "marks", "synthetic")
FLAGS = {"attributes": "attributes", "strata": "strata", "policy": "policy", "evidence": "out", "site": "site"}
NESTED = ("plan", "record", "synthesis", "guard")
PREFIX = re.compile(r"^ethics(?:#|::)(.+)$")


def pop_settings(overrides: MutableMapping[str, Any]) -> dict[str, Any]:
    """Take `ethics`, `ethics#key`, `ethics#plan#key` and the same with `::` out of a command's overrides.

    MONAI refuses an override below a section that is not there, so ours must not reach it.

    Args:
        overrides: overrides of the command, changed in place.

    Returns:
        The settings given, by key.

    Raises:
        InputError: if `ethics` itself is given something that is not a mapping.
    """
    given: dict[str, Any] = {}
    whole = overrides.pop(SECTION, None)
    if whole is not None:
        if not isinstance(whole, Mapping):
            raise InputError(
                "`--ethics` must be a mapping: got something else. Write `--ethics#attributes FILE` and the like."
            )
        given.update(whole)
    for name in [name for name in overrides if PREFIX.match(name)]:
        match = PREFIX.match(name)
        _put(given, match.group(1) if match else name, overrides.pop(name))
    return given


def _put(given: dict[str, Any], key: str, value: Any) -> None:
    """Set one key; `plan#measures` is a key within the plan, whatever came first on the command line."""
    outer, mark, inner = key.replace("::", "#").partition("#")
    if outer not in NESTED or not (mark or isinstance(value, Mapping)):
        given[key] = value
        return
    known = given.get(outer)
    more = {inner: value} if mark else dict(value)
    given[outer] = {**(known if isinstance(known, Mapping) else {}), **more}


def checked(section: Any, given: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Join the config's section with what the command gave.

    Args:
        section: the config's top-level `ethics` item, or ``None``.
        given: settings of the command, which win.

    Returns:
        The settings, and whether the config's own item was left alone because it is not ours.

    Raises:
        InputError: if a key is unknown, or a switch neither true nor false.
    """
    foreign = section is not None and not (isinstance(section, Mapping) and (not section or set(section) & set(KEYS)))
    own = {} if foreign or section is None else dict(section)
    settings = {**own, **given}
    for name in NESTED:
        if isinstance(own.get(name), Mapping) and isinstance(given.get(name), Mapping):
            settings[name] = {**own[name], **given[name]}
    for key in settings:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else "Remove it."
            raise InputError(f"`ethics` may hold {', '.join(KEYS)}: got another key. {hint}")
    for name in SWITCHES:
        if not str(settings.get(name)).startswith(("$", "@", "%")):
            settings[name] = switch(settings.get(name), name=name, default=None)
    return {key: value for key, value in settings.items() if value is not None}, foreign


def switch(value: Any, *, name: str, default: bool | None) -> bool | None:
    """A setting that is true or false; a command line gives the words.

    Args:
        value: as given; ``None`` for none.
        name: name of the setting.
        default: what ``None`` stands for.

    Raises:
        InputError: if it is something else.
    """
    if value is None:
        return default
    word = str(value).strip().lower()
    if word not in ("true", "false"):
        raise InputError(f"`ethics#{name}` must be true or false: got something else. Write one of them.")
    return word == "true"


def place(value: Any, *, name: str) -> Path | None:
    """A setting that is a path; a command line reads digits as a number, a flag without a word as true.

    Args:
        value: as given; ``None`` for none.
        name: name of the setting.

    Raises:
        InputError: if it is something else.
    """
    if value == "" or isinstance(value, bool) or not isinstance(value, (str, int, os.PathLike, NoneType)):
        raise InputError(f"`ethics#{name}` must be a path: got something else. Write it as text, such as ./{name}.")
    return None if value is None else Path(str(value))


def claim_flags(overrides: MutableMapping[str, Any], config: Any) -> list[str]:
    """Turn the short flags into settings, except those that the bundle itself uses.

    Args:
        overrides: overrides of the command, changed in place.
        config: the bundle's merged config before overrides.

    Returns:
        The flags that were left to the bundle, because its config has or refers to an id of that name.
    """
    present = [flag for flag in FLAGS if flag in overrides]
    theirs = [flag for flag in present if _uses(config, flag, overrides.values())]
    for flag in present:
        if flag not in theirs:
            overrides[f"{SECTION}#{FLAGS[flag]}"] = overrides.pop(flag)
    return theirs


def _uses(config: Any, name: str, values: Iterable[Any]) -> bool:
    if isinstance(config, Mapping) and any(re.fullmatch(rf"\+?{name}(?:(?:#|::).*)?", str(key)) for key in config):
        return True
    reference = re.compile(rf"[@%]{name}\b")
    texts = [value for _, value in walk(config) if isinstance(value, str)]
    return any(reference.search(text) for text in (*texts, *(value for value in values if isinstance(value, str))))

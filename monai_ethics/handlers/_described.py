# SPDX-License-Identifier: Apache-2.0
"""What the user says of data, weights and generation that no record can see by itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_ethics.errors import InputError, SchemaError
from monai_ethics.provenance.license_compatibility import LicenseCompatibility
from monai_ethics.provenance.log.tree.digits import is_hex

__all__ = ["described"]

KEYS = ("data", "generation", "weights_license", "intended_use", "uses", "evaluation_set")
DATA = ("license", "source", "consent", "acquisition", "deidentification")


def described(record: Any, bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Read and check the setting `record`; what it leaves out comes from the bundle's metadata.

    Args:
        record: a mapping, a JSON file with one, or ``None``.
        bundle: what the launcher read of the bundle: `data_license`, `license`, `intended_use`, `data_source`.

    Raises:
        InputError: if it is something else, or has an unknown key.
    """
    given = _read(record)
    unknown = set(given) - set(KEYS)
    data = given.get("data") or {}
    if unknown or not isinstance(data, Mapping) or set(data) - set(DATA):
        raise InputError(
            f"`record` may hold {', '.join(KEYS)}, and its `data` {', '.join(DATA)}: got another key. Remove it."
        )
    if not isinstance(given.get("generation") or {}, Mapping):
        raise InputError("`generation` of `record` must be a mapping: got something else. Write its fields.")
    known = {"license": bundle.get("data_license"), "source": bundle.get("data_source")}
    data = {**{key: value for key, value in known.items() if value}, **data}
    return {
        "data": data,
        "generation": dict(given.get("generation") or {}),
        "weights_license": given.get("weights_license") or bundle.get("license") or "",
        "intended_use": given.get("intended_use") or bundle.get("intended_use") or "",
        "uses": LicenseCompatibility(uses=given.get("uses") or ()).uses,
        "evaluation_set": _roots(given.get("evaluation_set") or ()),
    }


def _roots(given: Any) -> tuple[str, ...]:
    """Roots of the sets that evaluations of this run may use."""
    found = (given,) if isinstance(given, str) else given
    if not isinstance(found, (list, tuple)) or not all(map(is_hex, found)):
        raise InputError(
            "`evaluation_set` of `record` must be roots of sets, each of 64 hex digits: got something else. Take them "
            "from `lifecycle.test_set_lock` in the report of a run that used the set."
        )
    return tuple(found)


def _read(record: Any) -> Mapping[str, Any]:
    if record is None or isinstance(record, Mapping):
        return dict(record or {})
    if not isinstance(record, (str, os.PathLike)):
        raise InputError("`record` must be a mapping or a JSON file: got something else. Give one of them.")
    from monai_ethics.provenance.log.tree.canonical import strict_loads

    try:
        content = strict_loads(Path(record).read_bytes())
    except (OSError, SchemaError) as error:
        raise InputError("Expected a JSON file as `record`: got one that cannot be read. Check it.") from error
    if not isinstance(content, dict):
        raise InputError("Expected a JSON object in `record`: got another value. Write its fields in braces.")
    return content

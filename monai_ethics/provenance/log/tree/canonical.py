# SPDX-License-Identifier: Apache-2.0
"""One byte form for every JSON value (RFC 8785), and a reader that refuses what could be read in two ways."""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from pathlib import Path
from typing import Any, NoReturn

import rfc8785

from monai_ethics.errors import InputError, SchemaError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "canonical", "file_sha256", "sha256_hex", "strict_loads"]

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
_MAX_EXACT = 2**53 - 1


def canonical(value: Any) -> bytes:
    """Serialize to canonical JSON: sorted keys, shortest numbers, UTF-8, every text in Unicode form NFC.

    Args:
        value: ``None``, bools, ints below 2^53, finite floats, texts, lists, tuples and string-keyed dicts.

    Returns:
        The bytes of RFC 8785, without a newline.

    Raises:
        InputError: if a value has no such form, or two keys of one object are the same text in NFC.

    References: RFC 8785; Unicode Standard Annex 15.
    """
    try:
        data = rfc8785.dumps(value)
        # pure ASCII is its own NFC: only other text pays for the walk
        return data if data.isascii() else rfc8785.dumps(_nfc(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise InputError(
            "Evidence must be canonical JSON: got a value without such a form (NaN, an integer of 2^53 or more, "
            "broken Unicode or another type). Write it as text or None."
        ) from error


def _nfc(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        result = {unicodedata.normalize("NFC", key): _nfc(item) for key, item in value.items()}
        if len(result) != len(value):
            raise InputError("Keys of one object must differ in Unicode form NFC: got two that do not. Rename one.")
        return result
    if isinstance(value, (list, tuple)):
        return [_nfc(item) for item in value]
    return value


def strict_loads(data: bytes, *, limit: int = MAX_BYTES) -> Any:
    """Read JSON that has exactly one reading.

    Args:
        data: UTF-8 text of one JSON value.
        limit: most bytes accepted.

    Returns:
        The value; an integer beyond 2^53 comes back as a float, as RFC 8785 defines numbers.

    Raises:
        SchemaError: on duplicate keys, NaN or infinity, nesting deeper than 64, too many bytes, or no JSON in UTF-8.
    """
    if len(data) > limit:
        raise SchemaError(f"Expected at most {limit} bytes of JSON: got more. Write smaller entries.")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise SchemaError("Expected strict JSON in UTF-8: got something else. The file was cut or edited.") from error
    if _depth(value) > MAX_DEPTH:
        raise SchemaError(f"Expected JSON nested at most {MAX_DEPTH} deep: got more. The file is not evidence.")
    return value


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of the bytes of a file, read in parts."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise SchemaError("Expected each key of a JSON object once: got one twice. The file was edited by hand.")
    return result


def _refuse_constant(_: str) -> NoReturn:
    raise SchemaError("Expected finite numbers in JSON: got NaN or infinity. Write null and state the reason.")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_constant(text)


def _integer(text: str) -> int | float:
    number = _finite(text) if len(text) > 17 else int(text)
    return int(number) if abs(number) <= _MAX_EXACT else float(number)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        if depth > MAX_DEPTH:
            break
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth

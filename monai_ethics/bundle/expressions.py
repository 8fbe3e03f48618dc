# SPDX-License-Identifier: Apache-2.0
"""Engines written as Python in a ``$`` string, such as ``$SupervisedTrainer(max_epochs=@epochs)``.

The expression is parsed, never evaluated. References become identifiers of equal length, so that positions hold.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["EngineCall", "engine_calls", "set_argument"]

REFERENCE = re.compile(r"@\w+(?:(?:::|#)\w+)*")
ENGINE_NAME = re.compile(r"(Trainer|Evaluator)[A-Z0-9]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCall:
    """A call that makes an engine.

    Args:
        name: last part of the called name.
        target: the whole called name.
        keywords: keyword to the span of its value in the text, in characters.
        spread: whether the call has ``**arguments``, which may hold any keyword.
        end: position of the closing parenthesis.
    """

    name: str
    target: str
    keywords: dict[str, tuple[int, int]]
    spread: bool
    end: int


def engine_calls(text: str) -> list[EngineCall]:
    """Calls in a ``$`` string whose name ends like an engine's; an unreadable expression has none."""
    if "Trainer" not in text and "Evaluator" not in text:
        return []
    code = REFERENCE.sub(lambda match: "_" * len(match.group()), text)
    code = f"({code[1:]})"  # the parenthesis takes the place of the `$`
    try:
        tree = ast.parse(code, mode="eval")
    except (SyntaxError, ValueError):
        return []
    locate = _locator(code)
    calls = [_call(node, code, locate) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return sorted((call for call in calls if call is not None), key=lambda call: call.end)


def set_argument(text: str, call: EngineCall, key: str, wrap: Callable[[str], str]) -> str:
    """Replace one keyword's value by ``wrap(value)``, or add the keyword with ``wrap("None")``."""
    if key in call.keywords:
        low, high = call.keywords[key]
        return text[:low] + wrap(text[low:high]) + text[high:]
    before = text[: call.end].rstrip()
    comma = "" if before.endswith((",", "(")) else ", "
    return f"{text[: call.end]}{comma}{key}={wrap('None')}{text[call.end :]}"


def _locator(code: str) -> Callable[[int, int], int]:
    lines = code.splitlines(keepends=True)
    starts = [sum(len(line) for line in lines[:number]) for number in range(len(lines))]

    def locate(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())  # the parser counts bytes

    return locate


def _call(node: ast.Call, code: str, locate: Callable[[int, int], int]) -> EngineCall | None:
    if not isinstance(node.func, (ast.Name, ast.Attribute)):
        return None
    target = ast.unparse(node.func)
    name = target.rsplit(".", 1)[-1]
    if not ENGINE_NAME.search(name):
        return None
    keywords = {}
    for item in node.keywords:
        if item.arg is not None:
            start = code.index("=", locate(item.lineno, item.col_offset)) + 1
            keywords[item.arg] = (start, locate(item.end_lineno or 0, item.end_col_offset or 0))
    return EngineCall(
        name=name,
        target=target,
        keywords=keywords,
        spread=any(item.arg is None for item in node.keywords),
        end=locate(node.end_lineno or 0, node.end_col_offset or 0) - 1,
    )

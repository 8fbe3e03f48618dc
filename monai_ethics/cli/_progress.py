# SPDX-License-Identifier: Apache-2.0
"""Progress bars on a terminal, one plain line a step elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["Steps"]


class Steps:
    """Show the steps of a long command.

    Args:
        quiet: show nothing, for output meant for machines.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}

    def __enter__(self) -> Self:
        console = Console(stderr=True)
        if not self._quiet and console.is_terminal:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=console)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """Say something once, above the bars."""
        if self._bars is not None:
            self._bars.console.print(text, markup=False)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def step(self, text: str, done: int, total: int) -> None:
        """Say how far a step is; a step is known by its text."""
        if self._bars is not None:
            if text not in self._tasks:
                self._tasks[text] = self._bars.add_task(text, total=total)
            self._bars.update(self._tasks[text], completed=done)
            return
        self._began.setdefault(text, time.monotonic())
        if done >= total and not self._quiet:
            print(f"{text}: {time.monotonic() - self._began[text]:.0f} s", file=sys.stderr, flush=True)

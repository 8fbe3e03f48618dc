# SPDX-License-Identifier: Apache-2.0
"""The table of commands and how a usage error becomes one sentence."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer

from monai_ethics import __version__

__all__ = ["invoke"]

# command -> module of the same name in this package, whose function `command` is the command, or whose `group` holds
# the commands behind it
COMMANDS = (
    "checks",
    "claims",
    "consent",
    "demo",
    "export",
    "fairness",
    "features",
    "gate",
    "guard",
    "inspect",
    "keys",
    "lineage",
    "mitigation",
    "overlay",
    "plan",
    "private",
    "redact",
    "report",
    "sign-model",
    "stamp",
    "synthesis",
    "utility",
    "verify",
    "watermark",
)
# typer carries a click of its own, or uses the installed one: its public errors lead to the right base either way
UsageError: Any = typer.BadParameter.__mro__[1]
# `run` is here for --help only: its words are Fire's and are read by monai_ethics.bundle.launch


def build() -> typer.Typer:
    """Assemble the application from `COMMANDS`."""
    app = typer.Typer(
        name="monai-ethics",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        help="The ethics layer for MONAI: evidence about synthesis, fairness and provenance.",
    )

    @app.callback(invoke_without_command=True)
    def root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
        if version:
            print(f"monai_ethics {__version__}")
            raise typer.Exit

    @app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def run() -> None:
        """Run a MONAI bundle and leave evidence: every word as for `python -m monai.bundle run`."""

    for name in COMMANDS:
        module = importlib.import_module(f"monai_ethics.cli.{name.replace('-', '_')}")
        if hasattr(module, "group"):
            app.add_typer(module.group, name=name)
        else:
            app.command(name)(module.command)
    return app


@cache
def parser() -> Any:
    """The application with every word that its commands take; reading them all takes longer than most commands."""
    return typer.main.get_command(build())


def invoke(words: Sequence[str]) -> int:
    """Run one command of the table; returns its exit code."""
    command = parser()
    try:
        code = command.main(args=list(words), prog_name="monai-ethics", standalone_mode=False)
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return 0
        message = str(error.format_message()).splitlines() or ["Unusable words"]
        # a name of two words without quotation marks arrives as a word too many
        first = message[0].partition(" (")[0] if "extra argument" in message[0] else message[0]
        asked, params = _asked(command, words)
        print(f"monai-ethics: {_unsaid(first.rstrip('.'), words, params)}: see `{asked} --help`.", file=sys.stderr)
        return 2
    except typer.Abort:
        return 130
    return int(code or 0)


def _asked(command: Any, words: Sequence[str]) -> tuple[str, Sequence[Any]]:
    """The command that the first words name, and what it takes; an error does not always know."""
    path = ["monai-ethics"]
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        path.append(word)
        command = command.commands[word]
    return " ".join(path), command.params


def _unsaid(text: str, words: Sequence[str], params: Sequence[Any]) -> str:
    """A usage error without what was typed, which may be a name: options of the command stay."""
    known = {option for param in params for option in (*param.opts, *param.secondary_opts)}
    parts = {part for word in words for part in (word, *word.split("=", 1)) if part and part not in known}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(f"'{part}'", "another word")
        text = text.replace(part, "another word") if part.startswith("-") and len(part) > 2 else text
    return text

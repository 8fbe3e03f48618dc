# SPDX-License-Identifier: Apache-2.0
"""The door of an installation without typer, such as an auditor's: the same commands, read by argparse.

`pip install --no-deps monai_ethics` with cryptography, rfc8785 and jinja2 is enough to verify evidence. The modules of
the commands declare their words with typer; here a stand-in keeps what they declare.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from monai_ethics import __version__
from monai_ethics.errors import InputError, MissingDependencyError

__all__ = ["COMMANDS", "invoke"]

COMMANDS = ("keys", "private", "verify")


class _Said:
    """What a command says of one of its words."""

    def __init__(self, *names: str, help: str = "", envvar: str | None = None, **others: Any) -> None:  # noqa: A002
        self.names, self.help, self.envvar = names, help, envvar


class _Argument(_Said):
    """A word without a name."""


class _Group:
    """Commands under one name."""

    def __init__(self, *, help: str = "", **others: Any) -> None:  # noqa: A002
        self.help = help
        self.commands: dict[str, Callable[..., Any]] = {}

    def command(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return lambda function: self.commands.setdefault(name, function)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """One sentence that does not repeat the words, which may be names."""
        raise InputError(f"Expected the words of this command: got others. See `{self.prog} --help`.")


def invoke(words: Sequence[str]) -> int:
    """Run one of `COMMANDS`; returns its exit code.

    Raises:
        InputError: if the words are others.
        MissingDependencyError: if the command needs more than is installed.
    """
    parser = _parser()
    if not words:
        parser.print_help()
        return 0
    if words[0] not in COMMANDS and not words[0].startswith("-"):
        raise MissingDependencyError(
            f"Expected one of {', '.join(COMMANDS)} where typer is not installed: got another command. "
            "Run `pip install monai_ethics` with its dependencies."
        )
    try:
        known = vars(parser.parse_args(list(words)))
    except SystemExit as ending:  # --help and --version
        return int(ending.code or 0)
    function = known.pop("function", None)
    if function is None:
        raise InputError("Expected a command behind the first word: got none. See `--help`.")
    known = {name: value for name, value in known.items() if not name.startswith("level ")}
    try:
        return int(function(**known) or 0)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"Expected all that this command needs: got no {error.name}. "
            "Run `pip install monai_ethics` with its dependencies."
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="monai-ethics", description="Without typer: evidence can be verified and read.")
    parser.add_argument("--version", action="version", version=f"monai_ethics {__version__}")
    level = parser.add_subparsers(dest="level 1", required=True)
    for name, module in _modules().items():
        if hasattr(module, "group"):
            group = level.add_parser(name, help=module.group.help)
            below = group.add_subparsers(dest="level 2", required=True)
            for word, function in module.group.commands.items():
                _declare(below.add_parser(word, help=_first_line(function)), function)
        else:
            _declare(level.add_parser(name, help=_first_line(module.command)), module.command)
    return parser


def _modules() -> dict[str, Any]:
    """The commands' modules, imported with the stand-in, which is removed again."""
    stand_in: Any = types.ModuleType("typer")
    stand_in.Argument, stand_in.Option, stand_in.Typer = _Argument, _Said, _Group
    before = {name: module for name, module in sys.modules.items() if name == "typer"}
    sys.modules["typer"] = stand_in
    try:
        return {name: importlib.import_module(f"monai_ethics.cli.{name}") for name in COMMANDS}
    finally:
        del sys.modules["typer"]
        sys.modules.update(before)


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").partition("\n")[0]


def _declare(parser: argparse.ArgumentParser, function: Callable[..., Any]) -> None:
    """Let a parser read what a command takes."""
    hints = typing.get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints[name]
        said = next(one for one in getattr(hint, "__metadata__", ()) if isinstance(one, _Said))
        kinds = [kind for kind in (typing.get_args(hint.__origin__) or (hint.__origin__,)) if kind is not type(None)]
        many = list in (typing.get_origin(hint.__origin__), *map(typing.get_origin, kinds))
        kind = Path if "Path" in str(hint.__origin__) else str
        default = parameter.default
        given = os.environ.get(said.envvar) if said.envvar else None
        default = kind(given) if given else default
        absent = default is inspect.Parameter.empty
        options: dict[str, Any] = {"help": said.help.replace("%", "%%")}
        if isinstance(said, _Argument):
            nargs = ("+" if absent else "*") if many else (None if absent else "?")
            parser.add_argument(name, nargs=nargs, type=kind, **options | ({} if absent else {"default": default}))
            continue
        flags = said.names or (f"--{name.replace('_', '-')}",)
        if hint.__origin__ is bool:
            parser.add_argument(*flags, dest=name, action="store_true", **options)
            continue
        options |= {"type": kind, "required": absent, "default": None if absent else default}
        parser.add_argument(*flags, dest=name, action="append" if many else "store", **options)
    parser.set_defaults(function=function)

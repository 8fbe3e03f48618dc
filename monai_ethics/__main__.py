# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics` and `python -m monai_ethics`: exit 0 done, 1 refused, 2 unusable input with one sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from monai_ethics.errors import EthicsError, MissingDependencyError

__all__ = ["console", "main"]

TRACEBACK = "MONAI_ETHICS_TRACEBACK"  # set to 1, an error that nobody foresaw is raised as it is


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: words after the program's name; ``None`` takes them from the command line.

    Returns:
        Exit code of design: 0 done, 1 a gate, guard or verification refused, 2 unusable input.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without this character shows its number
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words[1:]) if words[:1] == ["run"] else _command(words)
    except EthicsError as error:
        print(f"monai-ethics: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except MemoryError:
        print("monai-ethics: Expected input that fits into memory: got more. Give smaller or fewer.", file=sys.stderr)
        return 2
    except (OSError, UnicodeError) as error:
        print(f"monai-ethics: {_sentence(error)}", file=sys.stderr)
        return 2
    except Exception as error:
        if words[:1] == ["run"] or os.environ.get(TRACEBACK):
            raise  # what a bundle raises is its own
        print(f"monai-ethics: {_unforeseen(error)}", file=sys.stderr)
        return 2


def _run(words: list[str]) -> int:
    """Fire's words, not ours: the host's own launcher reads them."""
    from monai_ethics.provenance.keys.delegate import signing_child

    with signing_child():  # before anything of the bundle is imported
        try:
            from monai_ethics.bundle.launch import launch
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"Expected MONAI and what it needs: got no {error.name}. Run `pip install monai_ethics`."
            ) from error
        return launch(words)


def _command(words: list[str]) -> int:
    try:
        from monai_ethics.cli.app import invoke
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        from monai_ethics.cli.bare import invoke
    return invoke(words)


def _one_line(error: EthicsError) -> str:
    """The message without line breaks and control characters, which a name in it may carry to a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(error))


def _sentence(error: OSError | UnicodeError) -> str:
    """The reason without the path, which may carry a name."""
    if isinstance(error, UnicodeError):
        return "Expected UTF-8 text in files and in their names: got other bytes. Convert it to UTF-8."
    return (
        f"Expected to read or write a file: got '{error.strerror or 'an error'}'. Check the path and its permissions."
    )


def _unforeseen(error: Exception) -> str:
    """Another package's words may repeat a name or a value: only their kind is told, or which package is missing."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.partition(".")[0]
        return (
            f"Expected every package that this command needs: got no {name}. "
            "Run `pip install monai_ethics` with its dependencies."
        )
    return (
        f"Expected input that this command can read: got a {type(error).__name__} that nobody foresaw. "
        f"Check the files; {TRACEBACK}=1 shows where it arose."
    )


def console() -> None:
    """Entry point of the `monai-ethics` script."""
    sys.exit(main())


if __name__ == "__main__":
    console()

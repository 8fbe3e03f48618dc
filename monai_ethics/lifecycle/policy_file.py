# SPDX-License-Identifier: Apache-2.0
"""Reading a file of this package's own: YAML 1.2 scalars, no aliases, no key twice, checked against a JSON schema."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import jsonschema
import yaml

from monai_ethics.errors import InputError

__all__ = ["LARGEST", "load_mapping", "load_policy_mapping"]

LARGEST = 1_000_000  # bytes
LARGEST_NUMBER = 2**53  # every whole number up to it is one of JSON's
NAME = re.compile(r"[A-Za-z0-9_.\- ]{1,60}")
SCALAR = "tag:yaml.org,2002:"
JSON_TYPES = {"string": "text", "number": "a number", "array": "a list", "object": "a mapping"}


class _Loader(yaml.SafeLoader):
    """Safe YAML in which `on` is a key and not a truth value, and in which nothing is said twice."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise InputError("A file of this kind must not use YAML aliases: got one. Write the value out.")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if not all(isinstance(key, str) for key in keys):
            raise InputError("Keys must be text: got another type. Put the key in quotes.")
        if len(keys) != len(set(keys)):
            raise InputError("A mapping must not repeat a key: got one twice. Remove one of them.")
        return super().construct_mapping(node, deep=deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        text = str(self.construct_scalar(node))
        try:
            value: int | float = int(text)
        except ValueError:
            value = float(text)
        if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            raise InputError("A number must lie between -2^53 and 2^53: got another. Write a smaller one.")
        return value


_Loader.yaml_constructors = {
    tag: build
    for tag, build in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix(SCALAR) in ("null", "bool", "int", "float", "str", "seq", "map")
} | {f"{SCALAR}{kind}": _Loader.construct_number for kind in ("int", "float")}  # dates, sets and the like are no JSON
_Loader.yaml_implicit_resolvers = {}  # YAML 1.1 reads `on` as true and 010 as eight
_Loader.add_implicit_resolver(f"{SCALAR}null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(f"{SCALAR}bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver(f"{SCALAR}int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{SCALAR}float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def load_policy_mapping(data: bytes) -> dict[str, Any]:
    """Parse the bytes of a policy file and check them against ``schemas/policy-1.schema.json``.

    Args:
        data: the file's bytes, UTF-8.

    Returns:
        The policy as plain JSON values.

    Raises:
        InputError: if it is no YAML, or not of the schema; the sentence names the position and what was expected.
    """
    return load_mapping(data, schema="policy-1", noun="policy", page="docs/how-to/write-a-policy.md")


def load_mapping(data: bytes, *, schema: str, noun: str, page: str) -> dict[str, Any]:
    """Parse the bytes of a YAML file and check them against a schema of this package.

    Args:
        data: the file's bytes, UTF-8.
        schema: name of the schema, such as ``"policy-1"``.
        noun: what the file is, in one word, for messages.
        page: page that says how to write one.

    Returns:
        Plain JSON values.

    Raises:
        InputError: if it is no YAML, or not of the schema; the sentence names the position and what was expected.
    """
    if len(data) > LARGEST:
        raise InputError(f"A {noun} must be smaller than 1 MB: got a larger file. Give the {noun} file.")
    try:
        document = yaml.load(data.decode("utf-8-sig"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"A {noun} must be YAML: got a syntax error in line {line}. Correct it.") from error
    except (yaml.YAMLError, KeyError, RecursionError, ValueError) as error:  # `!!bool maybe` is a KeyError
        if isinstance(error, InputError):
            raise
        raise InputError(f"A {noun} must be YAML text in UTF-8: got other bytes. Give the {noun} file.") from error
    content = json.loads(files("monai_ethics").joinpath(f"schemas/{schema}.schema.json").read_text("utf-8"))
    if not isinstance(document, dict):
        needed = " and ".join(f"`{name}`" for name in content["required"])
        raise InputError(f"A {noun} must be a mapping with {needed}: got something else. Add them.")
    errors = sorted(jsonschema.Draft202012Validator(content).iter_errors(document), key=_first)
    if errors:
        raise InputError(_sentence(errors[0], noun=noun, page=page))
    return document


def _first(error: Any) -> tuple[bool, str]:
    # an unknown key is often a misspelled one, and explains the one that is then missing
    return error.validator != "additionalProperties", error.json_path


def _sentence(error: Any, *, noun: str, page: str) -> str:
    place = f"a {noun}" if error.json_path == "$" else f"`{error.json_path[2:]}` of a {noun}"
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        key = next((str(key) for key in error.instance if key not in known), "")
        shown = f"`{key}`" if NAME.fullmatch(key) else "one that is not listed here"
        return f"Unknown key in {place}: got {shown}. Use {_listed(known)}."
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"Expected {_listed(missing)} in {place}: got none. Add it."
    if error.validator == "oneOf":
        return f"Expected either `at_least` or `at_most` in {place}: got both or neither. Give one of them."
    if error.validator in ("enum", "const"):
        values = error.validator_value if error.validator == "enum" else [error.validator_value]
        return (
            f"Expected {' or '.join(json.dumps(value) for value in values)} at {place}: got another value. Change it."
        )
    kind = error.validator_value if error.validator == "type" and isinstance(error.validator_value, str) else ""
    wanted = JSON_TYPES.get(kind, "text" if error.validator == "type" else "the form that the schema asks for")
    if str(error.json_path).endswith("check") or "required_checks" in error.json_path:
        wanted = "the id of a check such as `fairness.score_gap`"
    if str(error.json_path).endswith(".url"):
        wanted = "an https address"
    return f"Expected {wanted} at {place}: got something else. See {page}."


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)

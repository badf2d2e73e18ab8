"""python -m rushlight.ops [NAME]: list all operators, or show where one lives and what it can do."""

from __future__ import annotations

import argparse
import difflib
import sys
from typing import Any

from rushlight import _C, ops
from rushlight.ops import registry


def _native() -> list[dict[str, Any]]:
    return _C._operators()


def _forms(entry: dict[str, Any]) -> str:
    """The ways to call a native operator."""
    names = {"function": "function", "method": "method", "in_place": "in-place method", "out": "out="}
    return ", ".join(names.get(item, item) for item in entry["variants"]) or "internal"


def _show_native(entry: dict[str, Any]) -> str:
    gradient = "yes" if entry["differentiable"] else "none"
    lines = [
        entry["schema"],
        f"  source    {entry['file']}:{entry['line']}",
        f"  forms     {_forms(entry)}",
        f"  gradient  {gradient}",
        "  devices   cpu, meta",
        f"  dtypes    {entry['dtypes'] or 'all'}",
    ]
    return "\n".join([*lines, "", *(f"  {line}".rstrip() for line in entry["doc"].strip().splitlines())])


def _show_composite(item: registry.Composite) -> str:
    forms = ["function"] + ["method"] * item.method + ["in-place method"] * item.inplace
    forms += ["out="] * hasattr(item.function, "__wrapped__")
    lines = [
        item.schema,
        f"  source    {_relative(item.file)}:{item.line}",
        f"  forms     {', '.join(forms)}",
        "  gradient  by composition of its parts",
        "  devices   cpu, meta",
        "  dtypes    those of its parts",
    ]
    return "\n".join([*lines, "", *(f"  {line}".rstrip() for line in item.doc.splitlines())])


def _relative(path: str) -> str:
    """The path within the repository."""
    return path[path.rindex("rushlight/ops/") :] if "rushlight/ops/" in path else path


def _listing() -> str:
    rows = [(entry["schema"].split("(")[0], f"{entry['file']}:{entry['line']}") for entry in _native()]
    rows += [(name, f"{_relative(item.file)}:{item.line}") for name, item in registry.composites().items()]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {place}" for name, place in sorted(rows))


def _descriptions(name: str) -> list[str]:
    found = [_show_native(entry) for entry in _native() if entry["name"] == name]
    for known, item in registry.composites().items():
        if name in (known, known.rsplit(".", 1)[-1]):
            found.append(_show_composite(item))
    return found


def main() -> int:
    """Print what was asked for; 1 where there is no such operator."""
    parser = argparse.ArgumentParser(prog="python -m rushlight.ops", description=__doc__)
    parser.add_argument("name", nargs="?", help="an operator: softmax, linalg.inv, ...")
    wanted = parser.parse_args().name
    ops.composites()
    if wanted is None:
        print(_listing())
        return 0
    found = _descriptions(wanted)
    if found:
        print("\n\n".join(found))
        return 0
    known = {entry["name"] for entry in _native()} | set(registry.composites())
    near = difflib.get_close_matches(wanted, known)
    print(
        f"no operator is named {wanted}" + (f"; near it: {', '.join(near)}" if near else ""), file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())

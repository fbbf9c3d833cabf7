"""A bill of materials of factdesk as it is installed here: CycloneDX 1.5, the same for the same installation.

    python -m evals.sbom > sbom.json

Components are the packages that factdesk needs, whatever needs them, and the model files with their SHA-256; tools that
only lie beside them, such as those of the tests, are left out.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files
from typing import Any, NamedTuple

from agent.models.registry import MODELS, ModelFile

ROOT = "factdesk"
_REQUIREMENT = re.compile(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"extra\s*==\s*[\"']([\w.-]+)[\"']")


class _Need(NamedTuple):
    """A package that is needed, with some of its extras."""

    name: str
    extras: frozenset[str] = frozenset()


def bill() -> dict[str, Any]:
    """The document."""
    needs = _needs()
    packages = [distribution(name) for name in sorted(needs)]
    components = [_package(one) for one in packages if _name(one) != ROOT]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": _package(distribution(ROOT)) | {"type": "application"}},
        "components": [*components, *map(_model, MODELS), *_weights()],
        "dependencies": [
            {"ref": _ref(one), "dependsOn": sorted(_ref(distribution(name)) for name in needs[_name(one)])}
            for one in packages
        ],
    }


def _needs() -> dict[str, set[str]]:
    """By package, those it needs and that are installed: others are for other systems."""
    found: dict[str, set[str]] = {}
    done: set[_Need] = set()
    left = [_Need(ROOT)]
    while left:
        need = left.pop()
        if need in done:
            continue
        done.add(need)
        needed = [one for one in _required(need) if _is_installed(one.name)]
        found.setdefault(need.name, set()).update(one.name for one in needed)
        left += needed
    return found


def _required(need: _Need) -> Iterator[_Need]:
    for line in distribution(need.name).requires or ():
        what, _, marker = line.partition(";")
        extra = _EXTRA.search(marker)
        match = _REQUIREMENT.match(what)
        if match and (extra is None or _plain(extra[1]) in need.extras):
            extras = frozenset(_plain(one) for one in (match[2] or "").split(",") if one.strip())
            yield _Need(_plain(match[1]), extras)


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _plain(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _name(package: Distribution) -> str:
    return _plain(package.metadata["Name"])


def _ref(package: Distribution) -> str:
    return f"pkg:pypi/{_name(package)}@{package.version}"


def _package(package: Distribution) -> dict[str, Any]:
    found = {"type": "library", "bom-ref": _ref(package), "name": _name(package), "version": package.version}
    licence = (package.metadata.get_all("License-Expression") or [""])[0]
    known = {"licenses": [{"expression": licence}]} if licence else {}
    return found | {"purl": _ref(package)} | known


def _model(model: ModelFile) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{model.name}",
        "name": model.name,
        "description": model.purpose,
        "hashes": [{"alg": "SHA-256", "content": model.sha256}],
        "licenses": [{"license": {"id": model.licence}}],
    }


def _weights() -> Iterator[dict[str, Any]]:
    """The weights that are shipped in the package."""
    for path in sorted(files("agent.small").joinpath("weights").iterdir(), key=lambda one: one.name):
        if path.name.endswith(".onnx"):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            yield {
                "type": "machine-learning-model",
                "bom-ref": f"weights:{path.name}",
                "name": path.name,
                "hashes": [{"alg": "SHA-256", "content": content}],
            }


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=2, sort_keys=True)
    print()

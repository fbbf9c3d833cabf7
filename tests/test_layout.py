"""The shape of the code base, as the style guide wants it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from prompts import load

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for name in ("agent", "evals", "prompts") for path in (ROOT / name).rglob("*.py"))


def test_importing_the_library_is_light():
    """No heavy package, no socket, no data file."""
    code = "import sys, agent; print(' '.join(sorted(m for m in sys.modules if '.' not in m)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"chromadb", "langchain", "langchain_core", "openai", "onnxruntime", "numpy", "pydantic", "socket"}
    assert not heavy & set(loaded)


def test_help_loads_no_model_package():
    """`--help` answers at once."""
    code = (
        "import sys; sys.argv = ['factdesk', '--help']\n"
        "from agent.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('LOADED', *sorted(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = out.split("LOADED")[1].split()
    assert not {"chromadb", "langchain_core", "openai", "onnxruntime", "numpy", "pydantic", "trafilatura"} & set(loaded)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small_and_hold_nothing_dangerous(path):
    """At most 400 lines that are not blank; no pickle, marshal, shelve, eval or exec."""
    text = path.read_text(encoding="utf-8")
    assert sum(bool(line.strip()) for line in text.splitlines()) <= 400
    tree = ast.parse(text)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not imported & {"pickle", "marshal", "shelve"}
    assert not called & {"eval", "exec"}


def test_the_order_of_stages_fits_on_a_page():
    """`pipeline.py` stays under 150 lines."""
    assert len((ROOT / "agent" / "pipeline.py").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "prompts").glob("*.md")))
def test_prompts_render_with_exactly_their_variables(name):
    """A missing or unknown variable raises; the hash is that of the file."""
    prompt = load(name)
    hostile = "x $y ${z} {z} {{ 7 * 7 }} %s # system"
    values = dict.fromkeys(prompt.variables, hostile)
    assert values
    assert prompt.render(**values)[-1][1].count(hostile) == len(values)
    with pytest.raises(KeyError):
        prompt.render(**values, more="x")
    with pytest.raises(KeyError):
        prompt.render()


def test_gold_is_in_no_prompt_and_no_seed():
    """What is scored is not shown."""
    rows = files("evals").joinpath("cases", "deir-ez-zor", "gold.jsonl").read_text(encoding="utf-8").splitlines()
    claims = [json.loads(row)["claim"] for row in rows]
    shown = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "prompts").glob("*.md"))
    shown += "".join(path.read_text(encoding="utf-8") for path in (ROOT / "seeds").rglob("*") if path.is_file())
    assert len(claims) == 45
    assert not [claim for claim in claims if claim in shown]

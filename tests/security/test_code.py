"""What may not stand in the code: anything that runs, unpickles or loads what came from outside (T16, T22, T27, F19)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for name in ("agent", "evals", "prompts") for path in (ROOT / name).rglob("*.py"))
SCRIPTS = sorted((ROOT / "agent" / "chat" / "static").glob("*.js"))
PAGES = sorted(path for name in ("agent", "evals") for path in (ROOT / name).rglob("*.j2"))

_MODULES = frozenset(
    ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "xml", "yaml", "telnetlib", "ftplib")
)
"""Of XML only readers of libraries are used that are known to expand no entity (tests/security/test_bombs.py)."""
_CALLS = frozenset(
    ("eval", "exec", "compile", "__import__", "system", "popen", "mktemp", "read_pickle", "create_subprocess_shell")
)
_OF_OTHERS = frozenset(("re", "copy"))
"""`re.compile` runs nothing."""
_OPTIONS = {
    "shell": True, "allow_pickle": True, "allow_dangerous_deserialization": True, "trust_remote_code": True,
    "weights_only": False, "verify": False, "autoescape": False,
}  # fmt: skip
_WALL_CLOCK = frozenset(("agent/llm/ledger.py",))
"""Where `time.time` is right: a provider tells the age of its batches in it."""
_MAKES_MARKUP = frozenset(("evals/report/charts.py",))
"""Where text is marked as safe: charts, whose every text is escaped before."""
_SINKS = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|javascript:")
_UNESCAPED = re.compile(r"\|\s*safe\b|autoescape\s+false|\bMarkup\b")


def dangers(text):
    """What stands in some Python that may not."""
    return sorted(set(_dangers(ast.parse(text))))


def _dangers(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in _MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _MODULES:
            yield node.module
        elif isinstance(node, ast.Call):
            yield from _dangers_of_call(node)


def _dangers_of_call(node):
    called = node.func
    name = getattr(called, "id", getattr(called, "attr", ""))
    owner = getattr(getattr(called, "value", None), "id", "")
    if name in _CALLS and owner not in _OF_OTHERS and node.args:  # PyTorch's `model.eval()` has no argument
        yield name
    for option in node.keywords:
        if option.arg in _OPTIONS and getattr(option.value, "value", None) is _OPTIONS[option.arg]:
            yield f"{option.arg}={_OPTIONS[option.arg]}"
    if name == "load" and owner in {"np", "numpy"} and not node.keywords:
        yield f"{owner}.load"
    if name == "load" and owner == "torch" and not _says(node, "weights_only"):
        yield "torch.load"
    if name == "Markup":
        yield "Markup"
    if name == "Environment" and "autoescape" not in {option.arg for option in node.keywords}:
        yield "Environment without autoescape"


def _says(node, option):
    return any(one.arg == option and getattr(one.value, "value", None) is True for one in node.keywords)


def reads_the_wall_clock(text):
    """Whether some Python calls `time.time` or takes it by name."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "time" and getattr(node.value, "id", "") == "time")
        or (
            isinstance(node, ast.ImportFrom) and node.module == "time" and any(one.name == "time" for one in node.names)
        )
        for node in ast.walk(ast.parse(text))
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_runs_and_unpickles_nothing_from_outside(path):
    """No pickle, eval, shell, unescaped template, unchecked certificate, or XML reader of Python's own."""
    allowed = ["Markup"] if str(path.relative_to(ROOT)) in _MAKES_MARKUP else []
    assert dangers(path.read_text(encoding="utf-8")) == allowed


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from pickle import loads", "import xml.etree.ElementTree as x", "from yaml import load",
        "eval(x)", "exec(x)", "compile(x, '', 'eval')", "os.system(x)", "os.popen(x)", "builtins.eval(x)",
        "subprocess.run(x, shell=True)", "torch.load(x)", "np.load(x, allow_pickle=True)", "httpx.get(x, verify=False)",
        "Environment()", "Environment(autoescape=False)", "torch.load(x, weights_only=False)",
        "torch.load(x, map_location='cpu')", "pd.read_pickle(x)", "asyncio.create_subprocess_shell(x)", "Markup(x)",
        "markupsafe.Markup(x)",
    ],
)  # fmt: skip
def test_each_danger_is_seen(text):
    """The scan above would find it; the harmless neighbours it lets pass."""
    assert dangers(text)


@pytest.mark.parametrize(
    "text",
    [
        "re.compile(x)",
        "import json",
        "subprocess.run(x)",
        "Environment(autoescape=True)",
        "json.loads(x)",
        "torch.load(x, weights_only=True)",
        "np.load(x, allow_pickle=False)",
    ],
)
def test_what_is_harmless_is_let_pass(text):
    """Or nobody would keep the scan."""
    assert dangers(text) == []


def test_durations_are_not_taken_from_the_wall_clock():
    """A clock that is set back must not lengthen a deadline or a wait."""
    found = {str(path.relative_to(ROOT)) for path in SOURCES if reads_the_wall_clock(path.read_text(encoding="utf-8"))}
    assert {name for name in found if name.startswith("agent/")} == _WALL_CLOCK
    assert reads_the_wall_clock("from time import time")
    assert not reads_the_wall_clock("import time\ntime.monotonic()")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_of_the_page_make_no_markup_of_text(path):
    """Nodes are made, and text is set as text."""
    assert _SINKS.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_templates_escape_everything(path):
    """Nothing is marked as safe in a template but the style, which is ours."""
    text = path.read_text(encoding="utf-8").replace("<style>{{ style | safe }}</style>", "")
    assert _UNESCAPED.findall(text) == []


def test_there_is_something_to_look_at():
    """A scan of nothing would pass."""
    assert min(len(SOURCES) - 100, len(SCRIPTS), len(PAGES)) > 0
    assert _SINKS.search("node.innerHTML = text")
    assert _UNESCAPED.search("{{ text | safe }}")

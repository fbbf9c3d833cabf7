"""The fault-injecting model server that lies beside the checkout: not ours to ship, used when it is there."""

from __future__ import annotations

import importlib.util
import sys

from tests.shared import require


def fault_server(faults=(), **options):
    """A `FaultServer` context manager, or a skip with the reason."""
    file = require("tools/fault_llm.py")
    if "fault_llm" not in sys.modules:
        spec = importlib.util.spec_from_file_location("fault_llm", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules["fault_llm"] = module
        spec.loader.exec_module(module)
    return sys.modules["fault_llm"].FaultServer(list(faults), **options)

"""What holds for every test: no network but loopback, no key, all paths in a temporary folder."""

from __future__ import annotations

import ipaddress
import os
import socket

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # no test fails because the machine is busy
settings.load_profile("patient")

_REAL_CONNECT = socket.socket.connect


def _guarded_connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0]).is_loopback:
        raise AssertionError(f"a test tried to reach {address!r}: only loopback is allowed")
    return _REAL_CONNECT(self, address)


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No outside address, no settings of the user, no proxy."""
    for name in list(os.environ):
        if (name.startswith("FACTDESK_") and name != "FACTDESK_CACHE") or name in {"OPENAI_API_KEY", "OPENAI_BASE_URL"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("FACTDESK_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("FACTDESK_RUN_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(socket.socket, "connect", _guarded_connect)

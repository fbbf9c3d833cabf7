"""A provider that speaks the Batch API on loopback: files, batches, results in any order, partial failures, expiry."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from tests.desk import answer


class Provider:
    """What it holds, and how it behaves; a test may write to all of it.

    `fate(custom_id, n, body)` says what becomes of a request when it is asked for the n-th time: `ok`, `expired`, or a
    status code. `faults` are answers to the next calls: `(route, "before" | "after", status, headers)`, before or after
    the work is done.
    """

    def __init__(self):
        self.files, self.batches = {}, {}
        self.asked, self.answered, self.calls = Counter(), Counter(), Counter()
        self.fate = lambda custom_id, number, body: "ok"
        self.faults = []
        self.looks = 2
        self.verdict = None
        """`(status, code)` in place of `completed`, for the batches begun from now on."""
        self.lock = threading.RLock()

    def upload(self, content):
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content), "created_at": int(time.time()),
                "filename": "requests.jsonl", "purpose": "batch", "status": "processed"}  # fmt: skip

    def create(self, body):
        assert (body["endpoint"], body["completion_window"]) == ("/v1/chat/completions", "24h")
        name = f"batch_{len(self.batches)}"
        self.batches[name] = {
            "id": name, "object": "batch", "endpoint": body["endpoint"], "completion_window": "24h",
            "input_file_id": body["input_file_id"], "created_at": int(time.time()), "status": "validating",
            "metadata": body.get("metadata"), "looks": 0, "verdict": self.verdict,
        }  # fmt: skip
        return self.batches[name]

    def look(self, name):
        batch = self.batches[name]
        batch["looks"] += 1
        if batch["status"] in {"validating", "in_progress"}:
            batch["status"] = "in_progress"
            if batch["looks"] >= self.looks:
                self._finish(batch)
        return batch

    def _finish(self, batch):
        status, code = batch["verdict"] or ("completed", None)
        batch["status"] = status
        if status == "failed":
            fault = {"code": code, "message": "no", "line": 1, "param": None}
            batch["errors"] = {"object": "list", "data": [fault]}
            return
        good, bad = [], []
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        random.Random(7).shuffle(lines)
        for line in lines:
            name = line["custom_id"]
            self.asked[name] += 1
            fate = self.fate(name, self.asked[name], line["body"])
            if fate == "ok":
                self.answered[name] += 1
            (good if fate == "ok" else bad).append(_line(line, fate))
        for key, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:
                batch[key] = self.upload("\n".join(map(json.dumps, rows)).encode())["id"]

    @property
    def repeats_after_success(self):
        """Requests that were answered, and paid, more than once."""
        return sum(count - 1 for count in self.answered.values() if count > 1)


def _line(line, fate):
    found = {
        "id": f"batch_req_{line['custom_id'][:6]}",
        "custom_id": line["custom_id"],
        "response": None,
        "error": None,
    }
    if fate == "expired":
        message = "This request could not be executed before the completion window expired."
        return found | {"error": {"code": "batch_expired", "message": message}}
    if fate != "ok":
        body = {"error": {"message": "no", "type": "error", "code": f"code_{fate}"}}
        return found | {"response": {"status_code": fate, "request_id": "r", "body": body}}
    return found | {"response": {"status_code": 200, "request_id": "r", "body": completion(line["body"])}}


def completion(body):
    """What an honest model says."""
    name = body["response_format"]["json_schema"]["name"]
    last = body["messages"][-1]["content"]
    text = answer(SimpleNamespace(schema_name=name, messages=[SimpleNamespace(content=last)]))
    return {
        "id": "x", "object": "chat.completion", "created": 1, "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100},
    }  # fmt: skip


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_POST(self):
        held = self.server.held
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/batches":
            self._answer("create", lambda: held.create(json.loads(content)))
        else:
            assert self.path == "/v1/files"
            self._answer("upload", lambda: held.upload(self._file(content)))

    def _file(self, content):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + content).iter_parts()
        sent = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}
        assert sent["purpose"] == b"batch"
        return sent["file"]

    def do_GET(self):
        held = self.server.held
        path, _, _ = self.path.partition("?")
        name = path.split("/")[3] if path.count("/") > 2 else ""
        if path == "/v1/batches":
            rows = list(reversed(held.batches.values()))
            self._answer("list", lambda: {"object": "list", "data": rows, "has_more": False})
        elif path.endswith("/content"):
            self._answer("read", lambda: held.files[name])
        else:
            self._answer("look", lambda: held.look(name))

    def _answer(self, route, work):
        held = self.server.held
        with held.lock:
            held.calls[route] += 1
            fault = next((one for one in held.faults if one[0] == route), None)
            if fault:
                held.faults.remove(fault)
            found = work() if not fault or fault[1] == "after" else None
        if fault:
            self._send(fault[2], b'{"error": {"message": "no"}}', fault[3])
        else:
            self._send(200, found if isinstance(found, bytes) else json.dumps(found).encode(), {})

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def provider():
    """Yields the provider; `url` is its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    server.daemon_threads = True
    server.held = Provider()
    server.held.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

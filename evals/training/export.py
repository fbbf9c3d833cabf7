"""Turn a trained adapter into the file factdesk ships: merged, as ONNX, with int8 weights.

    python -m evals.training.export --base all-mpnet-base-v2 --trained runs/stance-mpnet --out stance-mpnet-int8.onnx

Weights are quantised by channel; activations stay floating point (`float_activations`): quantised ones moved single
probabilities by up to .47. Prints how far the file's scores lie from those of the floating-point module, with `--data`
on passages of the tuning halves, and what that costs in macro-F1.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.domain import Stance
from evals.training import encoder
from evals.training.fit_reading import figures
from evals.training.float_activations import convert
from evals.training.pairs import STANCES
from evals.training.train_stance import State, dev_sets

_DEV_ITEMS = 80
_PROBES = (
    ("The mill in Norvik burnt down on 4 March 2019, police said.", "The mill in Norvik burnt down in March."),
    ("The mill in Norvik burnt down on 4 March 2019, police said.", "The mill in Norvik was saved from the fire."),
    ("Norvik is a town on the coast. " * 12, "The mill in Norvik burnt down."),
)


def merged(base: Path, trained: Path) -> Any:
    """The module with its adapters folded into the weights."""
    state = State.model_validate_json((trained / "state.json").read_text(encoding="utf-8"))
    model = encoder.build(base, layers=state.layers)
    encoder.restore(model, trained / "adapter.safetensors")
    return model.merge_and_unload().eval()


def write_onnx(model: Any, tokenizer: Any, path: Path) -> None:
    """Write the floating-point module; any number of pairs of any length."""
    import torch

    inputs = encoder.encode(tokenizer, _PROBES[:2])
    axes = {0: "pairs", 1: "tokens"}
    torch.onnx.export(
        model,
        (inputs["input_ids"], inputs["attention_mask"]),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "pairs"}},
        opset_version=17,
        dynamo=False,  # the older exporter needs no further package
    )


def quantise(source: Path, target: Path) -> None:
    """Eight-bit weights, one scale for each channel, and floating-point activations."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), per_channel=True, weight_type=QuantType.QInt8)
    onnx.save(convert(onnx.load(str(target))), str(target))


def onnx_probabilities(path: Path, tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """Array of shape (len(pairs), 3), one pair at a time."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = np.zeros((len(pairs), len(Stance)), dtype=np.float32)
    for row, pair in enumerate(pairs):
        inputs = encoder.encode(tokenizer, [pair])
        feed = {name: inputs[name].numpy() for name in ("input_ids", "attention_mask")}
        (logits,) = session.run(["logits"], feed)
        shares = np.exp(logits[0] - logits[0].max())
        found[row] = shares / shares.sum()
    return found


def cost_of_eight_bits(model: Any, tokenizer: Any, path: Path, data: Path) -> Iterator[str]:
    """A line for each tuning half, and one for their mean: macro-F1 of the module and of the file."""
    scores = []
    for one in dev_sets(data, _DEV_ITEMS):
        gold = np.array([STANCES.index(stance) for stance in one.stances])
        wanted = encoder.probabilities(model, tokenizer, one.pairs)
        found = onnx_probabilities(path, tokenizer, one.pairs)
        scores.append((figures(wanted, gold)[1], figures(found, gold)[1]))
        yield f"{one.name}: macro-F1 {scores[-1]}, probabilities at most {np.abs(found - wanted).max():.4f} apart"
    exact, rounded = np.mean(scores, axis=0)
    yield f"mean macro-F1: float {exact:.4f}, int8 {rounded:.4f}"


def main() -> None:
    """Merge, export, quantise, compare."""
    from transformers import AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="folder of all-mpnet-base-v2")
    parser.add_argument("--trained", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--data", type=Path, help="folder of the public sets, to measure what eight bits cost")
    given = parser.parse_args()
    model, tokenizer = merged(given.base, given.trained), AutoTokenizer.from_pretrained(given.base)
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder, "full.onnx")
        write_onnx(model, tokenizer, full)
        quantise(full, given.out)
        wanted = encoder.probabilities(model, tokenizer, _PROBES, size=1)
        for name, path in (("float", full), ("int8", given.out)):
            gap = np.abs(onnx_probabilities(path, tokenizer, _PROBES) - wanted).max()
            print(f"{name}: {path.stat().st_size / 1e6:.1f} MB, probabilities at most {gap:.4f} apart")
    print(f"sha256 {hashlib.sha256(given.out.read_bytes()).hexdigest()}")
    if given.data:
        print("\n".join(cost_of_eight_bits(model, tokenizer, given.out, given.data)))


if __name__ == "__main__":
    main()

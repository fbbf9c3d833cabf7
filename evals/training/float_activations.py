"""Make the stance model's scores independent of the batch: int8 weights stay, activations become floating point.

    python -m evals.training.float_activations model_int8.onnx stance-minilm-int8.onnx

Dynamic quantisation takes one scale for the activations of a whole batch, so what a pair scores depends on its
neighbours (by up to 0.28 in probability, measured). Here each `DynamicQuantizeLinear`, `MatMulInteger`, `Cast`, `Mul`
becomes a `MatMul` with the weights put back to floating point, which ONNX Runtime does once, when it loads the file.
Needs the package `onnx`, which is no dependency of factdesk.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple


class _Product(NamedTuple):
    """One quantised product of activations and weights, as nodes of the graph."""

    quantise: Any
    multiply: Any
    cast: Any
    scales: Any
    rescale: Any


def convert(model: Any) -> Any:
    """The same model without quantised activations."""
    products = _products(model.graph.node)
    gone = {part.output[0] for product in products for part in product}
    replaced = {product.rescale.output[0]: product for product in products}
    weights = [node for product in products for node in _weights(product)]
    kept = []
    for node in model.graph.node:
        if product := replaced.get(node.output[0]):
            kept.append(_plain(product))
        elif node.output[0] not in gone:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend([*weights, *kept])
    return model


def _products(nodes: Any) -> list[_Product]:
    maker = {output: node for node in nodes for output in node.output}
    user = {name: node for node in nodes for name in node.input}
    found = []
    for node in nodes:
        if node.op_type == "MatMulInteger":
            cast = user[node.output[0]]
            rescale = user[cast.output[0]]
            scales = maker[next(name for name in rescale.input if name != cast.output[0])]
            found.append(_Product(maker[node.input[0]], node, cast, scales, rescale))
    return found


def _weights(product: _Product) -> list[Any]:
    """Constants only, so ONNX Runtime computes them once: `(weights - zero point) * scale`."""
    from onnx import TensorProto, helper

    name = product.multiply.output[0]
    scale = next(name for name in product.scales.input if name != product.quantise.output[1])
    return [
        helper.make_node("Cast", [product.multiply.input[1]], [f"{name}_weights"], to=TensorProto.FLOAT),
        helper.make_node("Cast", [product.multiply.input[3]], [f"{name}_zero"], to=TensorProto.FLOAT),
        helper.make_node("Sub", [f"{name}_weights", f"{name}_zero"], [f"{name}_centred"]),
        helper.make_node("Mul", [f"{name}_centred", scale], [f"{name}_float"]),
    ]


def _plain(product: _Product) -> Any:
    from onnx import helper

    inputs = [product.quantise.input[0], f"{product.multiply.output[0]}_float"]
    return helper.make_node("MatMul", inputs, list(product.rescale.output))


def main() -> None:
    """Read, convert, check and write."""
    import onnx

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    model = convert(onnx.load(str(given.source)))
    onnx.checker.check_model(model)
    onnx.save(model, str(given.target))


if __name__ == "__main__":
    main()

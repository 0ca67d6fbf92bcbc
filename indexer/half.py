"""Part of a network in half precision: float16 inside, casts to and from float32 at its borders."""

from collections.abc import Container

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_LARGEST = float(np.finfo(np.float16).max)


def halved(proto: onnx.ModelProto, inside: Container[str]) -> onnx.ModelProto:
    """The network with the nodes of these names computing in float16.

    Its nodes have names and are sorted, as ONNX asks; what comes after a node inside may use it.
    """
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    graph = result.graph
    floats = _floats(proto)
    made = {name for node in graph.node if node.name in inside for name in node.output} & floats
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    known: dict[str, str] = {}  # tensors at the border, and their names on its other side
    for node in graph.node:
        within = node.name in inside
        for position, name in enumerate(node.input):
            if name not in floats or within == (name in made):
                continue
            if name not in known:
                known[name] = f"{name}_{'half' if within else 'wide'}"
                if name in constants:
                    graph.initializer.append(_half(constants[name], known[name]))
                else:
                    kind = TensorProto.FLOAT16 if within else TensorProto.FLOAT
                    nodes.append(_cast(name, known[name], kind))
            node.input[position] = known[name]
        nodes.append(node)
    _replace(graph, nodes)
    return result


def _floats(proto: onnx.ModelProto) -> set[str]:
    """The names of all float32 tensors."""
    graph = onnx.shape_inference.infer_shapes(proto).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    found = {
        value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    return found | {t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT}


def _half(constant: onnx.TensorProto, name: str) -> onnx.TensorProto:
    value = np.clip(numpy_helper.to_array(constant), -_LARGEST, _LARGEST)
    return numpy_helper.from_array(value.astype(np.float16), name)


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=target, to=kind)


def _replace(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Put these nodes into the graph; constants and shapes that are true no more leave it."""
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    used = {name for node in kept for name in node.input}
    tensors = [onnx.TensorProto.FromString(t.SerializeToString())
               for t in graph.initializer if t.name in used]  # fmt: skip
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(tensors)

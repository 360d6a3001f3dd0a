#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the seeds of fuzz_onnx: tests/fuzz/corpus/onnx/*.onnx, a tiny model per operator."""
import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OUT = pathlib.Path(__file__).parent / "corpus" / "onnx"


def weights(name, *shape):
    n = int(np.prod(shape))
    return numpy_helper.from_array((np.arange(n, dtype=np.float32) % 7 - 3).reshape(shape), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def save(name, nodes, inputs, init=(), opset=13):
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_empty_tensor_value_info(nodes[-1].output[0])], list(init))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    (OUT / f"{name}.onnx").write_bytes(model.SerializeToString())


def main():
    node, image = helper.make_node, {"x": [1, 2, 5, 4]}
    OUT.mkdir(parents=True, exist_ok=True)
    save("block", [node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
                   node("BatchNormalization", ["c", "s", "s", "s", "v"], ["b"]),
                   node("Add", ["b", "x"], ["a"]), node("Relu", ["a"], ["y"])],
         image, [weights("w", 2, 2, 3, 3), weights("s", 2), numpy_helper.from_array(np.ones(2, np.float32), "v")])
    save("conv_group", [node("Conv", ["x", "w", "b"], ["y"], group=2, strides=[2, 1], dilations=[1, 2],
                             auto_pad="SAME_UPPER")], image, [weights("w", 4, 1, 2, 2), weights("b", 4)])
    save("pools", [node("MaxPool", ["x"], ["m"], kernel_shape=[3, 2], pads=[1, 0, 1, 0], ceil_mode=1),
                   node("AveragePool", ["m"], ["a"], kernel_shape=[2, 2], count_include_pad=1, pads=[1, 1, 0, 0]),
                   node("GlobalAveragePool", ["a"], ["y"])], image)
    save("classifier", [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w", "b"], ["g"], transB=1, alpha=0.5),
                        node("Dropout", ["g"], ["d"]), node("Softmax", ["d"], ["y"])],
         image, [weights("w", 3, 40), weights("b", 3)])
    save("reshape", [node("Reshape", ["x", "s"], ["r"]), node("MatMul", ["r", "w"], ["m"]),
                     node("Identity", ["m"], ["y"])], image, [ints("s", 0, -1, 5), weights("w", 5, 3)])
    save("matmul", [node("MatMul", ["a", "b"], ["m"]), node("Add", ["m", "c"], ["y"])],
         {"a": [2, 3, 4], "b": [4, 5]}, [weights("c", 1, 3, 1)])
    save("pad_transpose", [node("Transpose", ["w"], ["t"], perm=[1, 0, 2, 3]), node("Pad", ["x", "p"], ["q"]),
                           node("Conv", ["q", "t"], ["y"])],
         image, [weights("w", 2, 3, 1, 1), ints("p", 0, 0, 1, 1, 0, 0, 1, 0)])
    save("constant", [node("Constant", [], ["k"], value=weights("", 2, 1, 1)), node("Add", ["x", "k"], ["y"])], image)
    save("elementwise", [node("Sub", ["x", "k"], ["a"]), node("Div", ["s", "a"], ["b"]), node("Clip", ["b", "", "s"], ["c"]),
                         node("Elu", ["c"], ["d"], alpha=0.5), node("Cast", ["n"], ["e"], to=1), node("Pow", ["d", "e"], ["f"]),
                         node("HardSwish", ["f"], ["g"]), node("Max", ["g", "x", "k"], ["y"])],
         image, [weights("k", 2, 1, 1), weights("s"), ints("n", 3)], opset=14)
    save("symbolic", [node("Relu", ["x"], ["y"])], {"x": ["n", 3]})
    save("old", [node("Softmax", ["x"], ["y"], axis=2)], image, opset=9)


if __name__ == "__main__":
    main()

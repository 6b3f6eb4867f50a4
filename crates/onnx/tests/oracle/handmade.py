"""Graphs that no exporter of ours writes, but the specification and onnxruntime know.

All kinds of branches, sums of other kinds, transforms, conventions for two classes, trees of ml opset 5,
odd numbers in the rows.
"""

import itertools

import numpy as np
from onnx import TensorProto, helper, numpy_helper

ML = "ai.onnx.ml"
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
KINDS = {np.float32: TensorProto.FLOAT, np.float64: TensorProto.DOUBLE, np.int64: TensorProto.INT64}


def rows(element=np.float32, count=80, width=4, seed=3):
    """Whole and half numbers, so that equality happens; NaN and infinities where there are any."""
    rng = np.random.default_rng(seed)
    table = rng.integers(-4, 5, (count, width)) / (1 if element is np.int64 else 2)
    table = table.astype(element)
    if element is not np.int64:
        odd = rng.random(table.shape)
        table[odd < 0.08] = np.nan
        table[odd > 0.96] = np.inf
        table[(odd > 0.92) & (odd < 0.96)] = -np.inf
    return table


def graph(nodes, inputs, outputs, initializers=(), ml=3, opset=18):
    """A checked model; outputs are names with element types, shapes are left to the runtime."""
    puts = [helper.make_tensor_value_info(name, KINDS[type(table.flat[0])], [None, *table.shape[1:]]) for name, table in inputs.items()]
    out = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs]
    body = helper.make_graph(nodes, "handmade", puts, out, list(initializers))
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(ML, ml)]
    return helper.make_model(body, opset_imports=imports, ir_version=10)


def trees(rng, count, depth, targets, modes, prefix, positive=False, sparse=False, tracks=True):
    """Random full trees with ids that do not count from 0."""
    node = {name: [] for name in ["treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "missing_value_tracks_true"]}
    leaf = {name: [] for name in ["treeids", "nodeids", "ids", "weights"]}
    for tree in range(count):
        for place in range(2 ** (depth + 1) - 1):
            inner = place < 2**depth - 1
            row = {
                "treeids": tree * 2 + 1,
                "nodeids": place * 3 + tree,
                "featureids": int(rng.integers(0, 4)) if inner else 0,
                "modes": str(rng.choice(modes)) if inner else "LEAF",
                "values": float(rng.integers(-4, 5) / 2) if inner else 0.0,
                "truenodeids": (2 * place + 1) * 3 + tree if inner else 0,
                "falsenodeids": (2 * place + 2) * 3 + tree if inner else 0,
                "missing_value_tracks_true": int(rng.integers(0, 2)) if tracks else 0,
            }
            for name, value in row.items():
                node[name].append(value)
            if not inner:
                for target in targets:
                    # The first tree leaves nothing out: of a target that no leaf of a row mentions,
                    # onnxruntime leaves out the base value too.
                    if sparse and tree > 0 and rng.random() < 0.5:
                        continue
                    weight = rng.random() / count if positive else rng.normal()
                    for name, value in zip(leaf, [row["treeids"], row["nodeids"], target, float(weight)]):
                        leaf[name].append(value)
    result = {f"nodes_{name}": values for name, values in node.items()}
    result |= {f"{prefix}_{name}": values for name, values in leaf.items()}
    return result


def doubles(attributes, prefix):
    """The same with its numbers as tensors of doubles."""
    attributes = dict(attributes)
    for name in ["nodes_values", f"{prefix}_weights", "base_values"]:
        if name in attributes:
            values = np.array(attributes.pop(name), np.float64)
            attributes[name + "_as_tensor"] = numpy_helper.from_array(values, name)
    return attributes


def regressors():
    rng = np.random.default_rng(11)
    table = rows()
    for mode in MODES:
        body = trees(rng, 5, 3, [0], [mode], "target")
        node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=1, **body)
        yield f"regressor_{mode}", graph([node], {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    for aggregate, targets in itertools.product(["SUM", "AVERAGE", "MIN", "MAX"], [1, 3]):
        body = trees(rng, 6, 3, range(targets), MODES, "target", sparse=targets > 1)
        base = [0.5 + target for target in range(targets)]
        node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=targets, aggregate_function=aggregate, base_values=base, **body)
        yield f"regressor_{aggregate}_{targets}", graph([node], {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    for post in ["SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]:
        body = trees(rng, 4, 2, range(3), MODES, "target")
        node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=3, post_transform=post, **body)
        yield f"regressor_{post}", graph([node], {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    for depth in [3, 8]:
        body = doubles(trees(rng, 6, depth, [0], MODES, "target"), "target")
        wide = rows(np.float64)
        node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=1, **body)
        yield f"regressor_doubles_{depth}", graph([node], {"x": wide}, [("y", TensorProto.FLOAT)]), {"x": wide}
        body = trees(rng, 6, depth, [0], ["BRANCH_LEQ"], "target")
        node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=1, **body)
        yield f"regressor_deep_{depth}", graph([node], {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}


def classifiers():
    rng = np.random.default_rng(12)
    table = rows()
    outputs = [("label", TensorProto.INT64), ("scores", TensorProto.FLOAT)]
    # The convention of exporters: two classes, all weights for one of them.
    for positive, post, base, id in itertools.product([True, False], ["NONE", "LOGISTIC"], [[], [0.25]], [0]):
        body = trees(rng, 5, 3, [id], ["BRANCH_LEQ"], "class", positive=positive)
        if base:
            body["base_values"] = base
        node = helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_int64s=[0, 1], post_transform=post, **body)
        name = f"two_{'positive' if positive else 'mixed'}_{post}_{len(base)}_{id}"
        yield name, graph([node], {"x": table}, outputs), {"x": table}
    body = trees(rng, 5, 3, [1], ["BRANCH_LEQ"], "class", positive=True)
    node = helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_int64s=[0, 1], **body)
    yield "two_second", graph([node], {"x": table}, outputs), {"x": table}
    for post, sparse in itertools.product(["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"], [False, True]):
        body = trees(rng, 9, 3, range(4), MODES, "class", sparse=sparse)
        node = helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_int64s=[7, 5, 3, 1], post_transform=post, base_values=[0.1, 0.2, 0.3, 0.4], **body)
        yield f"four_{post}_{sparse}", graph([node], {"x": table}, outputs), {"x": table}
    words = [("label", TensorProto.STRING), ("scores", TensorProto.FLOAT)]
    body = trees(rng, 9, 3, range(3), ["BRANCH_LT", "BRANCH_GTE"], "class")
    node = helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_strings=["a", "", "ü"], **body)
    yield "three_words", graph([node], {"x": table}, words), {"x": table}
    body = doubles(trees(rng, 9, 7, range(3), MODES, "class"), "class")
    node = helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_int64s=[0, 1, 2], **body)
    wide = rows(np.float64)
    yield "three_doubles", graph([node], {"x": wide}, outputs), {"x": wide}


def linear():
    """One plane for two classes, transforms, support vectors without any."""
    rng = np.random.default_rng(13)
    table = rng.normal(size=(50, 4)).astype(np.float32)
    outputs = [("label", TensorProto.INT64), ("scores", TensorProto.FLOAT)]
    for post in ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"]:
        for planes in [1, 2, 3]:
            weights = {"coefficients": rng.normal(size=planes * 4).tolist(), "intercepts": rng.normal(size=planes).tolist()}
            labels = list(range(max(planes, 2)))
            node = helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_ints=labels, post_transform=post, **weights)
            yield f"linear_{planes}_{post}", graph([node], {"x": table}, outputs), {"x": table}
            node = helper.make_node("LinearRegressor", ["x"], ["y"], domain=ML, targets=planes, post_transform=post, **weights)
            yield f"linear_numbers_{planes}_{post}", graph([node], {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    for count in [2, 3]:
        weights = {"coefficients": rng.normal(size=count * 4).tolist(), "rho": [0.3], "kernel_type": "LINEAR", "kernel_params": [0.0, 0.0, 0.0]}
        node = helper.make_node("SVMClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_ints=list(range(count)), **weights)
        yield f"svm_linear_{count}", graph([node], {"x": table}, outputs), {"x": table}
    for element in [np.int64, np.float64]:
        other = (table * 3).astype(element)
        node = helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain=ML, classlabels_ints=[4, 2], coefficients=[1.0, -1, 2, 0.5, -1, 1, 0, 0], intercepts=[0.5, -0.5])
        yield f"linear_{np.dtype(element).name}", graph([node], {"x": other}, outputs), {"x": other}


def tensor(values, element):
    return numpy_helper.from_array(np.array(values, element))


def ensembles():
    """ml opset 5, with a tree that is one leaf and sets of members.

    onnxruntime takes transform 1 for 2 and the other way round; 0 and 3 are as specified.
    """
    for element, aggregate, post in itertools.product([np.float32, np.float64], [0, 1], [0, 3]):
        # onnxruntime takes sets of small whole numbers only.
        table = np.abs(np.round(rows(element)))
        table[np.isinf(table)] = 3
        node = helper.make_node(
            "TreeEnsemble", ["x"], ["y"], domain=ML, n_targets=2, aggregate_function=aggregate, post_transform=post,
            tree_roots=[0, 3, 4],
            nodes_featureids=[0, 1, 2, 0, 3],
            nodes_modes=tensor([0, 6, 4, 0, 6], np.uint8),
            nodes_splits=tensor([0.5, 0.0, 1.0, 0.0, 0.0], element),
            nodes_truenodeids=[1, 0, 2, 5, 6], nodes_trueleafs=[0, 1, 1, 1, 1],
            nodes_falsenodeids=[2, 1, 3, 5, 4], nodes_falseleafs=[0, 1, 1, 1, 1],
            nodes_missing_value_tracks_true=[0, 0, 0, 0, 1],
            membership_values=tensor([1, 2, 4, np.nan, 3, 1, np.nan], element),
            leaf_targetids=[0, 1, 0, 1, 0, 1, 0],
            leaf_weights=tensor([1.5, -2.0, 0.25, 3.0, 0.125, 0.75, -1.0], element),
        )
        name = f"ensemble_{np.dtype(element).name}_{aggregate}_{post}"
        yield name, graph([node], {"x": table}, [("y", KINDS[element])], ml=5), {"x": table}


def operators():
    """Plain operators over rows, one graph for each."""
    table = np.random.default_rng(5).normal(size=(40, 4)).astype(np.float32)
    number = lambda values: helper.make_node("Constant", [], [f"c{abs(hash(str(values))) % 10**8}"], value=numpy_helper.from_array(np.array(values)))
    single = ["Abs", "Ceil", "Erf", "Exp", "Floor", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Softplus", "Tanh"]
    for name in single + ["LogSoftmax", "Softmax"]:
        yield f"op_{name}", graph([helper.make_node(name, ["x"], ["y"])], {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    for name in ["Max", "Min", "Sum", "Mean"]:
        yield f"op_{name}", graph([helper.make_node(name, ["x", "z", "x"], ["y"])], {"x": table, "z": table[:, :1]}, [("y", TensorProto.FLOAT)]), {"x": table, "z": table[:, :1].copy()}
    for name in ["L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]:
        axes = number(np.array([1], np.int64))
        nodes = [axes, helper.make_node("Reduce" + name, ["x", axes.output[0]], ["y"], keepdims=0)]
        yield f"op_Reduce{name}", graph(nodes, {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    k = number(np.array([2], np.int64))
    nodes = [k, helper.make_node("TopK", ["x", k.output[0]], ["y", "i"], axis=1, largest=0)]
    yield "op_TopK", graph(nodes, {"x": table}, [("y", TensorProto.FLOAT), ("i", TensorProto.INT64)]), {"x": table}
    for reverse, exclusive in itertools.product([0, 1], [0, 1]):
        at = number(np.array(1, np.int64))
        nodes = [at, helper.make_node("CumSum", ["x", at.output[0]], ["y"], reverse=reverse, exclusive=exclusive)]
        yield f"op_CumSum_{reverse}_{exclusive}", graph(nodes, {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    sizes = number(np.array([1, 3], np.int64))
    nodes = [sizes, helper.make_node("Split", ["x", sizes.output[0]], ["a", "b"], axis=1)]
    yield "op_Split", graph(nodes, {"x": table}, [("b", TensorProto.FLOAT), ("a", TensorProto.FLOAT)]), {"x": table}
    limits = [number(np.array(value, np.int64)) for value in ([-1], [-9], [1], [-2])]
    nodes = [*limits, helper.make_node("Slice", ["x", *[node.output[0] for node in limits]], ["y"])]
    yield "op_Slice", graph(nodes, {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    times = number(np.array([1, 3], np.int64))
    nodes = [times, helper.make_node("Tile", ["x", times.output[0]], ["y"])]
    yield "op_Tile", graph(nodes, {"x": table}, [("y", TensorProto.FLOAT)]), {"x": table}
    whole = np.random.default_rng(6).integers(-9, 9, (40, 3))
    for name, positive in [("Mod", False), ("Div", False), ("Add", False)]:
        divisor = number(np.array([[3, -4, 5]], np.int64))
        nodes = [divisor, helper.make_node(name, ["x", divisor.output[0]], ["y"])]
        yield f"op_{name}_ints", graph(nodes, {"x": whole}, [("y", TensorProto.INT64)]), {"x": whole}
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING)]
    yield "op_Cast_words", graph(nodes, {"x": whole}, [("y", TensorProto.STRING)]), {"x": whole}
    nodes = [helper.make_node("FeatureVectorizer", ["x", "z"], ["y"], domain=ML, inputdimensions=[4, 1])]
    yield "op_FeatureVectorizer", graph(nodes, {"x": table, "z": table[:, :1]}, [("y", TensorProto.FLOAT)]), {"x": table, "z": table[:, :1].copy()}

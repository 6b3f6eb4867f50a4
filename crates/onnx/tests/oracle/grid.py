"""Writes models, rows and what onnxruntime answers: one folder a model in the folder given.

case.json names inputs and outputs; numbers are files of plain little-endian values, strings are JSON.
"""

import json
import sys
from pathlib import Path

import exported
import handmade
import numpy as np
import onnx
import onnxruntime
import pipelines

onnxruntime.set_default_logger_severity(3)
SOURCES = [
    exported.forests,
    exported.boosted,
    exported.linear,
    pipelines.scalers,
    pipelines.column_transformers,
    handmade.regressors,
    handmade.classifiers,
    handmade.linear,
    handmade.ensembles,
    handmade.operators,
]


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def answers(model, feeds):
    """onnxruntime's; trees over doubles are exported with outputs declared as doubles, which it refuses."""
    try:
        asked = session(model)
    except Exception as error:
        if "tensor(double)" not in str(error):
            raise
        repaired = onnx.ModelProto.FromString(model.SerializeToString())
        for output in repaired.graph.output:
            if output.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE:
                output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        asked = session(repaired)
    return dict(zip([output.name for output in asked.get_outputs()], asked.run(None, feeds)))


def plain(values):
    """A ZipMap's dictionaries as the table that we answer with."""
    if isinstance(values, list):
        return np.array([list(row.values()) for row in values], np.float32)
    return values


def write(folder, number, name, values):
    entry = {"name": name, "shape": list(values.shape), "file": f"{number}"}
    if values.dtype.kind in "OSU":
        entry["type"] = "string"
        (folder / entry["file"]).write_text(json.dumps([str(value) for value in values.ravel()]))
    else:
        entry["type"] = str(values.dtype)
        (folder / entry["file"]).write_bytes(np.ascontiguousarray(values).tobytes())
    return entry


def main(target):
    count, failed = 0, []
    for source in SOURCES:
        for name, model, feeds in source():
            try:
                outputs = answers(model, feeds)
            except Exception as error:
                failed.append(f"{name}: {error}"[:300])
                continue
            folder = target / f"{count:03}_{name}"
            folder.mkdir()
            (folder / "model.onnx").write_bytes(model.SerializeToString())
            ins = [write(folder, f"in{place}", key, value) for place, (key, value) in enumerate(feeds.items())]
            outs = [write(folder, f"out{place}", key, plain(value)) for place, (key, value) in enumerate(outputs.items())]
            (folder / "case.json").write_text(json.dumps({"inputs": ins, "outputs": outs}))
            count += 1
    print(count)
    if failed:
        sys.exit("onnxruntime refuses:\n" + "\n".join(failed))


main(Path(sys.argv[1]))

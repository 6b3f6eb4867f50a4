"""Checks model.onnx and writes what onnxruntime answers for rows.f32, in each folder given.

Answers go to labels.i64 and scores.f32 (labels only for classes). Every tenth row is also asked alone
and on one thread: the sums over the trees must not depend on how onnxruntime shares them out.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def answers(session, rows):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"features": rows})))


def check(folder):
    model = (folder / "model.onnx").read_bytes()
    onnx.checker.check_model(model, full_check=True)
    assert onnx.load_from_string(model).SerializeToString() == model, "protobuf writes other bytes"
    rows = np.fromfile(folder / "rows.f32", "<f4").reshape(-1, int((folder / "columns").read_text()))
    many, alone = answers(session(model, 4), rows), session(model, 1)
    one = [answers(alone, rows[place : place + 1]) for place in range(0, len(rows), 10)]
    for name, values in many.items():
        by_row = np.concatenate([answer[name] for answer in one])
        assert np.array_equal(by_row, values[::10]), f"{name} depends on batch or threads"
    if "label" in many:
        assert many["label"].dtype == np.int64 and many["label"].ndim == 1
        many["label"].astype("<i8").tofile(folder / "labels.i64")
        assert many["probabilities"].shape == (len(rows), many["probabilities"].shape[1])
        many["probabilities"].astype("<f4").tofile(folder / "scores.f32")
    else:
        assert many["prediction"].shape == (len(rows), 1)
        many["prediction"].astype("<f4").tofile(folder / "scores.f32")


for folder in sys.argv[1:]:
    check(Path(folder))

"""The other side of `bench onnx`: scikit-learn's models as skl2onnx exports them, asked by onnxruntime.

A JSON object a line; arrays travel as files of plain little-endian numbers in the folder that is named.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROWS = 1000
runs = {}


def make(request):
    """A model file, and rows to ask it about: iris again and again, or rows that were held out."""
    folder = Path(request["folder"])
    if request["name"] == "deep":
        train = request["train"]
        rows, classes = make_classification(
            n_samples=train + ROWS, n_features=20, n_informative=10, n_redundant=5, n_classes=3, flip_y=0.03, random_state=0
        )
        fitted, asked = (rows[:train], classes[:train]), rows[train:]
    else:
        rows, classes = load_iris(return_X_y=True)
        order = np.random.default_rng(0).integers(0, len(rows), ROWS)
        fitted, asked = (rows, classes), rows[order]
    forest = RandomForestClassifier(100, n_jobs=-1, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression()) if request["name"] == "linear" else forest
    model.fit(*(np.ascontiguousarray(part, "<f4") if part.ndim == 2 else part for part in fitted))
    exported = to_onnx(model, initial_types=[("X", FloatTensorType([None, rows.shape[1]]))], target_opset={"": 18, "ai.onnx.ml": 3}, options={id(model): {"zipmap": False}})
    data = exported.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    asked = np.ascontiguousarray(asked, "<f4")
    asked.tofile(folder / "rows.f32")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    load = time.perf_counter() - start
    label, scores = session.run(None, {"X": asked})
    label.astype("<i8").tofile(folder / "labels.i64")
    scores.astype("<f4").tofile(folder / "scores.f32")
    feeds = {1: [{"X": asked[place : place + 1]} for place in range(len(asked))], ROWS: [{"X": asked}]}
    runs.update(run=session.run, feeds=feeds)
    return {"columns": asked.shape[1], "load": load}


def ask(request):
    """Seconds of one run over so many rows: one at a time in turn, or all at once."""
    run, feeds = runs["run"], runs["feeds"][request["rows"]]
    count = max(1, request["runs"] // len(feeds))
    start = time.perf_counter()
    for _ in range(count):
        for feed in feeds:
            run(None, feed)
    return {"seconds": (time.perf_counter() - start) / (count * len(feeds))}


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"make": make, "ask": ask}[request["do"]](request)), flush=True)

"""The other side of `bench forest`: scikit-learn and onnxruntime, asked by a JSON object a line.

Arrays travel as files of plain little-endian numbers in the folder that each request names.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier

data = {}


def generate(request):
    """make_classification as the bar names it; rounded to float32, so that both sides see one table."""
    folder, train = Path(request["folder"]), request["train"]
    if request["name"] == "iris":
        rows, classes = load_iris(return_X_y=True)
    else:
        rows, classes = make_classification(
            n_samples=train + request["test"],
            n_features=20,
            n_informative=10,
            n_redundant=5,
            n_classes=3,
            flip_y=0.03,
            random_state=request["seed"],
        )
    rows = np.ascontiguousarray(rows, dtype="<f4")
    rows.astype("<f8").tofile(folder / "rows.f64")
    classes.astype("<i8").tofile(folder / "classes.i64")
    data.update(x=rows[:train], y=classes[:train], test_x=rows[train:], test_y=classes[train:])
    return {"columns": rows.shape[1]}


def fit(request):
    """scikit-learn gets float32 in C order, which it takes without a copy."""
    forest = RandomForestClassifier(request["trees"], n_jobs=request["jobs"], random_state=request["seed"])
    cpu, start = cpu_seconds(), time.perf_counter()
    forest.fit(data["x"], data["y"])
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu, "accuracy": forest.score(data["test_x"], data["test_y"])}


def predict(request):
    """Labels and probabilities of a model file for all rows in the folder, after onnx.checker."""
    folder = Path(request["folder"])
    model = (folder / "model.onnx").read_bytes()
    onnx.checker.check_model(model, full_check=True)
    rows = np.fromfile(folder / "rows.f64", "<f8").reshape(-1, request["columns"]).astype("<f4")
    label, probabilities = session(model).run(["label", "probabilities"], {"features": rows})
    label.astype("<i8").tofile(folder / "labels.i64")
    probabilities.astype("<f4").tofile(folder / "scores.f32")
    return {}


def row(request):
    """Seconds that onnxruntime takes for one row, distinct rows in turn, one thread."""
    folder = Path(request["folder"])
    rows = np.fromfile(folder / "rows.f64", "<f8").reshape(-1, request["columns"]).astype("<f4")
    feeds = [{"features": rows[place : place + 1]} for place in range(len(rows))]
    run = session((folder / "model.onnx").read_bytes(), threads=1).run
    for feed in feeds:
        run(None, feed)
    start = time.perf_counter()
    for feed in feeds:
        run(None, feed)
    return {"seconds": (time.perf_counter() - start) / len(feeds)}


def session(model, threads=0):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


for line in sys.stdin:
    request = json.loads(line)
    answer = {"generate": generate, "fit": fit, "predict": predict, "row": row}[request["do"]](request)
    print(json.dumps(answer), flush=True)

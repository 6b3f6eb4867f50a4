"""Trains a forest, exports it, and writes the folder that MLServer serves. Arguments: folder, three ports."""

import json
import pathlib
import sys

import joblib
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

folder = pathlib.Path(sys.argv[1])
http, grpc, metrics = map(int, sys.argv[2:5])
x, y = make_classification(
    20_000, 20, n_informative=10, n_classes=3, random_state=1
)
model = RandomForestClassifier(100, random_state=1, n_jobs=-1).fit(x, y)
# MLServer calls it on several rows at once, and must not start a pool of threads for each request.
model.n_jobs = 1
joblib.dump(model, folder / "model.joblib")
onnx = to_onnx(
    model,
    initial_types=[("features", FloatTensorType([None, 20]))],
    options={id(model): {"zipmap": False}},
)
(folder / "model.onnx").write_bytes(onnx.SerializeToString())
settings = {
    "host": "127.0.0.1",
    "http_port": http,
    "grpc_port": grpc,
    "metrics_port": metrics,
    "parallel_workers": 0,
    "debug": False,
}
(folder / "settings.json").write_text(json.dumps(settings))
served = {
    "name": "forest",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": "./model.joblib"},
}
(folder / "model-settings.json").write_text(json.dumps(served))

"""Writes the ONNX files beside it: small models of kinds that the trainer does not make.

Run with the oracle environment (`cargo xtask test` makes it): the files are committed, since most
tests need no Python.
"""

import pathlib

import numpy as np
import pandas as pd
from onnx import save_model
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = pathlib.Path(__file__).parent
OPSET = {"": 18, "ai.onnx.ml": 3}


def save(name, model, **kwargs):
    onnx = to_onnx(model, target_opset=OPSET, **kwargs)
    onnx.producer_version = ""
    save_model(onnx, FOLDER / f"{name}.onnx")


def main():
    rng = np.random.default_rng(7)
    rows = 80
    table = pd.DataFrame({
        "age": rng.uniform(18, 80, rows).astype(np.float32),
        "height": rng.uniform(1.5, 2.0, rows).astype(np.float32),
        "city": rng.choice(["Rome", "Paris", "Oslo"], rows),
        "visits": rng.integers(0, 9, rows),
    })
    grade = np.where(table.age + 10 * (table.city == "Rome") + 4 * table.visits > 65, "high", "low")
    columns = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "height"]),
        ("city", OneHotEncoder(), ["city"]),
        ("visits", "passthrough", ["visits"]),
    ])
    save("columns", make_pipeline(columns, LogisticRegression()).fit(table, grade), initial_types=[
        ("age", FloatTensorType([None, 1])),
        ("height", FloatTensorType([None, 1])),
        ("city", StringTensorType([None, 1])),
        ("visits", Int64TensorType([None, 1])),
    ])

    x = rng.normal(size=(rows, 3)).astype(np.float32)
    matrix = [("input", FloatTensorType([None, 3]))]
    both = np.stack([x @ [1.0, -2.0, 0.5], x @ [0.0, 1.0, 3.0] + 1], axis=1)
    save("two_numbers", LinearRegression().fit(x, both), initial_types=matrix)
    forest = IsolationForest(n_estimators=3, max_samples=16, random_state=1).fit(x)
    save("outliers", forest, initial_types=matrix)


main()

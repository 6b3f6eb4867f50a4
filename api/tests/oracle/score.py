"""score.py PROGRAM MODEL...: `PROGRAM score` beside onnxruntime, for files as pandas writes them.

Each model has one float input of rows, or an input for each column.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
import pandas as pd


def table(session, rows, rng):
    """Columns by name, and what onnxruntime is given for them."""
    inputs = session.get_inputs()
    if len(inputs) == 1 and inputs[0].shape[1] > 1:
        values = np.round(rng.uniform(0, 8, (rows, inputs[0].shape[1])), 3)
        values[rng.random(values.shape) < 0.02] = np.nan
        columns = [f"x{index}" for index in range(values.shape[1])]
        return pd.DataFrame(values, columns=columns), {inputs[0].name: values.astype(np.float32)}
    columns = {}
    for one in inputs:
        if one.type == "tensor(string)":
            columns[one.name] = rng.choice(["Rome", "Paris", "Oslo"], rows)
        elif one.type == "tensor(int64)":
            columns[one.name] = rng.integers(0, 9, rows)
        else:
            columns[one.name] = np.where(rng.random(rows) < 0.1, np.nan, rng.uniform(1, 80, rows))
    types = {"tensor(string)": object, "tensor(int64)": np.int64, "tensor(float)": np.float32}
    feeds = {one.name: columns[one.name].astype(types[one.type]).reshape(-1, 1) for one in inputs}
    return pd.DataFrame(columns)[list(columns)[::-1]], feeds


def check(program, model, folder):
    rng = np.random.default_rng(3)
    session = onnxruntime.InferenceSession(model)
    frame, feeds = table(session, 20_011, rng)
    frame["id"] = np.arange(len(frame))
    label, scores = session.run(None, feeds)
    if isinstance(scores, list):
        scores = pd.DataFrame(scores).to_numpy()
    files = {
        "plain.csv": lambda path: frame.to_csv(path, index=False),
        "snappy.parquet": lambda path: frame.to_parquet(path),
        "zstd.parquet": lambda path: frame.to_parquet(path, compression="zstd", row_group_size=3000),
        "raw.parquet": lambda path: frame.to_parquet(path, compression=None, version="1.0"),
    }
    for name, write in files.items():
        data = folder / name
        write(data)
        for ending, read in [("csv", pd.read_csv), ("parquet", pd.read_parquet), ("jsonl", lambda path: pd.read_json(path, lines=True))]:
            out = folder / f"out.{ending}"
            command = [program, "score", "--model", model, "--data", data, "--out", out, "--keep", "id"]
            subprocess.run(command, check=True, capture_output=True)
            found = read(out)
            assert found["id"].astype(int).tolist() == frame["id"].tolist(), (name, ending)
            assert found["prediction"].tolist() == label.ravel().tolist(), (name, ending)
            rest = found.drop(columns=["id", "prediction", "class_name"], errors="ignore").to_numpy(dtype=float)
            np.testing.assert_allclose(rest, scores, rtol=1e-5, atol=1e-6)


def main():
    program, *models = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            check(program, model, pathlib.Path(folder))


main()

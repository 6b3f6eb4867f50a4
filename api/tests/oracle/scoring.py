"""scoring.py HOST:PORT MODEL: MLflow's client and server beside ours, which serves MODEL at HOST:PORT.

The client's answers are compared with onnxruntime's; status and error_code of refusals with those of
MLflow's scoring server for a model with the same columns.
"""

import asyncio
import json
import logging
import os
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
import requests
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from mlflow.types import ColSpec, Schema

logging.disable(logging.WARNING)
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
JSON, CSV = "application/json", "text/csv"


def client_matches_onnxruntime(host, port, path):
    session = onnxruntime.InferenceSession(path)
    rng = np.random.default_rng(11)
    x = np.round(rng.uniform(0, 8, (200, 4)), 3)
    holes = np.where(rng.random(x.shape) < 0.05, np.nan, x)
    client = ScoringServerClient(host, port)
    client.wait_server_ready(timeout=10)
    assert client.get_version() == mlflow.__version__, client.get_version()
    for rows in (x, holes):
        expected = session.run(["label"], {"features": rows.astype(np.float32)})[0].tolist()
        table = pd.DataFrame(rows, columns=NAMES)
        shuffled = table[["petal_width", "sepal_length", "petal_length", "sepal_width"]].assign(more="x")
        for data in (rows, rows.tolist(), table, shuffled, shuffled.set_index(shuffled.index * 2), pd.DataFrame(rows)):
            found = client.invoke(data, params={} if data is rows else None)["predictions"]
            assert found == expected, (type(data), found, expected)
        csv = requests.post(f"http://{host}:{port}/invocations", data=shuffled.to_csv(), headers={"content-type": CSV})
        assert csv.json()["predictions"] == expected, csv.text
        records = json.dumps({"dataframe_records": table.to_dict(orient="records")})
        answer = requests.post(f"http://{host}:{port}/invocations", data=records, headers={"content-type": JSON})
        assert answer.json()["predictions"] == expected, answer.text


class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return np.asarray(model_input[NAMES], dtype=float).sum(axis=1)


def their_app():
    folder = tempfile.mkdtemp()
    schema = Schema([ColSpec("double", name) for name in NAMES])
    signature = ModelSignature(schema, Schema([ColSpec("double")]))
    mlflow.pyfunc.save_model(folder + "/model", python_model=Sum(), signature=signature, pip_requirements=[])
    return scoring_server.init(mlflow.pyfunc.load_model(folder + "/model"))


def ask_theirs(app, method, path, kind, body):
    """Over ASGI itself: FastAPI's test client needs a package that nothing else needs."""
    answer = {"body": b""}

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
        else:
            answer["body"] += message.get("body", b"")

    headers = [(b"content-type", kind.encode())] if kind else []
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
             "raw_path": path.encode(), "query_string": b"", "headers": headers, "server": ("test", 80),
             "client": ("test", 1), "scheme": "http", "root_path": ""}

    async def run():
        # Starlette's middleware listens for the client's end after the body.
        bodies = iter([await receive()])

        async def once():
            for message in bodies:
                return message
            await asyncio.sleep(60)

        try:
            await app(scope, once, send)
        except Exception:
            # The server's last resort has answered 500 and raises on.
            pass

    asyncio.run(run())
    return answer["status"], code(answer["body"])


def ask_ours(host, port, method, path, kind, body):
    headers = {"content-type": kind} if kind else {}
    answer = requests.request(method, f"http://{host}:{port}{path}", data=body, headers=headers)
    return answer.status_code, code(answer.content)


def code(body):
    try:
        return json.loads(body)["error_code"]
    except (ValueError, TypeError, KeyError):
        return None


def split(columns, *data, **more):
    return json.dumps({"dataframe_split": {"columns": columns, "data": list(data), **more}})


ROW = [5.1, 3.5, 1.4, 0.2]
RECORD = dict(zip(NAMES, ROW))
HEADER = ",".join(NAMES) + "\n"

# Content type, body, and where we differ on purpose: their answer, ours.
REQUESTS = [
    (JSON, split(NAMES, ROW)),
    (JSON, split(NAMES[::-1] + ["more"], ROW + ["x"])),
    (JSON, split(NAMES)),
    (JSON, split(NAMES[:2], ROW[:2])),
    (JSON, split(NAMES, ROW[:3])),
    (JSON, split(NAMES, ROW + [1])),
    (JSON, split(NAMES, ROW, more=1)),
    (JSON, split(NAMES, ROW[:3] + ["x"])),
    (JSON, split(NAMES, ROW[:3] + [True])),
    (JSON, split(["a", "b", "c", "d"], ROW)),
    (JSON, '{"dataframe_split": [1]}'),
    (JSON, '{"dataframe_split": 1}'),
    (JSON, '{"dataframe_split": {}}'),
    (JSON, '{"dataframe_split": {"index": [1]}}'),
    # Ours finds the columns wrong before it sees that there is no data.
    (JSON, '{"dataframe_split": {"columns": ["a"]}}', (400, "BAD_REQUEST"), (400, "INVALID_PARAMETER_VALUE")),
    (JSON, json.dumps({"dataframe_records": [RECORD, RECORD]})),
    (JSON, '{"dataframe_records": {"a": 1}}'),
    (JSON, '{"dataframe_records": 1}'),
    (JSON, '{"dataframe_records": []}'),
    (JSON, '{"dataframe_records": [[1, 2, 3, 4]]}'),
    (JSON, '{"dataframe_records": [1]}'),
    (JSON, '{"dataframe_records": [{"a": 1}]}'),
    (JSON, json.dumps({"instances": [RECORD]})),
    (JSON, json.dumps({"instances": [RECORD, {"petal_width": 1}]})),
    (JSON, json.dumps({"instances": {name: [1, 2] for name in NAMES}})),
    (JSON, json.dumps({"instances": {name: [1] * (1 + (name == NAMES[3])) for name in NAMES}})),
    (JSON, json.dumps({"inputs": {name: [1] * (1 + (name == NAMES[3])) for name in NAMES}})),
    (JSON, json.dumps({"inputs": {name: 1 for name in NAMES}})),
    (JSON, json.dumps({"inputs": {name: ["x"] for name in NAMES}})),
    (JSON, json.dumps({"inputs": [RECORD, RECORD]})),
    (JSON, '{"inputs": 3}'),
    (JSON, '{"inputs": []}'),
    (JSON, '{"inputs": [1, 2]}'),
    (JSON, json.dumps({"inputs": [RECORD], "instances": []})),
    (JSON, json.dumps({"inputs": [RECORD], "params": {}, "other": 1})),
    (JSON, "{}"),
    (JSON, "[1]"),
    (JSON, "1"),
    (JSON, "null"),
    (JSON, ""),
    (JSON, '{"a":'),
    (JSON, '{"columns": ["a"], "data": [[1]]}'),
    ("application/json; charset=UTF-8", split(NAMES, ROW)),
    ("application/json; charset=latin-1", split(NAMES, ROW)),
    ("application/json; format=pandas-split", '{"columns": ["a"], "data": [[1]]}'),
    ("text/plain", "x"),
    (CSV, HEADER + "1,2,3,4\n"),
    (CSV, HEADER),
    (CSV, HEADER + "1,2,3,x\n"),
    (CSV, HEADER + "1,2,3,4\n1,2,3,4,5\n"),
    (CSV, "sepal_length\n1\n"),
    (CSV, ""),
    ("text/csv; header=present", HEADER),
    # Theirs converts; ours takes it for a mistake.
    (JSON, split(NAMES, ["5.1", 3.5, 1.4, 0.2]), (200, None), (400, "BAD_REQUEST")),
    # Theirs repeats the row for each label of the index.
    (JSON, split(NAMES, ROW, index=[1, 2]), (200, None), (400, "BAD_REQUEST")),
    # Theirs says in its log that they are ignored.
    (JSON, json.dumps({"inputs": [RECORD], "params": {"p": 1}}), (200, None), (400, "INVALID_PARAMETER_VALUE")),
    # Theirs fills the row up.
    (CSV, HEADER + "1,2,3\n", (200, None), (400, "BAD_REQUEST")),
    # Theirs breaks.
    (None, split(NAMES, ROW), (500, None), (415, "BAD_REQUEST")),
]


def main():
    address, path = sys.argv[1:]
    host, port = address.split(":")
    client_matches_onnxruntime(host, port, path)
    app = their_app()
    wrong = []
    for kind, body, *differs in REQUESTS:
        body = body.encode()
        theirs = ask_theirs(app, "POST", "/invocations", kind, body)
        ours = ask_ours(host, port, "POST", "/invocations", kind, body)
        # Of 415 theirs is plain text.
        same = ours == theirs or (theirs == (415, None) and ours == (415, "BAD_REQUEST"))
        if not (list(differs) == [theirs, ours] if differs else same):
            wrong.append((kind, body, theirs, ours))
    for method, path in [("GET", "/ping"), ("GET", "/version"), ("POST", "/version"), ("GET", "/invocations")]:
        theirs, ours = ask_theirs(app, method, path, None, b""), ask_ours(host, port, method, path, None, b"")
        if theirs[0] != ours[0]:
            wrong.append((method, path, theirs, ours))
    for line in wrong:
        print("theirs, ours:", *line)
    print(f"compared {len(REQUESTS)} requests")
    sys.exit(bool(wrong))


main()

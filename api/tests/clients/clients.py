"""The protocols' own clients against a server (those of V2 over REST are in ../oracle/v2.py): `clients.py triton|kserve|mlflow|curl FILE.onnx NAME HTTP GRPC`.

Triton's and KServe's cannot be in one process: both register the messages of their gRPC services.
"""

import asyncio
import json
import sys
import urllib.error
import urllib.request

import numpy as np
import onnxruntime
import pandas as pd

ROWS = 17
# As in the rows that the models were trained on.
WORDS = {"city": ["Bern", "Zürich"], "grade": ["low", "mid", "high"]}
V2 = {"tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(int64)": "INT64", "tensor(string)": "BYTES"}
TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


def feeds(session, name):
    """Rows for each input; with missing values where the model was trained with some."""
    random = np.random.default_rng(7)
    given = {}
    for put in session.get_inputs():
        shape = [ROWS, *put.shape[1:]]
        if put.type == "tensor(string)":
            given[put.name] = random.choice(WORDS[put.name], size=shape).astype(object)
        elif put.type == "tensor(int64)":
            given[put.name] = random.integers(18, 80, size=shape)
        else:
            given[put.name] = random.normal(2.0, 2.0, size=shape).astype(TYPES[put.type])
    if "_nan_" in name:
        for values in given.values():
            values[random.random(values.shape) < 0.1] = np.nan
    return given


def expected(session, given):
    """Name to array; a ZipMap's rows become one matrix in the order of its classes."""
    outputs = {}
    for put, value in zip(session.get_outputs(), session.run(None, given)):
        if isinstance(value, list):
            value = np.array([list(row.values()) for row in value], dtype=np.float32)
        outputs[put.name] = value
    return outputs


def same(client, name, found, wanted):
    found = np.asarray(found)
    if found.dtype.kind in "OSU":
        found = np.array([x.decode() if isinstance(x, bytes) else x for x in found.ravel()], dtype=object)
        assert list(found) == list(wanted.ravel()), (client, name, found, wanted)
        return
    assert list(found.shape) == list(wanted.shape), (client, name, found.shape, wanted.shape)
    np.testing.assert_allclose(
        found.astype(np.float64), wanted.astype(np.float64), rtol=1e-5, atol=1e-6, err_msg=f"{client} {name}"
    )


def triton(module, address, name, session, given, wanted):
    label = module.__name__
    client = module.InferenceServerClient(address)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(name), label
    meta = client.get_model_metadata(name)
    meta = meta if isinstance(meta, dict) else json.loads(module_json(meta))
    assert [put["name"] for put in meta["inputs"]] == [put.name for put in session.get_inputs()], meta
    assert [put["datatype"] for put in meta["inputs"]] == [V2[put.type] for put in session.get_inputs()], meta
    assert [put["name"] for put in meta["outputs"]] == list(wanted), meta
    inputs = []
    for put in session.get_inputs():
        values = given[put.name]
        made = module.InferInput(put.name, list(values.shape), V2[put.type])
        made.set_data_from_numpy(values)
        inputs.append(made)
    # All outputs unasked for, then each by its name, the last one first.
    answer = client.infer(name, inputs, request_id="all")
    for put, value in wanted.items():
        same(label, put, answer.as_numpy(put), value)
    asked = [module.InferRequestedOutput(put) for put in reversed(wanted)]
    answer = client.infer(name, inputs, outputs=asked, request_id="named")
    for put, value in wanted.items():
        same(label, put, answer.as_numpy(put), value)
    try:
        client.infer("nobody", inputs)
        raise AssertionError(f"{label}: an unknown model answered")
    except module.InferenceServerException as error:
        assert "nobody" in str(error), error
    client.close()


def module_json(message):
    from google.protobuf.json_format import MessageToJson

    return MessageToJson(message, preserving_proto_field_name=True)


def kserve_request(name, session, given, binary):
    from kserve import InferInput, InferRequest

    inputs = []
    for put in session.get_inputs():
        values = given[put.name]
        made = InferInput(put.name, list(values.shape), V2[put.type])
        made.set_data_from_numpy(values, binary_data=binary)
        inputs.append(made)
    return InferRequest(model_name=name, infer_inputs=inputs, request_id="kserve")


async def kserve_grpc(address, name, session, given, wanted):
    from kserve import InferenceGRPCClient

    client = InferenceGRPCClient(address)
    assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready(name)
    for binary in (True, False):
        answer = await client.infer(kserve_request(name, session, given, binary))
        for output in answer.outputs:
            same(f"kserve grpc binary={binary}", output.name, output.as_numpy(), wanted[output.name])
    await client.close()


def mlflow(address, session, given, wanted):
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    columns = {}
    for put in session.get_inputs():
        values = given[put.name]
        if values.shape[1] == 1:
            columns[put.name] = values[:, 0]
        else:
            columns.update({f"feature_{i}": values[:, i] for i in range(values.shape[1])})
    client = ScoringServerClient("127.0.0.1", int(address.rsplit(":", 1)[1]))
    client.wait_server_ready(timeout=20)
    found = client.invoke(pd.DataFrame(columns)).get_predictions()
    found = found.to_numpy()
    first = next(iter(wanted.values()))
    same("mlflow", "predictions", found.reshape(first.shape), first)


def curl(address, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", data=data, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def main(client, model, name, http, grpc):
    session = onnxruntime.InferenceSession(model)
    given = feeds(session, name)
    wanted = expected(session, given)
    if client == "triton":
        import tritonclient.grpc

        triton(tritonclient.grpc, grpc, name, session, given, wanted)
    elif client == "kserve":
        asyncio.run(kserve_grpc(grpc, name, session, given, wanted))
    elif client == "mlflow":
        mlflow(http, session, given, wanted)
    else:
        status, body = curl(http, f"/v2/models/{name}/infer", {"inputs": []})
        assert status == 400 and set(body) == {"error"} and body["error"], (status, body)
        status, body = curl(http, "/invocations", {"rows": []})
        assert status == 400 and body["error_code"] == "BAD_REQUEST", (status, body)
        status, body = curl(http, "/v2/models/nobody")
        assert status == 404 and "nobody" in body["error"], (status, body)
    print(f"{client} {name}: {', '.join(wanted)} as onnxruntime's")


if __name__ == "__main__":
    main(*sys.argv[1:])

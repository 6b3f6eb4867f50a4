"""Asks servers as tritonclient and KServe's client do, and compares with onnxruntime.

Arguments: HOST:PORT=FILE.onnx for each server; the model's name is the file's.
"""

import asyncio
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from tritonclient.utils import InferenceServerException

onnxruntime.set_default_logger_severity(3)
ROWS = 7
WORDS = np.array(["Bern", "Zürich", "low", "high", ""], object)
KINDS = {"tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(int64)": "INT64", "tensor(string)": "BYTES"}


def feed(put, rng):
    shape = [ROWS, *put.shape[1:]]
    match KINDS[put.type]:
        case "FP32":
            return rng.normal(3, 2, shape).astype(np.float32)
        case "FP64":
            return rng.normal(3, 2, shape)
        case "INT64":
            return rng.integers(-50, 50, shape)
        case "BYTES":
            return WORDS[rng.integers(0, len(WORDS), shape)]


def text(values):
    """Strings as strings: clients give bytes where tensors are binary."""
    if values.dtype.kind not in "OSU":
        return values
    plain = [value.decode() if isinstance(value, bytes) else str(value) for value in values.flatten()]
    return np.array(plain, object).reshape(values.shape)


def same(found, expected, what):
    found, expected = text(np.asarray(found)), text(expected)
    assert found.shape == expected.shape, (what, found.shape, expected.shape)
    if expected.dtype.kind == "f":
        assert found.dtype == expected.dtype, (what, found.dtype, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=str(what))
    else:
        assert (found == expected).all(), (what, found, expected)


def expected_of(session, feeds):
    answers = session.run(None, feeds)
    # A ZipMap's dictionaries are one table here.
    table = lambda values: np.array([list(row.values()) for row in values], np.float32)
    tables = [table(values) if isinstance(values, list) else values for values in answers]
    return dict(zip([put.name for put in session.get_outputs()], tables))


def by_triton(address, name, feeds, expected):
    client = triton.InferenceServerClient(address)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(name)
    assert not client.is_model_ready("other") and not client.is_model_ready(name, "0")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(name)
    version = metadata["versions"][0]
    assert client.get_model_metadata(name, version) == metadata
    kinds = {put["name"]: put["datatype"] for put in metadata["inputs"]}
    assert kinds == {key: triton_kind(value) for key, value in feeds.items()}, kinds
    assert [put["name"] for put in metadata["outputs"]] == list(expected)

    def inputs(is_binary):
        puts = []
        for key, value in feeds.items():
            puts.append(triton.InferInput(key, list(value.shape), kinds[key]))
            puts[-1].set_data_from_numpy(value, binary_data=is_binary)
        return puts

    asked = lambda is_binary: [triton.InferRequestedOutput(key, binary_data=is_binary) for key in expected]
    for way, puts, outputs in [
        ("binary", inputs(True), None),
        ("binary in, JSON out", inputs(True), asked(False)),
        ("JSON in, binary out", inputs(False), asked(True)),
        ("JSON", inputs(False), asked(False)),
        ("JSON in, all out", inputs(False), None),
        ("the last output", inputs(True), asked(True)[-1:]),
    ]:
        answer = client.infer(name, puts, outputs=outputs, request_id="seven", parameters={"a": "b"})
        response = answer.get_response()
        assert (response["id"], response["model_name"], response["model_version"]) == ("seven", name, version)
        assert response["parameters"]["a"] == "b", response
        wanted = expected if outputs is None else {put.name(): expected[put.name()] for put in outputs}
        assert [put["name"] for put in response["outputs"]] == list(wanted), response
        for key, values in wanted.items():
            same(answer.as_numpy(key), values, (name, way, key))
    for model, version, status in [("other", "", "404"), (name, "0", "404"), (name, "", "400")]:
        try:
            client.infer(model, inputs(True), model_version=version, outputs=[triton.InferRequestedOutput("none")])
            raise AssertionError("answered")
        except InferenceServerException as error:
            assert error.status() == status and "unknown" in error.message(), error
    client.close()


def triton_kind(values):
    return {"f4": "FP32", "f8": "FP64", "i8": "INT64"}.get(values.dtype.str[1:], "BYTES")


async def by_kserve(address, name, feeds, expected):
    url = f"http://{address}"
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, name)
    assert not await client.is_model_ready(url, "other")

    def request(is_binary, outputs):
        puts = []
        for key, value in feeds.items():
            puts.append(InferInput(key, list(value.shape), triton_kind(value)))
            puts[-1].set_data_from_numpy(value, binary_data=is_binary)
        return InferRequest(model_name=name, infer_inputs=puts, request_id="seven", request_outputs=outputs)

    binary = [RequestedOutput(key, {"binary_data": True}) for key in expected]
    for way, asked in [
        ("binary", request(True, binary)),
        ("binary in", request(True, None)),
        ("binary out", request(False, binary)),
        ("JSON", request(False, None)),
    ]:
        answer = await client.infer(url, asked, model_name=name)
        assert answer.id == "seven"
        assert [put.name for put in answer.outputs] == list(expected)
        for put in answer.outputs:
            same(put.as_numpy(), expected[put.name], (name, "kserve", way, put.name))
    try:
        await client.infer(url, {"inputs": []}, model_name=name)
        raise AssertionError("answered")
    except Exception as error:
        assert "400" in str(error) and "is missing" in str(error), error
    await client.close()


def main():
    for number, argument in enumerate(sys.argv[1:]):
        address, _, file = argument.partition("=")
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        rng = np.random.default_rng(number)
        feeds = {put.name: feed(put, rng) for put in session.get_inputs()}
        expected = expected_of(session, feeds)
        name = Path(file).stem
        by_triton(address, name, feeds, expected)
        asyncio.run(by_kserve(address, name, feeds, expected))
        print(name, list(expected))


main()

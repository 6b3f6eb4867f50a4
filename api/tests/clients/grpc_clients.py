"""Asks a server over gRPC with a client that people have: tritonclient's or KServe's.

Arguments: the client (both register the same protobuf names, a process can have one), the address and, for TLS,
the certificate to trust. The model is the fixture's classifier. Prints what was answered as JSON.
"""

import asyncio
import json
import sys

import numpy as np

CLIENT, ADDRESS, *TRUSTED = sys.argv[1:]
MODEL = "iris-model"
ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], dtype=np.float32)


def triton():
    import tritonclient.grpc as client
    from tritonclient.utils import InferenceServerException

    def refused(call):
        try:
            call()
        except InferenceServerException as error:
            return [error.status(), error.message()]
        raise AssertionError("it was not refused")

    def features(rows, datatype="FP32"):
        tensor = client.InferInput("features", list(rows.shape), datatype)
        tensor.set_data_from_numpy(rows)
        return tensor

    server = client.InferenceServerClient(ADDRESS, ssl=bool(TRUSTED), root_certificates=(TRUSTED or [None])[0])
    metadata = server.get_model_metadata(MODEL, as_json=True)
    everything = server.infer(
        MODEL,
        [features(ROWS)],
        request_id="one",
        priority=1,
        timeout=1000,
        parameters={"who": "me"},
        client_timeout=10,
    )
    some = server.infer(MODEL, [features(ROWS)], outputs=[client.InferRequestedOutput("probabilities")])
    return {
        "live": server.is_server_live(),
        "ready": [server.is_server_ready(), server.is_model_ready(MODEL), server.is_model_ready(MODEL, "3")],
        "server": server.get_server_metadata(as_json=True)["name"],
        "metadata": metadata,
        "id": everything.get_response().id,
        "parameters": sorted(everything.get_response().parameters),
        "label": everything.as_numpy("label").tolist(),
        "probabilities": everything.as_numpy("probabilities").tolist(),
        "some": [some.as_numpy("label"), some.as_numpy("probabilities").tolist()],
        "unknown model": refused(lambda: server.infer("wine", [features(ROWS)])),
        "unknown version": refused(lambda: server.is_model_ready(MODEL, "9")),
        "datatype": refused(lambda: server.infer(MODEL, [features(ROWS.astype(np.float64), "FP64")])),
        "shape": refused(lambda: server.infer(MODEL, [features(ROWS[:, :3])])),
        "classification": refused(
            lambda: server.infer(
                MODEL, [features(ROWS)], outputs=[client.InferRequestedOutput("label", class_count=2)]
            )
        ),
        "compressed": refused(
            lambda: server.infer(MODEL, [features(ROWS)], compression_algorithm="gzip")
        ),
        "config": refused(lambda: server.get_model_config(MODEL)),
    }


async def kserve():
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    server = InferenceGRPCClient(
        ADDRESS, timeout=10, use_ssl=bool(TRUSTED), root_certificates=(TRUSTED or [None])[0]
    )
    answers = {"ready": [await server.is_server_live(), await server.is_server_ready(), await server.is_model_ready(MODEL)]}
    for name, binary in [("typed", False), ("raw", True)]:
        tensor = InferInput("features", list(ROWS.shape), "FP32")
        tensor.set_data_from_numpy(ROWS, binary_data=binary)
        answer = await server.infer(
            InferRequest(MODEL, [tensor], request_id=name, parameters={"who": "me"})
        )
        answers[name] = {
            "id": answer.id,
            **{output.name: output.as_numpy().tolist() for output in answer.outputs},
        }
    await server.close()
    return answers


print(json.dumps(triton() if CLIENT == "triton" else asyncio.run(kserve())))

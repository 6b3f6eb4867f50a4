"""What a JSON Schema cannot say of a request, for schemathesis: `main.rs` beside this starts it.

Each rule is one that the document has in words. Everything else that is sent is what schemathesis
makes of the schemas; a request that is still broken after this is expected to be refused.
"""

import json
import math
import struct

import requests
import schemathesis
from hypothesis import strategies as st

LENGTH = "Inference-Header-Content-Length"
SIZES = {"BOOL": "?", "INT32": "<i", "INT64": "<q", "FP32": "<f", "FP64": "<d"}
ELEMENTS = {
    "BOOL": st.booleans(),
    "INT32": st.integers(-(2**31), 2**31 - 1),
    "INT64": st.integers(-(2**63), 2**63 - 1),
    "FP32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "FP64": st.floats(allow_nan=False, allow_infinity=False),
    "BYTES": st.text(max_size=5).map(str.encode),
}

# Bodies of the document by name.
SCHEMAS = {}


@schemathesis.hook
def after_load_schema(context, schema):
    SCHEMAS.update(schema.raw_schema["components"]["schemas"])


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.media_type == "application/json" and isinstance(case.body, dict):
        if case.operation.path.endswith("/infer"):
            tensors(case.body)
        if case.operation.path == "/invocations":
            table(case.body)
    if case.operation.path.endswith("/infer") and case.meta.generation.mode.is_positive:
        length(case)


def tensors(body):
    """Inputs have equally many rows, their shapes say how many, and an output is asked for once."""
    inputs = body.get("inputs")
    if isinstance(inputs, list) and inputs and all(map(is_tensor, inputs)):
        rows = min(len(put["data"]) // (1 if nested(put) else width(put)) for put in inputs)
        for put in inputs:
            put["data"] = put["data"][: rows * (1 if nested(put) else width(put))]
            put["shape"][0] = type(put["shape"][0])(rows)
    wanted = body.get("outputs")
    if isinstance(wanted, list) and all(isinstance(put, dict) and isinstance(put.get("name"), str) for put in wanted):
        body["outputs"] = list({put["name"]: put for put in wanted}.values())


def is_tensor(put):
    """Whether there is a shape to mend: one that is broken is left."""
    if not isinstance(put, dict) or not isinstance(put.get("data"), list) or not isinstance(put.get("shape"), list):
        return False
    return bool(put["shape"]) and all(type(size) in (int, float) and size >= 1 and size == int(size) for size in put["shape"])


def nested(put):
    return any(isinstance(value, list) for value in put["data"])


def width(put):
    return int(math.prod(put["shape"][1:]))


def table(body):
    """Columns are equally long, an index is as long as they are, and what a record lacks that others have is null."""
    split = body.get("dataframe_split")
    if isinstance(split, dict) and isinstance(split.get("data"), list) and isinstance(split.get("index"), list):
        split["index"] = list(range(len(split["data"])))
    names = next(rows["required"] for rows in SCHEMAS["ScoringRows"]["anyOf"] if rows["type"] == "object")
    records = body.get("dataframe_records")
    if isinstance(records, list) and all(isinstance(record, dict) for record in records):
        given = {name for record in records for name in names if name in record}
        body["dataframe_records"] = [{**dict.fromkeys(given), **record} for record in records]
    for field in ("instances", "inputs"):
        columns = body.get(field)
        if isinstance(columns, dict) and all(name in columns for name in names):
            # A value alone is a column of one row.
            lists = {name: columns[name] if isinstance(columns[name], list) else [columns[name]] for name in names}
            rows = min(map(len, lists.values()))
            columns.update({name: values[:rows] for name, values in lists.items()})


def length(case):
    """The header says where the JSON ends; it may be left out where nothing follows."""
    body = requests.Request(**case.as_transport_kwargs()).prepare().body
    if not isinstance(body, bytes):
        return
    text = body.decode("latin-1")
    end = json.JSONDecoder().raw_decode(text)[1]
    if end < len(body) or LENGTH in (case.headers or {}):
        case.headers = {**(case.headers or {}), LENGTH: str(end)}


@st.composite
def binary(draw):
    """JSON with all inputs as binary tensors behind it."""
    rows = draw(st.integers(1, 3))
    inputs, tail = [], b""
    for place in SCHEMAS["V2InferRequest"]["properties"]["inputs"]["prefixItems"]:
        fields = SCHEMAS[place["$ref"].rsplit("/", 1)[1]]["properties"]
        datatype = fields["datatype"]["enum"][0]
        shape = [rows] + [size["enum"][0] for size in fields["shape"]["prefixItems"][1:]]
        count = rows * width({"shape": shape})
        values = draw(st.lists(ELEMENTS[datatype], min_size=count, max_size=count))
        if datatype == "BYTES":
            data = b"".join(struct.pack("<I", len(value)) + value for value in values)
        else:
            data = b"".join(struct.pack(SIZES[datatype], value) for value in values)
        parameters = {"binary_data_size": len(data)}
        inputs.append({"name": fields["name"]["enum"][0], "datatype": datatype, "shape": shape, "parameters": parameters})
        tail += data
    return json.dumps({"inputs": inputs}).encode() + tail


schemathesis.openapi.media_type("application/octet-stream", binary())

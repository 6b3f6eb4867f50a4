"""Parses documents strictly with the published messages and loads them with the SDK.

In: [text, ...]. Out: [{"errors": [...], "documents": [...], "again": "IR as the SDK writes it"}, ...].
"""
import json
import os
import sys
import tempfile
import warnings

import yaml

warnings.simplefilter("ignore")

from google.protobuf import json_format  # noqa: E402
from kfp import compiler, components  # noqa: E402
from kfp.kubernetes import kubernetes_executor_config_pb2  # noqa: E402
from kfp.pipeline_spec import pipeline_spec_pb2  # noqa: E402


def strict(document, message):
    json_format.ParseDict(document, message, ignore_unknown_fields=False)


def parse(documents):
    pipeline = documents[0]
    strict(pipeline, pipeline_spec_pb2.PipelineSpec())
    # A Struct for PipelineSpec: what is in it is looked at by nobody, the server included.
    strict(pipeline["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig())
    for platform in documents[1:]:
        strict(platform, pipeline_spec_pb2.PlatformSpec())
        executors = platform["platforms"]["kubernetes"].get("deploymentSpec", {}).get("executors", {})
        for label, executor in executors.items():
            assert label in pipeline["deploymentSpec"]["executors"], label
            strict(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())


def loaded(text, folder):
    component = components.load_component_from_text(text)
    path = os.path.join(folder, "again.yaml")
    compiler.Compiler().compile(component, path)
    with open(path) as file:
        again = file.read()
    # The comment above has descriptions and defaults as they are, with control characters that no YAML may have.
    return again[again.index("components:\n"):]


class Quoted(yaml.SafeDumper):
    """The SDK's own writer leaves 0o17 and 1e3 bare, which are numbers for readers of YAML 1.2, Go's included."""


Quoted.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def judge(text, folder):
    said = {"errors": [], "documents": [], "again": None}
    try:
        said["documents"] = list(yaml.safe_load_all(text))
        parse(said["documents"])
        said["again"] = yaml.dump_all(yaml.safe_load_all(loaded(text, folder)), Dumper=Quoted)
    except Exception as error:  # every failure is the test's to show
        said["errors"].append(f"{type(error).__name__}: {error}")
    return said


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        json.dump([judge(text, folder) for text in json.load(sys.stdin)], sys.stdout)

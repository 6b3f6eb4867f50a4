"""Pipelines of container components alone, written with the SDK. Prints {"name": "IR", ...} as JSON."""
import io
import json
import os
import tempfile

from kfp import compiler, dsl, kubernetes
from kfp.dsl import ClassificationMetrics, Dataset, Input, Metrics, Model, Output, OutputPath

IMAGE = "driftless/step:1"
ALL = []


def kept(function):
    ALL.append(function)
    return function


@dsl.container_component
def say(text: str, copy: OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "say"], args=["--text", text, "--out", copy])


@dsl.container_component
def count(upto: int, total: OutputPath(int)):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "count", upto], args=[total])


@dsl.container_component
def share(value: float, half: OutputPath(float)):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "share"], args=[value, half])


@dsl.container_component
def flip(yes: bool, no: OutputPath(bool)):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "flip"], args=[yes, no])


@dsl.container_component
def lists(items: list, options: dict, found: OutputPath(list), chosen: OutputPath(dict)):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "lists"], args=[items, options, found, chosen])


@dsl.container_component
def make(rows: int, data: Output[Dataset]):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "make"], args=[f"--rows={rows}", data.path, data.uri])


@dsl.container_component
def fit(data: Input[Dataset], model: Output[Model], metrics: Output[Metrics], curve: Output[ClassificationMetrics]):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "fit"],
                             args=[data.path, data.uri, model.path, metrics.path, curve.path, "{{$}}"])


@dsl.container_component
def greet(name: str, title: str = "Dr", loud: bool = False):
    return dsl.ContainerSpec(
        image=IMAGE, command=["/step", "greet"],
        args=[name, dsl.IfPresentPlaceholder(input_name="title", then=["--title", title], else_=["--plain"]),
              dsl.IfPresentPlaceholder(input_name="loud", then="--loud")])


@dsl.container_component
def status(end: dsl.PipelineTaskFinalStatus):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "status"], args=[end])


@dsl.container_component
def bare():
    return dsl.ContainerSpec(image=IMAGE, command=["true"])


@dsl.container_component
def gather(totals: list):
    return dsl.ContainerSpec(image=IMAGE, command=["/step", "gather"], args=[totals])


@kept
@dsl.pipeline(name="one-step")
def one_step():
    bare()


@kept
@dsl.pipeline(name="chain-of-text", description="One text through two steps", display_name="A chain")
def chain(text: str = "yes") -> str:
    first = say(text=text)
    return say(text=first.outputs["copy"]).output


@kept
@dsl.pipeline(name="every-type")
def every_type(a: str, b: int, c: float, d: bool, e: list, f: dict):
    say(text=a)
    count(upto=b)
    share(value=c)
    flip(yes=d)
    lists(items=e, options=f)


@kept
@dsl.pipeline(name="every-default")
def every_default(a: str = "12:30", b: int = -7, c: float = 1e-7, d: bool = True,
                  e: list = [1, "two", 2.5, [True]], f: dict = {"on": {"off": [1]}, "": "null"}):
    say(text=a)
    count(upto=b)
    share(value=c)
    flip(yes=d)
    lists(items=e, options=f)


@kept
@dsl.pipeline(name="hostile-constants")
def hostile():
    for text in ["yes", "on", "12:30", "0x1F", "1_000", "~", "", " lead", "a: b", "# no", "line\nbreak\n", "ü💡",
                 "'q'", '"d"', "\\", "\t", "2026-11-22", "null", "=", "!!str x", "&a", "*a", "- a", "%d"]:
        say(text=text)


@kept
@dsl.pipeline(name="text-inside-text")
def inside(name: str = "world", times: int = 2):
    first = say(text=f"hello {name}, {times} times")
    say(text=f"again: {first.output} and {name}")


@kept
@dsl.pipeline(name="runtime-values")
def runtime():
    for value in [dsl.PIPELINE_JOB_NAME_PLACEHOLDER, dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
                  dsl.PIPELINE_JOB_ID_PLACEHOLDER, dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
                  dsl.PIPELINE_TASK_ID_PLACEHOLDER, dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
                  dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER]:
        say(text=value)


@kept
@dsl.pipeline(name="artifacts")
def artifacts(rows: int = 10) -> Model:
    data = make(rows=rows)
    fitted = fit(data=data.outputs["data"])
    return fitted.outputs["model"]


@kept
@dsl.pipeline(name="order-without-data")
def order():
    a = bare()
    b = bare().after(a)
    bare().after(a, b)


@kept
@dsl.pipeline(name="if-text")
def if_text(word: str = "go"):
    with dsl.If(word == "go"):
        bare()


@kept
@dsl.pipeline(name="if-elif-else")
def branches(upto: int = 3):
    counted = count(upto=upto)
    with dsl.If(counted.output > 10, name="many"):
        say(text="many")
    with dsl.Elif(counted.output >= 5, name="some"):
        say(text="some")
    with dsl.Else(name="few"):
        say(text="few")


@kept
@dsl.pipeline(name="if-number-and-truth")
def numbers(limit: float = 0.5, wanted: bool = True):
    shared = share(value=limit)
    with dsl.If(shared.output < 0.25):
        with dsl.If(wanted == True):  # noqa: E712
            bare()
    with dsl.If(shared.output != limit):
        bare()


@kept
@dsl.pipeline(name="one-of-two")
def one_of(upto: int = 3) -> str:
    with dsl.If(upto == 3):
        left = say(text="left")
    with dsl.Else():
        right = say(text="right")
    chosen = dsl.OneOf(left.output, right.output)
    say(text=chosen)
    return chosen


@kept
@dsl.pipeline(name="loop-over-constants")
def loop_constants():
    with dsl.ParallelFor(items=["a", "b", "on"], parallelism=2) as item:
        say(text=item)
    with dsl.ParallelFor(items=[1, 2, 3], name="numbers") as item:
        count(upto=item)


@kept
@dsl.pipeline(name="loop-over-fields")
def loop_fields():
    with dsl.ParallelFor(items=[{"a": "x", "b": 1}, {"a": "y", "b": 2}]) as item:
        say(text=item.a)
        say(text=item.b)


@kept
@dsl.pipeline(name="loop-over-input")
def loop_input(words: list = ["a", "b"]):
    with dsl.ParallelFor(items=words, parallelism=1) as word:
        inner = say(text=word)
        say(text=inner.output)


@kept
@dsl.pipeline(name="loop-over-output-and-collect")
def loop_output(words: list = ["a"]):
    found = lists(items=words, options={"k": 1})
    with dsl.ParallelFor(items=found.outputs["found"]) as word:
        counted = count(upto=2)
        say(text=word)
    gather(totals=dsl.Collected(counted.output))


@kept
@dsl.pipeline(name="nested-loops")
def nested_loops():
    with dsl.ParallelFor(items=[[1, 2], [3]]) as outer:
        with dsl.ParallelFor(items=outer) as inner:
            count(upto=inner)


@kept
@dsl.pipeline(name="exit-with-status")
def exit_status(text: str = "x"):
    with dsl.ExitHandler(status(), name="guarded"):
        say(text=text)


@dsl.pipeline(name="inner")
def inner(word: str, times: int = 4) -> str:
    count(upto=times)
    return say(text=word).output


@kept
@dsl.pipeline(name="pipeline-in-pipeline")
def outer(word: str = "w"):
    task = inner(word=word)
    say(text=task.output)
    inner(word="again", times=9).set_display_name("Once more")


@kept
@dsl.pipeline(name="optional-inputs")
def optional(name: str = "Ada"):
    greet(name=name)
    greet(name=name, title="Prof", loud=True)


@kept
@dsl.pipeline(name="resources-and-retries")
def resources():
    task = bare()
    task.set_cpu_request("250m").set_cpu_limit("2").set_memory_request("1Gi").set_memory_limit("2G")
    task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
    task.set_env_variable("MODE", "on").set_env_variable("EMPTY", "")
    task.set_retry(num_retries=3, backoff_duration="30s", backoff_factor=1.5, backoff_max_duration="3600s")
    task.set_caching_options(True, cache_key="fixed")
    bare().set_caching_options(False).ignore_upstream_failure()
    bare().set_retry(num_retries=1)


@kept
@dsl.pipeline(name="on-kubernetes")
def on_kubernetes(claim: str = "claim"):
    task = bare()
    kubernetes.use_secret_as_env(task, secret_name="s", secret_key_to_env={"a": "A", "b": "B"})
    kubernetes.use_secret_as_volume(task, secret_name="t", mount_path="/t", optional=True)
    kubernetes.use_config_map_as_volume(task, config_map_name="c", mount_path="/c")
    kubernetes.use_config_map_as_env(task, config_map_name="d", config_map_key_to_env={"x": "X"})
    kubernetes.mount_pvc(task, pvc_name=claim, mount_path="/data")
    kubernetes.mount_pvc(task, pvc_name="fixed", mount_path="/fixed", sub_path="inner")
    kubernetes.empty_dir_mount(task, volume_name="tmp", mount_path="/tmp", medium="Memory", size_limit="64Mi")
    kubernetes.set_image_pull_policy(task, "Always")
    kubernetes.set_image_pull_secrets(task, secret_names=["one", "two"])
    kubernetes.set_timeout(task, 600)
    kubernetes.add_pod_label(task, "app", "on")
    kubernetes.add_pod_annotation(task, "note", "12:30")
    kubernetes.use_field_path_as_env(task, env_name="NODE", field_path="spec.nodeName")
    kubernetes.set_security_context(task, run_as_user=1000, run_as_group=0, run_as_non_root=True)


@kept
@dsl.pipeline(name="node-choice")
def node_choice():
    task = bare()
    kubernetes.add_node_selector(task, "disk", "ssd")
    kubernetes.add_toleration(task, key="gpu", operator="Exists", effect="NoSchedule", toleration_seconds=30)


@kept
@dsl.pipeline(name="kept-for-a-day", pipeline_config=dsl.PipelineConfig(
    ttl_seconds_after_finished=86400, active_deadline_seconds=3600))
def kept_for_a_day():
    bare()


# What has no local counterpart, and must be named.
REFUSED = []


def refused(function):
    REFUSED.append(function)
    return function


@refused
@dsl.pipeline(name="importer")
def imports():
    data = dsl.importer(artifact_uri="s3://bucket/data", artifact_class=Dataset, reimport=False)
    fit(data=data.output)


@dsl.container_component
def joined(text: str):
    return dsl.ContainerSpec(image=IMAGE, command=["/step"], args=[dsl.ConcatPlaceholder(["--text=", text])])


@refused
@dsl.pipeline(name="concat")
def concat():
    joined(text="x")


@dsl.container_component
def told(data: Input[Dataset]):
    return dsl.ContainerSpec(image=IMAGE, command=["/step"], args=[data.metadata["rows"]])


@refused
@dsl.pipeline(name="metadata")
def metadata():
    told(data=make(rows=1).outputs["data"])


@refused
@dsl.pipeline(name="bare-number")
def bare_number():
    # The SDK writes this text bare; for the server's reader of YAML, too, it is the number 15.
    say(text="0o17")


@refused
@dsl.pipeline(name="shared-folder", pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")))
def shared_folder():
    bare()


@dsl.component(base_image="python:3.11")
def hello(name: str) -> str:
    return f"hello {name}"


@dsl.pipeline(name="lightweight")
def lightweight(name: str = "w"):
    hello(name=name)


def compiled(function):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "p.yaml")
        compiler.Compiler().compile(function, path)
        with open(path) as file:
            return file.read()


if __name__ == "__main__":
    print(json.dumps({
        "read": {function.name: compiled(function) for function in ALL},
        "refused": {function.name: compiled(function) for function in REFUSED},
        "python": compiled(lightweight),
    }))

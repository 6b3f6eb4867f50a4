"""Evidently on the tables that `bench drift offline` has written: a word in, a line of JSON out."""

import json
import sys
import time

start = time.perf_counter()
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

imported = time.perf_counter() - start

folder = sys.argv[1]


def read(kind):
    frames = [f"{folder}/{name}.{kind}" for name in ("reference", "current")]
    return [getattr(pd, f"read_{kind}")(frame) for frame in frames]


frames = read("csv")
for name, frame in zip(("reference", "current"), frames):
    frame.to_parquet(f"{folder}/{name}.parquet", index=False)
for line in sys.stdin:
    if line.strip() == "read":
        start = time.perf_counter()
        frames = read("csv")
        answer = {"seconds": time.perf_counter() - start}
    else:
        start = time.perf_counter()
        snapshot = Report([DataDriftPreset()]).run(frames[1], frames[0])
        ran = time.perf_counter() - start
        start = time.perf_counter()
        snapshot.save_html(f"{folder}/evidently.html")
        count = snapshot.dict()["metrics"][0]["value"]["count"]
        answer = {
            "seconds": ran,
            "html": time.perf_counter() - start,
            "drifted": int(count),
        }
    print(json.dumps(answer | {"imported": imported}), flush=True)

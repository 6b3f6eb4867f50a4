"""Loads the champion by plain mlflow and prints what it says to the rows of a CSV file."""
import json, sys
import mlflow, numpy as np, pandas as pd

name, table, run_id = sys.argv[1:]
model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
frame = pd.read_csv(table).drop(columns="species")
answer = model.predict(frame)
same = model.predict(frame.to_numpy())
assert (answer["label"] == same["label"]).all() and (answer["probabilities"] == same["probabilities"]).all()
example = model.input_example
reference = np.load(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="drift/reference_data.npy"))
print(json.dumps({
    "label": answer["label"].tolist(),
    "probabilities": answer["probabilities"].tolist(),
    "reference_shape": reference.shape,
    "example_rows": len(example),
    "features": model.metadata.metadata["features"],
}))

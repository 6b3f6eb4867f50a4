"""Prints a table of scikit-learn's, split, and what its own forest reaches on it, as JSON."""

import json
import sys

from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import f1_score, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

name = sys.argv[1]
rows, target = getattr(datasets, "load_" + name)(return_X_y=True)
regression = name == "diabetes"
result = {"features": rows.shape[1], "splits": []}
for seed in range(5):
    parts = train_test_split(rows, target, test_size=0.3, random_state=seed, stratify=None if regression else target)
    train, test, train_target, test_target = parts
    if regression:
        # The same number of features a split as ours.
        forest = RandomForestRegressor(100, random_state=seed, max_features="sqrt").fit(train, train_target)
        predicted = forest.predict(test)
        score = r2_score(test_target, predicted)
        other = root_mean_squared_error(test_target, predicted)
    else:
        forest = RandomForestClassifier(100, random_state=seed).fit(train, train_target)
        predicted = forest.predict(test)
        score = forest.score(test, test_target)
        other = f1_score(test_target, predicted, average="weighted")
    result["splits"].append(
        {
            "train": train.ravel().tolist(),
            "test": test.ravel().tolist(),
            "train_target": train_target.tolist(),
            "test_target": test_target.tolist(),
            "predicted": predicted.tolist(),
            "score": score,
            "other": other,
        }
    )
print(json.dumps(result))

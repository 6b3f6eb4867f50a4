"""Writes pairs of tables as CSV and Parquet, and prints what SciPy says of each column, by JSON pointer."""

import json

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial.distance import jensenshannon


def table(rng, rows, moved):
    words = ["red", "green", "blue"] + (["teal", "née"] if moved else [])
    frame = pd.DataFrame(
        {
            "smooth": rng.normal(0.3 * moved, 1, rows),
            "ties": np.round(rng.normal(0, 1 + 0.2 * moved, rows), 1),
            "heavy": rng.standard_cauchy(rows) * 1e6,
            "count": rng.poisson(3 + moved, rows),
            "holes": np.round(rng.exponential(1, rows), 3),
            "word": rng.choice(words, rows),
            "flag": rng.random(rows) < 0.3 + 0.1 * moved,
            "code": rng.integers(1, 5 + moved, rows),
        }
    )
    frame.loc[rng.random(rows) < 0.05 + 0.2 * moved, "holes"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "word"] = None
    return frame


def tenths(reference, current):
    """Counts between the deciles of the reference that are values of it, each once."""
    ordered = np.sort(reference)
    ends = np.unique([ordered[-(-k * len(ordered) // 10) - 1] for k in range(1, 10)])
    if ends[-1] == ordered[-1] and len(ends) > 1:
        ends = ends[:-1]
    count = lambda x: np.bincount(np.searchsorted(ends, x, side="left"), minlength=len(ends) + 1)
    return count(reference), count(current)


def psi(a, b):
    seen = (a + b) > 0
    a, b = a[seen], b[seen]
    p, q = (a + 0.5) / (a.sum() + len(a) / 2), (b + 0.5) / (b.sum() + len(b) / 2)
    return ((q - p) * np.log(q / p)).sum()


def rate(events, others):
    """Twice the smaller tail of Fisher's exact test."""
    (a, m), (b, n) = events, others
    tails = [
        stats.hypergeom.sf(b - 1, m + n, a + b, n),
        stats.hypergeom.sf(a - 1, m + n, a + b, m),
    ]
    return min(1.0, 2 * min(tails))


def numbers(a, b):
    ks = stats.ks_2samp(a, b)
    cvm = stats.cramervonmises_2samp(a, b)
    bins = tenths(a, b)
    return {
        "/ks/statistic": ks.statistic,
        "/ks/p_value": ks.pvalue,
        "/ks/location": ks.statistic_location,
        "/ks/sign": float(ks.statistic_sign),
        "/cramer_von_mises/statistic": cvm.statistic,
        "/cramer_von_mises/p_value": cvm.pvalue,
        "/wasserstein": stats.wasserstein_distance(a, b),
        "/jensen_shannon": jensenshannon(*bins),
        "/psi": psi(*bins),
        "/outside/events": float(((b < a.min()) | (b > a.max())).sum()),
        "/summary/reference/mean": a.mean(),
        "/summary/current/max": b.max(),
    }


def categories(a, b):
    names = sorted(set(a) | set(b), key=str)
    x, y = (np.array([(side == name).sum() for name in names]) for side in (a, b))
    chi = stats.chi2_contingency([x, y], correction=False)
    g = stats.chi2_contingency([x, y], correction=False, lambda_="log-likelihood")
    tests = 1 if len(names) == 2 else len(names)
    fisher = min(rate((i, x.sum()), (j, y.sum())) for i, j in zip(x, y))
    return {
        "/chi_square/statistic": chi.statistic,
        "/chi_square/p_value": chi.pvalue,
        "/chi_square/degrees": float(chi.dof),
        "/chi_square/least_expected": chi.expected_freq.min(),
        "/g/statistic": g.statistic,
        "/g/p_value": g.pvalue,
        "/fisher": min(1.0, tests * fisher),
        "/jensen_shannon": jensenshannon(x, y),
        "/psi": psi(x, y),
        "/new/events": float(y[x == 0].sum()),
        "/categories_total": float(len(names)),
    }


cases = []
for seed, (m, n, moved) in enumerate([(400, 300, 0), (1000, 250, 1), (61, 57, 1), (12_000, 500, 1)]):
    rng = np.random.default_rng(seed)
    sides = table(rng, m, 0), table(rng, n, moved)
    name = f"case{seed}"
    for side, frame in zip("ab", sides):
        frame.to_csv(f"{name}-{side}.csv", index=False)
        frame.to_parquet(f"{name}-{side}.parquet", index=False, row_group_size=97)
    columns = {}
    for column in sides[0]:
        a, b = (frame[column].dropna().to_numpy() for frame in sides)
        answers = (categories if column in ("word", "flag", "code") else numbers)(a, b)
        missing = [(int(frame[column].isna().sum()), len(frame)) for frame in sides]
        answers["/missing/reference/events"] = float(missing[0][0])
        answers["/missing/current/events"] = float(missing[1][0])
        if missing[0][0] + missing[1][0]:
            answers["/signals/2/p_value"] = rate(*missing)
        columns[column] = {key: float(value) for key, value in answers.items()}
    cases.append({"name": name, "columns": columns})
print(json.dumps(cases))

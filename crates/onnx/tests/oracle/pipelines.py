"""Pipelines: scalers, imputers, encoders, column transformers with an input a column, strings included."""

import numpy as np
from exported import OPSET, RNG, skl
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn import ensemble as ens, linear_model as lin, naive_bayes as bayes, preprocessing as pre
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline

ROWS = 120
CITY = np.array(["Bern", "Ōsaka", "São Paulo", "Zürich", ""])[RNG.integers(0, 5, ROWS)]
GRADE = np.array(["low", "mid", "high"])[RNG.integers(0, 3, ROWS)]
AGE = RNG.integers(18, 80, ROWS).astype(np.int64)
INCOME = RNG.normal(50, 20, ROWS).astype(np.float32)
DEBT = np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.normal(5, 3, ROWS)).astype(np.float32)
TARGET = ((INCOME > 45) ^ (CITY == "Bern")).astype(np.int64)
AMOUNT = INCOME * 2 + AGE


def frame():
    import pandas as pd

    return pd.DataFrame({"city": CITY, "grade": GRADE, "age": AGE, "income": INCOME, "debt": DEBT})


def columns(name, model, target, double=False, **options):
    """A ColumnTransformer's pipeline: one [N, 1] input for each column."""
    table = frame()
    real, element = (DoubleTensorType, np.float64) if double else (FloatTensorType, np.float32)
    if double:
        table = table.astype({"income": "float64", "debt": "float64"})
    model.fit(table, target)
    types = [
        ("city", StringTensorType([None, 1])),
        ("grade", StringTensorType([None, 1])),
        ("age", Int64TensorType([None, 1])),
        ("income", real([None, 1])),
        ("debt", real([None, 1])),
    ]
    options = {id(model): options} if options else None
    exported = to_onnx(model, initial_types=types, target_opset=OPSET, options=options)
    city, grade = CITY.copy(), GRADE.copy()
    feeds = {
        "city": city.astype(object).reshape(-1, 1),
        "grade": grade.astype(object).reshape(-1, 1),
        "age": AGE.reshape(-1, 1),
        "income": INCOME.astype(element).reshape(-1, 1),
        "debt": DEBT.astype(element).reshape(-1, 1),
    }
    used = {put.name for put in exported.graph.input}
    return name, exported, {key: value[:60] for key, value in feeds.items() if key in used}


def mixed(encoder):
    numbers = make_pipeline(SimpleImputer(strategy="median"), pre.StandardScaler())
    return ColumnTransformer([("numbers", numbers, ["income", "debt"]), ("words", encoder, ["city", "grade"]), ("age", pre.MinMaxScaler(), ["age"])])


def column_transformers():
    one_hot = lambda **more: pre.OneHotEncoder(handle_unknown="ignore", **more)
    forest = lambda: ens.RandomForestClassifier(10, random_state=1)
    yield columns("columns_logistic", make_pipeline(mixed(one_hot()), lin.LogisticRegression(max_iter=500)), TARGET, zipmap=False)
    yield columns("columns_logistic_zip", make_pipeline(mixed(one_hot()), lin.LogisticRegression(max_iter=500)), TARGET)
    yield columns("columns_forest", make_pipeline(mixed(one_hot(sparse_output=False)), forest()), TARGET, zipmap=False)
    doubles = ColumnTransformer([("numbers", pre.StandardScaler(), ["income", "age"]), ("words", one_hot(), ["city"])])
    yield columns("columns_ridge_double", make_pipeline(doubles, lin.Ridge()), AMOUNT, double=True)
    yield columns("columns_ordinal", make_pipeline(mixed(pre.OrdinalEncoder()), forest()), TARGET, zipmap=False)
    yield columns("columns_ridge", make_pipeline(mixed(one_hot()), lin.Ridge()), AMOUNT)
    yield columns("columns_boost", make_pipeline(mixed(one_hot()), ens.GradientBoostingRegressor(n_estimators=12)), AMOUNT)
    yield columns("columns_only", mixed(one_hot()), TARGET)
    yield columns("columns_drop", make_pipeline(mixed(pre.OneHotEncoder(drop="first")), lin.Ridge()), AMOUNT)
    passthrough = ColumnTransformer([("words", one_hot(), ["city"])], remainder="drop")
    yield columns("columns_one", make_pipeline(passthrough, lin.LogisticRegression()), TARGET, zipmap=False)
    rest = ColumnTransformer([("scale", pre.StandardScaler(), ["income"])], remainder="passthrough")
    numbers = frame()[["age", "income"]]
    model = make_pipeline(rest, lin.Ridge()).fit(numbers, AMOUNT)
    types = [("age", Int64TensorType([None, 1])), ("income", FloatTensorType([None, 1]))]
    exported = to_onnx(model, initial_types=types, target_opset=OPSET)
    yield "columns_passthrough", exported, {"age": AGE[:60, None], "income": INCOME[:60, None]}


def scalers():
    logistic = lambda: lin.LogisticRegression(max_iter=3000)
    for kind in ["f32", "f64"]:
        for scaler in [pre.StandardScaler(), pre.MinMaxScaler(clip=True), pre.RobustScaler(), pre.MaxAbsScaler()]:
            name = type(scaler).__name__.lower()
            yield skl(name, make_pipeline(scaler, logistic()), "multi", kind, zipmap=False)
        # The exporter has no largest value for doubles.
        for norm in ["l1", "l2", "max"] if kind == "f32" else ["l1", "l2"]:
            yield skl(f"normalizer_{norm}", make_pipeline(pre.Normalizer(norm), logistic()), "multi", kind, zipmap=False)
        yield skl("pca", make_pipeline(PCA(3), logistic()), "multi", kind, zipmap=False)
    imputed = make_pipeline(SimpleImputer(), pre.StandardScaler(), ens.RandomForestClassifier(10, random_state=1))
    yield skl("imputed", imputed, "multi_nan", zipmap=False)
    yield skl("poly", make_pipeline(pre.PolynomialFeatures(2), lin.Ridge()), "number")
    yield skl("imputed_constant", make_pipeline(SimpleImputer(strategy="constant", fill_value=-1), lin.Ridge()), "number_nan")
    yield skl("imputed_indicator", SimpleImputer(strategy="most_frequent"), "number_nan")
    yield skl("binarizer", make_pipeline(pre.Binarizer(threshold=3.0), bayes.BernoulliNB()), "multi", zipmap=False)
    yield skl("bins", make_pipeline(pre.KBinsDiscretizer(4, encode="ordinal"), lin.Ridge()), "number")
    yield skl("bins_one_hot", make_pipeline(pre.KBinsDiscretizer(4, encode="onehot-dense"), lin.Ridge()), "number")
    yield skl("power", make_pipeline(pre.PowerTransformer(), lin.Ridge()), "number")
    yield skl("quantile", make_pipeline(pre.QuantileTransformer(n_quantiles=20), lin.Ridge()), "number")
    yield skl("svd", make_pipeline(TruncatedSVD(3), lin.Ridge()), "number")
    yield skl("k_best", make_pipeline(SelectKBest(k=2), ens.RandomForestClassifier(9, random_state=1)), "multi", zipmap=False)
    yield skl("variance", make_pipeline(VarianceThreshold(0.5), lin.LogisticRegression()), "multi", zipmap=False)
    union = FeatureUnion([("scaled", pre.StandardScaler()), ("pca", PCA(2))])
    yield skl("union", make_pipeline(union, lin.LogisticRegression(max_iter=500)), "multi", zipmap=False)
    yield skl("raw_scores", lin.LogisticRegression(max_iter=3000), "multi", zipmap=False, raw_scores=True)
    yield skl("zip_columns", lin.LogisticRegression(max_iter=3000), "multi", zipmap="columns")
    yield skl("no_labels", lin.LogisticRegression(max_iter=3000), "words", nocl=True, zipmap=False)

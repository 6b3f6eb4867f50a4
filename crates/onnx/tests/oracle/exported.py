"""Models as skl2onnx and onnxmltools export them: yields (name, model, inputs by name).

Everything is seeded, small, and quick to fit: the grid is about shapes of graphs, not about accuracy.
"""

import warnings

import numpy as np
import onnx.helper
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools.convert import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm as lightgbm_node
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost as xgboost_node
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes as classes_shape,
    calculate_linear_regressor_output_shapes as number_shape,
)
from sklearn import linear_model as lin, naive_bayes as bayes, preprocessing as pre, svm, tree
from sklearn import ensemble as ens
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier, XGBRegressor

warnings.filterwarnings("ignore")
make_attribute = onnx.helper.make_attribute


def attribute(key, value, *rest, **more):
    """skl2onnx gives truth values for integers (histogram boosting), which newer protobuf refuses."""
    if isinstance(value, list) and any(isinstance(entry, (bool, np.bool_)) for entry in value):
        value = [int(entry) for entry in value]
    return make_attribute(key, value, *rest, **more)


onnx.helper.make_attribute = attribute
OPSET = {"": 18, "ai.onnx.ml": 3}
RNG = np.random.default_rng(7)

for boosted, alias, node, shape, options in [
    (LGBMClassifier, "LgbmClassifier", lightgbm_node, classes_shape, {"nocl": [True, False], "zipmap": [True, False, "columns"]}),
    (LGBMRegressor, "LgbmRegressor", lightgbm_node, number_shape, {"split": None}),
    (XGBClassifier, "XgbClassifier", xgboost_node, classes_shape, {"nocl": [True, False], "zipmap": [True, False, "columns"]}),
    (XGBRegressor, "XgbRegressor", xgboost_node, number_shape, None),
]:
    update_registered_converter(boosted, alias, shape, node, options=options)


def holes(rows, share=0.15):
    """A copy with NaN here and there."""
    rows = rows.copy()
    rows[RNG.random(rows.shape) < share] = np.nan
    return rows


IRIS, IRIS_Y = load_iris(return_X_y=True)
CANCER, CANCER_Y = load_breast_cancer(return_X_y=True)
CANCER, CANCER_Y = CANCER[:200, :12], CANCER_Y[:200]
DIABETES, DIABETES_Y = load_diabetes(return_X_y=True)
DIABETES, DIABETES_Y = DIABETES[:200] * 100, DIABETES_Y[:200]
TWO_Y = np.stack([DIABETES_Y, DIABETES_Y[::-1] / 7], axis=1)
WORDS = np.array(["setosa", "versicolor", "virginica"])[IRIS_Y]
COUNTS = np.floor(IRIS * 3)
DATA = {
    "multi": (IRIS, IRIS_Y),
    "multi_nan": (holes(IRIS), IRIS_Y),
    "words": (IRIS, WORDS),
    "counts": (COUNTS, IRIS_Y),
    "binary": (CANCER, CANCER_Y),
    "binary_nan": (holes(CANCER), CANCER_Y),
    "number": (DIABETES, DIABETES_Y),
    "number_nan": (holes(DIABETES), DIABETES_Y),
    "two": (DIABETES, TWO_Y),
}
TYPES = {"f32": (np.float32, FloatTensorType), "f64": (np.float64, DoubleTensorType)}


def skl(name, model, data, kind="f32", opset=OPSET, shift=0, **options):
    """A scikit-learn model on a table; rows are rounded to f32 so that both kinds meet the same numbers.

    `shift` moves the rows that are asked about off those that the model was fitted to.
    """
    rows, target = DATA[data]
    element, tensor = TYPES[kind]
    rows = rows.astype(np.float32).astype(element)
    model.fit(rows, target)
    options = {id(model): options} if options else None
    exported = to_onnx(model, initial_types=[("X", tensor([None, rows.shape[1]]))], target_opset=opset, options=options)
    return f"{name}_{data}_{kind}", exported, {"X": (rows[:60] + shift).astype(element)}


def tools(name, convert, model, data):
    """XGBoost and LightGBM by onnxmltools."""
    rows, target = DATA[data]
    rows = rows.astype(np.float32)
    model.fit(rows, target)
    exported = convert(model, initial_types=[("X", ToolsFloat([None, rows.shape[1]]))], target_opset=15)
    return f"{name}_{data}_tools", exported, {"X": rows[:60]}


def forests():
    for kind in TYPES:
        for data in ["multi", "binary", "words"]:
            yield skl("forest", ens.RandomForestClassifier(20, max_depth=6, random_state=1), data, kind, zipmap=False)
        yield skl("forest_zip", ens.RandomForestClassifier(10, random_state=1), "multi", kind)
        yield skl("forest_zip", ens.RandomForestClassifier(10, random_state=1), "words", kind)
        yield skl("tree", tree.DecisionTreeClassifier(random_state=1), "multi", kind, zipmap=False)
        yield skl("tree", tree.DecisionTreeRegressor(random_state=1), "number", kind)
        yield skl("tree", tree.DecisionTreeRegressor(max_depth=5, random_state=1), "two", kind)
        yield skl("forest", ens.RandomForestRegressor(20, random_state=1), "number", kind)
        yield skl("forest", ens.RandomForestRegressor(9, max_depth=5, random_state=1), "two", kind)
        yield skl("extra", ens.ExtraTreesClassifier(15, random_state=1), "multi", kind, zipmap=False)
        yield skl("extra", ens.ExtraTreesRegressor(15, random_state=1), "number", kind)
        yield skl("boost", ens.GradientBoostingClassifier(n_estimators=15, random_state=1), "multi", kind, zipmap=False)
        yield skl("boost", ens.GradientBoostingClassifier(n_estimators=15, random_state=1), "binary", kind, zipmap=False)
        yield skl("boost", ens.GradientBoostingRegressor(n_estimators=25, random_state=1), "number", kind)
        yield skl("hist", ens.HistGradientBoostingClassifier(max_iter=9, random_state=1), "multi_nan", kind, zipmap=False)
        yield skl("hist", ens.HistGradientBoostingClassifier(max_iter=9, random_state=1), "binary_nan", kind, zipmap=False)
        yield skl("hist", ens.HistGradientBoostingRegressor(max_iter=9, random_state=1), "number_nan", kind)
    yield skl("isolation", ens.IsolationForest(n_estimators=20, random_state=1), "multi")
    yield skl("bagging", ens.BaggingClassifier(n_estimators=5, random_state=1), "multi", zipmap=False)
    yield skl("bagging", ens.BaggingRegressor(n_estimators=5, random_state=1), "number")
    yield skl("adaboost", ens.AdaBoostClassifier(n_estimators=5, random_state=1), "multi", zipmap=False)
    yield skl("adaboost", ens.AdaBoostRegressor(n_estimators=5, random_state=1), "number")
    yield skl("forest_decision_path", tree.DecisionTreeClassifier(max_depth=3, random_state=1), "multi", zipmap=False)
    voters = [("a", lin.LogisticRegression(max_iter=500)), ("b", tree.DecisionTreeClassifier(max_depth=3))]
    yield skl("voting_soft", ens.VotingClassifier(voters, voting="soft", flatten_transform=False), "multi", zipmap=False)
    yield skl("voting_hard", ens.VotingClassifier(voters, voting="hard", flatten_transform=False), "multi", zipmap=False)
    numbers = [("a", lin.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3))]
    yield skl("voting", ens.VotingRegressor(numbers), "number")
    yield skl("stacking", ens.StackingRegressor(numbers, lin.Ridge()), "number")
    yield skl("stacking", ens.StackingClassifier(voters, lin.LogisticRegression()), "multi", zipmap=False)


def boosted():
    quick = {"n_estimators": 12, "max_depth": 4, "random_state": 1, "n_jobs": 1}
    light = {"n_estimators": 12, "num_leaves": 12, "random_state": 1, "n_jobs": 1, "verbose": -1, "min_child_samples": 5}
    for data in ["multi", "binary", "binary_nan", "multi_nan"]:
        yield tools("xgb", convert_xgboost, XGBClassifier(**quick), data)
        yield tools("lgbm", convert_lightgbm, LGBMClassifier(**light), data)
    for data in ["number", "number_nan"]:
        yield tools("xgb", convert_xgboost, XGBRegressor(**quick), data)
        yield tools("lgbm", convert_lightgbm, LGBMRegressor(**light), data)
    yield tools("xgb_poisson", convert_xgboost, XGBRegressor(objective="count:poisson", **quick), "number")
    yield tools("xgb_random_forest", convert_xgboost, XGBRegressor(num_parallel_tree=4, subsample=0.7, **quick), "number")
    yield tools("lgbm_rf", convert_lightgbm, LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, **light), "number")
    yield tools("lgbm_poisson", convert_lightgbm, LGBMRegressor(objective="poisson", **light), "number")
    yield skl("xgb_pipe", make_pipeline(pre.StandardScaler(), XGBClassifier(**quick)), "multi")
    yield skl("lgbm_pipe", make_pipeline(pre.StandardScaler(), LGBMClassifier(**light)), "binary")
    yield skl("lgbm_pipe", make_pipeline(pre.StandardScaler(), LGBMRegressor(**light)), "number")


def linear():
    for kind in TYPES:
        for data in ["multi", "binary", "words"]:
            yield skl("logistic", lin.LogisticRegression(max_iter=3000), data, kind, zipmap=False)
        yield skl("logistic_ovr", OneVsRestClassifier(lin.LogisticRegression(max_iter=500)), "multi", kind, zipmap=False)
        yield skl("ols", lin.LinearRegression(), "number", kind)
        yield skl("ols", lin.LinearRegression(), "two", kind)
        yield skl("ridge", lin.Ridge(), "number", kind)
        yield skl("lasso", lin.Lasso(), "number", kind)
        yield skl("elastic", lin.ElasticNet(), "number", kind)
        yield skl("sgd", lin.SGDClassifier(random_state=1), "multi", kind, zipmap=False)
        yield skl("sgd_log", lin.SGDClassifier(loss="log_loss", random_state=1), "multi", kind, zipmap=False)
        yield skl("sgd_log", lin.SGDClassifier(loss="log_loss", random_state=1), "binary", kind, zipmap=False)
        yield skl("sgd", lin.SGDRegressor(random_state=1), "number", kind)
        yield skl("svr_linear", svm.LinearSVR(), "number", kind)
        yield skl("mlp", MLPClassifier([8], max_iter=60, random_state=1), "multi", kind, zipmap=False)
        yield skl("lda", LinearDiscriminantAnalysis(), "multi", kind, zipmap=False)
    yield skl("logistic_zip", lin.LogisticRegression(max_iter=3000), "binary")
    yield skl("ridge_classes", lin.RidgeClassifier(), "multi", zipmap=False)
    yield skl("svc_linear", svm.LinearSVC(), "multi")
    yield skl("svc_linear", svm.LinearSVC(), "binary")
    yield skl("huber", lin.HuberRegressor(max_iter=500), "number")
    yield skl("poisson", lin.PoissonRegressor(), "number")
    yield skl("perceptron", lin.Perceptron(), "multi", zipmap=False)
    yield skl("passive", lin.PassiveAggressiveClassifier(), "multi", zipmap=False)
    yield skl("mlp", MLPRegressor(hidden_layer_sizes=[8], activation="tanh", max_iter=60, random_state=1), "number")
    yield skl("mlp_logistic", MLPClassifier([8], activation="logistic", max_iter=60, random_state=1), "binary", zipmap=False)
    yield skl("qda", QuadraticDiscriminantAnalysis(reg_param=0.1), "multi", zipmap=False)
    yield skl("svc_rbf", svm.SVC(probability=True, random_state=1), "multi", zipmap=False)
    yield skl("svc_rbf", svm.SVC(probability=True, random_state=1), "binary", zipmap=False)
    yield skl("svc_linear_kernel", svm.SVC(kernel="linear"), "multi", zipmap=False)
    yield skl("svc_poly", svm.SVC(kernel="poly", degree=2), "binary", zipmap=False)
    yield skl("svr_rbf", svm.SVR(), "number")
    yield skl("nu_svr", svm.NuSVR(kernel="linear"), "number")
    yield skl("nu_svc", svm.NuSVC(probability=True, random_state=1), "multi", zipmap=False)
    # A support vector lies on the border, where rounding decides.
    yield skl("one_class", svm.OneClassSVM(nu=0.05), "multi", shift=0.03)
    yield skl("gaussian", bayes.GaussianNB(), "multi", zipmap=False)
    yield skl("multinomial", bayes.MultinomialNB(), "counts", zipmap=False)
    yield skl("bernoulli", bayes.BernoulliNB(binarize=9.0), "counts", zipmap=False)
    yield skl("complement", bayes.ComplementNB(), "counts", zipmap=False)
    yield skl("categorical", bayes.CategoricalNB(min_categories=40), "counts", zipmap=False)
    yield skl("calibrated", CalibratedClassifierCV(svm.LinearSVC(), cv=2), "multi", zipmap=False)
    yield skl("multi_output", MultiOutputRegressor(lin.Ridge()), "two")
    # In floats the distances are differences of large squares: the last digits are noise.
    yield skl("kmeans", KMeans(3, n_init=2, random_state=1), "multi", "f64")

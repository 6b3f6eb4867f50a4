//! The operators. The list was found by exporting every kind of model (tests/oracle), not by guessing.

mod broadcast;
mod cast;
mod copies;
mod encode;
mod linear;
mod pairs;
mod pick;
mod product;
mod reduce;
mod scale;
mod scores;
mod shapes;
mod single;
mod svm;
mod trees;

pub(super) use cast::to as cast;

use super::Classes;
use super::attrs;
use super::fault::{Fault, same_count};
use super::kernel::{Build, Call, Kernel};
use super::real::Real;
use super::value::{Data, Element, MAX_RANK, Scalar, Shape, Strings, Tensor, Values, View};

/// Domain of the operators of classical machine learning.
pub(super) const ML: &str = "ai.onnx.ml";

type Builder = fn(&mut Build<'_>) -> Result<Box<dyn Kernel>, Fault>;

pub(super) struct Operator {
    pub(super) domain: &'static str,
    pub(super) name: &'static str,
    pub(super) build: Builder,
}

const fn plain(name: &'static str, build: Builder) -> Operator {
    Operator {
        domain: "",
        name,
        build,
    }
}

const fn ml(name: &'static str, build: Builder) -> Operator {
    Operator {
        domain: ML,
        name,
        build,
    }
}

/// Every operator, by name.
pub(super) static OPERATORS: &[Operator] = &[
    plain("Abs", single::build),
    plain("Add", pairs::arithmetic),
    plain("And", pairs::logic),
    plain("ArgMax", pick::arg),
    plain("ArgMin", pick::arg),
    ml("ArrayFeatureExtractor", pick::columns),
    ml("Binarizer", scale::binarizer),
    plain("Cast", cast::build),
    plain("Ceil", single::build),
    plain("Clip", single::clip),
    plain("Concat", shapes::concat),
    plain("Constant", copies::constant),
    plain("ConstantOfShape", copies::filled),
    plain("CumSum", reduce::cumulative),
    plain("Div", pairs::arithmetic),
    plain("Equal", pairs::comparison),
    plain("Erf", single::build),
    plain("Exp", single::build),
    plain("Expand", copies::expand),
    ml("FeatureVectorizer", scale::vectorizer),
    plain("Flatten", shapes::flatten),
    plain("Floor", single::build),
    plain("Gather", pick::gather),
    plain("GatherElements", pick::gather_elements),
    plain("Gemm", product::gemm),
    plain("Greater", pairs::comparison),
    plain("GreaterOrEqual", pairs::comparison),
    plain("Identity", shapes::identity),
    ml("Imputer", scale::imputer),
    plain("IsNaN", single::is_nan),
    ml("LabelEncoder", encode::labels),
    plain("Less", pairs::comparison),
    plain("LessOrEqual", pairs::comparison),
    ml("LinearClassifier", linear::classifier),
    ml("LinearRegressor", linear::regressor),
    plain("Log", single::build),
    plain("LogSoftmax", reduce::softmax),
    plain("LpNormalization", reduce::lp_normalization),
    plain("MatMul", product::mat_mul),
    plain("Max", pairs::several),
    plain("Mean", pairs::several),
    plain("Min", pairs::several),
    plain("Mod", pairs::arithmetic),
    plain("Mul", pairs::arithmetic),
    plain("Neg", single::build),
    ml("Normalizer", scale::normalizer),
    plain("Not", single::not),
    ml("OneHotEncoder", encode::one_hot),
    plain("Or", pairs::logic),
    plain("Pow", pairs::power),
    plain("Reciprocal", single::build),
    plain("ReduceL1", reduce::build),
    plain("ReduceL2", reduce::build),
    plain("ReduceLogSum", reduce::build),
    plain("ReduceLogSumExp", reduce::build),
    plain("ReduceMax", reduce::build),
    plain("ReduceMean", reduce::build),
    plain("ReduceMin", reduce::build),
    plain("ReduceProd", reduce::build),
    plain("ReduceSum", reduce::build),
    plain("ReduceSumSquare", reduce::build),
    plain("Relu", single::build),
    plain("Reshape", shapes::reshape),
    plain("Round", single::build),
    ml("SVMClassifier", svm::classifier),
    ml("SVMRegressor", svm::regressor),
    ml("Scaler", scale::scaler),
    plain("Shape", copies::shape),
    plain("Sigmoid", single::build),
    plain("Sign", single::build),
    plain("Slice", pick::slice),
    plain("Softmax", reduce::softmax),
    plain("Softplus", single::build),
    plain("Split", copies::split),
    plain("Sqrt", single::build),
    plain("Squeeze", shapes::squeeze),
    plain("Sub", pairs::arithmetic),
    plain("Sum", pairs::several),
    plain("Tanh", single::build),
    plain("Tile", copies::tile),
    plain("TopK", pick::top),
    plain("Transpose", copies::transpose),
    ml("TreeEnsemble", trees::ensemble),
    ml("TreeEnsembleClassifier", trees::classifier),
    ml("TreeEnsembleRegressor", trees::regressor),
    plain("Unsqueeze", shapes::unsqueeze),
    plain("Where", pairs::choice),
    plain("Xor", pairs::logic),
    ml("ZipMap", encode::zip_map),
];

impl Operator {
    pub(super) fn find(domain: &str, name: &str) -> Option<&'static Operator> {
        let domain = if domain == "ai.onnx" { "" } else { domain };
        OPERATORS
            .iter()
            .find(|operator| operator.domain == domain && operator.name == name)
    }
}

/// An input of another type than the operator takes.
fn wrong_type(position: usize, view: View<'_>, expected: &str) -> Fault {
    Fault::input(position, &view.values.element(), expected)
}

/// An axis counted from either end.
fn axis(value: i64, rank: usize) -> Result<usize, Fault> {
    let from_start = if value < 0 {
        value.saturating_add(rank as i64)
    } else {
        value
    };
    match usize::try_from(from_start) {
        Ok(axis) if axis < rank => Ok(axis),
        _ => Err(Fault::attribute(
            "axis",
            &value,
            format!("below {rank}, or from -{rank} on"),
        )),
    }
}

/// The integers of an input.
fn ints<'a>(position: usize, view: View<'a>) -> Result<&'a [i64], Fault> {
    match view.values {
        Values::I64(values) => Ok(values),
        _ => Err(wrong_type(position, view, "int64")),
    }
}

/// Rows and columns of `[n, f]`, or of one row `[f]`.
fn table(position: usize, view: View<'_>) -> Result<(usize, usize), Fault> {
    match *view.shape {
        [columns] => Ok((1, columns)),
        [rows, columns] => Ok((rows, columns)),
        _ => Err(Fault::input(position, &view.shape, "of shape [rows, columns]")),
    }
}

/// Numbers of any type as floats, as the operators of the ML domain take them.
fn floats<'a>(
    position: usize,
    view: View<'a>,
    call: &mut Call<'_>,
    room: &'a mut Tensor,
) -> Result<&'a [f32], Fault> {
    if let Values::F32(values) = view.values {
        return Ok(values);
    }
    let shape = Shape::new(&[view.values.len()])?;
    let out = call.room::<f32>(room, shape)?;
    match view.values {
        Values::F64(values) => out
            .iter_mut()
            .zip(values)
            .for_each(|(out, value)| *out = *value as f32),
        Values::I64(values) => out
            .iter_mut()
            .zip(values)
            .for_each(|(out, value)| *out = *value as f32),
        _ => return Err(wrong_type(position, view, "float32, float64 or int64")),
    }
    Ok(out)
}

/// Numbers of any type as doubles.
fn doubles<'a>(
    position: usize,
    view: View<'a>,
    call: &mut Call<'_>,
    room: &'a mut Tensor,
) -> Result<&'a [f64], Fault> {
    if let Values::F64(values) = view.values {
        return Ok(values);
    }
    let shape = Shape::new(&[view.values.len()])?;
    let out = call.room::<f64>(room, shape)?;
    match view.values {
        Values::F32(values) => out
            .iter_mut()
            .zip(values)
            .for_each(|(out, value)| *out = f64::from(*value)),
        Values::I64(values) => out
            .iter_mut()
            .zip(values)
            .for_each(|(out, value)| *out = *value as f64),
        _ => return Err(wrong_type(position, view, "float32, float64 or int64")),
    }
    Ok(out)
}

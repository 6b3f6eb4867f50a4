//! Linear models of the ML domain.

use super::product::dot;
use super::scores::{Post, first_highest, logistic, probit};
use super::*;

/// The labels of a classifier, from whichever attribute holds them.
pub(super) fn classes(
    attributes: &mut attrs::Attributes,
    names: [&'static str; 2],
) -> Result<Classes, Fault> {
    let strings = attributes.strings(names[1])?.filter(|labels| !labels.is_empty());
    let ints = attributes.ints(names[0])?.filter(|labels| !labels.is_empty());
    match (strings, ints) {
        (Some(labels), _) => Ok(Classes::Strings(labels)),
        (None, ints) => attrs::required(names[0], ints, &format!("it or {}", names[1])).map(Classes::Ints),
    }
}

/// `[classes or targets, features]` and a number added to each.
#[derive(Debug)]
struct Planes {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    width: usize,
    features: usize,
}

impl Planes {
    fn new(build: &mut Build<'_>, width: Option<usize>) -> Result<Self, Fault> {
        let coefficients = build.attributes.floats("coefficients")?;
        let coefficients = attrs::required("coefficients", coefficients, "a list of numbers")?;
        let intercepts = build.attributes.floats("intercepts")?.unwrap_or_default();
        let width = width.unwrap_or(intercepts.len());
        let (_, features) = table(0, build.inputs.get(0)?)?;
        if width == 0 || features == 0 || Some(coefficients.len()) != width.checked_mul(features) {
            let what = "values of attribute \"coefficients\"";
            return Err(Fault::count(
                what,
                coefficients.len(),
                format!("{width} times {features}"),
            ));
        }
        if !intercepts.is_empty() {
            same_count("values of attribute \"intercepts\"", intercepts.len(), width)?;
        }
        Ok(Planes {
            coefficients,
            intercepts,
            width,
            features,
        })
    }

    /// One row's scores.
    fn scores(&self, row: &[f32], out: &mut [f32]) {
        let planes = self.coefficients.chunks(self.features.max(1));
        for (number, (out, plane)) in out.iter_mut().zip(planes).enumerate() {
            *out = dot(row, plane) + self.intercepts.get(number).copied().unwrap_or(0.0);
        }
    }
}

#[derive(Debug)]
struct Classifier {
    planes: Planes,
    classes: Classes,
    post: Post,
}

pub(super) fn classifier(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    build.attributes.ignore("multi_class");
    let classes = classes(&mut build.attributes, ["classlabels_ints", "classlabels_strings"])?;
    let post = Post::read(&mut build.attributes)?;
    let planes = Planes::new(build, None)?;
    // One plane tells two classes apart.
    if planes.width != classes.len() && (planes.width != 1 || classes.len() != 2) {
        return Err(Fault::count(
            "classes",
            classes.len(),
            format!("{} as of the intercepts", planes.width),
        ));
    }
    Ok(Box::new(Classifier {
        planes,
        classes,
        post,
    }))
}

impl Kernel for Classifier {
    fn outputs(&self) -> usize {
        2
    }

    fn labels(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn temporaries(&self) -> usize {
        2
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let (rows, columns) = table(0, view)?;
        same_count("features", columns, self.planes.features)?;
        let (width, classes) = (self.planes.width, self.classes.len());
        call.spend(rows.saturating_mul(self.planes.coefficients.len()))?;
        let [labels, out, room, best] = out else {
            return Ok(());
        };
        let values = floats(0, view, call, room)?;
        let scores = call.room::<f32>(out, Shape::new(&[rows, classes])?)?;
        let best = call.room::<i64>(best, Shape::new(&[rows])?)?;
        let all = values
            .chunks(columns.max(1))
            .zip(scores.chunks_mut(classes.max(1)));
        for ((row, scores), best) in all.zip(best.iter_mut()) {
            self.planes.scores(row, &mut scores[..width]);
            if width > 1 || classes == 1 {
                *best = first_highest(&scores[..width]) as i64;
                if width > 1 {
                    self.post.apply(scores);
                }
                continue;
            }
            let score = scores[0];
            *best = i64::from(score > 0.0);
            match self.post {
                Post::Logistic => scores.copy_from_slice(&[1.0 - logistic(score), logistic(score)]),
                Post::Probit => scores.copy_from_slice(&[1.0 - probit(score), probit(score)]),
                _ => scores.copy_from_slice(&[1.0 - score, score]),
            }
        }
        self.classes.write(call, labels, rows, |row| best[row] as usize)
    }
}

#[derive(Debug)]
struct Regressor {
    planes: Planes,
    post: Post,
}

pub(super) fn regressor(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let targets = build.attributes.int("targets", 1)?;
    let width =
        usize::try_from(targets).map_err(|_| Fault::attribute("targets", &targets, "a number from 1 on"))?;
    let post = Post::read(&mut build.attributes)?;
    Ok(Box::new(Regressor {
        planes: Planes::new(build, Some(width))?,
        post,
    }))
}

impl Kernel for Regressor {
    fn temporaries(&self) -> usize {
        1
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let (rows, columns) = table(0, view)?;
        same_count("features", columns, self.planes.features)?;
        call.spend(rows.saturating_mul(self.planes.coefficients.len()))?;
        let [out, room] = out else { return Ok(()) };
        let values = floats(0, view, call, room)?;
        let scores = call.room::<f32>(out, Shape::new(&[rows, self.planes.width])?)?;
        for (row, scores) in values
            .chunks(columns.max(1))
            .zip(scores.chunks_mut(self.planes.width))
        {
            self.planes.scores(row, scores);
            // One score is only transformed by PROBIT, as in onnxruntime.
            if scores.len() > 1 || self.post == Post::Probit {
                self.post.apply(scores);
            }
        }
        Ok(())
    }
}

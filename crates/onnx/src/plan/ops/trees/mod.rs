//! Tree ensembles of the ML domain.
//!
//! Scores follow onnxruntime where the specification is silent: what two classes with weights for
//! one of them mean, and which transforms apply to a single score. Where weights are given for both
//! of two classes, the label is the higher score's (onnxruntime looks at the second score alone).

mod bits;
#[cfg(target_arch = "x86_64")]
mod blocks;
#[cfg(target_arch = "x86_64")]
mod cut;
mod forest;
mod groups;
mod packed;
mod plain;
mod read;
#[cfg(test)]
mod tests;
mod walk;

use super::scores::{Post, probit};
use super::*;
use forest::{Aggregate, Forest};

/// Floats where the file has floats, doubles where thresholds or rows are doubles.
#[derive(Debug)]
enum Trees {
    Narrow(Forest<f32>, Vec<f32>),
    Wide(Forest<f64>, Vec<f64>),
}

#[derive(Debug)]
enum Answer {
    Labels(Classes),
    Numbers,
}

#[derive(Debug)]
struct Ensemble {
    trees: Trees,
    post: Post,
    answer: Answer,
    /// ml opset 5 answers in the type of the rows.
    wide_output: bool,
}

const CLASS: [&str; 5] = [
    "class_treeids",
    "class_nodeids",
    "class_ids",
    "class_weights",
    "class_weights_as_tensor",
];
const TARGET: [&str; 5] = [
    "target_treeids",
    "target_nodeids",
    "target_ids",
    "target_weights",
    "target_weights_as_tensor",
];
const BASE: [&str; 2] = ["base_values", "base_values_as_tensor"];

/// Whether sums are made of doubles.
fn wide(build: &Build<'_>, thresholds: &str) -> Result<bool, Fault> {
    let rows = matches!(build.inputs.get(0)?.values, Values::F64(_));
    Ok(rows || build.attributes.has(thresholds))
}

pub(super) fn classifier(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let names = ["classlabels_int64s", "classlabels_strings"];
    let classes = super::linear::classes(&mut build.attributes, names)?;
    let post = Post::read(&mut build.attributes)?;
    old(
        build,
        CLASS,
        classes.len(),
        Aggregate::Sum,
        post,
        Answer::Labels(classes),
    )
}

pub(super) fn regressor(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let name = build.attributes.string("aggregate_function", "SUM")?;
    let words = [
        ("SUM", Aggregate::Sum),
        ("AVERAGE", Aggregate::Average),
        ("MIN", Aggregate::Min),
        ("MAX", Aggregate::Max),
    ];
    let aggregate = attrs::word("aggregate_function", &name, &words)?;
    let width = targets(build)?;
    let post = Post::read(&mut build.attributes)?;
    old(build, TARGET, width, aggregate, post, Answer::Numbers)
}

fn targets(build: &mut Build<'_>) -> Result<usize, Fault> {
    let targets = build.attributes.int("n_targets", 1)?;
    let width = usize::try_from(targets)
        .ok()
        .filter(|width| (1..=1 << 20).contains(width));
    width.ok_or_else(|| Fault::attribute("n_targets", &targets, "a number from 1 to 1048576"))
}

fn old(
    build: &mut Build<'_>,
    names: [&'static str; 5],
    width: usize,
    aggregate: Aggregate,
    post: Post,
    answer: Answer,
) -> Result<Box<dyn Kernel>, Fault> {
    let trees = if wide(build, "nodes_values_as_tensor")? {
        let base = read::numbers(&mut build.attributes, BASE)?.unwrap_or_default();
        Trees::Wide(read::forest(build, names, width, aggregate)?, base)
    } else {
        let base = read::numbers(&mut build.attributes, BASE)?.unwrap_or_default();
        Trees::Narrow(read::forest(build, names, width, aggregate)?, base)
    };
    finish(build, trees, post, answer, false)
}

/// `TreeEnsemble` of ml opset 5.
pub(super) fn ensemble(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let number = build.attributes.int("aggregate_function", 1)?;
    let aggregates = [Aggregate::Average, Aggregate::Sum, Aggregate::Min, Aggregate::Max];
    let aggregate = usize::try_from(number)
        .ok()
        .and_then(|number| aggregates.get(number));
    let aggregate = *aggregate.ok_or_else(|| Fault::attribute("aggregate_function", &number, "0 to 3"))?;
    let number = build.attributes.int("post_transform", 0)?;
    let posts = [
        Post::None,
        Post::Softmax,
        Post::Logistic,
        Post::SoftmaxZero,
        Post::Probit,
    ];
    let post = usize::try_from(number).ok().and_then(|number| posts.get(number));
    let post = *post.ok_or_else(|| Fault::attribute("post_transform", &number, "0 to 4"))?;
    let width = targets(build)?;
    let is_wide = matches!(build.inputs.get(0)?.values, Values::F64(_));
    let trees = if is_wide {
        Trees::Wide(read::forest_5(build, width, aggregate)?, Vec::new())
    } else {
        Trees::Narrow(read::forest_5(build, width, aggregate)?, Vec::new())
    };
    finish(build, trees, post, Answer::Numbers, is_wide)
}

fn finish(
    build: &mut Build<'_>,
    trees: Trees,
    post: Post,
    answer: Answer,
    wide_output: bool,
) -> Result<Box<dyn Kernel>, Fault> {
    let (features, width, base) = match &trees {
        Trees::Narrow(forest, base) => (forest.features, forest.width, base.len()),
        Trees::Wide(forest, base) => (forest.features, forest.width, base.len()),
    };
    let (_, columns) = table(0, build.inputs.get(0)?)?;
    if columns < features || columns == 0 {
        return Err(Fault::count(
            "columns of input 0",
            columns,
            format!("{} or more", features.max(1)),
        ));
    }
    // One for all, or one for each; one for two classes is for the only score they have.
    if base > 1 && base != width {
        return Err(Fault::count(
            "values of attribute \"base_values\"",
            base,
            format!("0, 1 or {width}"),
        ));
    }
    Ok(Box::new(Ensemble {
        trees,
        post,
        answer,
        wide_output,
    }))
}

impl<T: Real> Forest<T> {
    /// Adds the base values to a row's sums, transforms them; the class.
    fn finish(&self, scores: &mut [T], base: &[T], post: Post, classes: bool) -> usize {
        if self.aggregate == Aggregate::Average {
            let count = T::from_f64(self.trees as f64);
            scores.iter_mut().for_each(|score| *score /= count);
        }
        if classes && self.width == 2 {
            return self.two_classes(scores, base, post);
        }
        if matches!(self.aggregate, Aggregate::Min | Aggregate::Max) {
            // No leaf had anything to say.
            let none = |score: &&mut T| score.is_nan();
            scores
                .iter_mut()
                .filter(none)
                .for_each(|score| *score = T::default());
        }
        let mut best = 0;
        if base.len() == scores.len() {
            scores
                .iter_mut()
                .zip(base)
                .for_each(|(score, base)| *score += *base);
        }
        if classes {
            // A class that no leaf mentions cannot win, unless it has a base value.
            let counts = |class: usize| base.len() == scores.len() || self.present[class];
            let mut all = (0..scores.len()).filter(|class| counts(*class));
            best = all.next().unwrap_or(0);
            for class in all {
                if scores[class] > scores[best] {
                    best = class;
                }
            }
        }
        if scores.len() > 1 || post == Post::Probit {
            post.apply(scores);
        }
        best
    }

    /// Two classes: often all weights are for one of them, and the other's score follows.
    fn two_classes(&self, scores: &mut [T], base: &[T], post: Post) -> usize {
        let half = T::from_f64(0.5);
        let single = self.present[0] != self.present[1];
        let limit = if self.any_negative { T::default() } else { half };
        match base {
            [first, second] => {
                scores[0] += *first;
                scores[1] += *second;
            }
            [only] => scores[0] += *only,
            _ => {}
        }
        if self.present[1] || base.len() == 2 {
            let best = if single && base.len() < 2 {
                usize::from(scores[1] > limit)
            } else {
                usize::from(scores[1] > scores[0])
            };
            post.apply(scores);
            return best;
        }
        let score = scores[0];
        let best = usize::from(score > limit);
        let both = match post {
            Post::Probit => [probit(score), T::default()],
            Post::Logistic => [super::scores::logistic(-score), super::scores::logistic(score)],
            _ if !self.any_negative => [T::ONE - score, score],
            _ => [-score, score],
        };
        scores.copy_from_slice(&both);
        best
    }

    /// All rows; the classes go to `best`.
    fn answer(
        &self,
        (rows, columns): (&[T], usize),
        scores: &mut [T],
        (base, post): (&[T], Post),
        mut best: Option<&mut [i64]>,
    ) {
        self.scores(rows, columns, scores);
        for (row, scores) in scores.chunks_mut(self.width).enumerate() {
            let class = self.finish(scores, base, post, best.is_some());
            if let Some(best) = best.as_deref_mut() {
                best[row] = class as i64;
            }
        }
    }
}

impl Kernel for Ensemble {
    fn outputs(&self) -> usize {
        match self.answer {
            Answer::Labels(_) => 2,
            Answer::Numbers => 1,
        }
    }

    fn temporaries(&self) -> usize {
        3
    }

    fn labels(&self) -> Option<&Classes> {
        match &self.answer {
            Answer::Labels(classes) => Some(classes),
            Answer::Numbers => None,
        }
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let (rows, columns) = table(0, view)?;
        let (features, width, work) = match &self.trees {
            Trees::Narrow(forest, _) => (forest.features, forest.width, forest.work),
            Trees::Wide(forest, _) => (forest.features, forest.width, forest.work),
        };
        if columns < features.max(1) {
            return Err(Fault::count(
                "columns of input 0",
                columns,
                format!("{} or more", features.max(1)),
            ));
        }
        call.spend(rows.saturating_mul(work))?;
        let (labels, out) = match self.answer {
            Answer::Labels(_) => {
                let (labels, out) = out.split_at_mut(1);
                (Some(&mut labels[0]), out)
            }
            Answer::Numbers => (None, out),
        };
        let [out, room, best, more] = out else {
            return Ok(());
        };
        let shape = Shape::new(&[rows, width])?;
        let mut best = match labels {
            Some(_) => Some(call.room::<i64>(best, Shape::new(&[rows])?)?),
            None => None,
        };
        match &self.trees {
            Trees::Narrow(forest, base) => {
                let values = floats(0, view, call, room)?;
                let scores = call.room::<f32>(out, shape)?;
                forest.answer((values, columns), scores, (base, self.post), best.as_deref_mut());
            }
            Trees::Wide(forest, base) => {
                let values = doubles(0, view, call, room)?;
                if self.wide_output {
                    let scores = call.room::<f64>(out, shape)?;
                    forest.answer((values, columns), scores, (base, self.post), best.as_deref_mut());
                } else {
                    let scores = call.room::<f64>(more, shape)?;
                    forest.answer((values, columns), scores, (base, self.post), best.as_deref_mut());
                    let narrow = call.room::<f32>(out, shape)?;
                    narrow
                        .iter_mut()
                        .zip(scores)
                        .for_each(|(out, score)| *out = *score as f32);
                }
            }
        }
        match (&self.answer, labels, best) {
            (Answer::Labels(classes), Some(labels), Some(best)) => {
                classes.write(call, labels, rows, |row| best[row] as usize)
            }
            _ => Ok(()),
        }
    }
}

//! What comes after the scores: transforms, the second class of one score, labels.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Post {
    None,
    Softmax,
    Logistic,
    SoftmaxZero,
    Probit,
}

impl Post {
    pub(super) fn read(attributes: &mut attrs::Attributes) -> Result<Self, Fault> {
        let name = attributes.string("post_transform", "NONE")?;
        let words = [
            ("NONE", Post::None),
            ("SOFTMAX", Post::Softmax),
            ("LOGISTIC", Post::Logistic),
            ("SOFTMAX_ZERO", Post::SoftmaxZero),
            ("PROBIT", Post::Probit),
        ];
        attrs::word("post_transform", &name, &words)
    }

    /// Turns the scores of one row into what the operator answers.
    pub(super) fn apply<T: Real>(self, scores: &mut [T]) {
        match self {
            Post::None => {}
            Post::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Post::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
            Post::Softmax => {
                let most = highest(scores);
                let mut sum = T::default();
                for score in scores.iter_mut() {
                    *score = (*score - most).exp();
                    sum += *score;
                }
                scores.iter_mut().for_each(|score| *score /= sum);
            }
            // Scores of zero stay zero.
            Post::SoftmaxZero => {
                let most = highest(scores);
                let (mut sum, tiny) = (T::default(), T::from_f64(1e-7));
                for score in scores.iter_mut() {
                    if *score > tiny || *score < -tiny {
                        *score = (*score - most).exp();
                        sum += *score;
                    } else {
                        *score = *score * (-most).exp();
                    }
                }
                scores.iter_mut().for_each(|score| *score /= sum);
            }
        }
    }
}

fn highest<T: Real>(scores: &[T]) -> T {
    scores
        .iter()
        .fold(T::LOWEST, |most, score| if *score > most { *score } else { most })
}

/// Without overflow on either side.
pub(super) fn logistic<T: Real>(score: T) -> T {
    let upper = T::ONE / (T::ONE + (-score.abs()).exp());
    if score < T::default() {
        T::ONE - upper
    } else {
        upper
    }
}

/// The approximation that onnxruntime uses.
pub(super) fn probit<T: Real>(score: T) -> T {
    let x = (2.0 * score.wide() - 1.0) as f32;
    let sign = if x < 0.0 { -1.0f32 } else { 1.0 };
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let v = 2.0 / (std::f32::consts::PI * 0.147) + 0.5 * log;
    let root = (-v + (v * v - log / 0.147).sqrt()).sqrt();
    T::from_f64(f64::from(std::f32::consts::SQRT_2 * sign * root))
}

impl Classes {
    /// Room for labels, one a row, filled by `class(row)`.
    pub(super) fn write(
        &self,
        call: &mut Call<'_>,
        out: &mut Tensor,
        rows: usize,
        mut class: impl FnMut(usize) -> usize,
    ) -> Result<(), Fault> {
        let shape = Shape::new(&[rows])?;
        match self {
            Classes::Ints(labels) => {
                let out = call.room::<i64>(out, shape)?;
                out.iter_mut()
                    .enumerate()
                    .for_each(|(row, out)| *out = labels[class(row)]);
            }
            Classes::Strings(labels) => {
                let out = call.strings(out, shape)?;
                (0..rows).for_each(|row| out.push(labels.get(class(row))));
            }
        }
        Ok(())
    }
}

/// The first of the highest.
pub(super) fn first_highest<T: Real>(scores: &[T]) -> usize {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate().skip(1) {
        if *score > scores[best] {
            best = class;
        }
    }
    best
}

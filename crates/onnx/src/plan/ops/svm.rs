//! Support vector machines.

use super::scores::{Post, first_highest, logistic, probit};
use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Curve {
    Linear,
    Poly,
    Rbf,
    Sigmoid,
}

/// Rows compared with vectors.
#[derive(Debug)]
struct Machine {
    shape: Curve,
    /// gamma, coef0, degree.
    params: [f64; 3],
    vectors: Vec<f32>,
    features: usize,
    coefficients: Vec<f32>,
    rho: Vec<f32>,
}

impl Machine {
    /// `vectors` is how many support vectors there are; none of them is a linear model.
    fn new(build: &mut Build<'_>, vectors: usize, planes: usize) -> Result<Self, Fault> {
        let name = build.attributes.string("kernel_type", "LINEAR")?;
        let words = [
            ("LINEAR", Curve::Linear),
            ("POLY", Curve::Poly),
            ("RBF", Curve::Rbf),
            ("SIGMOID", Curve::Sigmoid),
        ];
        let mut shape = attrs::word("kernel_type", &name, &words)?;
        let list = build.attributes.floats("kernel_params")?.unwrap_or_default();
        let param = |place: usize| list.get(place).map_or(0.0, |param| f64::from(*param));
        let support = build.attributes.floats("support_vectors")?.unwrap_or_default();
        let coefficients = build.attributes.floats("coefficients")?;
        let coefficients = attrs::required("coefficients", coefficients, "a list of numbers")?;
        let rho = build.attributes.floats("rho")?;
        let rho = attrs::required("rho", rho, "a list of numbers")?;
        let (_, features) = table(0, build.inputs.get(0)?)?;
        if vectors > 0 {
            let expected = vectors.saturating_mul(features);
            same_count("values of attribute \"support_vectors\"", support.len(), expected)?;
        } else {
            shape = Curve::Linear;
            let expected = planes.saturating_mul(features);
            same_count(
                "values of attribute \"coefficients\"",
                coefficients.len(),
                expected,
            )?;
        }
        if features == 0 || rho.is_empty() {
            return Err(Fault::count(
                "features, or values of attribute \"rho\"",
                0,
                "1 or more",
            ));
        }
        Ok(Machine {
            shape,
            params: [param(0), param(1), param(2)],
            vectors: if vectors > 0 {
                support
            } else {
                coefficients.clone()
            },
            features,
            coefficients,
            rho,
        })
    }

    /// How like each vector a row is.
    fn kernels(&self, row: &[f32], out: &mut [f64]) {
        let [gamma, coef0, degree] = self.params;
        for (out, vector) in out.iter_mut().zip(self.vectors.chunks(self.features)) {
            let pairs = row.iter().zip(vector);
            *out = if self.shape == Curve::Rbf {
                let distance: f64 = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum();
                (-gamma * distance).exp()
            } else {
                let dot: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                match self.shape {
                    Curve::Poly => (gamma * dot + coef0).powf(degree),
                    Curve::Sigmoid => (gamma * dot + coef0).tanh(),
                    _ => dot,
                }
            };
        }
    }
}

#[derive(Debug)]
struct Regressor {
    machine: Machine,
    vectors: usize,
    one_class: bool,
}

pub(super) fn regressor(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let vectors = build.attributes.int("n_supports", 0)?;
    let vectors =
        usize::try_from(vectors).map_err(|_| Fault::attribute("n_supports", &vectors, "a count"))?;
    let one_class = build.attributes.int("one_class", 0)? != 0;
    let post = Post::read(&mut build.attributes)?;
    if post != Post::None {
        return Err(Fault::attribute("post_transform", &post, "NONE"));
    }
    let machine = Machine::new(build, vectors, 1)?;
    if vectors > 0 {
        same_count(
            "values of attribute \"coefficients\"",
            machine.coefficients.len(),
            vectors,
        )?;
    }
    Ok(Box::new(Regressor {
        machine,
        vectors,
        one_class,
    }))
}

impl Kernel for Regressor {
    fn temporaries(&self) -> usize {
        2
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let (rows, columns) = table(0, view)?;
        same_count("features", columns, self.machine.features)?;
        call.spend(rows.saturating_mul(self.machine.vectors.len()))?;
        let [out, room, kernels] = out else { return Ok(()) };
        let values = floats(0, view, call, room)?;
        let kernels = call.room::<f64>(kernels, Shape::new(&[self.vectors.max(1)])?)?;
        let out = call.room::<f32>(out, Shape::new(&[rows, 1])?)?;
        for (row, out) in values.chunks(columns.max(1)).zip(out) {
            self.machine.kernels(row, kernels);
            let sum: f64 = if self.vectors > 0 {
                let weighted = kernels.iter().zip(&self.machine.coefficients);
                weighted.map(|(kernel, weight)| kernel * f64::from(*weight)).sum()
            } else {
                kernels[0]
            };
            let score = (sum + f64::from(self.machine.rho[0])) as f32;
            *out = match self.one_class {
                true if score > 0.0 => 1.0,
                true => -1.0,
                false => score,
            };
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Classifier {
    machine: Machine,
    classes: Classes,
    post: Post,
    /// First vector of each class, and the end; empty for a linear model.
    starts: Vec<usize>,
    /// Scores to probabilities, one of each for a pair of classes; empty for scores.
    prob_a: Vec<f32>,
    prob_b: Vec<f32>,
    all_positive: bool,
}

pub(super) fn classifier(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let names = ["classlabels_ints", "classlabels_strings"];
    let classes = super::linear::classes(&mut build.attributes, names)?;
    let per_class = build.attributes.ints("vectors_per_class")?.unwrap_or_default();
    let mut starts = vec![0usize];
    for count in &per_class {
        let end = usize::try_from(*count)
            .ok()
            .and_then(|count| count.checked_add(*starts.last()?));
        starts.push(end.ok_or_else(|| Fault::attribute("vectors_per_class", &per_class, "counts"))?);
    }
    let vectors = starts.last().copied().unwrap_or(0);
    let prob_a = build.attributes.floats("prob_a")?.unwrap_or_default();
    let prob_b = build.attributes.floats("prob_b")?.unwrap_or_default();
    let post = Post::read(&mut build.attributes)?;
    let count = classes.len();
    let machine = Machine::new(build, vectors, count)?;
    if vectors > 0 {
        let pairs = count.saturating_mul(count.saturating_sub(1)) / 2;
        same_count(
            "values of attribute \"vectors_per_class\"",
            per_class.len(),
            count,
        )?;
        let expected = (count.saturating_sub(1)).saturating_mul(vectors);
        same_count(
            "values of attribute \"coefficients\"",
            machine.coefficients.len(),
            expected,
        )?;
        for (name, list) in [("rho", &machine.rho), ("prob_a", &prob_a), ("prob_b", &prob_b)] {
            if list.len() < pairs && !(list.is_empty() && prob_a.len() == prob_b.len()) {
                return Err(Fault::count(
                    format!("values of attribute {name:?}"),
                    list.len(),
                    pairs,
                ));
            }
        }
    } else {
        starts.clear();
    }
    if count < 2 {
        return Err(Fault::count("classes", count, "2 or more"));
    }
    Ok(Box::new(Classifier {
        all_positive: machine.coefficients.iter().all(|weight| *weight >= 0.0),
        machine,
        classes,
        post,
        starts,
        prob_a,
        prob_b,
    }))
}

impl Classifier {
    /// Numbers a run needs besides: kernels, decisions, votes, and the matrices of the probabilities.
    fn room(&self) -> [usize; 5] {
        let count = self.classes.len();
        let kernels = self.machine.vectors.len() / self.machine.features;
        [kernels, count * (count - 1) / 2, count, count * count, count]
    }

    /// One against one: which class of each pair, by how much. The class with most votes.
    fn pairs(&self, kernels: &[f64], decisions: &mut [f64], votes: &mut [f64]) -> usize {
        votes.fill(0.0);
        let (count, vectors) = (self.classes.len(), kernels.len());
        let mut pair = 0;
        for i in 0..count {
            for j in i + 1..count {
                let part = |class: usize, row: usize| -> f64 {
                    let range = self.starts[class]..self.starts[class + 1];
                    let weights = &self.machine.coefficients[row * vectors..][range.clone()];
                    let all = weights.iter().zip(&kernels[range]);
                    all.map(|(weight, kernel)| f64::from(*weight) * kernel).sum()
                };
                let sum = part(i, j - 1) + part(j, i) + f64::from(self.machine.rho[pair]);
                decisions[pair] = sum;
                votes[if sum > 0.0 { i } else { j }] += 1.0;
                pair += 1;
            }
        }
        first_highest(votes)
    }

    /// Wu, Lin and Weng's coupling of pairwise probabilities (the second of their paper), as libsvm does.
    fn couple(&self, decisions: &[f64], r: &mut [f64], q: &mut [f64], qp: &mut [f64], p: &mut [f32]) {
        let count = self.classes.len();
        let mut pair = 0;
        for i in 0..count {
            for j in i + 1..count {
                let value = decisions[pair] * f64::from(self.prob_a[pair]) + f64::from(self.prob_b[pair]);
                let chance = (1.0 - logistic(value)).clamp(1e-7, 1.0 - 1e-7);
                r[i * count + j] = chance;
                r[j * count + i] = 1.0 - chance;
                pair += 1;
            }
        }
        for i in 0..count {
            q[i * count + i] = 0.0;
            for j in (0..count).filter(|j| *j != i) {
                q[i * count + i] += r[j * count + i] * r[j * count + i];
                q[i * count + j] = -r[j * count + i] * r[i * count + j];
            }
        }
        // In floats, and as often as libsvm does at most: the result is where it stops.
        p.fill(1.0 / count as f32);
        for _ in 0..100 {
            let mut total = 0.0;
            for i in 0..count {
                qp[i] = (0..count).map(|j| q[i * count + j] * f64::from(p[j])).sum();
                total += f64::from(p[i]) * qp[i];
            }
            let error = qp
                .iter()
                .fold(0.0f64, |most, value| most.max((value - total).abs()));
            if error < 0.005 / count as f64 {
                break;
            }
            for i in 0..count {
                let own = q[i * count + i];
                let diff = (total - qp[i]) / own;
                p[i] += diff as f32;
                total = (total + diff * (diff * own + 2.0 * qp[i])) / (1.0 + diff) / (1.0 + diff);
                for j in 0..count {
                    qp[j] = (qp[j] + diff * q[i * count + j]) / (1.0 + diff);
                    p[j] /= (1.0 + diff) as f32;
                }
            }
        }
    }

    /// Scores of one row, and its class.
    fn row(&self, row: &[f32], room: &mut [f64], scores: &mut [f32]) -> usize {
        let [kernels, pairs, count, square, _] = self.room();
        let (kernels, rest) = room.split_at_mut(kernels);
        let (decisions, rest) = rest.split_at_mut(pairs);
        let (votes, rest) = rest.split_at_mut(count);
        let (r, rest) = rest.split_at_mut(square);
        let (q, qp) = rest.split_at_mut(square);
        self.machine.kernels(row, kernels);
        if self.starts.is_empty() {
            for (score, kernel) in scores.iter_mut().zip(&*kernels) {
                *score = (kernel + f64::from(self.machine.rho[0])) as f32;
            }
            let best = first_highest(scores);
            let most = scores[best];
            let second = count == 2
                && if self.all_positive {
                    most >= 0.5
                } else {
                    most > 0.0
                };
            self.post.apply(scores);
            return if second { 1 } else { best };
        }
        let best = self.pairs(kernels, decisions, votes);
        if !self.prob_a.is_empty() {
            self.couple(decisions, r, q, qp, scores);
            self.post.apply(scores);
        } else if pairs == 1 {
            let score = decisions[0] as f32;
            match self.post {
                Post::None => scores.copy_from_slice(&[-score, score]),
                Post::Probit => scores.copy_from_slice(&[probit(score), score]),
                _ => scores.copy_from_slice(&[1.0 - score, score]),
            }
        } else {
            scores
                .iter_mut()
                .zip(&*decisions)
                .for_each(|(score, decision)| *score = *decision as f32);
            self.post.apply(scores);
        }
        best
    }
}

impl Kernel for Classifier {
    fn outputs(&self) -> usize {
        2
    }

    fn labels(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn temporaries(&self) -> usize {
        3
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let (rows, columns) = table(0, view)?;
        same_count("features", columns, self.machine.features)?;
        let [kernels, pairs, count, square, last] = self.room();
        let work = self.machine.vectors.len()
            + kernels * count
            + if self.prob_a.is_empty() { 0 } else { 100 * square };
        call.spend(rows.saturating_mul(work))?;
        let width = match pairs {
            _ if self.starts.is_empty() || !self.prob_a.is_empty() => count,
            1 => 2,
            pairs => pairs,
        };
        let [labels, out, room, more, best] = out else {
            return Ok(());
        };
        let values = floats(0, view, call, room)?;
        let room = call.room::<f64>(more, Shape::new(&[kernels + pairs + count + 2 * square + last])?)?;
        let best = call.room::<i64>(best, Shape::new(&[rows])?)?;
        let scores = call.room::<f32>(out, Shape::new(&[rows, width])?)?;
        let all = values.chunks(columns.max(1)).zip(scores.chunks_mut(width));
        for ((row, scores), best) in all.zip(best.iter_mut()) {
            *best = self.row(row, room, scores) as i64;
        }
        self.classes.write(call, labels, rows, |row| best[row] as usize)
    }
}

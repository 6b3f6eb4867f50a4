//! Every statistic beside SciPy's, or beside its definition written in numpy or in Python's integers.

use crate::oracle::{Generator, Oracle};
use drift::cvm::cramer_von_mises;
use drift::energy::energy_test;
use drift::ks::{Alternative, one_sided};
use drift::{Ecdf, Method, distances};

/// Reads lists of doubles; `lists()` gives them as arrays. Answers are doubles too.
const READ: &str = r#"
import sys, warnings
from math import comb, gcd, isfinite
from fractions import Fraction
import numpy as np
from scipy import special, stats
from scipy.spatial.distance import cdist, jensenshannon

warnings.simplefilter("ignore")
np.seterr(all="ignore")
data = np.frombuffer(sys.stdin.buffer.read(), "<f8")
def lists():
    position = 0
    while position < len(data):
        count = int(data[position])
        yield data[position + 1:position + 1 + count]
        position += count + 1
def groups(size):
    source = lists()
    while (group := [x for _, x in zip(range(size), source)]):
        yield group
answers = []
"#;
const WRITE: &str = "\nsys.stdout.buffer.write(np.array(answers, '<f8').tobytes())\n";

pub fn ask(oracle: &Oracle, program: &str, lists: &[&[f64]]) -> Vec<f64> {
    let mut bytes = Vec::new();
    for list in lists {
        bytes.extend((list.len() as f64).to_le_bytes());
        list.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    }
    oracle.numbers(&format!("{READ}{program}{WRITE}"), &bytes)
}

/// Relative to 1e-9, and absolutely to `floor`.
pub fn agree(ours: f64, theirs: f64, floor: f64) -> bool {
    (ours - theirs).abs() <= 1e-9 * theirs.abs() + floor
}

pub fn size(random: &mut Generator, largest: f64) -> usize {
    (largest.ln() * random.unit()).exp().round() as usize
}

fn pairs(seed: u64, count: usize, largest: f64) -> Vec<[Vec<f64>; 2]> {
    let mut random = Generator::new(seed);
    (0..count)
        .map(|index| {
            let m = size(&mut random, largest);
            let n = if index % 4 == 0 {
                m
            } else {
                size(&mut random, largest)
            };
            let shift = [0.0, 0.0, 0.2, 0.7, 3.0, 40.0][index % 6];
            let mut side = |count: usize, shift: f64| -> Vec<f64> {
                let draw = |random: &mut Generator| match index % 5 {
                    0 => random.normal() + shift,
                    1 => (2.0 * (random.normal() + shift)).round(),
                    2 => shift.round(),
                    3 => ((random.normal() + shift) * 10.0).round() / 10.0,
                    _ => (random.normal() + shift / 10.0).exp(),
                };
                (0..count).map(|_| draw(&mut random)).collect()
            };
            [side(m, 0.0), side(n, shift)]
        })
        .collect()
}

pub fn sides(pairs: &[[Vec<f64>; 2]]) -> Vec<&[f64]> {
    pairs.iter().flatten().map(Vec::as_slice).collect()
}

const ONE_SIDED: &str = r#"
for a, b in groups(2):
    for alternative in ("less", "greater"):
        for method in ("auto", "asymp"):
            r = stats.ks_2samp(a, b, alternative=alternative, method=method)
            answers += [r.statistic, r.pvalue, r.statistic_location, float(r.statistic_sign)]
"#;

#[test]
fn one_sided_equals_scipy() {
    let Some(oracle) = Oracle::find("one_sided_equals_scipy") else {
        return;
    };
    let mut cases = pairs(11, 1_200, 150.0);
    cases.extend(pairs(12, 30, 3_000.0));
    let answers = ask(&oracle, ONE_SIDED, &sides(&cases));
    let mut answers = answers.as_chunks::<4>().0.iter();
    let (mut compared, mut wrong) = (0, Vec::new());
    for [a, b] in &cases {
        let (x, y) = (Ecdf::new(a).unwrap(), Ecdf::new(b).unwrap());
        for alternative in [Alternative::Less, Alternative::Greater] {
            for method in [Method::Auto, Method::Asymp] {
                let [statistic, p_value, location, sign] = *answers.next().unwrap();
                let ours = one_sided(&x, &y, alternative, method);
                compared += 1;
                let same = agree(ours.statistic, statistic, 0.0)
                    && agree(ours.p_value, p_value, 1e-312)
                    && (ours.location, f64::from(ours.sign)) == (location, sign);
                if !same {
                    wrong.push(format!(
                        "{} {} {ours:?}, scipy {statistic} {p_value:e}",
                        a.len(),
                        b.len()
                    ));
                }
            }
        }
    }
    assert!(
        compared > 4_000 && wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

const DISTANCES: &str = r#"
def binned(x, ends):
    return np.bincount(np.searchsorted(ends, x, side="left"), minlength=len(ends) + 1)
for a, b in groups(2):
    answers += [stats.wasserstein_distance(a, b), stats.energy_distance(a, b)]
    s = np.sort(a)
    ends = list(dict.fromkeys(s[-(-k * len(s) // 10) - 1] for k in range(1, 10)))
    if ends[-1] == s[-1] and len(ends) > 1:
        ends.pop()
    p, q = binned(a, ends), binned(b, ends)
    answers.append(jensenshannon(p, q))
    seen = p + q > 0
    k = seen.sum()
    p, q = (p[seen] + .5) / (p.sum() + k / 2), (q[seen] + .5) / (q.sum() + k / 2)
    answers.append(((q - p) * np.log(q / p)).sum())
    for method in ("asymptotic", "exact"):
        if min(len(a), len(b)) < 2 or method == "exact" and len(a) * len(b) > 120:
            answers += [np.nan, np.nan]
        else:
            r = stats.cramervonmises_2samp(a, b, method=method)
            answers += [r.statistic, r.pvalue]
"#;

#[test]
fn distances_equal_scipy() {
    let Some(oracle) = Oracle::find("distances_equal_scipy") else {
        return;
    };
    let mut cases = pairs(21, 700, 300.0);
    cases.extend(pairs(22, 300, 16.0));
    cases.extend(pairs(23, 12, 20_000.0));
    let answers = ask(&oracle, DISTANCES, &sides(&cases));
    let mut wrong = Vec::new();
    let mut compared = 0;
    for ([a, b], theirs) in cases.iter().zip(answers.as_chunks::<8>().0) {
        let (x, y) = (Ecdf::new(a).unwrap(), Ecdf::new(b).unwrap());
        let asymp = cramer_von_mises(&x, &y, Method::Asymp);
        let exact = (!theirs[6].is_nan())
            .then(|| cramer_von_mises(&x, &y, Method::Exact))
            .flatten();
        let ours = [
            distances::wasserstein(&x, &y),
            distances::energy(&x, &y),
            distances::jensen_shannon(&x, &y).unwrap(),
            distances::psi(&x, &y).unwrap(),
            asymp.map_or(f64::NAN, |test| test.statistic),
            asymp.map_or(f64::NAN, |test| test.p_value),
            exact.map_or(f64::NAN, |test| test.statistic),
            exact.map_or(f64::NAN, |test| test.p_value),
        ];
        // A square root doubles the relative error of what cancels: identical shares give 1e-9, not 0.
        // SciPy's limit law is one minus a series; its rounding is absolute.
        let floors = [1e-13, 1e-13, 3e-8, 1e-14, 1e-11, 1e-13, 1e-11, 1e-15];
        for (index, ((us, them), floor)) in ours.iter().zip(theirs).zip(floors).enumerate() {
            if them.is_nan() {
                continue;
            }
            compared += 1;
            if !agree(*us, *them, floor) {
                wrong.push(format!(
                    "statistic {index}, {} {}: {us:e} {them:e}",
                    a.len(),
                    b.len()
                ));
            }
        }
    }
    assert!(
        compared > 6_000 && wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The statistic by `cdist`; the p-value by the same permutations, drawn again in Python.
const ENERGY: &str = r#"
M = 2**64 - 1
def permutations(count, seed):
    state, order = seed, list(range(count))
    def bits():
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) & M
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
        return z ^ (z >> 31)
    def below(n):
        while True:
            wide = bits() * n
            if wide & M >= (2**64 - n) % n:
                return wide >> 64
    while True:
        for last in range(count - 1, 0, -1):
            other = below(last + 1)
            order[last], order[other] = order[other], order[last]
        yield list(order)
for (features, seed), a, b in groups(3):
    x = np.concatenate([a, b]).reshape(-1, int(features))
    m, scale = len(a) // int(features), x.std(axis=0)
    x = x[:, scale > 0] / scale[scale > 0]
    d = cdist(x, x) if x.shape[1] else np.zeros((len(x), len(x)))
    def distance(order):
        u, v = order[:m], order[m:]
        return 2 * d[np.ix_(u, v)].mean() - d[np.ix_(u, u)].mean() - d[np.ix_(v, v)].mean()
    seen = distance(list(range(len(x))))
    orders = permutations(len(x), int(seed))
    extreme = sum(distance(next(orders)) >= seen - 1e-12 * d.mean() for _ in range(99))
    answers += [max(seen, 0.0), (1 + extreme) / 100]
"#;

#[test]
fn joint_energy_equals_its_definition() {
    let Some(oracle) = Oracle::find("joint_energy_equals_its_definition") else {
        return;
    };
    let mut random = Generator::new(51);
    let mut lists: Vec<Vec<f64>> = Vec::new();
    let mut ours = Vec::new();
    for seed in 0..100 {
        let features = 1 + seed % 4;
        let shift = [0.0, 0.5, 2.0][seed % 3];
        let rows = [2 + size(&mut random, 30.0), 1 + size(&mut random, 30.0)];
        let table = |rows: usize, shift: f64, random: &mut Generator| -> Vec<f64> {
            let value = |cell: usize, random: &mut Generator| match cell % features {
                2 => 7.0,
                3 => random.normal().round(),
                _ => random.normal() + shift,
            };
            (0..rows * features).map(|cell| value(cell, random)).collect()
        };
        let a = table(rows[0], 0.0, &mut random);
        let b = table(rows[1], shift, &mut random);
        let result = energy_test(&a, &b, features, 99, seed as u64).unwrap();
        ours.extend([result.distance, result.p_value]);
        lists.extend([vec![features as f64, seed as f64], a, b]);
    }
    let lists: Vec<&[f64]> = lists.iter().map(Vec::as_slice).collect();
    let theirs = ask(&oracle, ENERGY, &lists);
    let wrong: Vec<_> = ours
        .iter()
        .zip(&theirs)
        .filter(|(us, them)| !agree(**us, **them, 1e-13))
        .collect();
    assert!(wrong.is_empty() && ours.len() == theirs.len(), "{wrong:?}");
}

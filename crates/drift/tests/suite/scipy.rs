//! The KS test against `scipy.stats.ks_2samp`: thousands of generated cases, one Python process.

use crate::oracle::{Generator, Oracle, SCIPY_KS};
use drift::{KsResult, Method, two_sample};

struct Case {
    label: &'static str,
    a: Vec<f64>,
    b: Vec<f64>,
}

/// Sizes are log-uniform, so that small ones, where ties and borders are, come often.
fn size(random: &mut Generator, largest: f64) -> usize {
    (largest.ln() * random.unit()).exp().round() as usize
}

fn sample(random: &mut Generator, kind: usize, count: usize, shift: f64) -> Vec<f64> {
    let draw = |random: &mut Generator| match kind {
        0 => random.normal() + shift,
        1 => (3.0 * (random.normal() + shift)).round(),
        2 => random.unit().floor() + shift.round(),
        3 => ((random.normal() + shift) * 10.0).round() / 10.0 + 5.0,
        _ => (random.normal() + shift).exp(),
    };
    (0..count).map(|_| draw(random)).collect()
}

fn cases() -> Vec<Case> {
    let mut random = Generator::new(20_261_121);
    let mut cases = Vec::new();
    let kinds = ["normal", "heavy ties", "constant", "tenths", "log-normal"];
    for index in 0..2_400 {
        let largest = if index % 12 == 0 { 3_000.0 } else { 400.0 };
        let (m, n) = (size(&mut random, largest), size(&mut random, largest));
        let n = if index % 5 == 0 { m } else { n };
        let kind = index % kinds.len();
        let shift = [0.0, 0.0, 0.1, 0.4, 1.5, 6.0][index % 6];
        let a = sample(&mut random, kind, m, 0.0);
        let b = sample(&mut random, kind, n, shift);
        cases.push(Case {
            label: kinds[kind],
            a,
            b,
        });
    }
    for m in [1, 2, 7, 120, 1_000] {
        let a = sample(&mut random, 0, m, 0.0);
        cases.push(Case {
            label: "identical",
            b: a.clone(),
            a,
        });
    }
    // Complete separation: the smallest p-values there are, also below the smallest double.
    for (m, n) in [
        (1, 1),
        (1, 2),
        (3, 1),
        (50, 60),
        (120, 100),
        (500, 511),
        (700, 500),
        (1_000, 999),
    ] {
        let a: Vec<f64> = (0..m).map(f64::from).collect();
        let b: Vec<f64> = (0..n).map(|x| f64::from(x) + 1e6).collect();
        cases.push(Case {
            label: "separated",
            a: b.clone(),
            b: a.clone(),
        });
        cases.push(Case {
            label: "separated",
            a,
            b,
        });
    }
    // A slow march through the far tail, where relative precision is lost first.
    for percent in 1..40 {
        let a: Vec<f64> = (0..800).map(f64::from).collect();
        let b: Vec<f64> = (0..900)
            .map(|x| f64::from(x) + 22.5 * f64::from(percent))
            .collect();
        cases.push(Case {
            label: "far tail",
            a,
            b,
        });
    }
    for (m, n, kind, shift) in [
        (10_000, 10_000, 0, 0.02),
        (10_000, 9_999, 0, 0.03),
        (10_000, 9_999, 1, 0.0),
        (9_973, 10_000, 3, 0.2),
        (10_000, 7_001, 0, 1.0),
        (10_000, 150, 0, 0.3),
        (3, 10_000, 4, 0.5),
        (10_001, 9_999, 0, 0.02),
        (20_000, 20_000, 0, 0.01),
        (12_000, 18_000, 3, 0.0),
        (100_000, 10_000, 0, 0.01),
        (300_000, 200_000, 0, 0.0),
    ] {
        let a = sample(&mut random, kind, m, 0.0);
        let b = sample(&mut random, kind, n, shift);
        cases.push(Case { label: "large", a, b });
    }
    cases
}

fn encode(cases: &[Case]) -> Vec<u8> {
    let mut bytes = (cases.len() as u64).to_le_bytes().to_vec();
    for case in cases {
        for side in [&case.a, &case.b] {
            bytes.extend((side.len() as u64).to_le_bytes());
            side.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
        }
    }
    bytes
}

/// Relative down to 1e-303; below, doubles themselves run out of digits.
fn agree(ours: f64, scipy: f64) -> bool {
    (ours - scipy).abs() <= 1e-9 * scipy.abs() + 1e-312
}

fn check(case: &Case, method: Method, ours: &KsResult, scipy: [f64; 4]) -> Result<(), String> {
    let [statistic, p_value, location, sign] = scipy;
    let same = agree(ours.statistic, statistic)
        && agree(ours.p_value, p_value)
        && ours.location == location
        && f64::from(ours.sign) == sign;
    let sizes = (case.a.len(), case.b.len());
    same.then_some(())
        .ok_or_else(|| format!("{} {sizes:?} {method}: {ours:?}, scipy {scipy:?}", case.label))
}

#[test]
fn every_method_equals_scipy() {
    let Some(oracle) = Oracle::find("every_method_equals_scipy") else {
        return;
    };
    let cases = cases();
    let answers = oracle.numbers(SCIPY_KS, &encode(&cases));
    let methods = [Method::Exact, Method::Asymp, Method::Auto];
    let mut answers = answers.as_chunks::<4>().0.iter();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for case in &cases {
        for method in methods {
            let scipy = *answers.next().expect("an answer for each question");
            let ours = two_sample(&case.a, &case.b, method).expect("generated samples are finite");
            if scipy[1].is_nan() {
                // The one case that SciPy cannot answer, see `ks::p_value`.
                assert_eq!((case.a.len(), case.b.len(), method), (1, 1, Method::Asymp));
                assert_eq!((ours.p_value, ours.method), (1.0, Method::Exact));
                continue;
            }
            compared += 1;
            wrong.extend(check(case, method, &ours, scipy).err());
        }
    }
    assert!(answers.next().is_none());
    assert!(compared >= 2_000 * methods.len(), "{compared} compared");
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

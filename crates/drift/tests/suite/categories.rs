//! Counts, rates and corrections beside SciPy's, Python's integers or their definitions.

use crate::oracle::{Generator, Oracle};
use crate::statistics::{agree, ask, sides, size};
use drift::categories::{CategoryError, chi_square, g_test, jensen_shannon, psi};
use drift::correct::{benjamini_yekutieli, holm};
use drift::cvm::cramer_von_mises;
use drift::energy::{EnergyError, energy_test};
use drift::rates::{Rate, hypergeometric_sf, out_of_range_p, rate_test, shares_test};
use drift::{Ecdf, Method, special};

const CATEGORIES: &str = r#"
for p, q in groups(2):
    seen = p + q > 0
    table = np.array([p[seen], q[seen]])
    for how in ("pearson", "log-likelihood"):
        r = stats.chi2_contingency(table, correction=False, lambda_=how)
        answers += [r.statistic, stats.chi2.sf(r.statistic, max(r.dof, 1)) if r.dof else 1.0, float(r.dof), r.expected_freq.min()]
    answers.append(jensenshannon(p, q))
    k = seen.sum()
    u, v = (p[seen] + .5) / (p.sum() + k / 2), (q[seen] + .5) / (q.sum() + k / 2)
    answers.append(((v - u) * np.log(v / u)).sum())
    least = 1.0
    for x, y in zip(p[seen], q[seen]):
        law = stats.hypergeom(int(p.sum() + q.sum()), int(x + y), int(q.sum()))
        least = min(least, 2 * min(law.sf(y - 1), law.cdf(y)))
    answers.append(min(1.0, least * (1 if k == 2 else k)))
"#;

#[test]
fn categories_equal_scipy() {
    let Some(oracle) = Oracle::find("categories_equal_scipy") else {
        return;
    };
    let mut random = Generator::new(31);
    let cases: Vec<[Vec<f64>; 2]> = (0..800)
        .map(|index| {
            let kinds = 1 + size(&mut random, 12.0);
            let scale = [3.0, 30.0, 400.0, 5_000.0][index % 4];
            let change = [0.0, 0.3, 3.0][index % 3];
            let mut side = |change: f64| -> Vec<f64> {
                let count = |kind: usize, random: &mut Generator| {
                    let lean = (change * kind as f64 / kinds as f64).exp();
                    (scale * lean * random.unit() * random.unit()).round()
                };
                let mut counts: Vec<f64> = (0..kinds).map(|kind| count(kind, &mut random)).collect();
                counts[0] += 1.0;
                counts
            };
            [side(0.0), side(change)]
        })
        .collect();
    let answers = ask(&oracle, CATEGORIES, &sides(&cases));
    let (mut compared, mut smallest, mut wrong) = (0, 1.0_f64, Vec::new());
    for ([a, b], theirs) in cases.iter().zip(answers.as_chunks::<11>().0) {
        let counts = |side: &[f64]| -> Vec<u64> { side.iter().map(|&x| x as u64).collect() };
        let (p, q) = (counts(a), counts(b));
        let (chi, g) = (chi_square(&p, &q).unwrap(), g_test(&p, &q).unwrap());
        let ours = [
            chi.statistic,
            chi.p_value,
            chi.degrees as f64,
            chi.least_expected,
            g.statistic,
            g.p_value,
            g.degrees as f64,
            g.least_expected,
            jensen_shannon(&p, &q).unwrap(),
            psi(&p, &q).unwrap(),
            shares_test(&p, &q),
        ];
        smallest = if chi.p_value > 0.0 {
            smallest.min(chi.p_value)
        } else {
            smallest
        };
        for (index, (us, them)) in ours.iter().zip(theirs).enumerate() {
            compared += 1;
            // Statistics near 0 are differences; a p-value at 1e-300 has no floor.
            let floor = [1e-10, 1e-310][usize::from(matches!(index, 1 | 5 | 10))];
            let floor = if index == 8 { 3e-8 } else { floor };
            // The p-value of G inherits the statistic's cancellation where that is near 0.
            let cancelled = index == 5 && *us > 0.9 && (us - them).abs() < 1e-10;
            if !agree(*us, *them, floor) && !cancelled {
                wrong.push(format!("statistic {index} {p:?} {q:?}: {us:e} {them:e}"));
            }
        }
    }
    assert!(smallest < 1e-200, "{smallest:e}");
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

const FUNCTIONS: &str = r#"
kind, = next(lists()),
source = lists(); next(source)
for x in source:
    if len(x) == 2:
        answers.append(stats.chi2.sf(x[0], x[1]))
    elif len(x) == 4:
        k, N, K, n = map(int, x)
        low, high = max(0, K + n - N), min(K, n)
        top = sum(comb(K, i) * comb(N - K, n - i) for i in range(max(k, low), high + 1))
        answers.append(float(Fraction(top, comb(N, n))))
    else:
        answers += list(stats.false_discovery_control(x, method="by"))
"#;

#[test]
fn tails_and_corrections_equal_scipy() {
    let Some(oracle) = Oracle::find("tails_and_corrections_equal_scipy") else {
        return;
    };
    let mut random = Generator::new(41);
    let mut questions: Vec<Vec<f64>> = vec![vec![0.0]];
    let mut ours = Vec::new();
    for index in 0..600 {
        let degrees = 1 + size(&mut random, 300.0);
        let x = degrees as f64 * (6.0 * random.unit()).exp() / 8.0;
        let x = x.min(1_200.0);
        questions.push(vec![x, degrees as f64]);
        ours.push(special::chi_square_sf(x, degrees as u64));
        let all = 2 + size(&mut random, if index % 20 == 0 { 3_000.0 } else { 300.0 });
        let marked = (random.unit() * (all + 1) as f64) as usize;
        let draws = (random.unit() * (all + 1) as f64) as usize;
        let k = (random.unit() * (marked.min(draws) + 2) as f64) as usize;
        questions.push([k, all, marked, draws].map(|x| x as f64).to_vec());
        ours.push(hypergeometric_sf(
            k as u64,
            all as u64,
            marked as u64,
            draws as u64,
        ));
        let p_values: Vec<f64> = (0..5 + index % 40).map(|_| random.unit().powi(4)).collect();
        ours.extend(benjamini_yekutieli(&p_values));
        questions.push(p_values);
    }
    let lists: Vec<&[f64]> = questions.iter().map(Vec::as_slice).collect();
    let theirs = ask(&oracle, FUNCTIONS, &lists);
    assert_eq!(ours.len(), theirs.len());
    let wrong: Vec<_> = ours
        .iter()
        .zip(&theirs)
        .filter(|(us, them)| !agree(**us, **them, 1e-300))
        .collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), ours.len());
}

/// The definition: Holm rejects hypothesis after hypothesis, from the smallest p-value up.
#[test]
fn holm_rejects_what_its_steps_reject() {
    let mut random = Generator::new(61);
    for _ in 0..500 {
        let p_values: Vec<f64> = (0..1 + size(&mut random, 40.0))
            .map(|_| random.unit().powi(5))
            .collect();
        let level = random.unit() * 0.2;
        let mut order: Vec<usize> = (0..p_values.len()).collect();
        order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
        let mut rejected = vec![false; p_values.len()];
        for (step, &index) in order.iter().enumerate() {
            if p_values[index] * (p_values.len() - step) as f64 > level {
                break;
            }
            rejected[index] = true;
        }
        let adjusted: Vec<bool> = holm(&p_values).iter().map(|&p| p <= level).collect();
        assert_eq!(adjusted, rejected);
    }
    let adjusted = holm(&[f64::NAN, 0.01, 0.04]);
    assert!(adjusted[0].is_nan() && adjusted[1..] == [0.02, 0.04]);
}

/// By enumeration: which of the values are current ones.
#[test]
fn values_out_of_range_are_counted_as_defined() {
    for (reference, current) in [(1_u64, 3_u64), (2, 2), (3, 4), (5, 3), (4, 6)] {
        let all = reference + current;
        for least in 0..=current {
            let (mut orders, mut extreme) = (0_u32, 0_u32);
            for order in 0_u32..1 << all {
                if u64::from(order.count_ones()) != reference {
                    continue;
                }
                let low = u64::from(order.trailing_zeros());
                let high = all - (32 - u64::from(order.leading_zeros()));
                orders += 1;
                extreme += u32::from(low + high >= least);
            }
            let expected = f64::from(extreme) / f64::from(orders);
            // One reference value has no two stretches beside it: everything else is outside.
            let ours = out_of_range_p(least, reference, current);
            assert!(
                (ours - expected).abs() < 1e-12,
                "{reference} {current} {least}: {ours} {expected}"
            );
        }
    }
}

#[test]
fn what_cannot_be_compared_says_so() {
    assert_eq!(
        chi_square(&[0, 0], &[1, 2]),
        Err(CategoryError::Empty { side: "reference" })
    );
    assert_eq!(psi(&[1], &[0]), Err(CategoryError::Empty { side: "current" }));
    let lengths = CategoryError::Length {
        reference: 1,
        current: 2,
    };
    assert_eq!(jensen_shannon(&[1], &[1, 2]), Err(lengths));
    let same = chi_square(&[5, 0], &[9, 0]).unwrap();
    assert_eq!((same.degrees, same.p_value, same.statistic), (0, 1.0, 0.0));
    let one = Ecdf::new(&[1.0]).unwrap();
    assert_eq!(cramer_von_mises(&one, &one, Method::Auto), None);
    let none = Rate::default();
    assert_eq!(
        (none.share(), rate_test(none, Rate { events: 3, of: 3 })),
        (None, 1.0)
    );
    assert_eq!((shares_test(&[], &[]), out_of_range_p(3, 0, 9)), (1.0, 1.0));
    let shape = energy_test(&[1.0; 3], &[1.0; 2], 2, 9, 0);
    assert!(matches!(
        shape,
        Err(EnergyError::Shape {
            side: "reference",
            ..
        })
    ));
    let infinite = energy_test(&[1.0; 2], &[1.0, f64::INFINITY], 2, 9, 0);
    assert_eq!(
        infinite,
        Err(EnergyError::NotFinite {
            side: "current",
            index: 1
        })
    );
    assert_eq!(
        energy_test(&[0.0; 2_000], &[0.0; 9], 1, 9, 0),
        Err(EnergyError::Rows(2_009))
    );
    assert_eq!(
        energy_test(&[0.0], &[0.0], 1, 0, 0),
        Err(EnergyError::NoPermutations)
    );
    assert_eq!(energy_test(&[3.0; 5], &[3.0; 4], 1, 9, 0).unwrap().p_value, 1.0);
}

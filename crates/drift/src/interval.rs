//! How sure an accuracy or a mean error is, given so few rows.

use statrs::distribution::{Beta, ContinuousCDF, StudentsT};

/// Clopper and Pearson's interval ("The use of confidence or fiducial limits illustrated in the case
/// of the binomial", Biometrika 26, 1934) for a share of which `hits` of `rows` were seen, at `level`
/// (0.95: in 95 of 100 cases the true share lies inside). `rows` is at least 1.
pub fn clopper_pearson(hits: u64, rows: u64, level: f64) -> (f64, f64) {
    let tail = (1.0 - level) / 2.0;
    let (k, n) = (hits as f64, rows as f64);
    // The quantiles of these distributions; both parameters are at least 1.
    let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
    let low = if hits == 0 {
        0.0
    } else {
        quantile(k, n - k + 1.0, tail)
    };
    let high = if hits == rows {
        1.0
    } else {
        quantile(k + 1.0, n - k, 1.0 - tail)
    };
    (low, high)
}

/// Student's interval ("The probable error of a mean", Biometrika 6, 1908) for the mean of `values` at `level`,
/// `None` with fewer than two of them. Exact for normal values; for others it holds in the limit alone
/// (central limit theorem), with some hundred rows of errors that have no heavy tail.
pub fn student_mean(values: impl Iterator<Item = f64> + Clone, level: f64) -> Option<(f64, f64)> {
    let count = values.clone().count();
    if count < 2 {
        return None;
    }
    let n = count as f64;
    let mean = values.clone().sum::<f64>() / n;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let quantile = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::NAN, |t| t.inverse_cdf(0.5 + level / 2.0));
    let half = quantile * (variance / n).sqrt();
    Some((mean - half, mean + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_scipy_says() {
        // scipy.stats.binomtest(k, n).proportion_ci(0.95, method="exact"), SciPy 1.17.
        for (hits, rows, low, high) in [
            (29, 30, 0.827_830_544_366_587, 0.999_156_429_073_350_7),
            (30, 30, 0.884_296_691_777_972_5, 1.0),
            (0, 30, 0.0, 0.115_703_308_222_027_43),
            (5, 10, 0.187_086_028_447_404_4, 0.812_913_971_552_595_5),
            (900, 1000, 0.879_712_063_481_306_3, 0.917_894_665_644_42),
        ] {
            let (found_low, found_high) = clopper_pearson(hits, rows, 0.95);
            assert!(
                (found_low - low).abs() < 1e-9,
                "{hits} of {rows}: {found_low} and not {low}"
            );
            assert!(
                (found_high - high).abs() < 1e-9,
                "{hits} of {rows}: {found_high} and not {high}"
            );
        }
    }
}

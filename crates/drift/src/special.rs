//! Special functions that tests of significance need, with relative precision in their tails.

use statrs::function::gamma::ln_gamma;

/// Terms after which a series or fraction has converged for every argument that a test gives it.
const TURNS_MAX: u32 = 100_000;

/// `Q(a, x) = Γ(a, x) / Γ(a)`: the upper tail of the gamma distribution, as `scipy.special.gammaincc`.
///
/// The series for `P` below the mean and Legendre's continued fraction above it (modified Lentz; Press
/// et al., Numerical Recipes, 6.2). The fraction has no cancellation: tails of 1e-300 keep their digits.
pub fn gamma_q(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for turn in 1..TURNS_MAX {
            term *= x / (a + f64::from(turn));
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let tiny = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for turn in 1..TURNS_MAX {
        let turn = f64::from(turn);
        let numerator = -turn * (turn - a);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        let factor = d * c;
        fraction *= factor;
        if (factor - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

/// `P(χ²_df ≥ x)`, as `scipy.stats.chi2.sf`.
pub fn chi_square_sf(x: f64, degrees: u64) -> f64 {
    gamma_q(degrees as f64 / 2.0, x / 2.0)
}

/// `e^x · K_{1/4}(x)`, x > 0 (`scipy.special.kve(0.25, x)`).
///
/// The trapezoidal rule on `∫₀^∞ exp(−x(cosh t − 1)) cosh(t/4) dt`, which converges exponentially for
/// this integrand (L. N. Trefethen, J. A. C. Weideman, SIAM Review 56, 2014); the step shrinks with
/// the peak's width.
pub fn bessel_k_quarter_scaled(x: f64) -> f64 {
    let step = (0.5 / x.sqrt()).min(0.1);
    let mut sum = 0.5;
    for turn in 1..TURNS_MAX {
        let t = f64::from(turn) * step;
        // cosh t − 1 without cancellation.
        let half = (t / 2.0).sinh();
        let exponent = 2.0 * x * half * half;
        if exponent > 50.0 + t {
            break;
        }
        sum += (-exponent).exp() * (t / 4.0).cosh();
    }
    sum * step
}

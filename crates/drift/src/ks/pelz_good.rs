//! Approximation of the one-sample distribution for large samples.

use std::f64::consts::PI;

/// `P(D_n > x)`, 0 < x < 1, by the expansion in powers of 1/√n of W. Pelz and I. J. Good,
/// "Approximating the lower tail-areas of the Kolmogorov–Smirnov one-sample statistic", Journal of
/// the Royal Statistical Society B 38 (1976): `K₀(z) + K₁(z)/√n + K₂(z)/n + K₃(z)/n^{3/2}`, z = x√n,
/// each K a theta series that converges fast for small z.
pub fn sf(n: u64, x: f64) -> f64 {
    let root = (n as f64).sqrt();
    let z = root * x;
    let [z2, z3, z4, z6] = [2, 3, 4, 6].map(|power| z.powi(power));
    let exponent = -PI * PI / (8.0 * z2);
    if exponent < -708.0 {
        return 1.0; // the whole series underflows: z below 0.042
    }
    let (pi2, pi4, pi6) = (PI.powi(2), PI.powi(4), PI.powi(6));

    // Sums over odd m of a polynomial in m² times exp(exponent·m²); few terms matter.
    let mut sums = [0.0_f64; 4];
    let turns = (16.0 * z / PI).ceil() as i32;
    for turn in (1..=turns).rev() {
        let m = f64::from(2 * turn - 1);
        let (m2, m4, m6) = (m.powi(2), m.powi(4), m.powi(6));
        let weight = (exponent * m2).exp();
        sums[0] += weight;
        sums[1] += weight * (-z2 + pi2 / 4.0 * m2);
        sums[2] += weight
            * (6.0 * z6
                + 2.0 * z4
                + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2
                + pi4 * (1.0 - 2.0 * z2) / 16.0 * m4);
        sums[3] += weight
            * (-30.0 * z6 - 90.0 * z.powi(8)
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi4 * (212.0 * z4 - 60.0 * z2) / 16.0 * m4
                + pi6 * (5.0 - 30.0 * z2) / 64.0 * m6);
    }
    let scale = (2.0 * PI).sqrt();
    let mut parts = [
        sums[0] * scale / z,
        sums[1] * scale / (6.0 * z4),
        sums[2] * scale / (72.0 * z.powi(7)),
        sums[3] * scale / (6480.0 * z.powi(10)),
    ];

    // The second series of K₂ and K₃, over all m.
    for turn in (1..=turns).rev() {
        let m2 = f64::from(turn).powi(2);
        let weight = (4.0 * exponent * m2).exp() * m2;
        parts[2] -= weight * pi2 * scale / (36.0 * z3);
        parts[3] += weight * (3.0 * z2 - pi2 * m2) * pi2 * scale / (216.0 * z6);
    }
    let cdf_corrections = parts[1] / root + parts[2] / root.powi(2) + parts[3] / root.powi(3);
    ((1.0 - parts[0]) - cdf_corrections).clamp(0.0, 1.0)
}

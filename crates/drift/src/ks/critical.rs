//! The smallest distance that counts as drift, found once.

use super::{Method, p_value_of};

/// Smallest numerator `D·size_a·size_b` whose p-value (method `auto`) is below `threshold`,
/// or `None` when not even complete separation is.
///
/// The p-value falls as the distance grows, so that "p < threshold" and "numerator ≥ this" are the
/// same question, and a request path that keeps the numerator up to date needs no p-value at all.
pub fn critical_distance(size_a: u64, size_b: u64, threshold: f64) -> Option<u64> {
    let drifts = |numerator: u64| p_value_of(numerator, size_a, size_b, Method::Auto).0 < threshold;
    let product = size_a * size_b;
    if drifts(0) {
        return Some(0);
    }
    // Smirnov's limit law, p ≈ 2·exp(−2·D²·mn/(m+n)), is close; widen from there. Starting at the
    // middle of 0..=1 instead would count some hundred million paths for large samples.
    let effective = product as f64 / (size_a + size_b) as f64;
    let guess = ((2.0 / threshold).ln() / (2.0 * effective)).sqrt() * product as f64;
    let guess = (guess as u64).clamp(1, product);
    let mut step = guess / 64 + 1;
    let (mut below, mut reached);
    if drifts(guess) {
        reached = guess;
        loop {
            below = reached.saturating_sub(step);
            if !drifts(below) {
                break;
            }
            reached = below;
            step *= 2;
        }
    } else {
        below = guess;
        loop {
            if below == product {
                return None;
            }
            reached = (below + step).min(product);
            if drifts(reached) {
                break;
            }
            below = reached;
            step *= 2;
        }
    }
    while reached - below > 1 {
        let middle = below + (reached - below) / 2;
        if drifts(middle) {
            reached = middle;
        } else {
            below = middle;
        }
    }
    Some(reached)
}

//! Traffic for the calibration: rows whose distribution is known, in it or moved.

use drift::random::Random;

/// How values are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Standard normal, features independent.
    Normal,
    /// Student's t with two degrees of freedom: no variance.
    HeavyTailed,
    /// 0 to 4, mostly small: heavy ties.
    Discrete,
    /// Normal, heavy-tailed, discrete and mostly-zero features in turn, all leaning on one common factor.
    Mixed,
    /// Normal, with a mean that goes up and down once a day; a day has as many recorded rows as the window.
    Daily,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// The first feature, by so many units.
    One(f64),
    /// All features, each by so many.
    All(f64),
}

impl World {
    pub const ALL: [Self; 5] = [
        Self::Normal,
        Self::HeavyTailed,
        Self::Discrete,
        Self::Mixed,
        Self::Daily,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::HeavyTailed => "heavy-tailed",
            Self::Discrete => "discrete",
            Self::Mixed => "mixed",
            Self::Daily => "daily cycle",
        }
    }

    /// Row `index` of the traffic; `day` rows make a day.
    pub fn row(self, random: &mut Random, index: u64, day: u64, change: Change, row: &mut [f64]) {
        let common = if self == Self::Mixed { normal(random) } else { 0.0 };
        let cycle = if self == Self::Daily {
            0.7 * (std::f64::consts::TAU * (index % day) as f64 / day as f64).sin()
        } else {
            0.0
        };
        for (feature, value) in row.iter_mut().enumerate() {
            let moved = match change {
                Change::One(by) if feature == 0 => by,
                Change::All(by) => by,
                _ => 0.0,
            };
            // Correlation 0.3 where there is a common factor.
            let latent = match self {
                Self::Mixed => 0.7_f64.sqrt() * normal(random) + 0.3_f64.sqrt() * common,
                _ => normal(random),
            };
            *value = match (self, feature % 4) {
                (Self::Normal | Self::Daily, _) | (Self::Mixed, 0) => latent + cycle + moved,
                (Self::HeavyTailed, _) | (Self::Mixed, 1) => heavy(random, latent) + moved,
                (Self::Discrete, _) | (Self::Mixed, 2) => {
                    (1.0 + 1.2 * (latent + moved)).floor().clamp(0.0, 4.0)
                }
                (Self::Mixed, _) => (latent + moved - 0.8).max(0.0),
            };
        }
    }
}

fn unit(random: &mut Random) -> f64 {
    ((random.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Box and Muller.
fn normal(random: &mut Random) -> f64 {
    (-2.0 * unit(random).ln()).sqrt() * (std::f64::consts::TAU * unit(random)).cos()
}

/// A normal value over the root of half an independent chi-square with two degrees: Student's t.
fn heavy(random: &mut Random, normal: f64) -> f64 {
    normal / (-unit(random).ln()).sqrt()
}

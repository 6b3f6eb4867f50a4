//! Tables to compare: the same on every machine.

use std::fmt::Write;
use std::path::Path;

/// SplitMix64 as numbers between 0 and 1.
pub struct Unit(pub u64);

impl Unit {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, with three decimals: some ties.
    pub fn normal(&mut self) -> f64 {
        let sum: f64 = (0..12).map(|_| self.next()).sum();
        ((sum - 6.0) * 1000.0).round() / 1000.0
    }

    /// One of them, the first ones more often.
    pub fn pick<'a>(&mut self, names: &[&'a str]) -> &'a str {
        names[(self.next() * self.next() * names.len() as f64) as usize]
    }
}

/// Two months of the same shop: in the second one people pay more, come from a new place, and say their score less often.
pub fn shop(rows: usize, later: bool) -> String {
    let mut unit = Unit(if later { 2 } else { 1 });
    let mut text = "age,price,place,<b>plan</b>,score,remark\n".to_owned();
    let places: &[&str] = match later {
        true => &["Ghent", "Lyon", "Turku & Åbo", "Porto", "Graz"],
        false => &["Ghent", "Lyon", "Porto", "Graz"],
    };
    for _ in 0..rows {
        let age = 18 + (60.0 * unit.next()) as u32;
        let price = (unit.normal() / 3.0 + if later { 3.4 } else { 3.0 }).exp();
        let score = match unit.next() < if later { 0.3 } else { 0.02 } {
            true => "NA".to_owned(),
            false => unit.normal().to_string(),
        };
        let remark = if later { "" } else { "ok" };
        writeln!(
            text,
            "{age},{price:.2},{},{},{score},{remark}",
            unit.pick(places),
            unit.pick(&["basic", "\"plus, \"\"new\"\"\""])
        )
        .expect("a String");
    }
    text
}

/// Writes `reference.csv` and `current.csv` of 300 and 200 rows.
pub fn write_shop(folder: &Path) {
    std::fs::write(folder.join("reference.csv"), shop(300, false)).unwrap();
    std::fs::write(folder.join("current.csv"), shop(200, true)).unwrap();
}

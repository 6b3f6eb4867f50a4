//! Pure: schedules of recurring runs.
//!
//! The server reads six fields, seconds first, and takes five for the first five of them: `0 2 * * *`
//! starts at every 12:02:00, `*/1 * * * *` without pause. So five are refused here.
//!
//! Grammar: robfig/cron v1.2.0, which KFP 2.17 has. It knows neither `L`, `W` and `#` nor a Sunday
//! named 7, so that no cron library of ours tells what it takes.

/// A schedule of six fields, or one of the names such as `@daily`. In UTC where the server's
/// `cronScheduleTimezone` says nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron(String);

/// A schedule that the server refuses or reads otherwise than it was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Five fields, without seconds.
    #[error(
        "schedule {given:?} has five fields, and the server takes the first for seconds: expected six, \"{corrected}\""
    )]
    FiveFields {
        /// As given.
        given: String,
        /// The same with second 0.
        corrected: String,
    },
    /// Not a schedule.
    #[error("schedule {given:?}: {field} {value:?}: expected {expected}")]
    Invalid {
        /// As given.
        given: String,
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What would do.
        expected: String,
    },
}

impl CronError {
    /// Stable name of the cause.
    pub fn id(&self) -> &'static str {
        match self {
            Self::FiveFields { .. } => "kfp-cron-five-fields",
            Self::Invalid { .. } => "kfp-cron-invalid",
        }
    }
}

struct Field {
    name: &'static str,
    from: u32,
    to: u32,
    names: &'static [&'static str],
}

const fn field(name: &'static str, from: u32, to: u32, names: &'static [&'static str]) -> Field {
    Field {
        name,
        from,
        to,
        names,
    }
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: [Field; 6] = [
    field("second", 0, 59, &[]),
    field("minute", 0, 59, &[]),
    field("hour", 0, 23, &[]),
    field("day of month", 1, 31, &[]),
    field("month", 1, 12, MONTHS),
    field("day of week", 0, 6, DAYS),
];
/// Days of the longest year's months.
const DAYS_OF_MONTH: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const NAMED: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

impl Cron {
    /// Reads a schedule; white space between fields becomes one space.
    ///
    /// # Errors
    /// Five fields, with the six that were meant; anything else that the server would refuse, and a
    /// day that never comes.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        match fields[..] {
            [named] if NAMED.contains(&named) => Ok(Cron(named.to_owned())),
            [_, _, _, _, _] => {
                let corrected = Self::six(text, &[&["0"], &fields[..]].concat())?.0;
                Err(CronError::FiveFields {
                    given: text.to_owned(),
                    corrected,
                })
            }
            [_, _, _, _, _, _] => Self::six(text, &fields),
            _ => Err(CronError::Invalid {
                given: text.to_owned(),
                field: "number of fields",
                value: fields.len().to_string(),
                expected: format!("six fields, second first, or one of {}", NAMED.join(" ")),
            }),
        }
    }

    /// The schedule as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn six(given: &str, fields: &[&str]) -> Result<Self, CronError> {
        let mut chosen = Vec::new();
        for (rule, text) in FIELDS.iter().zip(fields) {
            let values = rule.values(text).ok_or_else(|| CronError::Invalid {
                given: given.to_owned(),
                field: rule.name,
                value: (*text).to_owned(),
                expected: rule.expected(),
            })?;
            chosen.push(values);
        }
        let (days, months) = (&chosen[3], &chosen[4]);
        let comes = |month: &u32| days.first() <= DAYS_OF_MONTH.get(*month as usize - 1);
        // With a day of week the server takes either, so that the schedule has its times.
        if matches!(fields[5], "*" | "?") && !months.iter().any(comes) {
            return Err(CronError::Invalid {
                given: given.to_owned(),
                field: FIELDS[3].name,
                value: fields[3].to_owned(),
                expected: "a day that one of the months has".to_owned(),
            });
        }
        Ok(Cron(fields.join(" ")))
    }
}

impl std::fmt::Display for Cron {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Field {
    fn expected(&self) -> String {
        let names = match self.names {
            [first, .., last] => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        format!("* or {} to {}{names}, with - , and /", self.from, self.to)
    }

    /// Values that the text chooses, in order; `None` where the server would refuse it.
    fn values(&self, text: &str) -> Option<Vec<u32>> {
        let mut all = Vec::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
                None => (part, None),
            };
            let (from, to) = match range.split_once('-') {
                _ if matches!(range, "*" | "?") => (self.from, self.to),
                Some((from, to)) => (self.value(from)?, self.value(to)?),
                // `5/15` is `5-59/15`.
                None if step.is_some() => (self.value(range)?, self.to),
                None => (self.value(range)?, self.value(range)?),
            };
            if from > to {
                return None;
            }
            all.extend((from..=to).step_by(step.unwrap_or(1) as usize));
        }
        all.sort_unstable();
        all.dedup();
        Some(all)
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(place) => self.from + u32::try_from(place).ok()?,
            None => number(text)?,
        };
        (self.from..=self.to).contains(&value).then_some(value)
    }
}

/// Digits alone: Rust's own reading takes a sign too.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

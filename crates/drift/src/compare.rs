//! Two tables, compared column by column.

use crate::ks::{KsError, KsResult, Method, two_sample};
use serde::{Deserialize, Serialize};

/// A named column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// As in the table's head.
    pub name: String,
    /// Finite values, any order.
    pub values: Vec<f64>,
}

/// What `trainer drift` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// One for each column, in the reference's order.
    pub features: Vec<FeatureComparison>,
}

/// One column of both tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureComparison {
    /// Name of the column.
    pub name: String,
    /// The two-sided Kolmogorov–Smirnov test.
    pub ks: KsResult,
}

/// Why two tables were not compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CompareError {
    /// Nothing to compare.
    #[error("the {table} table has no columns")]
    NoColumns {
        /// `reference` or `current`.
        table: &'static str,
    },
    /// A column of one table is not in the other one.
    #[error("column {name:?} is missing in the {table} table, which has {present}")]
    Missing {
        /// The column looked for.
        name: String,
        /// Where it was looked for: `reference` or `current`.
        table: &'static str,
        /// The columns found there.
        present: String,
    },
    /// A name stands for two columns.
    #[error("the {table} table has two columns named {name:?}")]
    Duplicate {
        /// The name.
        name: String,
        /// `reference` or `current`.
        table: &'static str,
    },
    /// A column cannot be compared.
    #[error("column {name:?}")]
    Column {
        /// Name of the column.
        name: String,
        /// What is wrong with it, and on which side.
        #[source]
        source: KsError,
    },
}

fn check(table: &'static str, columns: &[Column], other: &[Column]) -> Result<(), CompareError> {
    if columns.is_empty() {
        return Err(CompareError::NoColumns { table });
    }
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].iter().any(|earlier| earlier.name == column.name) {
            return Err(CompareError::Duplicate {
                name: column.name.clone(),
                table,
            });
        }
    }
    // A column that only one side has is an error and not left out in silence: the comparison
    // would look complete.
    match other
        .iter()
        .find(|wanted| columns.iter().all(|column| column.name != wanted.name))
    {
        None => Ok(()),
        Some(wanted) => {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            Err(CompareError::Missing {
                name: wanted.name.clone(),
                table,
                present: names.join(", "),
            })
        }
    }
}

/// Compares columns of the same name; both tables must have the same columns, in any order.
pub fn compare(reference: &[Column], current: &[Column], method: Method) -> Result<Comparison, CompareError> {
    check("reference", reference, current)?;
    check("current", current, reference)?;
    let features = reference
        .iter()
        .map(|before| {
            let name = before.name.clone();
            let now = current
                .iter()
                .find(|column| column.name == name)
                .expect("checked above");
            match two_sample(&before.values, &now.values, method) {
                Ok(ks) => Ok(FeatureComparison { name, ks }),
                Err(source) => Err(CompareError::Column { name, source }),
            }
        })
        .collect::<Result<_, _>>()?;
    Ok(Comparison { features })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, &[f64])]) -> Vec<Column> {
        let column = |&(name, values): &(&str, &[f64])| Column {
            name: name.into(),
            values: values.into(),
        };
        columns.iter().map(column).collect()
    }

    #[test]
    fn pairs_by_name_and_prints_the_agreed_shape() {
        let reference = table(&[("b", &[1.0, 2.0, 3.0]), ("a", &[1.0, 1.0])]);
        let current = table(&[("a", &[1.0]), ("b", &[4.0, 5.0])]);
        let comparison = compare(&reference, &current, Method::Auto).unwrap();
        insta::assert_json_snapshot!(comparison, @r#"
        {
          "features": [
            {
              "name": "b",
              "ks": {
                "statistic": 1.0,
                "p_value": 0.2,
                "location": 3.0,
                "sign": 1,
                "method": "exact"
              }
            },
            {
              "name": "a",
              "ks": {
                "statistic": 0.0,
                "p_value": 1.0,
                "location": 1.0,
                "sign": 1,
                "method": "exact"
              }
            }
          ]
        }
        "#);
    }

    #[test]
    fn refuses_tables_that_do_not_fit() {
        let good = table(&[("a", &[1.0]), ("b", &[2.0])]);
        let cases = [
            (table(&[]), good.clone()),
            (good.clone(), table(&[])),
            (good.clone(), table(&[("a", &[1.0])])),
            (table(&[("b", &[1.0])]), good.clone()),
            (
                good.clone(),
                table(&[("a", &[1.0]), ("b", &[1.0]), ("a", &[1.0])]),
            ),
            (good, table(&[("a", &[1.0]), ("b", &[])])),
        ];
        let errors = cases.map(|(reference, current)| {
            compare(&reference, &current, Method::Auto)
                .unwrap_err()
                .to_string()
        });
        insta::assert_snapshot!(errors.join("\n"), @r#"
        the reference table has no columns
        the current table has no columns
        column "b" is missing in the current table, which has a
        column "a" is missing in the reference table, which has b
        the current table has two columns named "a"
        column "b"
        "#);
    }
}

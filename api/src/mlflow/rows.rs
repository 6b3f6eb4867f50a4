//! A list of rows: of records (`dataframe_records`), or of either records or lists (`instances`,
//! `inputs`).

use super::{
    cell::Cell,
    json::{refuse_others, take_values},
};
use crate::{
    error::{ApiError, Code},
    table::{Table, Value},
};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, fmt};

/// What rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    Record,
    /// The value itself, of a model with one column.
    Value,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::List => "a list",
            Kind::Record => "a record",
            Kind::Value => "one value",
        }
    }
}

/// The rows of a field.
pub(super) struct Rows<'t, 'c> {
    table: &'t mut Table<'c>,
    field: &'static str,
    /// What all rows are; `None` until the first.
    kind: Option<Kind>,
    records_only: bool,
    /// By column: one more than the last row that had it.
    seen: Vec<usize>,
    /// Names that the model does not have, the first few.
    extra: Vec<String>,
}

/// Most unknown names that are kept for a message.
const EXTRA_MOST: usize = 20;

impl<'t, 'c> Rows<'t, 'c> {
    pub(super) fn records(table: &'t mut Table<'c>, field: &'static str) -> Self {
        Rows {
            records_only: true,
            ..Rows::any(table, field)
        }
    }

    pub(super) fn any(table: &'t mut Table<'c>, field: &'static str) -> Self {
        Rows {
            table,
            field,
            kind: None,
            records_only: false,
            seen: Vec::new(),
            extra: Vec::new(),
        }
    }

    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!(
            "{} must be a list of {}. Got {found}.",
            self.field,
            match self.records_only {
                true => "records",
                false => "rows, a list of records or a dictionary of columns",
            }
        );
        let code = match self.records_only {
            true => Code::NotAnArray,
            false => Code::TensorShape,
        };
        self.table.refuse(ApiError::new(code, message))
    }

    /// A record without a column that others have: a data frame fills it, lists of values cannot.
    fn gap<E: Error>(&mut self, row: usize, place: usize) -> Result<(), E> {
        let filled = match self.records_only {
            true => self.table.miss(row, place),
            false => {
                let message = format!(
                    "{} is missing: the length of values for each input/column name are not the same",
                    self.table.name(row, place)
                );
                Err(ApiError::new(Code::InvalidTable, message))
            }
        };
        filled.map_err(|error| self.table.refuse(error))
    }

    /// Reads every row.
    pub(super) fn read<'de, A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Row(&mut self))?.is_some() {}
        let complete = match self.kind {
            Some(Kind::List | Kind::Value) => Ok(()),
            Some(Kind::Record) | None => {
                self.seen.resize(self.table.columns().places(), 0);
                let seen: Vec<bool> = self.seen.iter().map(|row| *row > 0).collect();
                let extra: Vec<&str> = self.extra.iter().map(String::as_str).collect();
                self.table.columns().complete(&seen, &extra)
            }
        };
        complete.map_err(|error| self.table.refuse(error))
    }
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();
    refuse_others! { expecting unit bool number str map }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        self.read(seq)
    }
}

struct Row<'r, 't, 'c>(&'r mut Rows<'t, 'c>);

impl Row<'_, '_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let Rows { table, field, .. } = self.0;
        let expected = match (self.0.kind, self.0.records_only) {
            (Some(kind), _) => format!("{}, as the rows before it", kind.word()),
            (None, true) => "a record".to_owned(),
            (None, false) => "a list or a record".to_owned(),
        };
        let message = format!("{field}[{}] is {found}, expected {expected}", table.rows());
        table.refuse(ApiError::new(Code::TensorShape, message))
    }

    /// The number of the new row, where rows may be of this kind.
    fn begin<E: Error>(&mut self, kind: Kind) -> Result<usize, E> {
        let rows = &mut *self.0;
        let allowed = match kind {
            Kind::Record => true,
            Kind::List => !rows.records_only,
            Kind::Value => !rows.records_only && rows.table.columns().list().len() == 1,
        };
        if !allowed || rows.kind.is_some_and(|before| before != kind) {
            return Err(Row(rows).refuse(kind.word()));
        }
        rows.kind = Some(kind);
        rows.table.grow().map_err(|error| rows.table.refuse(error))
    }

    fn value<E: Error>(mut self, value: Value<'_>) -> Result<(), E> {
        let row = self.begin(Kind::Value)?;
        let table = &mut *self.0.table;
        table.put(row, 0, 0, value).map_err(|error| table.refuse(error))
    }
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_, '_> {
    type Value = ();
    refuse_others! { expecting }

    take_values! { value }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let row = self.begin(Kind::List)?;
        let rows = self.0;
        let (table, field) = (&mut *rows.table, rows.field);
        let expected = table.columns().list().len();
        let mut place = 0;
        while place < expected {
            let cell = Cell {
                table: &mut *table,
                row,
                place,
            };
            if seq.next_element_seed(cell)?.is_none() {
                break;
            }
            place += 1;
        }
        while place >= expected && seq.next_element::<IgnoredAny>()?.is_some() {
            place += 1;
        }
        if place == expected {
            return Ok(());
        }
        let values = if place == 1 { "value" } else { "values" };
        let message = format!("{field}[{row}] has {place} {values}, the model takes {expected} columns");
        Err(table.refuse(ApiError::new(Code::FeatureCount, message)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let row = self.begin(Kind::Record)?;
        let rows = self.0;
        let columns = rows.table.columns();
        rows.seen.resize(columns.places(), 0);
        let mut given = 0;
        while let Some(name) = map.next_key_seed(Name)? {
            let Some(place) = columns.find(&name, given) else {
                if rows.extra.len() < EXTRA_MOST && rows.extra.iter().all(|extra| *extra != *name) {
                    rows.extra.push(name.into_owned());
                }
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match std::mem::replace(&mut rows.seen[place], row + 1) {
                before if before == row + 1 => {
                    let message = format!("{} is there twice", rows.table.name(row, place));
                    return Err(rows.table.refuse(ApiError::new(Code::DuplicateTensor, message)));
                }
                0 if row > 0 => rows.gap(0, place)?,
                _ => {}
            }
            map.next_value_seed(Cell {
                table: &mut *rows.table,
                row,
                place,
            })?;
            given += 1;
        }
        if given < columns.list().len() {
            // Those that no row has had are told at the end, by name.
            for place in 0..rows.seen.len() {
                if rows.seen[place] > 0 && rows.seen[place] <= row {
                    rows.gap(row, place)?;
                }
            }
        }
        Ok(())
    }
}

/// A key, copied only where it has escapes.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;
    refuse_others! { expecting }
    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

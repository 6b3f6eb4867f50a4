//! `instances` and `inputs`: rows, or a dictionary from name to column as TensorFlow Serving has it.

use super::{
    cell::Cell,
    json::{refuse_others, take_values},
    rows::{Name, Rows},
};
use crate::{
    error::{ApiError, Code},
    table::{Place, Table, Value},
};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The field's value.
pub(super) struct Named<'t, 'c> {
    pub(super) table: &'t mut Table<'c>,
    pub(super) field: &'static str,
}

impl Named<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!(
            "{} must be a list of rows, a list of records or a dictionary of columns. Got {found}.",
            self.field
        );
        self.table.refuse(ApiError::new(Code::TensorShape, message))
    }
}

impl<'de> DeserializeSeed<'de> for Named<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Named<'_, '_> {
    type Value = ();
    refuse_others! { expecting unit bool number str }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Rows::any(self.table, self.field).read(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Named { table, field } = self;
        table.place = Place::Column(field);
        let columns = table.columns();
        let mut seen = vec![false; columns.places()];
        let (mut extra, mut given) = (Vec::new(), 0);
        while let Some(name) = map.next_key_seed(Name)? {
            let Some(place) = columns.find(&name, given) else {
                extra.push(name.into_owned());
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut seen[place], true) {
                let message = format!("{field} has the column {name:?} twice");
                return Err(table.refuse(ApiError::new(Code::DuplicateTensor, message)));
            }
            map.next_value_seed(Values {
                table: &mut *table,
                field,
                place,
                first: given == 0,
            })?;
            given += 1;
        }
        let extra: Vec<&str> = extra.iter().map(String::as_str).collect();
        columns
            .complete(&seen, &extra)
            .map_err(|error| table.refuse(error))
    }
}

/// The values of one column.
struct Values<'t, 'c> {
    table: &'t mut Table<'c>,
    field: &'static str,
    place: usize,
    /// The first column says how many rows there are.
    first: bool,
}

impl Values<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let name = &self.table.columns().get(self.place).name;
        let message = format!("{}[{name:?}] is {found}, expected a list of values", self.field);
        self.table.refuse(ApiError::new(Code::InvalidTable, message))
    }

    fn lengths<E: Error>(self, found: &str) -> E {
        let name = &self.table.columns().get(self.place).name;
        let message = format!(
            "{}[{name:?}] has {found} values, the column before has {}: the length of values for each input/column name are not the same",
            self.field,
            self.table.rows()
        );
        // MLflow finds this while reading `instances`, and only when predicting with `inputs`.
        let code = match self.field {
            "instances" => Code::InvalidTable,
            _ => Code::TensorShape,
        };
        self.table.refuse(ApiError::new(code, message))
    }

    /// A value alone is a column of one row.
    fn value<E: Error>(self, value: Value<'_>) -> Result<(), E> {
        if self.table.columns().get(self.place).width != 1 {
            return Err(self.refuse("one value"));
        }
        let row = match self.first {
            true => self.table.grow(),
            false if self.table.rows() == 1 => Ok(0),
            false => return Err(self.lengths("1")),
        };
        let done = row.and_then(|row| self.table.put(row, self.place, 0, value));
        done.map_err(|error| self.table.refuse(error))
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.table.at = (0, self.place);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, '_> {
    type Value = ();
    refuse_others! { expecting map }

    take_values! { value }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut row = 0;
        loop {
            let next = Next {
                table: &mut *self.table,
                row,
                place: self.place,
                first: self.first,
            };
            match seq.next_element_seed(next)? {
                None => break,
                Some(true) => row += 1,
                Some(false) => return Err(self.lengths(&format!("more than {row}"))),
            }
        }
        if row < self.table.rows() {
            return Err(self.lengths(&row.to_string()));
        }
        Ok(())
    }
}

/// A value and, in the first column, the row for it. False where there is no row for it.
struct Next<'t, 'c> {
    table: &'t mut Table<'c>,
    row: usize,
    place: usize,
    first: bool,
}

impl<'de> DeserializeSeed<'de> for Next<'_, '_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let Next {
            table,
            row,
            place,
            first,
        } = self;
        if first {
            table.grow().map_err(|error| table.refuse(error))?;
        } else if row >= table.rows() {
            return Ok(false);
        }
        Cell { table, row, place }
            .deserialize(deserializer)
            .map(|()| true)
    }
}

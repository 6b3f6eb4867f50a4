//! One cell: a value, or a list of as many as the column is wide.

use super::json::{refuse_others, take_values};
use crate::{
    error::{ApiError, Code},
    table::{Table, Value},
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The cell of a column in a row.
pub(super) struct Cell<'t, 'c> {
    pub(super) table: &'t mut Table<'c>,
    pub(super) row: usize,
    pub(super) place: usize,
}

impl Cell<'_, '_> {
    fn width(&self) -> usize {
        self.table.columns().get(self.place).width
    }

    fn refuse<E: Error>(self, found: &str) -> E {
        let expected = match self.width() {
            1 => "one value".to_owned(),
            width => format!("a list of {width} values"),
        };
        let name = self.table.name(self.row, self.place);
        let message = format!("{name} is {found}, expected {expected}");
        self.table.refuse(ApiError::new(Code::NotANumber, message))
    }

    fn put<E: Error>(self, value: Value<'_>) -> Result<(), E> {
        let done = match (self.width(), value) {
            (1, value) => self.table.put(self.row, self.place, 0, value),
            (_, Value::Missing) => self.table.miss(self.row, self.place),
            (_, value) => return Err(self.refuse(&value.to_string())),
        };
        done.map_err(|error| self.table.refuse(error))
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.table.at = (self.row, self.place);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_, '_> {
    type Value = ();
    refuse_others! { expecting }
    take_values! { put }
    refuse_others! { map }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Cell { table, row, place } = self;
        let width = table.columns().get(place).width;
        let mut element = 0;
        while seq
            .next_element_seed(Element {
                table: &mut *table,
                row,
                place,
                element,
            })?
            .is_some()
        {
            element += 1;
        }
        if element == width {
            return Ok(());
        }
        let found = format!("a list of {element}");
        Err(Cell { table, row, place }.refuse(&found))
    }
}

/// A value within a list.
struct Element<'t, 'c> {
    table: &'t mut Table<'c>,
    row: usize,
    place: usize,
    element: usize,
}

impl Element<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let name = self.table.name(self.row, self.place);
        let message = format!("{name}[{}] is {found}, expected one value", self.element);
        self.table.refuse(ApiError::new(Code::NotANumber, message))
    }

    fn put<E: Error>(self, value: Value<'_>) -> Result<(), E> {
        // A list that is too long is counted to its end: the message tells its length.
        if self.element >= self.table.columns().get(self.place).width {
            return Ok(());
        }
        let done = self.table.put(self.row, self.place, self.element, value);
        done.map_err(|error| self.table.refuse(error))
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_> {
    type Value = ();
    refuse_others! { expecting }
    take_values! { put }
    refuse_others! { seq map }
}

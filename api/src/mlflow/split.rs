//! `dataframe_split`: columns, data, index.

use super::{cell::Cell, json::refuse_others};
use crate::{
    error::{ApiError, Code},
    table::{Place, Table},
};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, fmt};

/// The field's value. Its answer is a header that came after the data: they are read again with it.
pub(super) struct Split<'t, 'c> {
    pub(super) table: &'t mut Table<'c>,
    pub(super) header: Option<Vec<Option<usize>>>,
}

impl Split<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!("Dataframe split format must be a dictionary. Got {found}.");
        self.table.refuse(ApiError::new(Code::NotAnObject, message))
    }
}

impl<'de> DeserializeSeed<'de> for Split<'_, '_> {
    type Value = Option<Vec<Option<usize>>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Split<'_, '_> {
    type Value = Option<Vec<Option<usize>>>;
    refuse_others! { expecting unit bool number str seq }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Split { table, header } = self;
        let again = header.is_some();
        let (mut header, mut index) = (header, None);
        let (mut has_data, mut skipped) = (false, false);
        table.place = Place::Row("dataframe_split.data");
        let positions = || (0..table.columns().list().len()).map(Some).collect::<Vec<_>>();
        let positions = positions();
        while let Some(key) = map.next_key_seed(Key)? {
            match key {
                "columns" if again => drop(map.next_value::<IgnoredAny>()?),
                "columns" if header.is_some() => {
                    let message = "dataframe_split.columns is there twice";
                    return Err(table.refuse(ApiError::new(Code::DuplicateField, message)));
                }
                "columns" => header = map.next_value_seed(Header(&mut *table))?,
                "data" if std::mem::replace(&mut has_data, true) => {
                    let message = "dataframe_split.data is there twice";
                    return Err(table.refuse(ApiError::new(Code::DuplicateField, message)));
                }
                "data" => match &header {
                    Some(header) => map.next_value_seed(Data {
                        table: &mut *table,
                        header,
                    })?,
                    None => {
                        skipped = true;
                        map.next_value::<IgnoredAny>()?;
                    }
                },
                "index" => index = map.next_value_seed(Index(&mut *table))?,
                _ => {
                    let message = "Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields. Got another field.";
                    return Err(table.refuse(ApiError::new(Code::InvalidTable, message)));
                }
            }
        }
        if skipped {
            return Ok(Some(header.unwrap_or(positions)));
        }
        let problem = match (has_data, index) {
            (false, _) => ApiError::new(
                Code::MissingField,
                "Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields. There is no 'data'.",
            ),
            (true, Some(index)) if index != table.rows() => ApiError::new(
                Code::InvalidTable,
                format!(
                    "dataframe_split.index has {index} values, dataframe_split.data has {} rows",
                    table.rows()
                ),
            ),
            (true, _) => return Ok(None),
        };
        Err(table.refuse(problem))
    }
}

/// A key of the dictionary; others are empty.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = &'static str;
    refuse_others! { expecting }
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(["columns", "data", "index"]
            .into_iter()
            .find(|known| *known == name)
            .unwrap_or(""))
    }
}

/// `columns`: names, numbers among them; or those from 0 on that pandas gives columns without names.
struct Header<'t, 'c>(&'t mut Table<'c>);

impl Header<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!("dataframe_split.columns is {found}, expected a list of names");
        self.0.refuse(ApiError::new(Code::InvalidTable, message))
    }
}

impl<'de> DeserializeSeed<'de> for Header<'_, '_> {
    type Value = Option<Vec<Option<usize>>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

enum Label<'a> {
    Number(u64),
    Name(Cow<'a, str>),
}

/// Reads a [`Label`].
struct OneLabel;

impl<'de> DeserializeSeed<'de> for OneLabel {
    type Value = Label<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneLabel {
    type Value = Label<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column")
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Label::Number(number))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Label::Name(Cow::Owned(number.to_string())))
    }
    /// JSON has one kind of number: 2.0 is 2. Any other is a label as good as a name.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        let place = number as u64;
        match place as f64 == number {
            true => Ok(Label::Number(place)),
            false => Ok(Label::Name(Cow::Owned(number.to_string()))),
        }
    }
    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Label::Name(Cow::Borrowed(name)))
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Label::Name(Cow::Owned(name.to_owned())))
    }
}

impl<'de> Visitor<'de> for Header<'_, '_> {
    type Value = Option<Vec<Option<usize>>>;
    refuse_others! { expecting bool number str map }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let columns = self.0.columns();
        let mut labels = Vec::with_capacity(columns.list().len());
        while let Some(label) = seq.next_element_seed(OneLabel)? {
            labels.push(label);
        }
        let numbered = |(place, label): (usize, &Label<'_>)| matches!(label, Label::Number(number) if *number == place as u64);
        let places = if labels.len() == columns.list().len() && labels.iter().enumerate().all(numbered) {
            Ok((0..labels.len()).map(Some).collect())
        } else {
            let name = |label| match label {
                Label::Number(number) => Cow::Owned(number.to_string()),
                Label::Name(name) => name,
            };
            let names: Vec<Cow<'_, str>> = labels.into_iter().map(name).collect();
            columns.header(names.iter().map(|name| &**name))
        };
        places.map(Some).map_err(|error| self.0.refuse(error))
    }
}

/// `index`: only counted.
struct Index<'t, 'c>(&'t mut Table<'c>);

impl Index<'_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!("dataframe_split.index is {found}, expected a list");
        self.0.refuse(ApiError::new(Code::InvalidTable, message))
    }
}

impl<'de> DeserializeSeed<'de> for Index<'_, '_> {
    type Value = Option<usize>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Index<'_, '_> {
    type Value = Option<usize>;
    refuse_others! { expecting bool number str map }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut count = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Some(count))
    }
}

/// `data`: lists as long as the header.
struct Data<'t, 'c, 'h> {
    table: &'t mut Table<'c>,
    header: &'h [Option<usize>],
}

impl Data<'_, '_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let message = format!("dataframe_split.data is {found}, expected a list of rows");
        self.table.refuse(ApiError::new(Code::InvalidTable, message))
    }
}

impl<'de> DeserializeSeed<'de> for Data<'_, '_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Data<'_, '_, '_> {
    type Value = ();
    refuse_others! { expecting unit bool number str map }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq
            .next_element_seed(Row(Data {
                table: &mut *self.table,
                header: self.header,
            }))?
            .is_some()
        {}
        Ok(())
    }
}

struct Row<'t, 'c, 'h>(Data<'t, 'c, 'h>);

impl Row<'_, '_, '_> {
    fn refuse<E: Error>(self, found: &str) -> E {
        let table = self.0.table;
        let message = format!(
            "dataframe_split.data[{}] is {found}, expected a list",
            table.rows()
        );
        table.refuse(ApiError::new(Code::InvalidTable, message))
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
    refuse_others! { expecting unit bool number str map }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Data { table, header } = self.0;
        let row = table.grow().map_err(|error| table.refuse(error))?;
        let mut count = 0;
        loop {
            let more = match header.get(count) {
                Some(Some(place)) => seq
                    .next_element_seed(Cell {
                        table: &mut *table,
                        row,
                        place: *place,
                    })?
                    .is_some(),
                _ => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
            count += 1;
        }
        if count == header.len() {
            return Ok(());
        }
        let message = format!(
            "dataframe_split.data[{row}]: {} columns passed, passed data had {count} columns",
            header.len()
        );
        Err(table.refuse(ApiError::new(Code::InvalidTable, message)))
    }
}

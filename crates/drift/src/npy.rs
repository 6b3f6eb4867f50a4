//! NumPy's `.npy` files of two-dimensional floating-point arrays, bytes in and bytes out.
//!
//! Format: NumPy enhancement proposal 1 (`numpy.lib.format`), versions 1.0 and 2.0.

const MAGIC: &[u8] = b"\x93NUMPY";
/// numpy pads the head so that the data is aligned to this.
const ALIGNMENT: usize = 64;

/// A table of numbers, row after row (C order).
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// `rows · columns` values.
    pub values: Vec<f64>,
}

impl Matrix {
    /// The same values as columns.
    pub fn to_columns(&self) -> Vec<Vec<f64>> {
        let column = |index| {
            self.values
                .iter()
                .skip(index)
                .step_by(self.columns)
                .copied()
                .collect()
        };
        (0..self.columns).map(column).collect()
    }
}

/// Why bytes are not such a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// The first six bytes differ.
    #[error("not a .npy file: it does not begin with \\x93NUMPY")]
    Magic,
    /// Neither 1.0 nor 2.0.
    #[error(".npy format version is {0}.{1}, expected 1.0 or 2.0")]
    Version(u8, u8),
    /// The head ends before its own length.
    #[error(".npy head is cut off: {found} bytes, expected {expected}")]
    ShortHead {
        /// Bytes there are.
        found: usize,
        /// Bytes the file announces.
        expected: usize,
    },
    /// The head is not the dictionary of descr, fortran_order and shape.
    #[error(".npy head {0:?} is not a dictionary of 'descr', 'fortran_order' and 'shape'")]
    Head(String),
    /// Another element type.
    #[error(".npy element type is {0:?}, expected '<f8' or '<f4' (little-endian float64 or float32)")]
    Type(String),
    /// Columns after each other.
    #[error(".npy array is in Fortran order, expected C order")]
    FortranOrder,
    /// Not two dimensions.
    #[error(".npy array has shape ({0}), expected two dimensions, neither of them 0")]
    Shape(String),
    /// The data has another length than the shape says.
    #[error(".npy data has {found} bytes, its shape needs {expected}")]
    Length {
        /// Bytes there are.
        found: usize,
        /// Bytes the shape needs.
        expected: usize,
    },
}

/// Reads a two-dimensional float64 or float32 array. Values may be NaN: the caller decides.
pub fn read(bytes: &[u8]) -> Result<Matrix, NpyError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::Magic)?;
    let short = |expected| NpyError::ShortHead {
        found: bytes.len(),
        expected,
    };
    let (length, start) = match *rest {
        [1, 0, a, b, ..] => (usize::from(u16::from_le_bytes([a, b])), 10),
        [2, 0, a, b, c, d, ..] => (u32::from_le_bytes([a, b, c, d]) as usize, 12),
        [1 | 2, 0, ..] | [] | [_] => return Err(short(12)),
        [major, minor, ..] => return Err(NpyError::Version(major, minor)),
    };
    let head = bytes
        .get(start..start + length)
        .ok_or_else(|| short(start + length))?;
    let head = std::str::from_utf8(head).map_err(|_| NpyError::Head(head.escape_ascii().to_string()))?;
    let head = Head::parse(head.trim_end()).ok_or_else(|| NpyError::Head(head.trim_end().to_owned()))?;
    let width = match head.descr {
        "<f8" => 8,
        "<f4" => 4,
        other => return Err(NpyError::Type(other.to_owned())),
    };
    if head.fortran_order {
        return Err(NpyError::FortranOrder);
    }
    let shape = || NpyError::Shape(head.shape.to_owned());
    let (rows, columns) = head.two_dimensions().ok_or_else(shape)?;
    let expected = rows
        .checked_mul(columns)
        .and_then(|n| n.checked_mul(width))
        .ok_or_else(shape)?;
    let data = &bytes[start + length..];
    if data.len() != expected {
        return Err(NpyError::Length {
            found: data.len(),
            expected,
        });
    }
    let values = match width {
        8 => data
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&cell| f64::from_le_bytes(cell))
            .collect(),
        _ => data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&cell| f64::from(f32::from_le_bytes(cell)))
            .collect(),
    };
    Ok(Matrix {
        rows,
        columns,
        values,
    })
}

/// Writes float64, version 1.0: the bytes that `numpy.save` writes.
///
/// # Panics
/// If `matrix.values` does not have `rows · columns` entries.
pub fn write(matrix: &Matrix) -> Vec<u8> {
    let Matrix {
        rows,
        columns,
        values,
    } = matrix;
    assert_eq!(
        values.len(),
        rows * columns,
        "values of a {rows} by {columns} matrix"
    );
    let mut head = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // Ten bytes stand before the head, which ends in a line feed at an aligned place. (numpy also
    // leaves room for the first dimension to grow to 21 digits.)
    head.extend(std::iter::repeat_n(' ', 21 - rows.to_string().len()));
    let unpadded = MAGIC.len() + 4 + head.len() + 1;
    head.extend(std::iter::repeat_n(
        ' ',
        unpadded.next_multiple_of(ALIGNMENT) - unpadded,
    ));
    head.push('\n');
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + head.len() + 8 * values.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&(head.len() as u16).to_le_bytes());
    bytes.extend_from_slice(head.as_bytes());
    values
        .iter()
        .for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    bytes
}

/// The head's dictionary: three entries in any order.
struct Head<'a> {
    descr: &'a str,
    fortran_order: bool,
    /// What stands between the parentheses.
    shape: &'a str,
}

impl<'a> Head<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            let after = after.trim_start().strip_prefix(':')?.trim_start();
            let after = match key {
                "descr" if descr.is_none() => {
                    let (value, after) = quoted(after)?;
                    descr = Some(value);
                    after
                }
                "fortran_order" if fortran_order.is_none() => {
                    let (value, after) = match after.strip_prefix("False") {
                        Some(after) => (false, after),
                        None => (true, after.strip_prefix("True")?),
                    };
                    fortran_order = Some(value);
                    after
                }
                "shape" if shape.is_none() => {
                    let (value, after) = after.strip_prefix('(')?.split_once(')')?;
                    shape = Some(value);
                    after
                }
                _ => return None,
            };
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(after) => after.trim_start(),
                None if after.is_empty() => after,
                None => return None,
            };
        }
        Some(Self {
            descr: descr?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }

    fn two_dimensions(&self) -> Option<(usize, usize)> {
        let (rows, columns) = self.shape.split_once(',')?;
        let columns = columns.trim_end().strip_suffix(',').unwrap_or(columns);
        let parse = |text: &str| text.trim().parse::<usize>().ok().filter(|&n| n > 0);
        Some((parse(rows)?, parse(columns)?))
    }
}

/// A string in single or double quotes, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

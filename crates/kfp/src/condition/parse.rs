//! Reads CEL.

use super::{Compare, Condition, DEPTH_MAX, Operand};

const INPUT: &str = "inputs.parameter_values[";

struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
    depth: usize,
}

pub(super) fn condition(text: &str) -> Result<Condition, String> {
    let mut reader = Reader {
        whole: text,
        rest: text,
        depth: 0,
    };
    let found = reader.any()?;
    reader.space();
    if reader.rest.is_empty() {
        return Ok(found);
    }
    Err(reader.expected("the end, && or ||"))
}

impl<'a> Reader<'a> {
    fn expected(&self, what: &str) -> String {
        let at = self.whole.len() - self.rest.len();
        format!("condition {:?}: at {at}: expected {what}", self.whole)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, sign: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn must(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        Err(self.expected(sign))
    }

    fn any(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.expected("less nesting"));
        }
        let mut parts = vec![self.all()?];
        while self.take("||") {
            parts.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Condition::Any(parts)
        })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.one()?];
        while self.take("&&") {
            parts.push(self.one()?);
        }
        Ok(Condition::all(parts))
    }

    fn one(&mut self) -> Result<Condition, String> {
        if self.take("!") {
            self.must("(")?;
            let inner = self.any()?;
            self.must(")")?;
            return Ok(inner.negated());
        }
        if self.take("(") {
            let inner = self.any()?;
            self.must(")")?;
            return Ok(inner);
        }
        let left = self.operand()?;
        self.space();
        let how = Compare::ALL.into_iter().find(|how| self.take(how.sign()));
        let how = how.ok_or_else(|| self.expected("==, !=, <, <=, > or >="))?;
        let right = self.operand()?;
        Ok(Condition::Compare { left, how, right })
    }

    fn operand(&mut self) -> Result<Operand, String> {
        if self.take("int(") {
            let name = self.input()?;
            self.must(")")?;
            return Ok(Operand::Input { name, integer: true });
        }
        if self.rest.starts_with(INPUT) {
            let name = self.input()?;
            return Ok(Operand::Input { name, integer: false });
        }
        if self.rest.starts_with(['\'', '"']) {
            return Ok(Operand::Text(self.text()?));
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let found = match word {
            "true" => Operand::Boolean(true),
            "false" => Operand::Boolean(false),
            _ => match (word.parse(), word.parse::<f64>()) {
                (Ok(whole), _) => Operand::Integer(whole),
                (_, Ok(number)) if number.is_finite() => Operand::Double(number),
                _ => {
                    return Err(
                        self.expected("inputs.parameter_values['…'], a text, a number, true or false")
                    );
                }
            },
        };
        self.rest = rest;
        Ok(found)
    }

    fn input(&mut self) -> Result<String, String> {
        self.must(INPUT)?;
        let name = self.text()?;
        crate::names::slot(&name).map_err(|why| format!("condition {:?}: {why}", self.whole))?;
        self.must("]")?;
        Ok(name)
    }

    /// A text in quotes of either sort.
    fn text(&mut self) -> Result<String, String> {
        self.space();
        let mut chars = self.rest.char_indices();
        let quote = match chars.next() {
            Some((_, quote @ ('\'' | '"'))) => quote,
            _ => return Err(self.expected("a text in quotes")),
        };
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => {
                    let escape = chars.next().map(|(_, c)| c);
                    let mut digits = |count: usize| {
                        let code = (0..count).try_fold(0u32, |code, _| {
                            let digit = chars.next()?.1.to_digit(16)?;
                            code.checked_mul(16)?.checked_add(digit)
                        });
                        code.and_then(char::from_u32)
                    };
                    let meant = match escape {
                        Some(c @ ('\'' | '"' | '\\')) => Some(c),
                        Some('n') => Some('\n'),
                        Some('t') => Some('\t'),
                        Some('r') => Some('\r'),
                        Some('u') => digits(4),
                        Some('U') => digits(8),
                        _ => None,
                    };
                    text.push(meant.ok_or_else(|| self.expected("a known escape in the text"))?);
                }
                c => text.push(c),
            }
        }
        Err(self.expected("the end of the text"))
    }
}

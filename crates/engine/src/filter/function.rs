//! The functions and methods that expressions may call.

use super::Failure;
use super::arithmetic::Number;
use super::evaluation::Evaluation;
use super::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Int,
    Uint,
    Double,
    String,
}

impl Function {
    /// The function of this name, called on its first argument unless `global`, with so many others.
    pub(super) fn named(name: &str, global: bool, count: usize) -> Option<Self> {
        Some(match (name, global, count) {
            ("size", true, 1) | ("size", false, 0) => Self::Size,
            ("contains", false, 1) => Self::Contains,
            ("startsWith", false, 1) => Self::StartsWith,
            ("endsWith", false, 1) => Self::EndsWith,
            ("lowerAscii", false, 0) => Self::LowerAscii,
            ("upperAscii", false, 0) => Self::UpperAscii,
            ("int", true, 1) => Self::Int,
            ("uint", true, 1) => Self::Uint,
            ("double", true, 1) => Self::Double,
            ("string", true, 1) => Self::String,
            _ => return None,
        })
    }

    pub(super) fn call<'a>(
        self,
        arguments: &[Value<'a>],
        evaluation: &mut Evaluation<'_, '_>,
    ) -> Result<Value<'a>, Failure> {
        match (self, arguments) {
            (Self::Size, [value]) => size(value, evaluation),
            (Self::Contains | Self::StartsWith | Self::EndsWith, [Value::Text(text), Value::Text(part)]) => {
                let (text, part) = (text.as_str(), part.as_str());
                evaluation.spend_bytes(text.len().saturating_add(part.len()))?;
                Ok(Value::Bool(match self {
                    Self::Contains => text.contains(part),
                    Self::StartsWith => text.starts_with(part),
                    _ => text.ends_with(part),
                }))
            }
            (Self::LowerAscii | Self::UpperAscii, [Value::Text(text)]) => {
                evaluation.spend_bytes(text.as_str().len())?;
                Ok(Value::made(&match self {
                    Self::LowerAscii => text.as_str().to_ascii_lowercase(),
                    _ => text.as_str().to_ascii_uppercase(),
                }))
            }
            (Self::Int | Self::Uint | Self::Double, [value]) => self.convert(value).map(Value::Number),
            (Self::String, [value]) => string(value),
            _ => Err(Failure::Type),
        }
    }

    fn convert(self, value: &Value<'_>) -> Result<Number, Failure> {
        match (self, value) {
            (Self::Int, Value::Number(number)) => number.to_int().map(Number::Int),
            (Self::Uint, Value::Number(number)) => number.to_uint().map(Number::Uint),
            (Self::Double, Value::Number(number)) => Ok(Number::Double(number.to_double())),
            (Self::Int, Value::Text(text)) => parsed(text.as_str()).map(Number::Int),
            (Self::Uint, Value::Text(text)) => parsed(text.as_str()).map(Number::Uint),
            (Self::Double, Value::Text(text)) => parsed(text.as_str()).map(Number::Double),
            _ => Err(Failure::Type),
        }
    }
}

/// No text of a number is longer.
const MAX_NUMBER_LEN: usize = 64;

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Failure> {
    let short = Some(text).filter(|text| text.len() <= MAX_NUMBER_LEN);
    short.and_then(|text| text.parse().ok()).ok_or(Failure::Number)
}

/// Of a text in characters, of a list and a map in entries.
fn size<'a>(value: &Value<'a>, evaluation: &mut Evaluation<'_, '_>) -> Result<Value<'a>, Failure> {
    let size = match value {
        Value::Text(text) => {
            evaluation.spend_bytes(text.as_str().len())?;
            text.as_str().chars().count()
        }
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return Err(Failure::Type),
    };
    Ok(Value::Number(Number::Int(i64::try_from(size).unwrap_or(i64::MAX))))
}

fn string<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    Ok(match value {
        Value::Text(_) => value.clone(),
        Value::Bool(value) => Value::made(&value.to_string()),
        Value::Number(Number::Int(value)) => Value::made(&value.to_string()),
        Value::Number(Number::Uint(value)) => Value::made(&value.to_string()),
        Value::Number(Number::Double(value)) => Value::made(&value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => return Err(Failure::Type),
    })
}

//! Numbers. Whole ones stay exact: an id beyond 2⁵³ is not its neighbour.

use std::cmp::Ordering;

use super::Failure;
use super::program::Operator;

#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    /// As written with a `u`, or too large for the others.
    Uint(u64),
    Double(f64),
}

impl From<&serde_json::Number> for Number {
    fn from(number: &serde_json::Number) -> Self {
        let whole = number.as_i64().map(Self::Int).or_else(|| number.as_u64().map(Self::Uint));
        whole.unwrap_or_else(|| Self::Double(number.as_f64().unwrap_or(f64::NAN)))
    }
}

impl Number {
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self.whole(), other.whole()) {
            (Ok(a), Ok(b)) => Some(a.cmp(&b)),
            (Ok(a), Err(b)) => against(a, b),
            (Err(a), Ok(b)) => against(b, a).map(Ordering::reverse),
            (Err(a), Err(b)) => a.partial_cmp(&b),
        }
    }

    /// As a whole number, or as the float it is.
    fn whole(self) -> Result<i128, f64> {
        match self {
            Self::Int(value) => Ok(value.into()),
            Self::Uint(value) => Ok(value.into()),
            Self::Double(value) => Err(value),
        }
    }

    #[allow(clippy::cast_precision_loss)] // As CEL converts.
    pub(super) fn to_double(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Uint(value) => value as f64,
            Self::Double(value) => value,
        }
    }

    /// The whole part.
    pub(super) fn to_int(self) -> Result<i64, Failure> {
        let whole = self.whole().or_else(truncated)?;
        i64::try_from(whole).map_err(|_| Failure::Number)
    }

    /// The whole part.
    pub(super) fn to_uint(self) -> Result<u64, Failure> {
        let whole = self.whole().or_else(truncated)?;
        u64::try_from(whole).map_err(|_| Failure::Number)
    }

    pub(super) fn negate(self) -> Result<Self, Failure> {
        match self {
            Self::Int(value) => value.checked_neg().map(Self::Int).ok_or(Failure::Number),
            Self::Double(value) => Ok(Self::Double(-value)),
            Self::Uint(_) => Err(Failure::Type),
        }
    }

    /// Two whole numbers give a whole one. JSON does not tell 1 from 1.0, so that a float takes
    /// whole ones along, other than in CEL elsewhere.
    pub(super) fn compute(self, operator: Operator, other: Self) -> Result<Self, Failure> {
        let computed = match (self, other) {
            (Self::Int(a), Self::Int(b)) => whole(operator, a, b)?.map(Self::Int),
            (Self::Uint(a), Self::Uint(b)) => whole_unsigned(operator, a, b)?.map(Self::Uint),
            (Self::Int(_), Self::Uint(_)) | (Self::Uint(_), Self::Int(_)) => return Err(Failure::Type),
            (Self::Double(_), _) | (_, Self::Double(_)) => {
                Some(Self::Double(float(operator, self.to_double(), other.to_double())?))
            }
        };
        computed.ok_or(Failure::Number)
    }
}

fn truncated(float: f64) -> Result<i128, Failure> {
    // Beyond these no integer of CEL lies.
    #[allow(clippy::cast_possible_truncation)]
    if float.abs() < 1e20 { Ok(float as i128) } else { Err(Failure::Number) }
}

/// A whole number against a float, exactly; `None` for what is no number.
fn against(whole: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // Whole numbers here are below 2⁶⁴.
    let Ok(floor) = truncated(float.floor()) else {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    };
    let fraction = float > float.floor();
    Some(whole.cmp(&floor).then(if fraction { Ordering::Less } else { Ordering::Equal }))
}

fn whole(operator: Operator, a: i64, b: i64) -> Result<Option<i64>, Failure> {
    Ok(match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        _ => return Err(Failure::Type),
    })
}

fn whole_unsigned(operator: Operator, a: u64, b: u64) -> Result<Option<u64>, Failure> {
    Ok(match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Remainder => a.checked_rem(b),
        _ => return Err(Failure::Type),
    })
}

fn float(operator: Operator, a: f64, b: f64) -> Result<f64, Failure> {
    Ok(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => return Err(Failure::Type),
    })
}

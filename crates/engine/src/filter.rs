//! Which events of a subscription are sent: by the type of their object, by their user, and by
//! expressions.
//!
//! ```text
//! spec.filters ── Filter::new ──► Filter ── judge(&Subject) ──► Verdict
//!                   │ compile: bounded source → cel's parser → Program
//!                   └ refused with its position
//! ```
//!
//! Expressions are written by whoever may write a webhook, and events by whoever may publish, so
//! that neither is trusted: what an expression may be is bounded before it is parsed, and what it
//! may do is metered step by step while it runs. An expression that fails, or that runs out of its
//! budget, does not match.

mod arithmetic;
mod evaluation;
mod expression;
mod function;
mod lowering;
mod program;
mod subject;
mod value;

pub use expression::{Expression, InvalidExpression};
pub use subject::Subject;

/// What a webhook filters by. Entries of one kind are alternatives; kinds must all agree.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    resource_types: Vec<Box<str>>,
    user_ids: Vec<Box<str>>,
    expressions: Vec<Expression>,
}

/// What a filter says to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent.
    Accepted,
    /// It is not sent.
    Rejected,
    /// It is not sent, as an expression failed on it.
    Failed(Failure),
}

/// Why a filter does not let an event through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// It is about something else.
    #[error("its filters do not have the event's resource type")]
    ResourceType,
    /// Somebody else did it.
    #[error("its filters do not have the event's user id")]
    UserId,
    /// The expression at this place, from 0, is false.
    #[error("filter expression {} is false", .0 + 1)]
    False(usize),
    /// The expression at this place, from 0, failed.
    #[error("filter expression {} fails: {}", .0 + 1, .1)]
    Failed(usize, Failure),
}

impl From<Option<Objection>> for Verdict {
    fn from(objection: Option<Objection>) -> Self {
        match objection {
            None => Self::Accepted,
            Some(Objection::ResourceType | Objection::UserId | Objection::False(_)) => Self::Rejected,
            Some(Objection::Failed(_, failure)) => Self::Failed(failure),
        }
    }
}

/// Why an expression says nothing about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A field, an entry or an element is not there.
    #[error("a field is missing")]
    Missing,
    /// An operator or a function does not take such values, or the result is neither true nor false.
    #[error("a value has the wrong type")]
    Type,
    /// A division by zero, an overflow, or a text that is no number.
    #[error("a number cannot be computed")]
    Number,
    /// There was more to do than [`Filter::MAX_WORK`].
    #[error("there is more to do than an expression may")]
    OverBudget,
    /// The event is nested more deeply than filters look.
    #[error("the event is nested too deeply")]
    Unreadable,
    /// A defect of Hookwright.
    #[error("the evaluation ended by a defect")]
    Defect,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Missing, Self::Type, Self::Number, Self::OverBudget, Self::Unreadable, Self::Defect];

    /// In one word, for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "Missing",
            Self::Type => "Type",
            Self::Number => "Number",
            Self::OverBudget => "OverBudget",
            Self::Unreadable => "Unreadable",
            Self::Defect => "Defect",
        }
    }
}

impl Filter {
    /// Most entries of `resourceTypes`, and of `userIDs`.
    pub const MAX_ENTRIES: usize = 64;
    /// Longest entry, in bytes.
    pub const MAX_ENTRY_LEN: usize = 256;
    /// Most expressions.
    pub const MAX_EXPRESSIONS: usize = 16;
    /// What all expressions of a webhook together may do about one event, in steps. A step looks at
    /// one node, one element or sixteen bytes: some milliseconds in all.
    pub const MAX_WORK: u32 = 100_000;

    /// A filter; `None` where there is nothing to filter by. What is beyond the limits is left out.
    #[must_use]
    pub fn new(
        resource_types: &[String],
        user_ids: &[String],
        mut expressions: Vec<Expression>,
    ) -> Option<Self> {
        let entries = |entries: &[String]| {
            entries.iter().take(Self::MAX_ENTRIES).map(|entry| entry.as_str().into()).collect::<Vec<_>>()
        };
        expressions.truncate(Self::MAX_EXPRESSIONS);
        let filter =
            Self { resource_types: entries(resource_types), user_ids: entries(user_ids), expressions };
        let empty =
            filter.resource_types.is_empty() && filter.user_ids.is_empty() && filter.expressions.is_empty();
        (!empty).then_some(filter)
    }

    /// Whether there are expressions, which take longer than texts take to be compared.
    #[must_use]
    pub const fn evaluates(&self) -> bool {
        !self.expressions.is_empty()
    }

    /// Whether the event is sent, as [`Filter::objection`] says.
    #[must_use]
    pub fn judge(&self, subject: &Subject) -> Verdict {
        self.objection(subject).into()
    }

    /// Why the event is not sent, if it is not. Takes as long as [`Filter::MAX_WORK`] at most, apart
    /// from the reading of the event, which all filters share.
    #[must_use]
    pub fn objection(&self, subject: &Subject) -> Option<Objection> {
        let among = |entries: &[Box<str>], value: Option<&str>| {
            entries.is_empty() || value.is_some_and(|value| entries.iter().any(|entry| **entry == *value))
        };
        if !among(&self.resource_types, subject.resource_type()) {
            return Some(Objection::ResourceType);
        }
        if !among(&self.user_ids, subject.user_id()) {
            return Some(Objection::UserId);
        }
        let mut work = Self::MAX_WORK;
        for (place, expression) in self.expressions.iter().enumerate() {
            match subject.event().and_then(|event| expression.holds(event, &mut work)) {
                Ok(true) => {}
                Ok(false) => return Some(Objection::False(place)),
                Err(failure) => return Some(Objection::Failed(place, failure)),
            }
        }
        None
    }
}

//! An expression, compiled: names are resolved, patterns of `matches` are built.

use regex::Regex;

use super::function::Function;

/// A node of a compiled expression. No deeper than [`MAX_DEPTH`](super::lowering::MAX_DEPTH).
#[derive(Clone, Debug)]
pub(super) enum Node {
    Literal(Literal),
    /// The variable `event`.
    Event,
    /// The variable of a macro, by how many there were before it.
    Local(usize),
    /// `of.name`
    Field {
        of: Box<Node>,
        name: Box<str>,
    },
    /// `has(of.name)`
    Has {
        of: Box<Node>,
        name: Box<str>,
    },
    /// `[a, b]`
    List(Vec<Node>),
    /// `!a`
    Not(Box<Node>),
    /// `-a`
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    /// `condition ? a : b`
    If(Box<[Node; 3]>),
    Binary(Operator, Box<[Node; 2]>),
    Call(Function, Vec<Node>),
    /// `text.matches('pattern')`
    Matches {
        text: Box<Node>,
        pattern: Regex,
    },
    Each(Box<Each>),
}

/// A value written in an expression.
#[derive(Clone, Debug)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Box<str>),
}

/// `range.all(x, body)` and its like.
#[derive(Clone, Debug)]
pub(super) struct Each {
    pub(super) kind: Macro,
    pub(super) range: Node,
    pub(super) body: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `a in list`, `'name' in map`
    In,
    /// `list[1]`, `map['name']`
    Index,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

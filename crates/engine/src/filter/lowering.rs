//! From what cel's parser reads to what is evaluated. Whatever has no meaning here is refused.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};
use regex::RegexBuilder;

use super::function::Function;
use super::program::{Each, Literal, Macro, Node, Operator};

/// How deeply an expression may be nested. A chain such as `a + b + c` nests, too; `&&` and `||` do
/// not, but for the logarithm of their number.
pub(super) const MAX_DEPTH: usize = 64;
/// How deeply macros such as `all` may be nested in one another.
const MAX_MACROS: usize = 2;
/// The most memory that a pattern of `matches` may take, compiled, and again while it is matched.
const MAX_PATTERN_BYTES: usize = 32 * 1024;
/// How deeply a pattern of `matches` may be nested.
const MAX_PATTERN_DEPTH: u32 = 32;
/// The fields of an event.
const FIELDS: [&str; 5] = ["id", "type", "created_at", "data", "metadata"];

/// Why an expression has no meaning.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The number that the parser gave the place.
    pub(super) id: u64,
    pub(super) detail: String,
}

/// Gives an expression its meaning.
#[derive(Debug, Default)]
pub(super) struct Lowering {
    depth: usize,
    /// The variables of the macros around.
    locals: Vec<String>,
}

type Lowered = Result<Node, Refusal>;

fn refuse<T>(id: u64, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { id, detail: detail.into() })
}

impl Lowering {
    pub(super) fn lower(&mut self, IdedExpr { id, expr }: IdedExpr) -> Lowered {
        if self.depth == MAX_DEPTH {
            return refuse(id, format!("is nested more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let lowered = match expr {
            Expr::Literal(value) => literal(id, value),
            Expr::Ident(name) => self.variable(id, &name),
            Expr::Select(SelectExpr { operand, field, test: _ }) => self.field(id, *operand, &field),
            Expr::List(list) => self.lower_all(list.elements).map(Node::List),
            Expr::Call(CallExpr { func_name, target, args }) => {
                self.call(id, &func_name, target.map(|target| *target), args)
            }
            Expr::Map(_) | Expr::Struct(_) => refuse(id, "{…} is not supported in filters"),
            Expr::Comprehension(_) | Expr::Unspecified => refuse(id, "is not supported in filters"),
        };
        self.depth -= 1;
        lowered
    }

    fn lower_all(&mut self, nodes: Vec<IdedExpr>) -> Result<Vec<Node>, Refusal> {
        nodes.into_iter().map(|node| self.lower(node)).collect()
    }

    fn boxed(&mut self, node: IdedExpr) -> Result<Box<Node>, Refusal> {
        self.lower(node).map(Box::new)
    }

    fn variable(&self, id: u64, name: &str) -> Lowered {
        match self.locals.iter().rposition(|local| local == name) {
            Some(local) => Ok(Node::Local(local)),
            None if name == "event" => Ok(Node::Event),
            None => refuse(id, format!("'{name}' is not known; the variable is event")),
        }
    }

    fn field(&mut self, id: u64, operand: IdedExpr, name: &str) -> Lowered {
        let of = self.boxed(operand)?;
        if matches!(*of, Node::Event) && !FIELDS.contains(&name) {
            return refuse(id, format!("event has no field '{name}'; its fields are {}", FIELDS.join(", ")));
        }
        Ok(Node::Field { of, name: name.into() })
    }

    fn call(&mut self, id: u64, name: &str, target: Option<IdedExpr>, args: Vec<IdedExpr>) -> Lowered {
        let global = target.is_none();
        let count = args.len();
        let all: Vec<IdedExpr> = target.into_iter().chain(args).collect();
        if global && let Some(operator) = operator(name) {
            return self.operator(id, operator, all);
        }
        match (name, global, count) {
            ("has", true, 1) => self.has(id, all),
            ("matches", true, 2) | ("matches", false, 1) => self.matches(id, all),
            ("all", false, 2) => self.each(id, Macro::All, all),
            ("exists", false, 2) => self.each(id, Macro::Exists, all),
            ("exists_one" | "existsOne", false, 2) => self.each(id, Macro::ExistsOne, all),
            ("map", false, 2) => self.each(id, Macro::Map, all),
            ("filter", false, 2) => self.each(id, Macro::Filter, all),
            _ => match Function::named(name, global, count) {
                Some(function) => Ok(Node::Call(function, self.lower_all(all)?)),
                None => refuse(
                    id,
                    format!(
                        "there is no {} {name} with {count} arguments",
                        if global { "function" } else { "method" }
                    ),
                ),
            },
        }
    }

    fn operator(&mut self, id: u64, operator: Written, operands: Vec<IdedExpr>) -> Lowered {
        let mut lowered = self.lower_all(operands)?.into_iter();
        let node = match (operator, lowered.next(), lowered.next(), lowered.next()) {
            (Written::Not, Some(a), None, None) => Node::Not(Box::new(a)),
            (Written::Negate, Some(a), None, None) => Node::Negate(Box::new(a)),
            (Written::And, Some(a), Some(b), None) => Node::And(Box::new([a, b])),
            (Written::Or, Some(a), Some(b), None) => Node::Or(Box::new([a, b])),
            (Written::Binary(operator), Some(a), Some(b), None) => Node::Binary(operator, Box::new([a, b])),
            (Written::If, Some(condition), Some(a), Some(b)) => Node::If(Box::new([condition, a, b])),
            _ => return refuse(id, "has the wrong number of operands"),
        };
        Ok(node)
    }

    fn has(&mut self, id: u64, args: Vec<IdedExpr>) -> Lowered {
        match args.into_iter().next().map(|argument| self.lower(argument)).transpose()? {
            Some(Node::Field { of, name }) => Ok(Node::Has { of, name }),
            _ => refuse(id, "has() needs a field, as in has(event.data.changes)"),
        }
    }

    fn matches(&mut self, id: u64, args: Vec<IdedExpr>) -> Lowered {
        let mut args = args.into_iter();
        let (Some(text), Some(pattern)) = (args.next(), args.next()) else {
            return refuse(id, "matches() needs a text and a pattern");
        };
        let at = pattern.id;
        let Node::Literal(Literal::Text(source)) = self.lower(pattern)? else {
            return refuse(at, "the pattern of matches() must be written out, as in matches('^a')");
        };
        let built = RegexBuilder::new(&source)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .nest_limit(MAX_PATTERN_DEPTH)
            .build();
        match built {
            Ok(pattern) => Ok(Node::Matches { text: self.boxed(text)?, pattern }),
            Err(error) => refuse(at, format!("the pattern of matches(): {}", said(&error))),
        }
    }

    fn each(&mut self, id: u64, kind: Macro, args: Vec<IdedExpr>) -> Lowered {
        let mut args = args.into_iter();
        let (Some(range), Some(variable), Some(body)) = (args.next(), args.next(), args.next()) else {
            return refuse(id, "needs a variable and an expression");
        };
        let Expr::Ident(name) = variable.expr else {
            return refuse(variable.id, "must be the name of a variable");
        };
        let range = self.lower(range)?;
        if self.locals.len() == MAX_MACROS {
            return refuse(id, format!("macros such as all() may be nested {MAX_MACROS} deep only"));
        }
        self.locals.push(name);
        let body = self.lower(body);
        self.locals.pop();
        Ok(Node::Each(Box::new(Each { kind, range, body: body? })))
    }
}

/// The last line of what is wrong with a pattern: those before it show the pattern again.
fn said(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("takes more than {MAX_PATTERN_BYTES} bytes of memory"),
        error => {
            error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}

fn literal(id: u64, value: LiteralValue) -> Lowered {
    let literal = match value {
        LiteralValue::Null => Literal::Null,
        LiteralValue::Boolean(value) => Literal::Bool(*value.inner()),
        LiteralValue::Int(value) => Literal::Int(*value.inner()),
        LiteralValue::UInt(value) => Literal::Uint(*value.inner()),
        LiteralValue::Double(value) => Literal::Double(*value.inner()),
        LiteralValue::String(value) => Literal::Text(value.inner().into()),
        LiteralValue::Bytes(_) => return refuse(id, "bytes are not supported in filters"),
    };
    Ok(Node::Literal(literal))
}

/// An operator as it was written.
#[derive(Clone, Copy, Debug)]
enum Written {
    Not,
    Negate,
    And,
    Or,
    If,
    Binary(Operator),
}

fn operator(name: &str) -> Option<Written> {
    Some(match name {
        operators::LOGICAL_NOT => Written::Not,
        operators::NEGATE => Written::Negate,
        operators::LOGICAL_AND => Written::And,
        operators::LOGICAL_OR => Written::Or,
        operators::CONDITIONAL => Written::If,
        operators::EQUALS => Written::Binary(Operator::Equal),
        operators::NOT_EQUALS => Written::Binary(Operator::Unequal),
        operators::LESS => Written::Binary(Operator::Less),
        operators::LESS_EQUALS => Written::Binary(Operator::LessOrEqual),
        operators::GREATER => Written::Binary(Operator::Greater),
        operators::GREATER_EQUALS => Written::Binary(Operator::GreaterOrEqual),
        operators::IN => Written::Binary(Operator::In),
        operators::INDEX => Written::Binary(Operator::Index),
        operators::ADD => Written::Binary(Operator::Add),
        operators::SUBSTRACT => Written::Binary(Operator::Subtract),
        operators::MULTIPLY => Written::Binary(Operator::Multiply),
        operators::DIVIDE => Written::Binary(Operator::Divide),
        operators::MODULO => Written::Binary(Operator::Remainder),
        _ => return None,
    })
}

//! One expression on one event, metered step by step.

use std::rc::Rc;

use serde_json::Value as Json;

use super::Failure;
use super::arithmetic::Number;
use super::program::{Each, Literal, Macro, Node, Operator};
use super::value::{List, Text, Value};

/// How many bytes are looked at or copied in one step.
const BYTES_PER_STEP: usize = 16;
/// Longest text that an expression may make, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// An evaluation under way. Its recursion is bounded by the depth of the program and that of the
/// event, both of which are.
#[derive(Debug)]
pub(super) struct Evaluation<'a, 'w> {
    event: &'a Json,
    work: &'w mut u32,
    /// The values of the macros' variables.
    locals: Vec<Value<'a>>,
}

type Evaluated<'a> = Result<Value<'a>, Failure>;

impl<'a, 'w> Evaluation<'a, 'w> {
    pub(super) fn new(event: &'a Json, work: &'w mut u32) -> Self {
        Self { event, work, locals: Vec::new() }
    }

    pub(super) fn holds(mut self, program: &'a Node) -> Result<bool, Failure> {
        self.truth(program)
    }

    /// Takes so many steps from the budget.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Failure> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.work.checked_sub(steps));
        *self.work = left.unwrap_or(0);
        left.map(drop).ok_or(Failure::OverBudget)
    }

    pub(super) fn spend_bytes(&mut self, bytes: usize) -> Result<(), Failure> {
        self.spend(bytes.div_ceil(BYTES_PER_STEP))
    }

    fn value(&mut self, node: &'a Node) -> Evaluated<'a> {
        self.spend(1)?;
        match node {
            Node::Literal(literal) => Ok(constant(literal)),
            Node::Event => Ok(Value::from(self.event)),
            Node::Local(index) => self.locals.get(*index).cloned().ok_or(Failure::Defect),
            Node::Field { of, name } => self.field(of, name)?.ok_or(Failure::Missing),
            Node::Has { of, name } => Ok(Value::Bool(self.field(of, name)?.is_some())),
            Node::List(nodes) => {
                let values = nodes.iter().map(|node| self.value(node)).collect::<Result<Vec<_>, _>>()?;
                Ok(Value::List(List::Made(values.into())))
            }
            Node::Not(operand) => Ok(Value::Bool(!self.truth(operand)?)),
            Node::Negate(operand) => match self.value(operand)? {
                Value::Number(number) => number.negate().map(Value::Number),
                _ => Err(Failure::Type),
            },
            Node::And(operands) => self.decided(operands, false),
            Node::Or(operands) => self.decided(operands, true),
            Node::If(parts) => {
                let [condition, yes, no] = &**parts;
                if self.truth(condition)? { self.value(yes) } else { self.value(no) }
            }
            Node::Binary(operator, operands) => {
                let [a, b] = &**operands;
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.binary(*operator, &a, &b)
            }
            Node::Call(function, arguments) => {
                let arguments = arguments.iter().map(|it| self.value(it)).collect::<Result<Vec<_>, _>>()?;
                function.call(&arguments, self)
            }
            Node::Matches { text, pattern } => match self.value(text)? {
                Value::Text(text) => {
                    // A byte may cost a step for each state of the pattern; most cost far less.
                    self.spend(text.as_str().len())?;
                    Ok(Value::Bool(pattern.is_match(text.as_str())))
                }
                _ => Err(Failure::Type),
            },
            Node::Each(each) => self.each(each),
        }
    }

    fn truth(&mut self, node: &'a Node) -> Result<bool, Failure> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(Failure::Type),
        }
    }

    fn field(&mut self, of: &'a Node, name: &str) -> Result<Option<Value<'a>>, Failure> {
        match self.value(of)? {
            Value::Map(map) => Ok(map.get(name).map(Value::from)),
            _ => Err(Failure::Type),
        }
    }

    /// `&&` and `||`: one operand that decides makes up for another that fails, in either order.
    fn decided(&mut self, [a, b]: &'a [Node; 2], decisive: bool) -> Evaluated<'a> {
        let first = self.truth(a);
        match first {
            Ok(truth) if truth == decisive => return Ok(Value::Bool(truth)),
            Err(Failure::OverBudget) => return Err(Failure::OverBudget),
            Ok(_) | Err(_) => {}
        }
        match (first, self.truth(b)) {
            (Err(failure), Ok(truth)) if truth != decisive => Err(failure),
            (_, second) => second.map(Value::Bool),
        }
    }

    fn binary(&mut self, operator: Operator, a: &Value<'a>, b: &Value<'a>) -> Evaluated<'a> {
        let truth = match operator {
            Operator::Equal => self.equal(a, b)?,
            Operator::Unequal => !self.equal(a, b)?,
            Operator::Less => self.order(a, b)?.is_some_and(std::cmp::Ordering::is_lt),
            Operator::LessOrEqual => self.order(a, b)?.is_some_and(std::cmp::Ordering::is_le),
            Operator::Greater => self.order(a, b)?.is_some_and(std::cmp::Ordering::is_gt),
            Operator::GreaterOrEqual => self.order(a, b)?.is_some_and(std::cmp::Ordering::is_ge),
            Operator::In => self.contains(b, a)?,
            Operator::Index => return index(a, b),
            Operator::Add => return self.add(a, b),
            Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
                return compute(operator, a, b);
            }
        };
        Ok(Value::Bool(truth))
    }

    /// Values of different types are not equal; numbers are, whatever they were written as.
    fn equal(&mut self, a: &Value<'a>, b: &Value<'a>) -> Result<bool, Failure> {
        self.spend(1)?;
        Ok(match (a, b) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a.compare(*b).is_some_and(std::cmp::Ordering::is_eq),
            (Value::Text(a), Value::Text(b)) => {
                self.spend_bytes(a.as_str().len().min(b.as_str().len()))?;
                a.as_str() == b.as_str()
            }
            (Value::List(a), Value::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !self.equal(&a, &b)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Value::Map(a), Value::Map(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (name, value) in *a {
                    self.spend_bytes(name.len())?;
                    let Some(other) = b.get(name) else { return Ok(false) };
                    if !self.equal(&Value::from(value), &Value::from(other))? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => false,
        })
    }

    /// `None` where one is no number at all, which is neither less nor more.
    fn order(&mut self, a: &Value<'a>, b: &Value<'a>) -> Result<Option<std::cmp::Ordering>, Failure> {
        match (a, b) {
            (Value::Number(_), Value::Number(_)) | (Value::Bool(_), Value::Bool(_)) => {}
            (Value::Text(a), Value::Text(b)) => self.spend_bytes(a.as_str().len().min(b.as_str().len()))?,
            _ => return Err(Failure::Type),
        }
        Ok(a.compare(b))
    }

    fn contains(&mut self, container: &Value<'a>, value: &Value<'a>) -> Result<bool, Failure> {
        match (container, value) {
            (Value::List(list), _) => {
                for element in list.iter() {
                    if self.equal(&element, value)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Value::Map(map), Value::Text(name)) => Ok(map.contains_key(name.as_str())),
            _ => Err(Failure::Type),
        }
    }

    fn add(&mut self, a: &Value<'a>, b: &Value<'a>) -> Evaluated<'a> {
        match (a, b) {
            (Value::Text(a), Value::Text(b)) => {
                let length = a.as_str().len().saturating_add(b.as_str().len());
                self.spend_bytes(length)?;
                if length > MAX_TEXT {
                    return Err(Failure::OverBudget);
                }
                Ok(Value::made(&[a.as_str(), b.as_str()].concat()))
            }
            (Value::List(a), Value::List(b)) => {
                self.spend(a.len().saturating_add(b.len()))?;
                Ok(Value::List(List::Made(a.iter().chain(b.iter()).collect())))
            }
            _ => compute(Operator::Add, a, b),
        }
    }

    fn each(&mut self, each: &'a Each) -> Evaluated<'a> {
        let range = match self.value(&each.range)? {
            Value::List(list) => list,
            // The names of a map's entries.
            Value::Map(map) => {
                self.spend(map.len())?;
                List::Made(map.keys().map(|name| Value::Text(Text::Borrowed(name))).collect())
            }
            _ => return Err(Failure::Type),
        };
        match each.kind {
            Macro::All => self.quantify(&range, &each.body, false),
            Macro::Exists => self.quantify(&range, &each.body, true),
            Macro::ExistsOne => {
                let found = self.select(&range, &each.body)?;
                Ok(Value::Bool(found.len() == 1))
            }
            Macro::Filter => Ok(Value::List(List::Made(self.select(&range, &each.body)?))),
            Macro::Map => {
                let mapped = range.iter().map(|element| self.with(element, |it| it.value(&each.body)));
                Ok(Value::List(List::Made(mapped.collect::<Result<Vec<_>, _>>()?.into())))
            }
        }
    }

    /// `all` and `exists`: one element that decides makes up for others that fail.
    fn quantify(&mut self, range: &List<'a>, body: &'a Node, decisive: bool) -> Evaluated<'a> {
        let mut failed = None;
        for element in range.iter() {
            match self.with(element, |it| it.truth(body)) {
                Ok(truth) if truth == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(Failure::OverBudget) => return Err(Failure::OverBudget),
                Err(failure) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn select(&mut self, range: &List<'a>, body: &'a Node) -> Result<Rc<[Value<'a>]>, Failure> {
        let mut selected = Vec::new();
        for element in range.iter() {
            if self.with(element.clone(), |it| it.truth(body))? {
                selected.push(element);
            }
        }
        Ok(selected.into())
    }

    /// Evaluates with a further variable.
    fn with<T>(&mut self, local: Value<'a>, evaluate: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push(local);
        let evaluated = evaluate(self);
        self.locals.pop();
        evaluated
    }
}

fn constant(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::Number(Number::Int(*value)),
        Literal::Uint(value) => Value::Number(Number::Uint(*value)),
        Literal::Double(value) => Value::Number(Number::Double(*value)),
        Literal::Text(text) => Value::Text(Text::Borrowed(text)),
    }
}

fn index<'a>(of: &Value<'a>, index: &Value<'a>) -> Evaluated<'a> {
    match (of, index) {
        (Value::List(list), Value::Number(number)) => {
            let index = number.to_uint().ok().and_then(|index| usize::try_from(index).ok());
            index.and_then(|index| list.get(index)).ok_or(Failure::Missing)
        }
        (Value::Map(map), Value::Text(name)) => {
            map.get(name.as_str()).map(Value::from).ok_or(Failure::Missing)
        }
        _ => Err(Failure::Type),
    }
}

fn compute<'a>(operator: Operator, a: &Value<'a>, b: &Value<'a>) -> Evaluated<'a> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.compute(operator, *b).map(Value::Number),
        _ => Err(Failure::Type),
    }
}

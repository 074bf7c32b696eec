//! An expression: CEL over the variable `event`.

use std::thread;

use cel::Env;
use cel::parser::ParseErrors;
use serde_json::Value;

use super::Failure;
use super::evaluation::Evaluation;
use super::lowering::Lowering;
use super::program::Node;

/// Most brackets and conditional operators of an expression. Each is a place where the parser calls
/// itself, so that they bound the stack it needs, wherever they are; those in texts count, too.
const MAX_BRACKETS: usize = 64;
/// The stack of the thread that an expression is compiled on: far beyond what the worst expression
/// within the limits was seen to need.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// Longest message of the parser that is passed on, in characters.
const MAX_MESSAGE: usize = 200;

/// An expression that compiles.
#[derive(Clone, Debug)]
pub struct Expression {
    program: Node,
}

/// Why an expression does not compile, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {line}:{column}: {detail}")]
pub struct InvalidExpression {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// What is wrong.
    pub detail: String,
}

impl Expression {
    /// Longest source, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Compiles an expression. Neither a deep nor an otherwise hostile one ends the process: it is
    /// bounded before it is parsed, and parsed on a thread of its own.
    pub fn compile(source: &str) -> Result<Self, InvalidExpression> {
        if source.len() > Self::MAX_LEN {
            let detail = format!("must be at most {} bytes long, not {}", Self::MAX_LEN, source.len());
            return Err(InvalidExpression { line: 1, column: 1, detail });
        }
        if let Some((at, _)) = source.match_indices(['(', '[', '{', '?']).nth(MAX_BRACKETS) {
            let detail = format!("must have at most {MAX_BRACKETS} of ( [ {{ and ?, those in texts included");
            return Err(InvalidExpression::at(source, at, detail));
        }
        let failed = |detail: String| InvalidExpression { line: 1, column: 1, detail };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("filter-compiler".to_owned()).stack_size(STACK_BYTES);
            match thread.spawn_scoped(scope, || parse(source)) {
                Ok(parser) => parser
                    .join()
                    .unwrap_or_else(|_| Err(failed("the parser does not get on with it".to_owned()))),
                Err(error) => Err(failed(format!("failed to start a thread to compile it: {error}"))),
            }
        })
    }

    /// Whether the expression is true of an event. Takes what it does from `work`.
    pub(super) fn holds(&self, event: &Value, work: &mut u32) -> Result<bool, Failure> {
        Evaluation::new(event, work).holds(&self.program)
    }
}

fn parse(source: &str) -> Result<Expression, InvalidExpression> {
    // Without macros, calls stay as they were written: they are given their meaning here.
    let parser = Env::default().with_optional_support(false).parser();
    match parser.parse_with_source_info(source) {
        Ok((root, places)) => {
            let place = |id| places.offset_for(id).map_or(0, |(start, _)| start as usize);
            let program = Lowering::default().lower(root).map_err(|refusal| {
                let at = source.char_indices().nth(place(refusal.id)).map_or(source.len(), |(at, _)| at);
                InvalidExpression::at(source, at, refusal.detail)
            })?;
            Ok(Expression { program })
        }
        Err(errors) => Err(InvalidExpression::parsed(&errors)),
    }
}

impl InvalidExpression {
    /// At a byte of the source.
    fn at(source: &str, offset: usize, detail: String) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column, detail }
    }

    /// The first of the parser's errors.
    fn parsed(errors: &ParseErrors) -> Self {
        let (position, message) =
            errors.errors.first().map_or(((1, 1), "cannot be read"), |it| (it.pos, it.msg.as_str()));
        let from_one = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
        let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
        Self {
            line: from_one(position.0),
            column: from_one(position.1),
            detail: message.chars().take(MAX_MESSAGE).collect(),
        }
    }
}

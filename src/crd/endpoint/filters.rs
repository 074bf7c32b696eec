//! What `spec.filters` comes to.

use std::collections::HashSet;
use std::sync::Arc;

use hookwright_engine::filter::{Expression, Filter};

use super::check::Errors;
use crate::crd::webhook::{FilterExpression, Filters, MAX_EXPRESSION_NAME};

impl Errors {
    /// The filter. What is wrong with it is left out: the webhook is held then, and rather keeps an
    /// event too many than one too few.
    pub(super) fn filters(&mut self, filters: &Filters) -> Option<Arc<Filter>> {
        let Filters { resource_types, user_ids, expressions } = filters;
        let resource_types = self.entries("spec.filters.resourceTypes", resource_types.as_deref());
        let user_ids = self.entries("spec.filters.userIDs", user_ids.as_deref());
        let expressions =
            expressions.as_ref().map_or_else(Vec::new, |expressions| self.expressions(expressions));
        Filter::new(resource_types, user_ids, expressions).map(Arc::new)
    }

    fn entries<'a>(&mut self, field: &str, entries: Option<&'a [String]>) -> &'a [String] {
        let Some(entries) = entries else { return &[] };
        self.count(field, entries.len(), Filter::MAX_ENTRIES);
        let mut known = HashSet::new();
        for (index, entry) in entries.iter().take(Filter::MAX_ENTRIES).enumerate() {
            if !(1..=Filter::MAX_ENTRY_LEN).contains(&entry.len()) {
                let detail =
                    format!("must be 1 to {} bytes long, not {}", Filter::MAX_ENTRY_LEN, entry.len());
                self.report(&format!("{field}[{index}]"), &detail);
            } else if !known.insert(entry) {
                self.report(&format!("{field}[{index}]"), &format!("'{entry}' is there twice"));
            }
        }
        entries
    }

    fn expressions(&mut self, expressions: &[FilterExpression]) -> Vec<Expression> {
        const FIELD: &str = "spec.filters.expressions";
        self.count(FIELD, expressions.len(), Filter::MAX_EXPRESSIONS);
        let mut names = HashSet::new();
        let mut compiled = Vec::new();
        for (index, FilterExpression { name, cel }) in
            expressions.iter().take(Filter::MAX_EXPRESSIONS).enumerate()
        {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if !(1..=MAX_EXPRESSION_NAME).contains(&name.len()) || !name.bytes().all(plain) {
                let detail = format!("must be 1 to {MAX_EXPRESSION_NAME} characters of A-Z a-z 0-9 - _ .");
                self.report(&format!("{FIELD}[{index}].name"), &detail);
            } else if !names.insert(name) {
                self.report(&format!("{FIELD}[{index}].name"), &format!("'{name}' is there twice"));
            }
            match Expression::compile(cel) {
                Ok(expression) => compiled.push(expression),
                Err(error) => self.report(&format!("{FIELD}[{index}].cel"), &error),
            }
        }
        compiled
    }
}

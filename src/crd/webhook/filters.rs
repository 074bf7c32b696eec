//! `spec.filters`: which of the subscribed events are sent.

use hookwright_engine::filter::{Expression, Filter};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::crd::rule;

/// Longest name of an expression.
pub const MAX_EXPRESSION_NAME: usize = 63;

/// Which of the subscribed events are sent. Entries of one list are alternatives; the lists must
/// all agree, and every expression must be true.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Filters {
    /// Types of the event's object, `data.object.type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = Filter::MAX_ENTRIES), inner(length(min = 1, max = Filter::MAX_ENTRY_LEN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub resource_types: Option<Vec<String>>,
    /// Users that the event is about, `metadata.user_id`.
    #[serde(rename = "userIDs", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = Filter::MAX_ENTRIES), inner(length(min = 1, max = Filter::MAX_ENTRY_LEN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub user_ids: Option<Vec<String>>,
    /// Conditions in CEL. One that fails on an event, such as on a field that is missing, does not
    /// match it: ask `has(event.data.changes)` first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = Filter::MAX_EXPRESSIONS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub expressions: Option<Vec<FilterExpression>>,
}

/// A condition on events.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FilterExpression {
    /// What it is called in messages.
    #[schemars(length(min = 1, max = MAX_EXPRESSION_NAME))]
    #[x_kube(validation = rule::plain_name())]
    pub name: String,
    /// A CEL expression over the variable `event` (`id`, `type`, `created_at`, `data`, `metadata`), as in
    /// `event.data.object.attributes.status == 'active'`. It has the operators and macros of CEL,
    /// size, contains, startsWith, endsWith, matches with a pattern that is written out, lowerAscii,
    /// upperAscii, int, uint, double and string; at most 1024 bytes, 64 brackets, and macros in
    /// macros once. `event.id` is there where the producer gave one.
    #[schemars(length(min = 1, max = Expression::MAX_LEN))]
    pub cel: String,
}

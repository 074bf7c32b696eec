//! The plans of the queries whose cost must not grow with the log.

use rusqlite::Connection;

use super::Group;
use crate::store::sqlite::{line, listing, reader, redrive, schema, unfinished};

/// SQLite's plan of a query, a line a step.
fn plan(sql: &str) -> String {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection, std::path::Path::new("log.db"), schema::STEPS).unwrap();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = std::iter::repeat_n(rusqlite::types::Null, statement.parameter_count());
    let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3));
    steps.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

#[test]
fn pages_of_unfinished_deliveries_begin_at_their_place_and_need_no_sorting() {
    let plan = plan(unfinished::PAGE);
    assert!(plan.contains("USING INDEX deliveries_unfinished (webhook=? AND (at,batch)>(?,?))"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[test]
fn what_failed_is_counted_along_its_index() {
    let plan = plan(redrive::COUNT);
    assert!(plan.contains("USING INDEX deliveries_unwell (webhook=? AND rowid>? AND rowid<?)"), "{plan}");
}

#[test]
fn the_next_retry_is_found_by_its_index() {
    let plan = plan(reader::NEXT_RETRY);
    assert!(plan.contains("INDEX deliveries_retrying (webhook=? AND state=?)"), "{plan}");
}

#[test]
fn a_line_is_asked_about_by_its_index_however_long_it_is() {
    for (query, constraints) in [
        (line::TAKEN, "(webhook=? AND line=? AND state>? AND state<?)"),
        (line::NEXT, "(webhook=? AND line=? AND state=?)"),
        (line::PARKED, "(webhook=? AND line>?)"),
    ] {
        let plan = plan(query);
        assert!(plan.contains(&format!("INDEX deliveries_in_line {constraints}")), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[test]
fn lists_go_along_an_index_from_where_the_last_page_ended() {
    for query in [(None, None), (Some(Group::Delivered), None), (Some(Group::Failed), None)] {
        let plan = plan(&listing::sql(listing::sources(query.0, query.1)));
        assert!(plan.contains("(webhook=? AND rowid>? AND rowid<?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

//! The table of what came of everything.

use std::collections::HashMap;

use crate::hookwright::Delivery;

const HEAD: [&str; 6] = ["WEBHOOK", "EVENT", "OUTCOME", "ATTEMPTS", "CODE", "MS"];

/// Prints a row for each delivery, with columns as wide as they need to be.
pub fn print(deliveries: &[Delivery], names: &HashMap<String, &'static str>) {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(deliveries.iter().map(|delivery| row(delivery, names)));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("  {}", cells.join("  ").trim_end());
    }
}

fn row(delivery: &Delivery, names: &HashMap<String, &'static str>) -> [String; 6] {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    [
        (*names.get(&delivery.webhook_id).unwrap_or(&"?")).to_owned(),
        format!("{} {}", delivery.event_type, delivery.event_id),
        delivery.outcome.clone(),
        delivery.attempts.to_string(),
        number(delivery.response_code.map(u64::from)),
        number(delivery.response_time_ms),
    ]
}

//! What was used lately, within bounds.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// At most `capacity` values. Room is made for a new one by those that were not used for `idle`, and
/// where that is not enough by the one that was not used for longest.
pub(super) struct Recent<K, V> {
    entries: HashMap<K, (V, Instant)>,
    capacity: usize,
    idle: Duration,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(capacity: usize, idle: Duration) -> Self {
        Self { entries: HashMap::new(), capacity, idle }
    }

    /// The value of a key, which is in use now.
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        let (value, used) = self.entries.get_mut(key)?;
        *used = Instant::now();
        Some(value)
    }

    /// Adds a value, which is in use now.
    pub(super) fn insert(&mut self, key: K, value: V) {
        let now = Instant::now();
        self.entries.retain(|_, (_, used)| now.duration_since(*used) < self.idle);
        if self.entries.len() >= self.capacity {
            let oldest = self.entries.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.entries.remove(&key));
        }
        self.entries.insert(key, (value, now));
    }

    /// Drops all values.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_value_that_was_not_used_for_longest_makes_room() {
        let mut recent = Recent::new(2, Duration::from_mins(1));
        let second = || tokio::time::advance(Duration::from_secs(1));
        recent.insert("a", 1);
        second().await;
        recent.insert("b", 2);
        second().await;
        assert_eq!(recent.get(&"a"), Some(&1));
        second().await;
        recent.insert("c", 3);
        let kept = ["a", "b", "c"].map(|key| recent.get(&key).copied());
        assert_eq!(kept, [Some(1), None, Some(3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_values_are_dropped() {
        let mut recent = Recent::new(9, Duration::from_mins(1));
        recent.insert("a", 1);
        recent.insert("b", 2);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(recent.get(&"b"), Some(&2));
        tokio::time::advance(Duration::from_secs(1)).await;
        recent.insert("c", 3);
        assert_eq!(recent.entries.len(), 2);
        assert_eq!(recent.get(&"a"), None);
    }
}

//! Answers that hold for a while.

use std::hash::Hash;
use std::time::Duration;

use moka::future::Cache;
use tokio::time::Instant;

use crate::api::error::Problem;

/// Remembers answers for as long as they hold, within a bound, and asks once for all who wait for
/// the same one.
pub(super) struct Memory<K, V> {
    answers: Cache<K, Remembered<V>>,
}

/// An answer, and for how long it holds.
#[derive(Clone, Debug)]
pub(super) struct Answer<V> {
    pub(super) answer: Result<V, Problem>,
    pub(super) holds: Duration,
}

#[derive(Clone, Debug)]
struct Remembered<V> {
    answer: Result<V, Problem>,
    until: Instant,
}

impl<K, V> Memory<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Remembers at most so many answers.
    pub(super) fn new(max: u64) -> Self {
        Self { answers: Cache::new(max) }
    }

    /// The answer to `key`: remembered, or what `ask` comes to.
    pub(super) async fn recall<F>(&self, key: K, ask: impl FnOnce() -> F) -> Result<V, Problem>
    where
        F: Future<Output = Answer<V>>,
    {
        let outdated = |known: &Remembered<V>| known.until <= Instant::now();
        if let Some(known) = self.answers.get(&key).await.filter(|known| !outdated(known)) {
            return known.answer;
        }
        let asked = Box::pin(async {
            let Answer { answer, holds } = ask().await;
            Remembered { answer, until: Instant::now() + holds }
        });
        self.answers.entry(key).or_insert_with_if(asked, outdated).await.into_value().answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future;
    use tokio::time::{advance, sleep};

    use super::*;
    use crate::api::error::Kind;

    const HOLDS: Duration = Duration::from_mins(1);

    /// Counts how often it is asked, and takes its time.
    #[derive(Default)]
    struct Asked(AtomicU32);

    impl Asked {
        async fn ask(&self, holds: Duration) -> Answer<u32> {
            sleep(Duration::from_millis(10)).await;
            Answer { answer: Ok(self.0.fetch_add(1, Ordering::Relaxed) + 1), holds }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_remembered_as_long_as_it_holds_and_not_longer() {
        let (memory, asked) = (Memory::new(10), Asked::default());
        assert_eq!(memory.recall("a", || asked.ask(HOLDS)).await.unwrap(), 1);
        advance(HOLDS.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(memory.recall("a", || asked.ask(HOLDS)).await.unwrap(), 1);
        assert_eq!(memory.recall("b", || asked.ask(HOLDS)).await.unwrap(), 2);
        advance(Duration::from_millis(1)).await;
        assert_eq!(memory.recall("a", || asked.ask(Duration::ZERO)).await.unwrap(), 3);
        assert_eq!(
            memory.recall("a", || asked.ask(HOLDS)).await.unwrap(),
            4,
            "what does not hold is not kept"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_same_answer_waits_for_one_question() {
        let (memory, asked) = (Memory::new(10), Asked::default());
        let waiting = (0..20).map(|_| memory.recall("a", || asked.ask(HOLDS)));
        assert!(future::join_all(waiting).await.into_iter().all(|answer| answer.unwrap() == 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_while_asking_leaves_the_question_to_who_waits_behind() {
        let (memory, asked) = (Memory::new(10), Asked::default());
        let mut first = Box::pin(memory.recall("a", || asked.ask(HOLDS)));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(memory.recall("a", || asked.ask(HOLDS)));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_an_answer_too() {
        let memory: Memory<_, u32> = Memory::new(10);
        let refused = async || Answer {
            answer: Err(Problem::new(Kind::Forbidden, "no")),
            holds: Duration::from_secs(1),
        };
        let allowed = async || Answer { answer: Ok(1), holds: HOLDS };
        assert!(memory.recall("a", refused).await.is_err());
        assert!(memory.recall("a", allowed).await.is_err());
        advance(Duration::from_secs(1)).await;
        assert_eq!(memory.recall("a", allowed).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn only_so_many_answers_are_remembered() {
        let memory = Memory::new(10);
        for key in 0..100 {
            memory.recall(key, async || Answer { answer: Ok(0), holds: HOLDS }).await.unwrap();
        }
        memory.answers.run_pending_tasks().await;
        assert!(memory.answers.entry_count() <= 10);
    }
}

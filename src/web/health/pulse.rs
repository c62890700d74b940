//! One answer for everybody who asks at about the same time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::lifecycle::Lifecycle;

/// How long an answer counts, from when it was asked for.
const COUNTS: Duration = Duration::from_secs(1);

/// Whether something answers, asked once a second at most, however many want to know.
#[derive(Debug, Default)]
pub(in crate::web) struct Pulse(Mutex<Option<Beat>>);

/// A question under way, or its answer.
#[derive(Debug)]
struct Beat {
    asked_at: Instant,
    answer: watch::Receiver<Option<bool>>,
}

impl Pulse {
    /// What the last question of this second was answered; else `ask` is, in a task of its own: whoever waits may go away,
    /// and the next one waits for the same answer.
    pub(in crate::web) async fn is_there<F>(&self, lifecycle: &Lifecycle, ask: impl FnOnce() -> F) -> bool
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let mut answer = self.beat(lifecycle, ask);
        // The task may have panicked; then nothing has answered.
        answer.wait_for(Option::is_some).await.is_ok_and(|answer| *answer == Some(true))
    }

    /// The question whose answer counts.
    fn beat<F>(&self, lifecycle: &Lifecycle, ask: impl FnOnce() -> F) -> watch::Receiver<Option<bool>>
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Beat { asked_at, answer }) = &*last {
            let is_under_way = answer.borrow().is_none() && answer.has_changed().is_ok();
            if is_under_way || asked_at.elapsed() < COUNTS {
                return answer.clone();
            }
        }
        let (told, answer) = watch::channel(None);
        let question = ask();
        lifecycle.spawn(async move {
            let answer = question.await;
            told.send_replace(Some(answer));
        });
        *last = Some(Beat { asked_at: Instant::now(), answer: answer.clone() });
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    /// Counts how often it is asked, and answers after a while.
    #[derive(Clone, Default)]
    struct Counted(Arc<AtomicU32>);

    impl Counted {
        async fn ask(self, after: Duration, answer: bool) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            sleep(after).await;
            answer
        }

        fn times(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_the_question_is_put_once_a_second() {
        let (pulse, counted, lifecycle) = (Pulse::default(), Counted::default(), Lifecycle::default());
        let slow = || counted.clone().ask(Duration::from_millis(300), true);
        let asked = join_all((0..1_000).map(|_| pulse.is_there(&lifecycle, slow))).await;
        assert!(asked.into_iter().all(|is_there| is_there));
        assert_eq!(counted.times(), 1);
        let down = || counted.clone().ask(Duration::ZERO, false);
        assert!(pulse.is_there(&lifecycle, down).await, "the answer still counts");
        advance(COUNTS).await;
        assert!(!pulse.is_there(&lifecycle, down).await);
        assert_eq!(counted.times(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_the_question_to_the_next() {
        let (pulse, counted, lifecycle) = (Pulse::default(), Counted::default(), Lifecycle::default());
        let ask = || counted.clone().ask(Duration::from_secs(8), true);
        for _ in 0..5 {
            let gone = timeout(Duration::from_secs(1), pulse.is_there(&lifecycle, ask)).await;
            assert!(gone.is_err(), "the server has not answered yet");
        }
        assert!(pulse.is_there(&lifecycle, ask).await);
        assert_eq!(counted.times(), 1);
    }

    #[tokio::test]
    async fn a_question_that_panics_is_no_answer() {
        let pulse = Pulse::default();
        assert!(!pulse.is_there(&Lifecycle::default(), || async { panic!("on purpose") }).await);
    }
}

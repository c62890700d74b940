//! What is on its way to HubSpot, and what waits for a person.

use chrono::TimeDelta;

use crate::storage::QueueFigures;
use crate::web::dashboard::moment::span;
use crate::web::dashboard::number::grouped;

/// A number that people look at, with where to go from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) title: &'static str,
    pub(super) number: String,
    pub(super) tone: &'static str,
    /// Its state in a word.
    pub(super) word: &'static str,
    /// What it is made of, or what to do.
    pub(super) detail: String,
    /// Where more of it is shown, and what that is called; `None` when there is nothing to be seen.
    pub(super) link: Option<(&'static str, &'static str)>,
}

/// Edits of all types that have some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Edits {
    ready: u64,
    running: u64,
    waiting: u64,
    pub(super) dead: u64,
    /// Seconds since the oldest was made that does not wait for a person.
    oldest_seconds: Option<u64>,
}

impl Edits {
    /// Those of all queues together.
    pub(super) fn of(queues: &[QueueFigures]) -> Self {
        queues.iter().fold(Self::default(), |sum, queue| Self {
            ready: sum.ready + queue.ready,
            running: sum.running + queue.running,
            waiting: sum.waiting + queue.waiting,
            dead: sum.dead + queue.dead,
            oldest_seconds: sum.oldest_seconds.max(queue.oldest_seconds),
        })
    }

    /// Those on their way.
    fn under_way(self) -> Figure {
        let parts = [(self.ready, "ready"), (self.running, "running"), (self.waiting, "waiting")];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts.map(|(count, what)| format!("{} {what}", grouped(count))).collect();
        let oldest = self.oldest_seconds.map(|age| TimeDelta::seconds(age as i64)).and_then(span);
        let oldest = oldest.map_or_else(String::new, |age| format!("; oldest {age}"));
        let (tone, word) = match self {
            Self { waiting: 1.., .. } => ("warn", "put off"),
            Self { ready: 0, running: 0, .. } => ("good", "all sent"),
            _ => ("busy", "sending"),
        };
        Figure {
            title: "Edits on their way",
            number: grouped(self.ready + self.running + self.waiting),
            tone,
            word,
            detail: if parts.is_empty() {
                "What is edited here has reached HubSpot.".to_owned()
            } else {
                format!("{}{oldest}", parts.join(", "))
            },
            link: Some(("/activity?direction=push", "See what was sent")),
        }
    }
}

/// What is on its way and what waits for a person.
pub(super) fn figures(edits: Edits, conflicts: u64, quarantined: u64) -> Vec<Figure> {
    let waits = |count: u64| if count > 0 { ("bad", "waits for you") } else { ("good", "none") };
    let waiting = |title, count: u64, words: [&str; 2], link| {
        let (tone, word) = waits(count);
        let detail = words[usize::from(count > 0)].to_owned();
        Figure { title, number: grouped(count), tone, word, detail, link: (count > 0).then_some(link) }
    };
    vec![
        edits.under_way(),
        waiting(
            "Failed edits",
            edits.dead,
            ["Every edit got through.", "They are not tried again by themselves."],
            ("/activity?status=failed", "See why"),
        ),
        waiting(
            "Open conflicts",
            conflicts,
            ["Nobody changed the same field on both sides.", "Both sides keep their own values until then."],
            ("/conflicts", "Settle them"),
        ),
        waiting(
            "Quarantine",
            quarantined,
            ["Every record could be stored.", "Records or values that could not be stored."],
            ("/health", "See which"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The queue of a type.
    fn queue(ready: u64, running: u64, waiting: u64, dead: u64, oldest: Option<u64>) -> QueueFigures {
        let object_type = "contacts".to_owned();
        QueueFigures { object_type, ready, running, waiting, dead, oldest_seconds: oldest }
    }

    #[test]
    fn queues_add_up_and_the_oldest_edit_counts() {
        let edits = Edits::of(&[queue(1_200, 3, 0, 0, Some(30)), queue(5, 0, 0, 2, Some(700))]);
        let figure = edits.under_way();
        assert_eq!((figure.number.as_str(), figure.word), ("1,208", "sending"));
        assert_eq!(figure.detail, "1,205 ready, 3 running; oldest 11 min");
        assert_eq!(figures(edits, 0, 0)[1].number, "2");
    }

    #[test]
    fn edits_that_are_put_off_are_said_to_be() {
        let figure = Edits::of(&[queue(0, 0, 4, 0, Some(1))]).under_way();
        assert_eq!((figure.tone, figure.word, figure.detail.as_str()), ("warn", "put off", "4 waiting"));
    }

    #[test]
    fn an_empty_queue_is_good_news() {
        let told = figures(Edits::of(&[]), 0, 1);
        let words: Vec<_> = told.iter().map(|figure| figure.word).collect();
        assert_eq!(words, ["all sent", "none", "none", "waits for you"]);
        let links: Vec<_> = told.iter().map(|figure| figure.link.map(|(path, _)| path)).collect();
        assert_eq!(links, [Some("/activity?direction=push"), None, None, Some("/health")]);
    }
}

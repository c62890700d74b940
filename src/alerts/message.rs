//! The words of a message.

use chrono::{DateTime, TimeDelta, Utc};

use crate::storage::{AlertRow, AlertText};

/// Lines of one message; more problems are counted.
const LINES: usize = 15;

/// Most characters of a subject: what a mail program shows, and less than the table holds.
const SUBJECT: usize = 150;

/// Who is speaking.
pub(super) struct Origin<'a> {
    /// Machine.
    pub host: &'a str,
    /// HubSpot account, if it is known.
    pub portal_id: Option<i64>,
}

/// What to tell of what has begun and what is over; `None` when there is nothing.
pub(super) fn compose(
    begun: &[AlertRow],
    ended: &[AlertRow],
    origin: &Origin<'_>,
    now: DateTime<Utc>,
) -> Option<AlertText> {
    let headline = match (begun, ended) {
        ([], []) => return None,
        ([one], []) => format!("Problem: {}", one.text),
        ([], [one]) => format!("Over: {}", one.text),
        (begun, []) => format!("{} problems", begun.len()),
        ([], ended) => format!("{} problems are over", ended.len()),
        (begun, ended) => format!("{} new problem(s), {} over", begun.len(), ended.len()),
    };
    let problems = begun.iter().map(|row| format!("Problem: {}", row.text));
    let over =
        ended.iter().map(|row| format!("Over, after {}: {}", span(row.last_seen_at - row.since), row.text));
    let mut lines: Vec<_> = problems.chain(over).collect();
    let hidden = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if hidden > 0 {
        lines.push(format!("and {hidden} more; see `hubspot-connector alerts`"));
    }
    Some(finish(&headline, &lines.join("\n"), origin, now))
}

/// What `alerts test` sends from the machine `host`.
pub fn test_message(host: &str, now: DateTime<Utc>) -> AlertText {
    let words = "This is a test: messages of hubspot-connector arrive here.";
    finish("Test", words, &Origin { host, portal_id: None }, now)
}

/// A message with its subject and the line that says where it comes from.
fn finish(headline: &str, lines: &str, origin: &Origin<'_>, now: DateTime<Utc>) -> AlertText {
    let account = origin.portal_id.map_or(String::new(), |id| format!(", HubSpot account {id}"));
    let subject = cut(&format!("[hubspot-connector] {headline}"), SUBJECT);
    let body =
        format!("{lines}\n\nhubspot-connector on {}{account}, {}", origin.host, now.format("%F %H:%M UTC"));
    AlertText { subject, body }
}

/// The text with at most `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A span in its largest sensible unit.
fn span(span: TimeDelta) -> String {
    match span.num_seconds() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::AlertKind;

    const ORIGIN: Origin<'_> = Origin { host: "crm1", portal_id: Some(12_345) };

    fn now() -> DateTime<Utc> {
        "2026-11-23T08:15:00Z".parse().unwrap()
    }

    fn row(about: &str) -> AlertRow {
        AlertRow {
            problem: AlertKind::Failing,
            about: about.to_owned(),
            text: format!("{about} fails"),
            since: now() - TimeDelta::minutes(17),
            last_seen_at: now() - TimeDelta::minutes(5),
            ended_at: None,
            episodes: 1,
        }
    }

    #[test]
    fn one_problem_is_in_the_subject_and_the_body_says_where_it_is() {
        let text = compose(&[row("contacts")], &[], &ORIGIN, now()).unwrap();
        assert_eq!(text.subject, "[hubspot-connector] Problem: contacts fails");
        assert_eq!(
            text.body,
            "Problem: contacts fails\n\nhubspot-connector on crm1, HubSpot account 12345, 2026-11-23 08:15 UTC"
        );
        let text = compose(&[], &[row("contacts")], &ORIGIN, now()).unwrap();
        assert_eq!(text.subject, "[hubspot-connector] Over: contacts fails");
        assert!(text.body.starts_with("Over, after 12 min: contacts fails\n"), "{}", text.body);
    }

    #[test]
    fn several_are_counted_and_listed() {
        let text = compose(&[row("contacts"), row("deals")], &[row("owners")], &ORIGIN, now()).unwrap();
        assert_eq!(text.subject, "[hubspot-connector] 2 new problem(s), 1 over");
        assert_eq!(text.body.lines().count(), 5);
        let many: Vec<_> = (0..40).map(|number| row(&format!("type{number}"))).collect();
        let text = compose(&many, &[], &ORIGIN, now()).unwrap();
        assert!(text.body.contains("\nand 25 more; "), "{}", text.body);
    }

    #[test]
    fn nothing_is_no_message() {
        assert_eq!(compose(&[], &[], &ORIGIN, now()), None);
    }

    #[test]
    fn a_subject_is_one_short_line() {
        let long = AlertRow { text: "ö".repeat(500), ..row("contacts") };
        let text = compose(&[long], &[], &ORIGIN, now()).unwrap();
        assert_eq!(text.subject.chars().count(), SUBJECT);
        assert!(text.subject.ends_with('…'));
    }
}

//! What events of a record ask for, and whether an answer shows it. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::ObjectId;
use crate::storage::{StoredVersion, WebhookEvent, WebhookKind};

/// Waits before a record is read again that did not show what was told: HubSpot's reads may trail its own events.
const AGAIN: [TimeDelta; 3] = [TimeDelta::seconds(1), TimeDelta::seconds(5), TimeDelta::seconds(30)];
/// Waits after those before a contact is read again that HubSpot told was erased, and shows all the same: what is to be
/// forgotten may not stay for having been asked too early. A day altogether; events are kept for two.
const ERASED_AGAIN: [TimeDelta; 7] = [
    TimeDelta::minutes(2),
    TimeDelta::minutes(10),
    TimeDelta::minutes(30),
    TimeDelta::hours(1),
    TimeDelta::hours(3),
    TimeDelta::hours(6),
    TimeDelta::hours(12),
];
/// How much older than the event a version may be and still show it: both times are HubSpot's, taken in different places.
const TOLERANCE: TimeDelta = TimeDelta::seconds(1);

/// All that was told of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own about all events")]
pub(super) struct Told {
    /// The record.
    pub(super) id: ObjectId,
    /// The events, by number.
    pub(super) numbers: Vec<i64>,
    /// What happened last, and when; a request only where nothing else was told.
    last: (DateTime<Utc>, WebhookKind),
    /// Whether the record came into being by any of it, so that reads may not know it yet.
    is_new: bool,
    /// Whether any of it may have changed links.
    pub(super) concerns_links: bool,
    /// Whether it was erased at any time.
    pub(super) was_erased: bool,
    /// Whether all of it was our own doing.
    pub(super) is_own: bool,
    /// How often it was read in vain.
    tries: usize,
}

/// What HubSpot says of a record, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is there, in this version.
    Live(DateTime<Utc>),
    /// It lies in the recycle bin.
    Archived,
    /// It is nowhere, or under another id.
    Absent,
}

/// One entry a record, in id order, whatever the order of the events.
pub(super) fn coalesce(events: &[WebhookEvent]) -> Vec<Told> {
    let mut told: BTreeMap<ObjectId, Told> = BTreeMap::new();
    for event in events {
        let one = told.entry(event.id).or_insert_with(|| Told {
            id: event.id,
            numbers: Vec::new(),
            last: (event.occurred_at, event.kind),
            is_new: false,
            concerns_links: false,
            was_erased: false,
            is_own: true,
            tries: usize::MAX,
        });
        one.numbers.push(event.number);
        let last = (event.occurred_at, event.kind);
        if rank(last) >= rank(one.last) {
            one.last = last;
        }
        // Of a merge it is the one that remains, as a rule under a new id.
        one.is_new |= matches!(event.kind, WebhookKind::Creation | WebhookKind::Merge);
        one.concerns_links |= concerns_links(event.kind);
        one.was_erased |= event.kind == WebhookKind::PrivacyDeletion;
        // What came of links and merges is no single row's to show.
        one.is_own &=
            event.is_own && !matches!(event.kind, WebhookKind::AssociationChange | WebhookKind::Merge);
        // The newest event has its tries before it.
        one.tries = one.tries.min(event.tries as usize);
    }
    told.into_values().collect()
}

/// Which of two happenings stands for both: the later one, and what HubSpot told before what somebody here asked for.
fn rank((at, kind): (DateTime<Utc>, WebhookKind)) -> (bool, DateTime<Utc>) {
    (kind != WebhookKind::Request, at)
}

/// Whether links may have changed.
fn concerns_links(kind: WebhookKind) -> bool {
    match kind {
        WebhookKind::Creation
        | WebhookKind::Restore
        | WebhookKind::Merge
        | WebhookKind::AssociationChange
        | WebhookKind::Request => true,
        WebhookKind::PropertyChange | WebhookKind::Deletion | WebhookKind::PrivacyDeletion => false,
    }
}

impl Told {
    /// Whether any of it came from HubSpot, and not from somebody here who asked.
    pub(super) fn was_delivered(&self) -> bool {
        self.last.1 != WebhookKind::Request
    }

    /// Whether the row shows what happened last. Its version is HubSpot's time as well; where both are near each other, it
    /// must also have been written afterwards. Our clock alone would take a later change for held if it is fast.
    pub(super) fn is_held_by(&self, row: &StoredVersion) -> bool {
        let (at, kind) = self.last;
        let is_near = |version| version >= at - TOLERANCE && row.synced_at.is_some_and(|synced| synced >= at);
        match kind {
            // What is deleted keeps its version.
            WebhookKind::Deletion | WebhookKind::PrivacyDeletion => row.archived,
            _ => row.updated_at.is_some_and(|version| version >= at || is_near(version)),
        }
    }

    /// After which time the record is to be read again, because HubSpot does not show yet what it told of; `None` when
    /// it does, or was asked often enough. What it showed is stored in either case.
    pub(super) fn again(&self, shown: Shown) -> Option<TimeDelta> {
        let (at, kind) = self.last;
        if self.is_unerased(shown) {
            return self.next_wait().or_else(|| ERASED_AGAIN.get(self.tries - AGAIN.len()).copied());
        }
        let is_missing = match (kind, shown) {
            (WebhookKind::PropertyChange | WebhookKind::Creation, Shown::Live(version)) => {
                version < at - TOLERANCE
            }
            // Erased, it is in no bin, and comes with a deletion of the same moment.
            (WebhookKind::Deletion, Shown::Absent) => !self.was_erased,
            // Whatever was told of it afterwards.
            (_, Shown::Absent) => self.is_new && !self.was_erased,
            (WebhookKind::Deletion, Shown::Live(_)) | (WebhookKind::Restore, Shown::Archived) => true,
            // Deleted or merged since, which is told in an event of its own.
            _ => false,
        };
        if is_missing { self.next_wait() } else { None }
    }

    /// Whether HubSpot told that it was erased and still shows it, whatever it told of it besides.
    pub(super) fn is_unerased(&self, shown: Shown) -> bool {
        self.was_erased && matches!(shown, Shown::Live(_))
    }

    /// How long to wait before the record is read for the next time; `None` when it was read often enough.
    pub(super) fn next_wait(&self) -> Option<TimeDelta> {
        AGAIN.get(self.tries).copied()
    }

    /// How often it was waited for.
    pub(super) fn tries(&self) -> usize {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An event of a record, so many milliseconds after the epoch.
    fn event(number: i64, id: i64, kind: WebhookKind, at: i64) -> WebhookEvent {
        WebhookEvent {
            number,
            id: ObjectId(id),
            kind,
            is_own: false,
            occurred_at: DateTime::from_timestamp_millis(at).expect("a time"),
            tries: 0,
        }
    }

    /// What one record is told of by these events.
    fn told(events: &[WebhookEvent]) -> Told {
        let mut told = coalesce(events);
        assert_eq!(told.len(), 1);
        told.remove(0)
    }

    #[test]
    fn a_hundred_events_of_a_record_are_one_read() {
        let events: Vec<_> = (0..100).map(|n| event(n, 7, WebhookKind::PropertyChange, n)).collect();
        assert_eq!(told(&events).numbers, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn only_what_our_app_alone_has_done_is_our_own() {
        let own = |kind| WebhookEvent { is_own: true, ..event(1, 7, kind, 0) };
        let change = own(WebhookKind::PropertyChange);
        assert!(told(std::slice::from_ref(&change)).is_own);
        assert!(!told(&[change.clone(), event(2, 7, WebhookKind::PropertyChange, 1)]).is_own);
        assert!(!told(&[change, own(WebhookKind::AssociationChange)]).is_own);
    }

    #[test]
    fn what_the_row_shows_is_told_by_hubspots_clock() {
        let time = |ms| DateTime::from_timestamp_millis(ms);
        let row = |version, synced, archived| StoredVersion {
            id: ObjectId(7),
            updated_at: time(version),
            synced_at: time(synced),
            archived,
            archived_at: None,
            edited: false,
        };
        let change = told(&[event(1, 7, WebhookKind::PropertyChange, 10_000)]);
        for (version, synced, is_held) in [
            (10_000, 0, true),
            (9_500, 10_000, true),
            (9_500, 9_999, false),
            // Written afterwards by our clock, which is fast: the change is a later one.
            (8_999, 12_000, false),
        ] {
            let held = change.is_held_by(&row(version, synced, false));
            assert_eq!(held, is_held, "version {version}, written {synced}");
        }
        let deletion = told(&[event(1, 7, WebhookKind::Deletion, 10_000)]);
        assert!(deletion.is_held_by(&row(0, 0, true)) && !deletion.is_held_by(&row(9_999, 12_000, false)));
    }

    #[test]
    fn an_answer_that_does_not_show_the_change_is_asked_for_again() {
        let version = |ms| Shown::Live(DateTime::from_timestamp_millis(ms).expect("a time"));
        let first = Some(AGAIN[0]);
        for (kind, shown, expected) in [
            (WebhookKind::PropertyChange, version(8_999), first),
            (WebhookKind::PropertyChange, version(9_000), None),
            (WebhookKind::PropertyChange, Shown::Archived, None),
            (WebhookKind::Creation, Shown::Absent, first),
            (WebhookKind::Merge, Shown::Absent, first),
            (WebhookKind::PropertyChange, Shown::Absent, None),
            (WebhookKind::Deletion, version(1), first),
            (WebhookKind::Deletion, Shown::Absent, first),
            (WebhookKind::Deletion, Shown::Archived, None),
            (WebhookKind::PrivacyDeletion, Shown::Absent, None),
            (WebhookKind::Restore, Shown::Archived, first),
            (WebhookKind::Restore, version(1), None),
            (WebhookKind::AssociationChange, version(1), None),
            (WebhookKind::Merge, version(1), None),
        ] {
            assert_eq!(told(&[event(1, 7, kind, 10_000)]).again(shown), expected, "{kind} {shown:?}");
        }
    }

    #[test]
    fn a_new_record_is_waited_for_whatever_was_told_of_it_since() {
        let after =
            |kind, later| told(&[event(1, 7, kind, 10_000), event(2, 7, later, 11_000)]).again(Shown::Absent);
        for kind in [WebhookKind::Creation, WebhookKind::Merge] {
            assert_eq!(after(kind, WebhookKind::PropertyChange), Some(AGAIN[0]), "{kind}");
            assert_eq!(after(kind, WebhookKind::AssociationChange), Some(AGAIN[0]), "{kind}");
            assert_eq!(after(kind, WebhookKind::PrivacyDeletion), None, "{kind}");
        }
        assert_eq!(after(WebhookKind::PropertyChange, WebhookKind::AssociationChange), None);
    }

    #[test]
    fn a_request_neither_hides_what_hubspot_told_nor_counts_as_told() {
        let (change, request) =
            (event(1, 7, WebhookKind::PropertyChange, 9_000), event(2, 7, WebhookKind::Request, 20_000));
        let asked = told(std::slice::from_ref(&request));
        assert!(!asked.was_delivered() && asked.concerns_links);
        let old = Shown::Live(DateTime::UNIX_EPOCH);
        assert_eq!(asked.again(old), None, "no version in particular is waited for");
        for events in [[change.clone(), request.clone()], [request, change]] {
            let both = told(&events);
            assert!(both.was_delivered() && both.concerns_links);
            assert_eq!(both.again(old), Some(AGAIN[0]));
        }
    }

    #[test]
    fn what_was_erased_is_not_waited_for_in_the_bin() {
        let both = [event(1, 7, WebhookKind::PrivacyDeletion, 0), event(2, 7, WebhookKind::Deletion, 0)];
        assert_eq!(told(&both).again(Shown::Absent), None);
        assert_eq!(told(&both).again(Shown::Live(DateTime::UNIX_EPOCH)), Some(AGAIN[0]));
    }

    #[test]
    fn nothing_is_asked_for_for_ever() {
        let after = |tries| {
            let tried = WebhookEvent { tries, ..event(1, 7, WebhookKind::Deletion, 0) };
            told(&[tried]).again(Shown::Absent)
        };
        assert_eq!([after(0), after(1), after(2)], AGAIN.map(Some));
        assert_eq!([after(3), after(99)], [None, None]);
    }

    #[test]
    fn a_contact_that_is_not_erased_yet_is_asked_for_during_a_day() {
        let told = |tries| {
            let erased = WebhookEvent { tries, ..event(1, 7, WebhookKind::PrivacyDeletion, 0) };
            told(&[erased, WebhookEvent { tries, ..event(2, 7, WebhookKind::PropertyChange, 9) }])
        };
        let live = Shown::Live(DateTime::from_timestamp_millis(10).expect("a time"));
        let waits: Vec<_> = (0..).map_while(|tries| told(tries).again(live)).collect();
        assert_eq!(waits.len(), 10);
        assert!(waits.is_sorted() && waits[3] == TimeDelta::minutes(2), "{waits:?}");
        let altogether: TimeDelta = waits.iter().sum();
        assert!((TimeDelta::hours(22)..TimeDelta::hours(24)).contains(&altogether), "{altogether}");
        assert!(told(10).is_unerased(live) && !told(10).is_unerased(Shown::Absent));
        assert_eq!(told(0).again(Shown::Absent), None, "that is what was told");
    }

    proptest! {
        #[test]
        fn the_order_of_events_does_not_matter(
            events in prop::collection::vec((0..5_i64, 0..WebhookKind::ALL.len(), any::<bool>(), 0..3_u32), 1..40),
            seed in any::<u64>(),
        ) {
            let events: Vec<_> = events
                .into_iter()
                .enumerate()
                .map(|(n, (id, kind, is_own, tries))| {
                    let n = n as i64;
                    WebhookEvent { is_own, tries, ..event(n, id, WebhookKind::ALL[kind], n) }
                })
                .collect();
            let mut shuffled = events.clone();
            shuffled.sort_by_key(|event| event.number.unsigned_abs().wrapping_mul(seed | 1));
            let sorted = |events: &[WebhookEvent]| {
                let mut told = coalesce(events);
                for one in &mut told {
                    one.numbers.sort_unstable();
                }
                told
            };
            prop_assert_eq!(sorted(&events), sorted(&shuffled));
        }
    }
}

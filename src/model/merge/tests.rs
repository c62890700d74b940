//! The decision table in full, and what holds of every merge.

use proptest::prelude::*;

use super::*;

/// The rule of a writable text.
fn text(policy: Policy) -> FieldRule {
    FieldRule { kind: ValueKind::Text, policy, writable: true }
}

/// `seconds` after the epoch.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// Rules that are the same for each of these names.
fn rules(names: &[&str], rule: FieldRule) -> Rules {
    Rules(names.iter().map(|name| ((*name).to_owned(), rule)).collect())
}

/// Properties.
fn properties<const N: usize>(pairs: [(&str, &str); N]) -> Properties {
    pairs.into_iter().collect()
}

/// What is known of the times of a change: on our side, on HubSpot's.
const TIMES: [(Option<i64>, Option<i64>); 6] = [
    (None, None),
    (Some(1), None),
    (None, Some(1)),
    (Some(2), Some(1)),
    (Some(1), Some(1)),
    (Some(1), Some(2)),
];

#[test]
fn every_combination_of_three_values_is_decided_by_the_table() {
    use Decision::{Agree, Ask, AskForTime, Push, Take};
    // By which values are equal, and where none are, by policy and, of the newest, by time in the order above.
    let values = [None, Some("a"), Some("b"), Some("c")];
    let mut seen = 0;
    for (base, local, remote) in triples(&values) {
        let sides = Sides { base, local, remote };
        for policy in Policy::ALL {
            for (index, (local_time, remote_time)) in TIMES.into_iter().enumerate() {
                let by_policy = match policy {
                    Policy::Ask => Ask,
                    Policy::HubSpot => Take,
                    Policy::Local => Push,
                    Policy::Newest => [AskForTime, AskForTime, AskForTime, Push, Take, Take][index],
                };
                let expected = match (local == remote, local == base, remote == base) {
                    (true, ..) => Agree,
                    (false, true, _) => Take,
                    (false, false, true) => Push,
                    (false, false, false) => by_policy,
                };
                let decision = sides.decide(text(policy), local_time.map(at), remote_time.map(at));
                assert_eq!(decision, expected, "{sides:?} {policy} {local_time:?} {remote_time:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 4 * 4 * 4 * 4 * 6);
}

/// Every choice of three of `values`, in any order and with repetitions.
fn triples<T: Copy>(values: &[T]) -> impl Iterator<Item = (T, T, T)> {
    let pairs = values.iter().flat_map(|first| values.iter().map(|second| (*first, *second)));
    pairs.flat_map(|(first, second)| values.iter().map(move |third| (first, second, *third)))
}

#[test]
fn edits_of_different_fields_merge_by_themselves() {
    let base = properties([("city", "Bonn"), ("name", "Ada"), ("score", "5"), ("zip", "1")]);
    let local = properties([("city", "Bonn"), ("name", "Eva"), ("score", "5.0")]);
    let remote =
        properties([("city", "Kiel"), ("name", "Ada"), ("phone", "1"), ("score", "5"), ("zip", "1")]);
    let mut rules = rules(&["city", "name", "phone", "zip"], text(Policy::Ask));
    rules.0.insert("score".to_owned(), FieldRule { kind: ValueKind::Number, ..text(Policy::Ask) });
    let merged =
        Documents { base: &base, local: &local, remote: &remote }.merge(&rules, &EditTimes::default());
    assert_eq!(merged.push, [("name".to_owned(), "Eva".to_owned()), ("zip".to_owned(), String::new())]);
    assert_eq!(merged.taken, ["city", "phone"]);
    let content = properties([("city", "Kiel"), ("name", "Eva"), ("phone", "1"), ("score", "5")]);
    assert_eq!((&merged.content, &merged.base), (&content, &remote));
    assert!(merged.conflicts.is_empty() && merged.unwritable.is_empty() && !merged.is_synced());

    // HubSpot stored the name its own way, and somebody changed another field meanwhile.
    let stored = properties([("city", "Kiel"), ("name", "EVA"), ("phone", "2"), ("score", "5")]);
    let confirmed = merged.confirmed(&stored, &rules, &EditTimes::default());
    assert!(confirmed.is_synced());
    assert_eq!((&confirmed.content, &confirmed.base), (&stored, &stored));
    assert_eq!(confirmed.taken, ["name", "phone"]);
}

#[test]
fn a_conflict_keeps_both_the_edit_and_the_base() {
    let (base, local, remote) =
        (properties([("city", "Bonn")]), properties([("city", "Kiel")]), properties([("city", "Ulm")]));
    let documents = Documents { base: &base, local: &local, remote: &remote };
    let rules = rules(&["city"], text(Policy::Ask));
    let merged = documents.merge(&rules, &EditTimes::default());
    assert_eq!(merged.conflicts, ["city"]);
    assert_eq!((&merged.content, &merged.base), (&local, &base));
    assert!(merged.push.is_empty() && merged.undated.is_empty() && !merged.is_synced());
    // It closes by itself when HubSpot comes to the same value, and is sent when HubSpot goes back.
    assert!(merged.confirmed(&local, &rules, &EditTimes::default()).is_synced());
    let back = merged.confirmed(&base, &rules, &EditTimes::default());
    assert_eq!(back.push, [("city".to_owned(), "Kiel".to_owned())]);
}

#[test]
fn the_newest_waits_for_both_times_and_names_what_it_waits_for() {
    let (base, local, remote) =
        (properties([("city", "Bonn")]), properties([("city", "Kiel")]), properties([("city", "Ulm")]));
    let documents = Documents { base: &base, local: &local, remote: &remote };
    let rules = rules(&["city"], text(Policy::Newest));
    let unknown = EditTimes { local: Some(at(5)), ..EditTimes::default() };
    let merged = documents.merge(&rules, &unknown);
    assert_eq!(
        (merged.undated.as_slice(), merged.conflicts.as_slice()),
        (["city".to_owned()].as_slice(), ["city".to_owned()].as_slice())
    );
    let times =
        |seconds| EditTimes { remote: BTreeMap::from([("city".to_owned(), at(seconds))]), ..unknown.clone() };
    assert_eq!(documents.merge(&rules, &times(6)).taken, ["city"]);
    let merged = documents.merge(&rules, &times(4));
    assert_eq!(merged.push, [("city".to_owned(), "Kiel".to_owned())]);
    // Once decided it stays decided, also when the times are not at hand any more.
    let again = Documents { base: &merged.base, local: &merged.content, remote: &remote };
    assert_eq!(again.merge(&rules, &EditTimes::default()), merged);
}

#[test]
fn an_edit_hubspot_would_refuse_is_named_and_neither_sent_nor_lost() {
    let (base, local, remote) = (
        properties([("score", "1")]),
        properties([("score", "2"), ("typo", "x")]),
        properties([("score", "1")]),
    );
    let rules = rules(&["score"], FieldRule { writable: false, ..text(Policy::Local) });
    let merged =
        Documents { base: &base, local: &local, remote: &remote }.merge(&rules, &EditTimes::default());
    assert_eq!(merged.unwritable, ["score", "typo"]);
    assert!(merged.push.is_empty() && !merged.is_synced());
    assert_eq!((&merged.content, &merged.base), (&local, &base));
    // Undone, there is nothing to complain of; nor does a calculated value that moves in HubSpot.
    let moved = properties([("score", "7")]);
    let undone = Documents { base: &base, local: &base, remote: &moved }.merge(&rules, &EditTimes::default());
    assert!(undone.is_synced());
}

#[test]
fn words_of_policies_are_read_back() {
    for policy in Policy::ALL {
        assert_eq!(policy.to_string().parse(), Ok(policy));
    }
    assert_eq!(
        "Ask".parse::<Policy>().unwrap_err().to_string(),
        "`Ask` is none of ask, newest, hubspot, local"
    );
}

#[test]
fn a_value_of_ones_own_settles_a_conflict_on_both_sides() {
    let (base, local, remote) =
        (properties([("city", "Bonn")]), properties([("city", "Kiel")]), properties([("city", "Ulm")]));
    let documents = Documents { base: &base, local: &local, remote: &remote };
    let rules = rules(&["city"], text(Policy::Ask));
    let push_of = |choice: Choice| {
        let resolved = documents.resolve(&BTreeMap::from([("city".to_owned(), choice)]));
        let merged = Documents { base: &resolved.base, local: &resolved.local, remote: &remote }
            .merge(&rules, &EditTimes::default());
        assert!(merged.conflicts.is_empty());
        merged.push.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(push_of(Choice::Local), ["Kiel"]);
    assert_eq!(push_of(Choice::HubSpot), Vec::<String>::new());
    assert_eq!(push_of(Choice::Value("Jena".to_owned())), ["Jena"]);
    assert_eq!(push_of(Choice::Value(String::new())), [""], "cleared on both sides");
}

/// Documents, rules and times to merge.
#[derive(Debug, Clone)]
struct Case {
    base: Properties,
    local: Properties,
    remote: Properties,
    rules: Rules,
    times: EditTimes,
}

impl Case {
    /// The merge.
    fn merged(&self) -> Merged {
        Documents { base: &self.base, local: &self.local, remote: &self.remote }
            .merge(&self.rules, &self.times)
    }

    /// Whether two values of a field are the same.
    fn same(&self, name: &str, left: &Properties, right: &Properties) -> bool {
        self.rules.of(name).kind.same(left.get(name).as_deref(), right.get(name).as_deref())
    }

    /// The same case with other documents.
    fn with(&self, base: &Properties, local: &Properties, remote: &Properties) -> Self {
        Self { base: base.clone(), local: local.clone(), remote: remote.clone(), ..self.clone() }
    }
}

/// Names the documents of a case set; few, so that sides often meet.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A document with some of the names; several texts are the same number or the same options.
fn document() -> impl Strategy<Value = Properties> {
    let value = prop::sample::select(vec!["", "1", "1.0", "2", "3", "x;y", "y;x"]);
    prop::collection::vec(value, NAMES.len()).prop_map(|values| NAMES.iter().zip(values).collect())
}

/// A rule of any sort, usually of a writable field.
fn any_rule() -> impl Strategy<Value = FieldRule> {
    let kind = prop::sample::select(vec![ValueKind::Text, ValueKind::Number, ValueKind::Options]);
    (kind, prop::sample::select(Policy::ALL.to_vec()), prop::bool::weighted(0.9))
        .prop_map(|(kind, policy, writable)| FieldRule { kind, policy, writable })
}

/// A case of any sort.
fn any_case() -> impl Strategy<Value = Case> {
    let rules = prop::collection::vec(any_rule(), NAMES.len());
    let remote_times = prop::collection::vec(prop::option::of(0_i64..3), NAMES.len());
    (document(), document(), document(), rules, prop::option::of(0_i64..3), remote_times).prop_map(
        |(base, local, remote, rules, local_time, remote_times)| {
            let names = || NAMES.iter().map(|name| (*name).to_owned());
            let remote_times = names().zip(remote_times);
            let remote_times = remote_times.filter_map(|(name, time)| Some((name, at(time?))));
            Case {
                base,
                local,
                remote,
                rules: Rules(names().zip(rules).collect()),
                times: EditTimes { local: local_time.map(at), remote: remote_times.collect() },
            }
        },
    )
}

/// HubSpot's document once `push` has arrived there.
fn after_push(remote: &Properties, push: &[(String, String)]) -> Properties {
    let mut fields: BTreeMap<_, _> =
        remote.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    fields.extend(push.iter().cloned());
    fields.into_iter().collect()
}

proptest! {
    #[test]
    fn no_edit_of_one_side_alone_is_lost(case in any_case()) {
        let merged = case.merged();
        for name in NAMES {
            let (edited_here, edited_there) =
                (!case.same(name, &case.local, &case.base), !case.same(name, &case.remote, &case.base));
            let is_named = |names: &[String]| names.iter().any(|known| known == name);
            let is_pushed = merged.push.iter().any(|(pushed, _)| pushed == name);
            if edited_here && !edited_there {
                prop_assert!(is_pushed || is_named(&merged.unwritable), "{}", name);
                prop_assert!(case.same(name, &merged.content, &case.local), "{}", name);
            }
            if edited_there && !edited_here {
                prop_assert!(is_named(&merged.taken), "{}", name);
                prop_assert!(case.same(name, &merged.content, &case.remote), "{}", name);
            }
            if edited_here && edited_there && !case.same(name, &case.local, &case.remote) {
                let (ask, writable) = (case.rules.of(name).policy == Policy::Ask, case.rules.of(name).writable);
                prop_assert_eq!(is_named(&merged.conflicts), ask && writable || is_named(&merged.undated));
            }
        }
    }

    #[test]
    fn a_merge_of_its_own_result_gives_the_same(case in any_case()) {
        let merged = case.merged();
        let again = case.with(&merged.base, &merged.content, &case.remote).merged();
        prop_assert_eq!(&again, &Merged { taken: Vec::new(), ..merged });
    }

    #[test]
    fn a_confirmed_push_leaves_only_what_waits(case in any_case()) {
        let merged = case.merged();
        let stored = after_push(&case.remote, &merged.push);
        let confirmed = merged.confirmed(&stored, &case.rules, &case.times);
        prop_assert!(confirmed.push.is_empty());
        prop_assert_eq!(&confirmed.conflicts, &merged.conflicts);
        prop_assert_eq!(&confirmed.unwritable, &merged.unwritable);
        for name in NAMES.into_iter().map(str::to_owned) {
            if !confirmed.conflicts.contains(&name) && !confirmed.unwritable.contains(&name) {
                prop_assert_eq!(confirmed.content.get(&name), stored.get(&name));
                prop_assert_eq!(confirmed.base.get(&name), stored.get(&name));
            }
        }
        // Whoever dies between the push and the note of it finds the same end.
        let found = case.with(&merged.base, &merged.content, &stored).merged();
        prop_assert!(found.push.is_empty());
        prop_assert_eq!((found.content, found.base), (confirmed.content, confirmed.base));
    }

    #[test]
    fn equal_documents_need_nothing(document in document(), case in any_case()) {
        let merged = case.with(&document, &document, &document).merged();
        prop_assert!(merged.is_synced() && merged.taken.is_empty());
        prop_assert_eq!((&merged.content, &merged.base), (&document, &document));
    }

    #[test]
    fn an_edit_made_during_a_merge_stays_and_touches_nothing_else(case in any_case(), current in document()) {
        let merged = case.merged();
        let content = rebase(&case.local, &merged.content, &current);
        for name in NAMES {
            let is_touched = current.get(name) != case.local.get(name);
            let expected = if is_touched { current.get(name) } else { merged.content.get(name) };
            prop_assert_eq!(content.get(name), expected, "{}", name);
        }
        // The next merge reverts nothing of it but by policy, and takes nothing back of what was merged.
        let next = case.with(&merged.base, &content, &case.remote).merged();
        for name in NAMES {
            if current.get(name) == case.local.get(name) {
                prop_assert_eq!(next.content.get(name), merged.content.get(name), "{}", name);
            }
        }
    }

    #[test]
    fn a_resolution_ends_the_conflict_unless_hubspot_changes_again(
        case in any_case(), choices in prop::collection::vec(0_usize..4, NAMES.len()), later in document(),
    ) {
        let merged = case.merged();
        let choice = |index: usize| {
            [Choice::Local, Choice::HubSpot, Choice::Value("3".to_owned()), Choice::Value(String::new())][index].clone()
        };
        let choices: BTreeMap<_, _> =
            merged.conflicts.iter().cloned().zip(choices.into_iter().map(choice)).collect();
        let documents = Documents { base: &merged.base, local: &merged.content, remote: &case.remote };
        let resolved = documents.resolve(&choices);
        let settled = case.with(&resolved.base, &resolved.local, &case.remote).merged();
        prop_assert!(settled.conflicts.is_empty());
        let stored = after_push(&case.remote, &settled.push);
        for (name, choice) in &choices {
            let expected = match choice {
                Choice::Local => case.local.get(name).map(Cow::into_owned),
                Choice::HubSpot => case.remote.get(name).map(Cow::into_owned),
                Choice::Value(value) => Some(value.clone()),
            };
            let kind = case.rules.of(name).kind;
            prop_assert!(kind.same(stored.get(name).as_deref(), expected.as_deref()), "{}", name);
        }
        // HubSpot's next change of a field is not overrun: it is asked of again, unless both meet.
        let changed = case.with(&resolved.base, &resolved.local, &later).merged();
        for (name, choice) in choices {
            let chose_hubspot = choice == Choice::HubSpot || case.same(&name, &resolved.local, &case.remote);
            let moved = !case.same(&name, &later, &case.remote) && !case.same(&name, &later, &resolved.local);
            prop_assert_eq!(changed.conflicts.contains(&name), moved && !chose_hubspot, "{}", name);
        }
    }
}

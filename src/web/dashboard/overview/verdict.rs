//! Is everything in step? One sentence, why, and what to do.

use crate::storage::FailureKind;
use crate::web::dashboard::number::counted;

use super::standing::Standing;

/// What the sentence is decided from.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Whether any process syncs.
    pub(super) is_led: bool,
    /// Every type that is to be synced.
    pub(super) types: Vec<TypeFacts>,
    /// Edits that did not get through and wait for a person.
    pub(super) dead: u64,
    /// Conflicts that wait for a person.
    pub(super) conflicts: u64,
    /// Further problems that are told below.
    pub(super) problems: usize,
    /// How much of everything is copied, in percent; `None` while nobody knows how much there is.
    pub(super) copied: Option<u64>,
}

/// What the sentence is decided from, of a type.
#[derive(Debug, Clone)]
pub(super) struct TypeFacts {
    /// What it is called.
    pub(super) name: String,
    /// How it stands.
    pub(super) standing: Standing,
    /// The sort of what went wrong.
    pub(super) kind: Option<FailureKind>,
}

/// The sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Its colour.
    pub(super) tone: &'static str,
    /// Its words.
    pub(super) sentence: String,
    /// What it means.
    pub(super) reason: String,
    /// What to do, in this order; empty when there is nothing to do.
    pub(super) steps: Vec<&'static str>,
    /// The failure it is about, which is then not told for each type.
    pub(super) about: Option<FailureKind>,
}

/// What to do when no process syncs.
const LEADERLESS: &[&str] = &[
    "This process takes over by itself, within 30 seconds at most.",
    "If this stays, its log says why: `journalctl -u hubspot-connector`, or the output of the container.",
];
/// What to do when HubSpot does not accept the token.
const TOKEN: &[&str] = &[
    "In HubSpot, open the service key or private app this token belongs to and copy its token; make a new one if it is gone.",
    "Put it into `HUBSPOT_ACCESS_TOKEN` and restart hubspot-connector.",
    "`hubspot-connector check` says whether HubSpot accepts it.",
];
/// What to do when the token belongs to another account.
const ACCOUNT: &[&str] = &[
    "Use the token of the account this database mirrors, or another database for this account.",
    "`hubspot-connector check` shows which account the token belongs to.",
];
/// What to do before anything was read.
const NOT_BEGUN: &[&str] = &[
    "Owners and pipelines come first, then every record of every type.",
    "If nothing appears here within a minute, `hubspot-connector check` says what is missing.",
];

impl Verdict {
    /// The sentence, and nothing to do.
    fn new(tone: &'static str, sentence: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { tone, sentence: sentence.into(), reason: reason.into(), steps: Vec::new(), about: None }
    }

    /// With what to do.
    fn with(self, steps: &[&'static str]) -> Self {
        Self { steps: steps.to_vec(), ..self }
    }

    /// With the failure it is about.
    fn about(self, kind: FailureKind) -> Self {
        Self { about: Some(kind), ..self }
    }

    /// The sentence for these facts: what matters most comes first.
    pub(super) fn of(facts: &Facts) -> Self {
        let is_of = |kind| facts.types.iter().any(|one| one.kind == Some(kind));
        if !facts.is_led {
            let reason =
                "Nothing comes from HubSpot and nothing goes there until one does. What is here stays.";
            return Self::new("bad", "No process syncs this database", reason).with(LEADERLESS);
        }
        if is_of(FailureKind::TokenRejected) {
            let reason = "Nothing is synced until it does. What is here stays, and edits made here wait and are not lost.";
            return Self::new("bad", "HubSpot does not accept the token", reason)
                .with(TOKEN)
                .about(FailureKind::TokenRejected);
        }
        if is_of(FailureKind::Account) {
            let reason = "Nothing is synced, because records of two accounts would be mixed.";
            return Self::new("bad", "The token belongs to another HubSpot account", reason)
                .with(ACCOUNT)
                .about(FailureKind::Account);
        }
        Self::of_types(facts).unwrap_or_else(|| Self::in_step(facts))
    }

    /// The sentence when some type is not in step; `None` when all are.
    fn of_types(facts: &Facts) -> Option<Self> {
        let named = |standing| {
            let named = facts.types.iter().filter(|one| one.standing == standing);
            named.map(|one| one.name.as_str()).collect::<Vec<_>>()
        };
        let all = facts.types.len();
        let [failing, behind, late] = [Standing::Failing, Standing::Behind, Standing::Late].map(named);
        let [retrying, waiting] = [Standing::Retrying, Standing::Waiting].map(named);
        let [first, none] = [Standing::FirstCopy, Standing::NotBegun].map(named);
        let verdict = match () {
            () if !failing.is_empty() => {
                let sentence =
                    format!("{} of {} cannot be synced", failing.len(), counted(all as u64, "type"));
                Self::new("bad", sentence, format!("{}: what to do stands below.", list(&failing)))
            }
            () if !waiting.is_empty() => {
                let reason = "HubSpot counts requests anew at midnight in the account's time zone; runs go on then by \
                              themselves.";
                Self::new("warn", "The day's requests are used up", reason)
            }
            () if none.len() == all => {
                let reason = "The first runs begin within seconds and read everything HubSpot has.";
                Self::new("busy", "Nothing was copied yet", reason).with(NOT_BEGUN)
            }
            () if !first.is_empty() || !none.is_empty() => {
                let done = all - first.len() - none.len();
                let reason = format!(
                    "{done} of {} complete. It may be stopped at any time and goes on where it was.",
                    counted(all as u64, "type")
                );
                let percent = facts.copied.map_or_else(String::new, |percent| format!(": {percent} %"));
                Self::new("busy", format!("The first copy is under way{percent}"), reason)
            }
            () if !behind.is_empty() => {
                let verb = if behind.len() == 1 { "is" } else { "are" };
                let sentence = format!("{} {verb} behind HubSpot", counted(behind.len() as u64, "type"));
                let reason = format!("{}: changes arrive later than the schedule says.", list(&behind));
                Self::new("bad", sentence, reason)
            }
            () if !retrying.is_empty() => {
                let reason = format!("{}: it is tried again by itself.", list(&retrying));
                Self::new("warn", "A run failed", reason)
            }
            () if !late.is_empty() => {
                let reason = format!("{}: the next run is overdue.", list(&late));
                Self::new("warn", "Nearly in step", reason)
            }
            () => return None,
        };
        Some(verdict)
    }

    /// The sentence when every type is in step.
    fn in_step(facts: &Facts) -> Self {
        let waiting = [(facts.dead, "failed edit"), (facts.conflicts, "conflict")];
        let waiting: Vec<_> = waiting
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| counted(count, what))
            .collect();
        if !waiting.is_empty() {
            let one = facts.dead + facts.conflicts == 1;
            let verb = if one { "waits" } else { "wait" };
            let sentence = format!("In step, but {} {verb} for you", waiting.join(" and "));
            return Self::new("warn", sentence, "The records they are about differ from HubSpot until then.");
        }
        if facts.problems > 0 {
            return Self::new("warn", "In step, with something to look at", "It stands below.");
        }
        let reason = "What changes there is here with the next run at the latest, and what is edited here is sent at once.";
        Self::new("good", "Everything is in step with HubSpot", reason)
    }
}

/// Names as a list for people, at most four of them.
fn list(names: &[&str]) -> String {
    match names.len() {
        0..=4 => names.join(", "),
        more => format!("{} and {} more", names[..3].join(", "), more - 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types that stand so.
    fn types(standings: &[Standing]) -> Vec<TypeFacts> {
        let names = ["owners", "contacts", "companies", "deals", "tickets", "quotes"];
        let one = |(name, standing): (&&str, &Standing)| TypeFacts {
            name: (*name).to_owned(),
            standing: *standing,
            kind: None,
        };
        names.iter().zip(standings).map(one).collect()
    }

    /// The tone and the sentence, of facts with a leader.
    fn told(facts: Facts) -> (&'static str, String) {
        let verdict = Verdict::of(&Facts { is_led: true, ..facts });
        (verdict.tone, verdict.sentence)
    }

    #[test]
    fn the_sentence_follows_what_matters_most() {
        use Standing::{Behind, Failing, FirstCopy, InStep, Late, NotBegun, Retrying, Waiting};
        for (standings, tone, sentence) in [
            (vec![InStep, InStep], "good", "Everything is in step with HubSpot"),
            (vec![NotBegun, NotBegun], "busy", "Nothing was copied yet"),
            (vec![InStep, NotBegun], "busy", "The first copy is under way"),
            (vec![InStep, FirstCopy, Behind], "busy", "The first copy is under way"),
            (vec![InStep, Behind], "bad", "1 type is behind HubSpot"),
            (vec![Late, Behind, Behind], "bad", "2 types are behind HubSpot"),
            (vec![InStep, Late], "warn", "Nearly in step"),
            (vec![Late, Retrying], "warn", "A run failed"),
            (vec![Behind, Waiting], "warn", "The day's requests are used up"),
            (vec![FirstCopy, Failing, Waiting], "bad", "1 of 3 types cannot be synced"),
            (vec![], "busy", "Nothing was copied yet"),
        ] {
            let facts = Facts { types: types(&standings), ..Facts::default() };
            assert_eq!(told(facts), (tone, sentence.to_owned()), "{standings:?}");
        }
    }

    #[test]
    fn what_waits_for_a_person_is_part_of_the_sentence() {
        let facts = |dead, conflicts| Facts {
            types: types(&[Standing::InStep]),
            dead,
            conflicts,
            ..Facts::default()
        };
        assert_eq!(told(facts(1, 0)), ("warn", "In step, but 1 failed edit waits for you".to_owned()));
        let both = "In step, but 2 failed edits and 1 conflict wait for you".to_owned();
        assert_eq!(told(facts(2, 1)), ("warn", both));
        let problem = Facts { problems: 1, ..facts(0, 0) };
        assert_eq!(told(problem), ("warn", "In step, with something to look at".to_owned()));
    }

    #[test]
    fn one_cause_is_told_before_what_follows_from_it() {
        let failing = |kind| {
            let mut types = types(&[Standing::Failing, Standing::Behind]);
            types[0].kind = Some(kind);
            Facts { types, ..Facts::default() }
        };
        assert_eq!(told(failing(FailureKind::TokenRejected)).1, "HubSpot does not accept the token");
        assert_eq!(told(failing(FailureKind::Account)).1, "The token belongs to another HubSpot account");
        let leaderless = Verdict::of(&failing(FailureKind::TokenRejected));
        assert_eq!(leaderless.sentence, "No process syncs this database");
        assert!(!leaderless.steps.is_empty());
    }

    #[test]
    fn a_first_copy_tells_how_much_of_everything_is_done() {
        let facts = Facts { types: types(&[Standing::FirstCopy]), copied: Some(22), ..Facts::default() };
        assert_eq!(told(facts).1, "The first copy is under way: 22 %");
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let facts = Facts { types: types(&[Standing::Failing; 6]), is_led: true, ..Facts::default() };
        let reason = "owners, contacts, companies and 3 more: what to do stands below.";
        assert_eq!(Verdict::of(&facts).reason, reason);
    }
}

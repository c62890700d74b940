//! The sales funnel: pipelines a fresh account has, and where a deal stands in them.

use crate::clock::{DAY_MS, Millis};
use crate::generate::Record;
use crate::generate::record::salt;
use crate::random::{below, chance};

/// One stage of a pipeline.
#[derive(Debug)]
pub struct Stage {
    /// Internal value of `dealstage`.
    pub id: &'static str,
    /// What people see.
    pub label: &'static str,
    /// Chance of winning, as HubSpot writes it; `0.0` and `1.0` are the closed stages.
    pub probability: &'static str,
}

/// One pipeline.
#[derive(Debug)]
pub struct Pipeline {
    /// Internal value of `pipeline`.
    pub id: &'static str,
    /// What people see.
    pub label: &'static str,
    /// In order; the last two are won and lost.
    pub stages: &'static [Stage],
}

/// Shortens the tables below.
const fn stage(id: &'static str, label: &'static str, probability: &'static str) -> Stage {
    Stage { id, label, probability }
}

/// The default pipeline with HubSpot's default stages, one made in the settings (numeric ids) and one made through
/// the API (UUIDs). Source: HubSpot, "Pipelines".
pub const PIPELINES: &[Pipeline] = &[
    Pipeline {
        id: "default",
        label: "Sales Pipeline",
        stages: &[
            stage("appointmentscheduled", "Appointment Scheduled", "0.2"),
            stage("qualifiedtobuy", "Qualified To Buy", "0.4"),
            stage("presentationscheduled", "Presentation Scheduled", "0.6"),
            stage("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
            stage("contractsent", "Contract Sent", "0.9"),
            stage("closedwon", "Closed Won", "1.0"),
            stage("closedlost", "Closed Lost", "0.0"),
        ],
    },
    Pipeline {
        id: "75834416",
        label: "Renewals",
        stages: &[
            stage("145892001", "Renewal due", "0.5"),
            stage("145892002", "Offer sent", "0.7"),
            stage("145892003", "Verbally agreed", "0.9"),
            stage("145892004", "Renewed", "1.0"),
            stage("145892005", "Churned", "0.0"),
        ],
    },
    Pipeline {
        id: "b7a0c6f2-3d51-4c2e-9a54-0e8d61f7c913",
        label: "Partner deals – Größere Projekte",
        stages: &[
            stage("2f0d7c1e-6a0b-4b7e-8a51-5a4d7f0e1c01", "Registered", "0.1"),
            stage("2f0d7c1e-6a0b-4b7e-8a51-5a4d7f0e1c02", "Joint workshop", "0.3"),
            stage("2f0d7c1e-6a0b-4b7e-8a51-5a4d7f0e1c03", "Proposal", "0.65"),
            stage("2f0d7c1e-6a0b-4b7e-8a51-5a4d7f0e1c04", "Won", "1.0"),
            stage("2f0d7c1e-6a0b-4b7e-8a51-5a4d7f0e1c05", "Lost", "0.0"),
        ],
    },
];

/// Lifecycle stages with the share of records in each, in percent. Source: HubSpot, "Contacts".
pub const LIFECYCLE: &[(&str, &str, u64)] = &[
    ("subscriber", "Subscriber", 20),
    ("lead", "Lead", 30),
    ("marketingqualifiedlead", "Marketing Qualified Lead", 14),
    ("salesqualifiedlead", "Sales Qualified Lead", 8),
    ("opportunity", "Opportunity", 10),
    ("customer", "Customer", 15),
    ("evangelist", "Evangelist", 1),
    ("other", "Other", 2),
];

/// Position of a record in [`LIFECYCLE`].
pub fn lifecycle_position(record: &Record<'_>) -> usize {
    let mut left = below(record.word(salt::STAGE), 100);
    for (position, &(_, _, share)) in LIFECYCLE.iter().enumerate() {
        if left < share {
            return position;
        }
        left -= share;
    }
    0
}

/// Where a deal stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The pipeline it is in.
    pub pipeline: &'static Pipeline,
    /// Position of its stage there.
    pub position: usize,
}

impl Standing {
    /// Where a deal stands: seven of ten in the default pipeline, more than half of all closed.
    pub fn of(record: &Record<'_>) -> Self {
        let pipeline = match below(record.word(salt::PIPELINE), 10) {
            0..=6 => &PIPELINES[0],
            7..=8 => &PIPELINES[1],
            _ => &PIPELINES[2],
        };
        let open = pipeline.stages.len() - 2;
        let word = record.word(salt::STAGE);
        let position = match below(word, 100) {
            0..=29 => open,
            30..=54 => open + 1,
            _ => below(word << 8, open as u64) as usize,
        };
        Self { pipeline, position }
    }

    /// The stage.
    pub const fn stage(self) -> &'static Stage {
        &self.pipeline.stages[self.position]
    }

    /// Ended with a sale.
    pub const fn is_won(self) -> bool {
        self.position + 2 == self.pipeline.stages.len()
    }

    /// Ended without a sale.
    pub const fn is_lost(self) -> bool {
        self.position + 1 == self.pipeline.stages.len()
    }

    /// Not ended.
    pub const fn is_open(self) -> bool {
        self.position + 2 < self.pipeline.stages.len()
    }

    /// How many open stages the deal went through before the present one.
    pub const fn steps(self) -> usize {
        let open = self.pipeline.stages.len() - 2;
        if self.position < open { self.position } else { open }
    }

    /// When the deal entered a stage it went through or is in; `None` for one it never reached.
    pub fn entered_at(self, record: &Record<'_>, position: usize) -> Option<Millis> {
        let steps = self.steps();
        let step = if position == self.position {
            steps
        } else if position < steps {
            position
        } else {
            return None;
        };
        let until = if self.is_open() { record.moment(80) } else { close_date(record, self) };
        Some(record.created_at + (until - record.created_at) / (steps as Millis).max(1) * step as Millis)
    }
}

/// When a deal closed or is expected to: in the past for closed ones, ahead for open ones.
pub fn close_date(record: &Record<'_>, standing: Standing) -> Millis {
    let word = record.word(salt::CLOSE);
    if standing.is_open() {
        return record.story_end() + (5 + below(word, 150) as Millis) * DAY_MS;
    }
    record.moment(5 + below(word, 90))
}

/// What a deal is worth, in hundredths of its currency.
pub fn amount(record: &Record<'_>) -> u64 {
    let word = record.word(salt::AMOUNT);
    let unit = [5_000, 25_000, 100_000, 500_000, 2_000_000][(word % 5) as usize];
    let cents = if chance(word << 7, 12) { below(word << 17, 100) } else { 0 };
    (1 + below(word, 40)) * unit + cents
}

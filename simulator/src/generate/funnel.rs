//! Where records stand on the way their type goes: lifecycle stages, sales pipelines, support pipelines.

use crate::clock::{DAY_MS, Millis};
use crate::generate::Record;
use crate::generate::record::salt;
use crate::object_type::Kind;
use crate::random::{below, chance};

/// One stage of a pipeline.
#[derive(Debug)]
pub struct Stage {
    /// Internal value of the stage property.
    pub id: &'static str,
    /// What people see.
    pub label: &'static str,
    /// Deals: chance of winning, as HubSpot writes it; `0.0` and `1.0` are the closed stages. Other types: `OPEN` or
    /// `CLOSED`.
    pub state: &'static str,
}

/// One pipeline.
#[derive(Debug)]
pub struct Pipeline {
    /// Internal value of the pipeline property.
    pub id: &'static str,
    /// What people see.
    pub label: &'static str,
    /// In order; the closed ones are last, and of a deal's two the won one is first.
    pub stages: &'static [Stage],
    /// How many stages are closed.
    pub closed: usize,
}

/// Shortens the tables below.
const fn stage(id: &'static str, label: &'static str, state: &'static str) -> Stage {
    Stage { id, label, state }
}

/// The default pipeline with HubSpot's default stages, one made in the settings (numeric ids) and one made through
/// the API (UUIDs). Source: HubSpot, "Pipelines".
const DEAL_PIPELINES: &[Pipeline] = &[
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
        closed: 2,
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
        closed: 2,
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
        closed: 2,
    },
];

/// The pipeline tickets start with. Source: HubSpot, "Pipelines".
const TICKET_PIPELINES: &[Pipeline] = &[Pipeline {
    id: "0",
    label: "Support Pipeline",
    stages: &[
        stage("1", "New", "OPEN"),
        stage("2", "Waiting on contact", "OPEN"),
        stage("3", "Waiting on us", "OPEN"),
        stage("4", "Closed", "CLOSED"),
    ],
    closed: 1,
}];

/// The pipeline leads start with.
const LEAD_PIPELINES: &[Pipeline] = &[Pipeline {
    id: "lead-pipeline-id",
    label: "Lead pipeline",
    stages: &[
        stage("new-stage-id", "New", "OPEN"),
        stage("attempting-stage-id", "Attempting", "OPEN"),
        stage("connected-stage-id", "Connected", "OPEN"),
        stage("qualified-stage-id", "Qualified", "CLOSED"),
        stage("unqualified-stage-id", "Unqualified", "CLOSED"),
    ],
    closed: 2,
}];

/// The pipelines of other types: stage ids are unique within a type only, so all can have the same.
const OTHER_PIPELINES: &[Pipeline] = &[
    Pipeline {
        id: "5f1c2b7e-90d4-4f0b-8a37-3c6f5d2e7a10",
        label: "Standard",
        stages: &[
            stage("0b9f4c1d-7e52-4a86-9d13-6f2a8c5e3b01", "Open", "OPEN"),
            stage("0b9f4c1d-7e52-4a86-9d13-6f2a8c5e3b02", "In progress", "OPEN"),
            stage("0b9f4c1d-7e52-4a86-9d13-6f2a8c5e3b03", "Done", "CLOSED"),
            stage("0b9f4c1d-7e52-4a86-9d13-6f2a8c5e3b04", "Cancelled", "CLOSED"),
        ],
        closed: 2,
    },
    Pipeline {
        id: "88120417",
        label: "Express",
        stages: &[stage("1201991", "Open", "OPEN"), stage("1201992", "Done", "CLOSED")],
        closed: 1,
    },
];

/// Pipelines of a type in a fresh account; none for types that go through the lifecycle instead.
pub const fn pipelines(kind: Kind) -> &'static [Pipeline] {
    match kind {
        Kind::DEAL => DEAL_PIPELINES,
        Kind::TICKET => TICKET_PIPELINES,
        Kind::LEAD => LEAD_PIPELINES,
        Kind::ORDER | Kind::SERVICE | Kind::COURSE | Kind::LISTING | Kind::APPOINTMENT => OTHER_PIPELINES,
        _ if kind.custom_position().is_some() => OTHER_PIPELINES,
        _ => &[],
    }
}

/// Lifecycle stages: id, label, and the share of records in each, in percent. Source: HubSpot, "Contacts".
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

/// Position of a lifecycle stage or of a stage of the default sales pipeline; tables name stages by id.
pub fn stage_position(id: &str) -> Option<usize> {
    let lifecycle = LIFECYCLE.iter().position(|&(stage, ..)| stage == id);
    lifecycle.or_else(|| DEAL_PIPELINES[0].stages.iter().position(|stage| stage.id == id))
}

/// Where a record stands in a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The pipeline it is in.
    pub pipeline: &'static Pipeline,
    /// Position of its stage there.
    pub position: usize,
}

impl Standing {
    /// Where a record stands: seven of ten deals in the default pipeline, more than half of all closed. `None` for a
    /// type without pipelines.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        let pipelines = pipelines(record.kind);
        let pipeline = match below(record.word(salt::PIPELINE), 10) {
            0..=6 => pipelines.first(),
            7..=8 => pipelines.get(1),
            _ => pipelines.get(2),
        };
        let pipeline = pipeline.or_else(|| pipelines.first())?;
        let open = pipeline.stages.len() - pipeline.closed;
        let word = record.word(salt::STAGE);
        let position = match below(word, 100) {
            0..=29 => open,
            30..=54 => pipeline.stages.len() - 1,
            _ => below(word << 8, open as u64) as usize,
        };
        Some(Self { pipeline, position })
    }

    /// The stage.
    pub const fn stage(self) -> &'static Stage {
        &self.pipeline.stages[self.position]
    }

    /// How many stages of the pipeline are not closed.
    const fn open_stages(self) -> usize {
        self.pipeline.stages.len() - self.pipeline.closed
    }

    /// Ended well: a sale, or a closed ticket.
    pub const fn is_won(self) -> bool {
        self.position == self.open_stages()
    }

    /// Ended without a sale.
    pub const fn is_lost(self) -> bool {
        self.position > self.open_stages()
    }

    /// Not ended.
    pub const fn is_open(self) -> bool {
        self.position < self.open_stages()
    }

    /// How many open stages the record went through before the present one.
    const fn steps(self) -> usize {
        let open = self.open_stages();
        if self.position < open { self.position } else { open }
    }

    /// When the record entered a stage it went through or is in; `None` for one it never reached.
    fn entered_at(self, record: &Record<'_>, position: usize) -> Option<Millis> {
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

/// When a record closed or is expected to: in the past for closed ones, ahead for open ones.
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

/// The way a record goes.
pub enum Path {
    /// Through the lifecycle, with the position it has reached.
    Lifecycle(usize),
    /// Through a pipeline.
    Pipeline(Standing),
}

impl Path {
    /// The way of a record.
    pub fn of(record: &Record<'_>) -> Self {
        Standing::of(record).map_or_else(|| Self::Lifecycle(lifecycle_position(record)), Self::Pipeline)
    }

    /// Position of the present stage.
    pub const fn position(&self) -> usize {
        match self {
            Self::Lifecycle(position) => *position,
            Self::Pipeline(standing) => standing.position,
        }
    }

    /// When the record entered a stage; `None` for one it never reached.
    pub fn entered_at(&self, record: &Record<'_>, position: usize) -> Option<Millis> {
        match self {
            Self::Lifecycle(present) => {
                (position <= *present).then(|| record.moment(position as u64 * 90 / LIFECYCLE.len() as u64))
            }
            Self::Pipeline(standing) => standing.entered_at(record, position),
        }
    }

    /// When the record left a stage; `None` for the present one and those it never reached.
    pub fn exited_at(&self, record: &Record<'_>, position: usize) -> Option<Millis> {
        let next = match self {
            Self::Lifecycle(present) => (position < *present).then_some(position + 1)?,
            Self::Pipeline(standing) if position + 1 == standing.steps() => standing.position,
            Self::Pipeline(standing) => (position < standing.steps()).then_some(position + 1)?,
        };
        self.entered_at(record, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::World;

    /// Deals and tickets of a small world.
    fn records(world: &World) -> impl Iterator<Item = Record<'_>> {
        [Kind::CONTACT, Kind::DEAL, Kind::TICKET]
            .into_iter()
            .flat_map(move |kind| (0..300).map(move |index| world.generated(kind, index)))
    }

    #[test]
    fn a_record_enters_its_stages_in_order_and_leaves_all_but_the_present_one() {
        let world = World::new(7, &[300; 4]);
        for record in records(&world) {
            let path = Path::of(&record);
            let mut earlier = record.created_at;
            for position in 0..path.position() {
                let (entered, exited) =
                    (path.entered_at(&record, position), path.exited_at(&record, position));
                let (Some(entered), Some(exited)) = (entered, exited) else { continue };
                assert!(earlier <= entered && entered <= exited, "{record:?} at {position}");
                earlier = entered;
            }
            assert!(path.entered_at(&record, path.position()).is_some_and(|entered| entered >= earlier));
            assert_eq!(path.exited_at(&record, path.position()), None);
        }
    }
}

//! The people records belong to.

use serde::{Deserialize, Serialize};

use crate::clock::{DAY_MS, Millis};
use crate::generate::world::FIRST_CREATED;
use crate::generate::{World, people, words};
use crate::random::{below, mix, pick};

/// One owner. Source: HubSpot, "Owners".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// What `hubspot_owner_id` holds.
    pub id: u64,
    /// The user behind the owner; another number.
    pub user_id: u64,
    /// Address of the user.
    pub email: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// When the owner was added.
    pub created_at: Millis,
    /// When the owner last changed; a new name of the user does not move it.
    pub updated_at: Millis,
    /// The user has left.
    pub archived: bool,
    /// Teams by id and name; the first is the primary one.
    pub teams: Vec<(u64, String)>,
}

/// Teams of a fresh portal.
const TEAMS: [(u64, &str); 3] =
    [(801_101, "Sales Europe"), (801_102, "Sales Americas"), (801_103, "Customer Success")];

/// The owners a fresh portal has, some of them archived.
pub fn of_a_fresh_portal(world: &World) -> Vec<Owner> {
    (0..people::OWNERS).map(|position| owner(world, position)).collect()
}

/// The owner at a position.
fn owner(world: &World, position: u64) -> Owner {
    let draw = mix(world.seed() ^ 0x0057, position);
    let first = pick(draw, words::FIRST_NAMES);
    let last = pick(draw << 20, words::LAST_NAMES);
    let created_at =
        FIRST_CREATED + below(draw << 9, 900) as Millis * DAY_MS + below(draw << 3, DAY_MS as u64) as Millis;
    let archived = people::ARCHIVED_OWNERS.contains(&position);
    let teams = if position % 4 == 3 { Vec::new() } else { vec![TEAMS[(position % 3) as usize]] };
    Owner {
        id: people::owner_id(position),
        user_id: people::owner_user_id(position),
        email: format!("{}.{}.{position}@our-company.example", first.1, last.1),
        first_name: first.0.to_owned(),
        last_name: last.0.to_owned(),
        created_at,
        updated_at: created_at + if archived { 700 } else { 200 } * DAY_MS,
        archived,
        teams: teams.into_iter().map(|(id, name)| (id, name.to_owned())).collect(),
    }
}

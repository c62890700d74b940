//! One record's facts: the draws its properties are made of.

use crate::clock::Millis;
use crate::generate::words::{self, Name, Place};
use crate::generate::world::{GENERATED_END, World};
use crate::object_type::Kind;
use crate::random::{below, mix, pick};

/// Purposes of a draw that several properties share.
pub mod salt {
    /// Given name.
    pub const FIRST_NAME: u64 = 11;
    /// Family name.
    pub const LAST_NAME: u64 = 12;
    /// Where the record is.
    pub const PLACE: u64 = 13;
    /// Who owns it.
    pub const OWNER: u64 = 14;
    /// How far it got.
    pub const STAGE: u64 = 15;
    /// What it is worth.
    pub const AMOUNT: u64 = 16;
    /// When it closes.
    pub const CLOSE: u64 = 17;
    /// How it came into the portal.
    pub const SOURCE: u64 = 18;
    /// First part of a company's name.
    pub const COMPANY_FIRST: u64 = 19;
    /// Second part of a company's name.
    pub const COMPANY_SECOND: u64 = 20;
    /// Legal form of a company.
    pub const COMPANY_FORM: u64 = 21;
    /// Size of a company.
    pub const SIZE: u64 = 22;
    /// Which pipeline a deal is in.
    pub const PIPELINE: u64 = 23;
}

/// The facts of one record. Cheap to make and to copy; every method draws afresh.
#[derive(Debug, Clone, Copy)]
pub struct Record<'world> {
    /// The world the record is in.
    pub world: &'world World,
    /// What the record is.
    pub kind: Kind,
    /// Position of its content; records created later have indexes beyond the generated ones.
    pub index: u64,
    /// Its id.
    pub id: u64,
    /// When it was created.
    pub created_at: Millis,
    /// When it last changed; nothing else may be drawn from this, or a touch would change values.
    pub updated_at: Millis,
    /// What its draws start from.
    pub seed: u64,
}

impl<'world> Record<'world> {
    /// A word for a purpose.
    pub const fn word(&self, purpose: u64) -> u64 {
        mix(self.seed, purpose)
    }

    /// The end of the story the generated values tell: the end of generated time, or the creation of a later record.
    pub fn story_end(&self) -> Millis {
        GENERATED_END.max(self.created_at)
    }

    /// The moment a share (in hundredths) of the way from creation to the end of the story.
    pub fn moment(&self, percent: u64) -> Millis {
        self.created_at + (self.story_end() - self.created_at) / 100 * percent as Millis
    }

    /// Given name and its address form.
    pub fn first_name(&self) -> &'static Name {
        pick(self.word(salt::FIRST_NAME), words::FIRST_NAMES)
    }

    /// Family name and its address form.
    pub fn last_name(&self) -> &'static Name {
        pick(self.word(salt::LAST_NAME), words::LAST_NAMES)
    }

    /// The company the record is or belongs to.
    pub fn company(&self) -> Option<Record<'world>> {
        let index = match self.kind {
            Kind::COMPANY => return Some(*self),
            Kind::CONTACT | Kind::DEAL | Kind::TICKET => self.world.company_of(self.index)?,
            _ => return None,
        };
        Some(self.world.generated(Kind::COMPANY, index))
    }

    /// Where the record is: where its company is, if it has one.
    pub fn place(&self) -> &'static Place {
        let place_of = |record: &Record<'_>| pick(record.word(salt::PLACE), words::PLACES);
        self.company().map_or_else(|| place_of(self), |company| place_of(&company))
    }

    /// First and second part of a company's name.
    pub fn company_parts(&self) -> (&'static Name, &'static Name) {
        (
            pick(self.word(salt::COMPANY_FIRST), words::COMPANY_FIRST),
            pick(self.word(salt::COMPANY_SECOND), words::COMPANY_SECOND),
        )
    }

    /// Number of people in a company: few have many.
    pub const fn staff(&self) -> u64 {
        let word = self.word(salt::SIZE);
        1 + below(word, 9) * 10_u64.pow((word % 5) as u32)
    }
}

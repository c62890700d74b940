//! Facts about the company a record is or belongs to.

use crate::generate::text::push_number;
use crate::generate::{Record, links, people};
use crate::object_type::Kind;
use crate::random::below;

/// A fact about a company.
#[derive(Debug, Clone, Copy)]
pub enum CompanyFact {
    /// Its id.
    Id,
    /// Its name.
    Name,
    /// Its web domain.
    Domain,
    /// Its web site.
    Site,
    /// What it does, in free text.
    Industry,
    /// Its page on a professional network.
    Profile,
    /// How many people it has.
    Staff,
    /// What it earns in a year.
    Revenue,
    /// When it was founded.
    Year,
    /// The id of the company it belongs to.
    Parent,
    /// How many companies belong to it.
    Children,
}

impl CompanyFact {
    /// The fact a rule names.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "company_id" => Self::Id,
            "company_name" => Self::Name,
            "company_domain" => Self::Domain,
            "company_site" => Self::Site,
            "company_industry" => Self::Industry,
            "company_profile" => Self::Profile,
            "staff" => Self::Staff,
            "revenue" => Self::Revenue,
            "year" => Self::Year,
            "parent_id" => Self::Parent,
            "child_count" => Self::Children,
            _ => return None,
        })
    }

    /// Appends the value; false for a record without company.
    pub fn write(self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        let Some(company) = record.company() else { return false };
        match self {
            Self::Id => push_number(out, company.id),
            Self::Name => people::push_company_name(out, &company),
            Self::Domain => people::push_company_domain(out, &company),
            Self::Site => {
                out.extend_from_slice(b"https://www.");
                people::push_company_domain(out, &company);
            }
            Self::Industry => out.extend_from_slice(company.company_parts().1.0.as_bytes()),
            Self::Profile => people::push_profile(out, &company),
            Self::Staff => push_number(out, company.staff()),
            Self::Revenue => push_number(out, company.staff() * (60_000 + below(company.word(0x2E), 90_000))),
            Self::Year => push_number(out, 1890 + below(company.word(0x2F), 133)),
            Self::Parent => {
                let Some(parent) = links::parent(record.world, company.index) else { return false };
                push_number(out, record.world.id_of(Kind::COMPANY, parent));
            }
            Self::Children => push_number(out, links::child_count(record.world, company.index)),
        }
        true
    }
}

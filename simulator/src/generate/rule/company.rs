//! Facts about the company a record is or belongs to.

use crate::generate::text::push_number;
use crate::generate::{Record, people};
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
    /// How many contacts it has.
    Contacts,
    /// How many deals it has.
    Deals,
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
            "contact_count" => Self::Contacts,
            "deal_count" => Self::Deals,
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
            Self::Contacts => push_number(out, record.world.members_of(Kind::CONTACT, company.index)),
            Self::Deals => push_number(out, record.world.members_of(Kind::DEAL, company.index)),
        }
        true
    }
}

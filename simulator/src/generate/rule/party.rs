//! Facts about a person or organisation.

use crate::generate::funnel::{self, LIFECYCLE};
use crate::generate::record::salt;
use crate::generate::text::{push_flag, push_number};
use crate::generate::{Record, people, words};
use crate::random::pick;

/// A fact about a person or organisation.
#[derive(Debug, Clone, Copy)]
pub enum PartyFact {
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// Both.
    FullName,
    /// Mail address.
    Email,
    /// What is behind the `@`.
    EmailDomain,
    /// One of several telephone numbers.
    Phone(u64),
    /// The same without anything but digits.
    PhoneDigits(u64),
    /// What the person does.
    JobTitle,
    /// Street with number.
    Street,
    /// City.
    City,
    /// State or province.
    Region,
    /// Postal code.
    Zip,
    /// Country in English.
    Country,
    /// Country as a code.
    CountryCode,
    /// Page on a professional network.
    Profile,
    /// Name on a short-message network.
    Handle,
    /// Lifecycle stage.
    Lifecycle,
    /// `true` for what an import brought.
    Imported,
    /// How the record came into the portal.
    Source,
    /// The user or integration behind the way it came.
    SourceId,
    /// A number no other record of the type has.
    CustomerNumber,
}

impl PartyFact {
    /// The fact a rule without arguments names.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "first_name" => Self::FirstName,
            "last_name" => Self::LastName,
            "full_name" => Self::FullName,
            "email" => Self::Email,
            "email_domain" => Self::EmailDomain,
            "job_title" => Self::JobTitle,
            "street" => Self::Street,
            "city" => Self::City,
            "region" => Self::Region,
            "zip" => Self::Zip,
            "country" => Self::Country,
            "country_code" => Self::CountryCode,
            "profile_url" => Self::Profile,
            "handle" => Self::Handle,
            "lifecycle" => Self::Lifecycle,
            "imported" => Self::Imported,
            "record_source" => Self::Source,
            "record_source_id" => Self::SourceId,
            "customer_number" => Self::CustomerNumber,
            _ => return None,
        })
    }

    /// Appends the value; false when the record has none.
    pub fn write(self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::FirstName => out.extend_from_slice(record.first_name().0.as_bytes()),
            Self::LastName => out.extend_from_slice(record.last_name().0.as_bytes()),
            Self::FullName => {
                for part in [record.first_name().0, " ", record.last_name().0] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
            Self::Email => people::push_email(out, record),
            Self::EmailDomain => people::push_mail_domain(out, record),
            Self::Phone(line) => people::push_phone(out, record, line, false),
            Self::PhoneDigits(line) => people::push_phone(out, record, line, true),
            Self::JobTitle => out.extend_from_slice(pick(record.word(0x0B), words::JOB_TITLES).as_bytes()),
            Self::Street => people::push_street(out, record),
            Self::City => out.extend_from_slice(record.place().city.as_bytes()),
            Self::Region if record.place().region.is_empty() => return false,
            Self::Region => out.extend_from_slice(record.place().region.as_bytes()),
            Self::Zip => people::push_zip(out, record),
            Self::Country => out.extend_from_slice(record.place().country.as_bytes()),
            Self::CountryCode => out.extend_from_slice(record.place().code.as_bytes()),
            Self::Profile => people::push_profile(out, record),
            Self::Handle => {
                out.push(b'@');
                out.extend_from_slice(record.first_name().1.as_bytes());
                push_number(out, record.index);
            }
            Self::Lifecycle => {
                out.extend_from_slice(LIFECYCLE[funnel::lifecycle_position(record)].0.as_bytes());
            }
            Self::Imported if source_of(record).0 != "IMPORT" => return false,
            Self::Imported => push_flag(out, true),
            Self::Source => out.extend_from_slice(source_of(record).0.as_bytes()),
            Self::SourceId => out.extend_from_slice(source_of(record).1.as_bytes()),
            Self::CustomerNumber => people::push_customer_number(out, record),
        }
        true
    }
}

/// How a record came into the portal, and which user or integration brought it.
fn source_of(record: &Record<'_>) -> (&'static str, &'static str) {
    const SOURCES: [(&str, &str); 5] = [
        ("CRM_UI", "userId:9584300"),
        ("IMPORT", "58213370"),
        ("INTEGRATION", "1845122"),
        ("FORM", "71c6ab2e-5b2b-4a27-9b51-8a9b1f0c4e77"),
        ("CONTACTS", "CRM_UI"),
    ];
    *pick(record.word(salt::SOURCE), &SOURCES)
}

//! Names, addresses and numbers of people and organisations.

use crate::generate::Record;
use crate::generate::record::salt;
use crate::generate::text::push_number;
use crate::generate::words;
use crate::object_type::Kind;
use crate::random::{below, mix, pick};

/// Owners an account starts with.
pub const OWNERS: u64 = 24;

/// Positions of the owners who have left; records still name them. Source: HubSpot, "Owners".
pub const ARCHIVED_OWNERS: [u64; 3] = [5, 11, 19];

/// Providers of private mailboxes, for contacts without a company.
const MAILBOXES: u64 = 5;

/// Id of an owner, as `hubspot_owner_id` holds it.
pub const fn owner_id(position: u64) -> u64 {
    51_240_118 + position * 7_919
}

/// Id of the user an owner is; another number than the owner's id.
pub const fn owner_user_id(position: u64) -> u64 {
    9_584_300 + position * 104_729
}

/// Position of the owner a record belongs to; `None` for about a third.
pub fn owner_of(record: &Record<'_>) -> Option<u64> {
    let word = record.word(salt::OWNER);
    (below(word, 100) < 68).then(|| below(word << 16, OWNERS))
}

/// Appends the company's name.
pub fn push_company_name(out: &mut Vec<u8>, company: &Record<'_>) {
    let (first, second) = company.company_parts();
    let form = pick(company.word(salt::COMPANY_FORM), words::COMPANY_FORMS);
    for part in [first.0, " ", second.0, form] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends the company's domain, which no other company has: it carries the company's index.
pub fn push_company_domain(out: &mut Vec<u8>, company: &Record<'_>) {
    let (first, second) = company.company_parts();
    for part in [first.1, "-", second.1, "-"] {
        out.extend_from_slice(part.as_bytes());
    }
    push_number(out, company.index);
    out.extend_from_slice(b".example");
}

/// Appends the part of an address behind the `@`.
pub fn push_mail_domain(out: &mut Vec<u8>, person: &Record<'_>) {
    if let Some(company) = person.company() {
        push_company_domain(out, &company);
    } else {
        out.extend_from_slice(b"mail");
        push_number(out, below(person.word(salt::PLACE), MAILBOXES));
        out.extend_from_slice(b".example");
    }
}

/// Appends an address that no other person has: its local part ends in the person's index.
pub fn push_email(out: &mut Vec<u8>, person: &Record<'_>) {
    out.extend_from_slice(person.first_name().1.as_bytes());
    out.push(b'.');
    out.extend_from_slice(person.last_name().1.as_bytes());
    push_number(out, person.index);
    out.push(b'@');
    push_mail_domain(out, person);
}

/// Index of the person an address was made for, to be checked by making the address again.
pub fn index_in_email(email: &str) -> Option<u64> {
    let local = email.split_once('@')?.0;
    let digits = local.len() - local.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    local[local.len() - digits..].parse().ok()
}

/// What customer numbers start from.
const FIRST_CUSTOMER_NUMBER: u64 = 100_000;

/// Appends a customer number that no other record of the type has.
pub fn push_customer_number(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b"C-");
    push_number(out, FIRST_CUSTOMER_NUMBER + record.index);
}

/// Index of the record a customer number, in either case, was made for, to be checked by making the number again.
pub fn index_in_customer_number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix(['c', 'C'])?.strip_prefix('-')?;
    digits.parse::<u64>().ok()?.checked_sub(FIRST_CUSTOMER_NUMBER)
}

/// Appends a number in the fictional 555-01 range; `line` tells several of one record apart.
pub fn push_phone(out: &mut Vec<u8>, record: &Record<'_>, line: u64, digits_only: bool) {
    let dial = record.place().dial;
    if digits_only {
        out.extend(dial.bytes().filter(u8::is_ascii_digit));
    } else {
        out.extend_from_slice(dial.as_bytes());
        out.push(b' ');
    }
    out.extend_from_slice(if digits_only { b"55501" } else { b"555-01" });
    let number = below(mix(record.seed, 0x5550 + line), 100);
    out.push(b'0' + (number / 10) as u8);
    out.push(b'0' + (number % 10) as u8);
}

/// Appends a street with house number.
pub fn push_street(out: &mut Vec<u8>, record: &Record<'_>) {
    let word = mix(record.seed, 0x57);
    push_number(out, 1 + below(word, 240));
    out.push(b' ');
    out.extend_from_slice(pick(word << 20, words::STREETS).as_bytes());
}

/// Appends a postal code of the record's place.
pub fn push_zip(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(record.place().zip.as_bytes());
    let number = below(mix(record.seed, 0x21), 90) + 10;
    push_number(out, number);
}

/// Appends the address of a page about the record on a professional network.
pub fn push_profile(out: &mut Vec<u8>, record: &Record<'_>) {
    if record.kind == Kind::COMPANY {
        out.extend_from_slice(b"https://network.example/company/");
    } else {
        out.extend_from_slice(b"https://network.example/in/");
        out.extend_from_slice(record.first_name().1.as_bytes());
        out.push(b'-');
        out.extend_from_slice(record.last_name().1.as_bytes());
        out.push(b'-');
    }
    push_number(out, record.index);
}

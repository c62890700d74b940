//! Writing values as text, without allocation.

use std::ops::RangeInclusive;

use crate::clock::{DAY_MS, Millis};
use crate::generate::words;
use crate::random::{below, mix, pick};

/// Moments that can be written with a year of four digits: 0001-01-01 to 9999-12-31.
pub const MOMENTS: RangeInclusive<Millis> = -62_135_596_800_000..=253_402_300_799_999;

/// Appends a decimal number.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a number of hundredths the way HubSpot shows decimals: no trailing zeros, no point for whole numbers.
pub fn push_hundredths(out: &mut Vec<u8>, hundredths: u64) {
    push_number(out, hundredths / 100);
    let fraction = hundredths % 100;
    if fraction != 0 {
        out.push(b'.');
        out.push(b'0' + (fraction / 10) as u8);
        if !fraction.is_multiple_of(10) {
            out.push(b'0' + (fraction % 10) as u8);
        }
    }
}

/// Appends a number with leading zeros.
fn push_padded(out: &mut Vec<u8>, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        out.push(b'0' + (number / 10_u32.pow(place) % 10) as u8);
    }
}

/// Year, month and day of a day since the epoch, in the proleptic Gregorian calendar.
///
/// Counts in eras of 400 years that begin in March, so that the leap day is the last of its year.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
const fn civil(day: i64) -> (i64, u32, u32) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_month)
}

/// Appends the day of a moment as `YYYY-MM-DD`.
pub fn push_date(out: &mut Vec<u8>, moment: Millis) {
    let (year, month, day) = civil(moment.div_euclid(DAY_MS));
    push_padded(out, year as u32, 4);
    out.push(b'-');
    push_padded(out, month, 2);
    out.push(b'-');
    push_padded(out, day, 2);
}

/// Appends a moment as ISO 8601 in UTC; the fraction is left out when it is zero, as HubSpot does.
pub fn push_moment(out: &mut Vec<u8>, moment: Millis) {
    push_date(out, moment);
    let of_day = moment.rem_euclid(DAY_MS) as u32;
    out.push(b'T');
    push_padded(out, of_day / 3_600_000, 2);
    out.push(b':');
    push_padded(out, of_day / 60_000 % 60, 2);
    out.push(b':');
    push_padded(out, of_day / 1_000 % 60, 2);
    if !of_day.is_multiple_of(1_000) {
        out.push(b'.');
        push_padded(out, of_day % 1_000, 3);
    }
    out.push(b'Z');
}

/// Appends `true` or `false`.
pub fn push_flag(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// Appends one to `most` options in table order, split by `;`.
pub fn push_choices(out: &mut Vec<u8>, word: u64, options: &[Box<str>], most: u64) {
    let wanted = 1 + below(word, most) as usize;
    let first = below(word << 13, options.len() as u64) as usize;
    let from = first.min(options.len() - wanted.min(options.len()));
    for (position, option) in options[from..].iter().take(wanted).enumerate() {
        if position > 0 {
            out.push(b';');
        }
        out.extend_from_slice(option.as_bytes());
    }
}

/// Appends invented words until there are at least `bytes` bytes.
pub fn push_filler(out: &mut Vec<u8>, word: u64, bytes: usize) {
    let end = out.len() + bytes;
    let mut state = word;
    while out.len() < end {
        state = mix(state, 1);
        out.extend_from_slice(pick(state, words::FILLER).as_bytes());
        out.push(b' ');
    }
    out.truncate(end);
    // HubSpot trims what people type.
    if out.last() == Some(&b' ') {
        out.pop();
    }
}

/// A moment as text; see [`push_moment`].
pub fn moment_text(moment: Millis) -> String {
    let mut out = Vec::with_capacity(24);
    push_moment(&mut out, moment);
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads a moment written as ISO 8601, as a day, or as epoch milliseconds.
pub fn parse_moment(text: &str) -> Option<Millis> {
    if let Ok(millis) = text.parse() {
        return MOMENTS.contains(&millis).then_some(millis);
    }
    if let Ok(moment) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_millis());
    }
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_agree_with_chrono_and_leave_out_a_zero_fraction() {
        for moment in [0, 1_000, 1_551_686_400_123, 1_709_208_000_000, 1_793_491_199_999, 951_782_400_001] {
            let expected = chrono::DateTime::from_timestamp_millis(moment).unwrap();
            let format = if moment % 1_000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" };
            assert_eq!(moment_text(moment), expected.format(format).to_string());
            assert_eq!(parse_moment(&moment_text(moment)), Some(moment));
        }
    }

    #[test]
    fn decimals_have_no_trailing_zeros() {
        for (hundredths, expected) in [(0, "0"), (100, "1"), (150, "1.5"), (1_205, "12.05")] {
            assert_eq!(written(|out| push_hundredths(out, hundredths)), expected);
        }
    }
}

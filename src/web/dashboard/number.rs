//! Numbers in words.

/// A number with its digits in groups of three, as in 1,234,567.
pub(super) fn grouped(number: u64) -> String {
    grouped_digits(&number.to_string())
}

/// The same of a number that is there as digits, however many.
pub(super) fn grouped_digits(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with what it counts, whose plural has an `s` more.
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        let told = [0, 12, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(told, ["0", "12", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2_000].map(|number| counted(number, "type")), ["0 types", "1 type", "2,000 types"]);
    }
}

//! From a typed column to the text HubSpot takes and back, as SQL.
//!
//! Nothing here may raise an error, as a cast in an assignment does whose text it cannot read, and some functions of dates
//! even where their value is not asked for: a pattern alone says what is cast. Patterns do without a backslash, which
//! MariaDB does not give back as it was when the triggers are compared.

use crate::model::ColumnType;

/// The end of a text; `$` matches in front of a last line break as well.
const END: &str = "(?![^.]|[.])";
/// Milliseconds since 1970, which HubSpot takes for a day and a time as well.
const MILLISECONDS: &str = "-?[0-9]{1,16}";
/// A number as HubSpot takes it.
const NUMBER: &str = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?";
/// A number as it fits its column: with its digits, or in the scientific form HubSpot gives large ones.
const FITTING_NUMBER: &str = "[+-]?(([0-9]{1,26}([.][0-9]*)?|[.][0-9]+)\
    |[0-9]([.][0-9]*)?[eE]([+]?(1?[0-9]|2[0-5])|-[0-9]{1,2}))";
/// A whole number that surely fits `BIGINT`.
const ID: &str = "-?[0-9]{1,18}";
/// A day of the calendar from the year 1 on, with the 29th of February in leap years only.
const DAY: &str = "(?!0000)([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])\
    |(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))\
    |([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
/// What follows the day in a time, up to the zone.
const TIME_OF_DAY: &str = "T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?";
/// The zone of a time.
const ZONE: &str = "(Z|[+-][0-9]{2}:?[0-9]{2})?";

/// The text a `document` has at the `path`, both SQL expressions; NULL where there is none, as for JSON's null.
pub(super) fn value_of(document: &str, path: &str) -> String {
    format!("JSON_UNQUOTE(NULLIF(CAST(JSON_EXTRACT({document}, {path}) AS CHAR), 'null'))")
}

/// Whether a text, an SQL expression, is a number HubSpot takes.
pub(super) fn is_number(text: &str) -> String {
    is(text, NUMBER)
}

/// Whether a text is a day HubSpot takes.
pub(super) fn is_day(text: &str) -> String {
    is(text, &format!("({DAY}|{MILLISECONDS})"))
}

/// Whether a text is a time HubSpot takes: with a zone, or a day alone.
pub(super) fn is_time(text: &str) -> String {
    is(text, &format!("({DAY}({TIME_OF_DAY}{ZONE})?|{MILLISECONDS})"))
}

/// Whether the whole of a text matches a pattern.
fn is(text: &str, pattern: &str) -> String {
    format!("{text} REGEXP '^{pattern}{END}'")
}

impl ColumnType {
    /// The text HubSpot takes, of the new value of a column.
    pub(super) fn to_text(self, name: &str) -> String {
        let column = format!("NEW.`{name}`");
        match self {
            Self::Text | Self::LongText => column,
            Self::Id => format!("CAST({column} AS CHAR)"),
            Self::Number => {
                format!("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST({column} AS CHAR)))")
            }
            Self::Bool => format!("IF({column}, 'true', 'false')"),
            Self::Date => format!("DATE_FORMAT({column}, '%Y-%m-%d')"),
            Self::DateTime => format!(
                "CONCAT(DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s'), IF(MICROSECOND({column}) = 0, '', \
                 CONCAT('.', LPAD(MICROSECOND({column}) DIV 1000, 3, '0'))), 'Z')"
            ),
        }
    }

    /// The value of a column, of a text HubSpot takes, an SQL expression. What is not in the form HubSpot answers in is
    /// NULL until HubSpot has answered.
    pub(super) fn of_text(self, text: &str) -> String {
        let when = |pattern: &str, value: String| format!("IF({}, {value}, NULL)", is(text, pattern));
        match self {
            Self::Text => format!("IF(CHAR_LENGTH({text}) > 255, NULL, NULLIF({text}, ''))"),
            Self::LongText => format!("IF(LENGTH({text}) > 65535, NULL, NULLIF({text}, ''))"),
            Self::Id => when(ID, format!("CAST({text} AS SIGNED)")),
            Self::Number => when(FITTING_NUMBER, format!("CAST({text} AS DECIMAL(38,12))")),
            Self::Bool => format!("CASE LOWER({text}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"),
            // HubSpot answers with a day; of a time it is the first part.
            Self::Date => when(&format!("{DAY}({TIME_OF_DAY}Z)?"), format!("CAST(LEFT({text}, 10) AS DATE)")),
            Self::DateTime => when(
                &format!("{DAY}{TIME_OF_DAY}Z"),
                format!("CAST(REPLACE(REPLACE({text}, 'T', ' '), 'Z', '') AS DATETIME(3))"),
            ),
        }
    }
}

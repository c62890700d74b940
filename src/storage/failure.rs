//! Why a run failed, as its row tells: in words for people and in one for programs.

use super::words::stored_words;

stored_words! {
    /// The sort of a failure.
    pub enum FailureKind {
        /// HubSpot does not accept the token.
        TokenRejected = "token_rejected",
        /// The token may not read this, or the account has no such type.
        AccessDenied = "access_denied",
        /// It belongs to a type that may not be read, whose own row says so.
        TypeRefused = "type_refused",
        /// The day's requests are used up.
        DailyLimit = "daily_limit",
        /// HubSpot does not answer, or not as it should.
        HubSpot = "hubspot",
        /// MariaDB does not answer, or not as it should.
        Database = "database",
        /// The token belongs to another account.
        Account = "account",
        /// More records are gone than is believed without a person.
        TooManyDeletes = "too_many_deletes",
        /// A setting is wrong.
        Configuration = "configuration",
        /// This program has a fault.
        Defect = "defect",
    }
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFailure {
    /// The sort.
    pub kind: FailureKind,
    /// What went wrong and what to do.
    pub report: String,
}

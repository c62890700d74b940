//! Which error is retried, and by whom.

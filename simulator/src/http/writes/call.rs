//! Which path writes what.

/// A batch of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchWrite {
    /// New records.
    Create,
    /// Values of records that exist.
    Update,
    /// Values of records that may or may not exist.
    Upsert,
    /// Records for the bin.
    Archive,
}

/// A write of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A new record.
    Create,
    /// Values of one record.
    Update(String),
    /// A record for the bin.
    Archive(String),
    /// Many at once.
    Batch(BatchWrite),
}

impl Write {
    /// What a request about records writes; `rest` follows the name of the type.
    pub fn find(method: &str, rest: &[&str]) -> Option<Self> {
        match (method, rest) {
            ("POST", []) => Some(Self::Create),
            ("PATCH", [id]) => Some(Self::Update((*id).to_owned())),
            ("DELETE", [id]) => Some(Self::Archive((*id).to_owned())),
            _ => None,
        }
    }

    /// The batch a path names, whatever the method.
    pub fn find_batch(name: &str) -> Option<Self> {
        let batch = match name {
            "create" => BatchWrite::Create,
            "update" => BatchWrite::Update,
            "upsert" => BatchWrite::Upsert,
            "archive" => BatchWrite::Archive,
            _ => return None,
        };
        Some(Self::Batch(batch))
    }

    /// How statistics and faults call it.
    pub const fn family(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Archive(_) => "archive",
            Self::Batch(BatchWrite::Create) => "batchCreate",
            Self::Batch(BatchWrite::Update) => "batchUpdate",
            Self::Batch(BatchWrite::Upsert) => "batchUpsert",
            Self::Batch(BatchWrite::Archive) => "batchArchive",
        }
    }
}

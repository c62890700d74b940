//! Bodies of writes.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::account::GivenValues;
use crate::account::associations::Category;
use crate::account::write::SentLink;
use crate::http::body;
use crate::http::objects::parse_id;
use crate::http::reply::ApiError;

/// A record of a request. Which fields count depends on what is done; the others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SentRecord {
    /// The record, or its value of `idProperty`; of batches.
    pub id: Option<Value>,
    /// Unique property `id` is a value of; of batches.
    pub id_property: Option<String>,
    /// Values.
    properties: Option<Map<String, Value>>,
    /// Links; of new records.
    associations: Option<Vec<SentAssociation>>,
    /// Name the answer gives the row back by; of batches.
    pub object_write_trace_id: Option<String>,
}

/// The other end of a link, and its types.
#[derive(Debug, Deserialize)]
struct SentAssociation {
    /// The other record.
    to: SentEnd,
    /// Link types.
    types: Vec<SentType>,
}

/// The other end of a link.
#[derive(Debug, Deserialize)]
struct SentEnd {
    /// Its id, as text or number.
    id: Value,
}

/// A link type, in the direction from the record that is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentType {
    /// Who defined it.
    association_category: Category,
    /// Its number.
    association_type_id: u64,
}

/// The body of a batch.
#[derive(Debug, Deserialize)]
pub struct SentBatch {
    /// What to write.
    #[serde(default)]
    pub inputs: Option<Vec<SentRecord>>,
}

impl SentRecord {
    /// The values by property name; null clears as the empty text does.
    pub fn values(&self) -> Result<GivenValues, ApiError> {
        let sent = self.properties.as_ref().ok_or_else(|| body::missing("properties"))?;
        let text = |(name, value): (&String, &Value)| match (value, body::scalar_text(value)) {
            (Value::Null, _) => Ok((name.clone(), None)),
            (_, Some(text)) => Ok((name.clone(), Some(text))),
            (_, None) => Err(body::invalid(
                1,
                1,
                &format!("Cannot deserialize value of type `java.lang.String` from the value of {name}"),
            )),
        };
        sent.iter().map(text).collect()
    }

    /// The links to make.
    pub fn links(&self) -> Result<Vec<SentLink>, ApiError> {
        let sent = self.associations.as_deref().unwrap_or_default();
        let link = |sent: &SentAssociation| {
            let id = body::scalar_text(&sent.to.id).ok_or_else(|| body::missing("id"))?;
            let types = sent.types.iter().map(|sent| (sent.association_category, sent.association_type_id));
            Ok(SentLink { to: parse_id(&id)?, types: types.collect() })
        };
        sent.iter().map(link).collect()
    }

    /// The id as text.
    pub fn id_text(&self) -> Result<String, ApiError> {
        self.id.as_ref().and_then(body::scalar_text).ok_or_else(|| body::missing("id"))
    }
}

//! The words of the domain: object types, records, links, properties, windows. No I/O and no async here.

mod association;
mod merge;
mod object_type;
mod properties;
mod property;
mod record;
mod reference;
mod schema;
mod value;
mod window;

pub use association::{Association, AssociationType, TypePair};
pub use merge::{
    Choice, Decision, Documents, EditTimes, FieldRule, Merged, Ours, Policy, Resolved, Rules, Sides,
    UnknownPolicy, ValueKind, rebase, rebase_row,
};
pub use object_type::{
    ColumnDef, ColumnType, CustomColumn, CustomName, CustomType, OBJECT_TYPES, ObjectType, Selected,
};
pub use properties::{Properties, PropertiesBuilder};
pub use property::{EntryError, Property};
pub use record::{ContentHash, Cursor, ObjectId, Record, RejectedRecord};
pub use reference::{Account, Owner, Pipeline, Stage};
pub use schema::Schema;
pub use value::Misfit;
pub use window::Window;

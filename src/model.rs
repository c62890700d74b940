//! The words of the domain: object types, records, properties, windows. No I/O and no async here.

mod object_type;
mod properties;
mod property;
mod record;
mod reference;
mod schema;
mod value;
mod window;

pub use object_type::{
    ColumnDef, ColumnType, CustomColumn, CustomName, CustomType, OBJECT_TYPES, ObjectType, Selected,
};
pub use properties::{Properties, PropertiesBuilder};
pub use property::Property;
pub use record::{ContentHash, Cursor, ObjectId, Record, RejectedRecord};
pub use reference::{Account, Owner, Pipeline, Stage};
pub use schema::Schema;
pub use value::Misfit;
pub use window::Window;

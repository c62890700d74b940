//! The words of the domain: object types, records, properties, windows. No I/O and no async here.

mod object_type;
mod property;
mod record;
mod reference;
mod window;

pub use object_type::{ColumnDef, ColumnType, OBJECT_TYPES, ObjectType};
pub use property::Property;
pub use record::{Cursor, ObjectId, Properties, Record, RejectedRecord};
pub use reference::{Account, Owner, Pipeline, Stage};
pub use window::Window;

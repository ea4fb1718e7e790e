//! Who is charged for instances and watches: users and user namespaces, their limits, and how much of these is in use.

pub(crate) mod charged;
pub(crate) mod instances;
pub(crate) mod limits;
pub(crate) mod usage;
pub(crate) mod users;

//! The surveys. They use all other rooms: one process source by source, its surroundings, all processes in one pass,
//! and a process whose watches are about to be changed.

mod glance;
mod links;
pub(crate) mod pass;
pub(crate) mod process;
pub(crate) mod process_handle;
pub(crate) mod same_program;
pub(crate) mod selection;
pub(crate) mod surroundings;

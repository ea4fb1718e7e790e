//! Whether a library can be preloaded into the program that a command starts.

use crate::complaint::complain;
use inspect::reach::{Linkage, Program};

/// Why no library can be preloaded into it, as a sentence.
pub fn refuses_library(program: &Program) -> Option<String> {
    let path = program.path.display();
    match (program.linkage(), program.privileges) {
        (Some(Linkage::Static), _) => Some(format!(
            "{path} is static: no library can be preloaded into it"
        )),
        (Some(Linkage::Dynamic { bits: 32, .. }), _) => Some(format!(
            "{path} is a 32-bit program: the library cannot be preloaded into it"
        )),
        // It gains none from root (ld.so(8), secure-execution mode).
        (_, Some(why)) if inspect::effective_user() != 0 => {
            Some(format!("{path} has {why}: no library is preloaded into it"))
        }
        _ => None,
    }
}

/// Says that the rules do not reach the program: neither by the library nor by the supervisor.
pub fn say_unreached(no_library: &str, no_supervisor: &str) {
    complain(&format!(
        "the rules do not reach this program: {no_library}; it is not supervised: {no_supervisor}"
    ));
}

//! notify 8: asks for OPEN.

use notify8 as notify;

include!("../watch.rs");

//! notify 9: asks for CLOSE_NOWRITE as well.

use notify9 as notify;

include!("../watch.rs");

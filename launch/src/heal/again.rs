//! What becomes of healed masks when somebody starts the process again.

use crate::run::find_library;
use inspect::gather::{Restarter, restarter};
use inspect::model::{ProcessRef, Unit};
use inspect::words::sanitize;

/// That a restart undoes it, and what the next start needs, as lines; empty where nothing shows that anybody starts
/// the process again.
pub fn undone_by_restart(pid: u32) -> String {
    let library = find_library().ok();
    let library = library.map(|path| path.display().to_string());
    restarter(pid).map_or_else(String::new, |by| text(pid, &by, library.as_deref()))
}

fn text(pid: u32, by: &Restarter, library: Option<&str>) -> String {
    let who = match by {
        Restarter::Unit(Unit { name, .. }) => sanitize(&name.to_string()).into_owned(),
        Restarter::Parent(ProcessRef { pid, comm }) => {
            format!("{} (PID {pid})", sanitize(&comm.to_string()))
        }
    };
    let preload = library.map_or_else(String::new, |library| {
        format!(", or LD_PRELOAD={library} in its environment")
    });
    format!(
        "{who} starts process {pid} again when it ends, and these masks are back then. --follow keeps healing until it ends. \
         For the next start: watchfix run before the command of {who}{preload}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use inspect::model::UnitKind;

    #[test]
    fn who_starts_it_again_is_named_with_what_the_next_start_needs() {
        let name = "web.service".into();
        let unit = Restarter::Unit(Unit::systemd(UnitKind::Service, name, false));
        let said = text(42, &unit, Some("/l.so"));
        assert!(
            said.starts_with("web.service starts process 42 again"),
            "{said}"
        );
        assert!(said.contains("LD_PRELOAD=/l.so"), "{said}");
        let parent = Restarter::Parent(ProcessRef {
            pid: 7,
            comm: "nodemon".into(),
        });
        let said = text(42, &parent, None);
        assert!(
            said.contains("before the command of nodemon (PID 7)\n"),
            "{said}"
        );
    }
}

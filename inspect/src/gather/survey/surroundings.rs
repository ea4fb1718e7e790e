//! What is around a process: sockets, claims, its client, and who else runs its program.

use crate::gather::claims;
use crate::gather::descriptors::sockets::Tables;
use crate::gather::descriptors::{endpoints, stdio};
use crate::gather::subject::gaps::Gaps;
use crate::gather::subject::mounts::Mounts;
use crate::gather::subject::proc_dir::ProcDir;
use crate::gather::subject::view::View;
use crate::gather::survey::same_program;
use crate::model::{Kind, Name, Process};

/// Where it listens, where it came from, who is like it, and what it claims.
pub fn read(dir: &ProcDir, mounts: &Mounts, process: &mut Process, gaps: &mut Gaps) {
    process.around.cwd = View::of(dir, mounts).working_directory().map(Name::from);
    // Tables of a whole network namespace are read for who has a socket only.
    let sockets = process.descriptors.iter().any(|d| d.kind == Kind::Socket);
    if sockets {
        let wanted = endpoints::wanted(&process.descriptors);
        let tables = Tables::keeping(dir, &wanted);
        process.around.listeners = tables.of_descriptors(&process.descriptors);
        process.around.sockets = endpoints::of(&tables, wanted);
    }
    process.around.claims = claims::of_process(dir, mounts, process, gaps);
    // What has no state of its own is in nobody's way.
    process.around.client_gone = !process.sqlite.is_empty() && stdio::is_gone(dir, process);
    same_program::read(dir, process);
}

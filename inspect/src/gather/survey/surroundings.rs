//! The surroundings of a process: sockets, claims, its client, and other processes of its program.

use crate::gather::claims;
use crate::gather::descriptors::sockets::Tables;
use crate::gather::descriptors::{endpoints, stdio};
use crate::gather::subject::Subject;
use crate::gather::survey::same_program;
use crate::model::{Kind, Name};

/// Reads where it listens, where it came from, which processes are similar, and what it claims.
pub fn read(subject: &mut Subject<'_>) {
    let (view, dir) = (subject.view(), subject.dir);
    subject.process.surroundings.cwd = view.working_directory().map(Name::from);
    // The tables of a whole network namespace are read only for a process that has a socket.
    let descriptors = &subject.process.descriptors;
    if descriptors.iter().any(|d| d.kind == Kind::Socket) {
        let wanted = endpoints::wanted(descriptors);
        let tables = Tables::keeping(dir, &wanted);
        subject.process.surroundings.listeners = tables.of_descriptors(descriptors);
        subject.process.surroundings.sockets = endpoints::of(&tables, wanted);
    }
    subject.process.surroundings.claims = claims::of_process(subject);
    let process = &mut *subject.process;
    // A process without a state of its own is in nobody's way.
    process.surroundings.client_gone = !process.sqlite.is_empty() && stdio::is_gone(dir, process);
    same_program::read(dir, process);
}

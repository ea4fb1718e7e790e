//! The rules of `fdscan check`, and the figures of a process that they apply to.

use crate::model::{Mask, MaskCount, Name, Process, Sample, Severity};
use crate::words::{bytes, number, plural};

/// A limit that no process may exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Open descriptors.
    MaxFds(u64),
    /// Watches of all its instances.
    MaxWatches(u64),
    /// Bytes of the -wal of a database it has open.
    MaxWal(u64),
    /// Connections to one database.
    MaxConnections(u64),
    /// No watch may ask for one of these events.
    DenyEvent(Mask),
    /// No finding this bad or worse.
    FailOn(Severity),
}

/// The figures of one process at one moment. `None` means that the figure cannot be read.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Open descriptors.
    pub fds: Option<u64>,
    /// Watches of all its instances.
    pub watches: Option<u64>,
    /// For every database its path, the size of its -wal and its connections. A database that is not in WAL mode has no
    /// -wal, and each of its descriptors counts as a connection.
    pub databases: Option<Vec<(Name, Option<u64>, u64)>>,
    /// Masks of its watches, and how many have each.
    pub masks: Option<Vec<(Mask, u64)>>,
}

impl Figures {
    /// From a whole scan.
    pub fn of_process(process: &Process) -> Figures {
        let readable = is_readable(process);
        let databases = process.sqlite.iter().map(|database| {
            let connections = database.connections.unwrap_or(database.handles) as u64;
            (database.database.clone(), database.wal_bytes, connections)
        });
        let masks = process.instances().flat_map(|i| &i.masks);
        Figures {
            // A zombie has no descriptors, whatever it had before.
            fds: process.fds.open.filter(|_| process.state != Some('Z')),
            watches: readable.then(|| process.instances().map(|i| i.watch_count as u64).sum()),
            databases: readable.then(|| databases.collect()),
            masks: readable.then(|| masks.map(|m| (m.mask, m.watches as u64)).collect()),
        }
    }

    /// From a sample, which is cheaper than a whole scan. `masks` are read separately, and only if a rule needs them.
    pub fn of_sample(sample: &Sample, masks: Option<Vec<MaskCount>>) -> Figures {
        let databases = sample.databases.iter().map(|(path, database)| {
            let connections = database.handles.map_or(0, |handles| handles.wal);
            (path.clone(), database.wal_bytes, connections)
        });
        Figures {
            fds: sample.descriptors,
            watches: sample.watches,
            databases: sample.instances.map(|_| databases.collect()),
            masks: masks.map(|masks| {
                let counts = masks.iter().map(|m| (m.mask, m.watches as u64));
                counts.collect()
            }),
        }
    }

    /// The largest -wal.
    pub fn wal(&self) -> Option<(u64, Option<&Name>)> {
        let sizes = self.databases.as_ref()?.iter();
        let sizes = sizes.map(|(path, size, _)| (size.unwrap_or(0), Some(path)));
        Some(sizes.max_by_key(|(size, _)| *size).unwrap_or((0, None)))
    }

    /// The database with the most connections.
    pub fn connections(&self) -> Option<(u64, Option<&Name>)> {
        let counts = self.databases.as_ref()?.iter();
        let counts = counts.map(|(path, _, count)| (*count, Some(path)));
        Some(counts.max_by_key(|(count, _)| *count).unwrap_or((0, None)))
    }
}

impl Rule {
    /// Its flag without the dashes.
    pub fn name(self) -> &'static str {
        match self {
            Rule::MaxFds(_) => "max-fds",
            Rule::MaxWatches(_) => "max-watches",
            Rule::MaxWal(_) => "max-wal",
            Rule::MaxConnections(_) => "max-connections",
            Rule::DenyEvent(_) => "deny-event",
            Rule::FailOn(_) => "fail-on",
        }
    }

    /// The highest number that is allowed.
    pub fn limit(self) -> u64 {
        match self {
            Rule::MaxFds(n) | Rule::MaxWatches(n) | Rule::MaxWal(n) | Rule::MaxConnections(n) => n,
            Rule::DenyEvent(_) | Rule::FailOn(_) => 0,
        }
    }

    /// The measured number, and the database it belongs to. `None` if it is not known. Findings are counted elsewhere.
    pub fn measure(self, figures: &Figures) -> Option<(u64, Option<&Name>)> {
        match self {
            Rule::MaxFds(_) => Some((figures.fds?, None)),
            Rule::MaxWatches(_) => Some((figures.watches?, None)),
            Rule::MaxWal(_) => figures.wal(),
            Rule::MaxConnections(_) => figures.connections(),
            Rule::DenyEvent(mask) => {
                let masks = figures.masks.as_ref()?.iter();
                let denied = masks.filter(|(seen, _)| seen.has(mask.0));
                Some((denied.map(|(_, watches)| watches).sum(), None))
            }
            Rule::FailOn(_) => None,
        }
    }

    /// As on the command line: `max-wal 64.0 MiB`.
    pub fn title(self) -> String {
        let what = match self {
            Rule::MaxWal(limit) => bytes(limit),
            Rule::DenyEvent(mask) => mask.events().to_string().replace(' ', ","),
            Rule::FailOn(severity) => severity.name().into(),
            _ => number(self.limit()),
        };
        format!("{} {what}", self.name())
    }

    /// The sentence that none of the findings it forbids was found. Less severe findings are not mentioned.
    pub fn nothing(self) -> String {
        match self {
            Rule::FailOn(Severity::Warning) => "No warning and nothing critical was found.".into(),
            Rule::FailOn(Severity::Critical) => "Nothing critical was found.".into(),
            _ => "Nothing was found.".into(),
        }
    }

    /// A value of this rule's figure, in words.
    pub fn amount(self, value: u64) -> String {
        let count = usize::try_from(value).unwrap_or(usize::MAX);
        match self {
            Rule::MaxFds(_) => plural(count, "descriptor", "descriptors"),
            Rule::MaxWatches(_) => plural(count, "watch", "watches"),
            Rule::MaxWal(_) => format!("a -wal of {}", bytes(value)),
            Rule::MaxConnections(_) => plural(count, "connection", "connections"),
            Rule::DenyEvent(mask) => {
                let watches = plural(count, "watch", "watches");
                format!(
                    "{watches} with {}",
                    mask.events().to_string().replace(' ', " or ")
                )
            }
            Rule::FailOn(_) => plural(count, "finding", "findings"),
        }
    }
}

/// Whether its descriptors could be read. A zombie has no descriptors, whatever it had before.
pub fn is_readable(process: &Process) -> bool {
    process.fds.by_type.is_some() && process.state != Some('Z')
}

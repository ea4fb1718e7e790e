//! The kernel and the distribution.

use crate::model::System;

/// Reads what a bug report needs to know of the system.
pub fn system() -> System {
    let line = |path: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.trim().to_owned())
    };
    System {
        kernel: line("/proc/sys/kernel/osrelease"),
        machine: std::env::consts::ARCH,
        distribution: line("/etc/os-release").and_then(|text| pretty_name(&text)),
        ptrace_scope: line("/proc/sys/kernel/yama/ptrace_scope").and_then(|text| text.parse().ok()),
    }
}

/// The name of this host.
pub fn host_name() -> Vec<u8> {
    let name = std::fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim_ascii().to_vec()
}

/// `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"` (os-release(5)).
fn pretty_name(text: &str) -> Option<String> {
    let mut values = text
        .lines()
        .filter_map(|line| line.strip_prefix("PRETTY_NAME="));
    let value = values.next()?.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_named_without_quotes() {
        let name = |text: &str| pretty_name(text);
        assert_eq!(
            name("ID=x\nPRETTY_NAME=\"X 1 (y)\"\n").as_deref(),
            Some("X 1 (y)")
        );
        assert_eq!(name("PRETTY_NAME=''"), None);
        assert_eq!(name("NAME=x"), None);
    }
}

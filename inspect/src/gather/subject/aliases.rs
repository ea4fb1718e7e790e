//! Other paths of what is below a directory. Bind mounts show one file system in several places.

use super::mountinfo::Mount;
use super::mounts::{Mounts, is_below};

/// Two paths of the same directory: what is below `path` is also below `of`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Another path.
    pub path: Vec<u8>,
    /// Its path at or below the directory in question.
    pub of: Vec<u8>,
}

impl Alias {
    /// The path below `of` that a path below `path` is the same as.
    pub fn translate(&self, path: &[u8]) -> Option<Vec<u8>> {
        is_below(path, &self.path).then(|| join(&self.of, rest(path, &self.path)))
    }
}

impl Mounts {
    /// The other paths of a resolved directory and of what is mounted below it.
    pub fn aliases(&self, dir: &[u8]) -> Vec<Alias> {
        let mut aliases = Vec::new();
        let Some(mount) = self.of_path(dir) else {
            return aliases;
        };
        let inside = join(mount.root.as_bytes(), rest(dir, mount.point.as_bytes()));
        self.aliases_of(mount, &inside, dir, &mut aliases);
        for below in self.list.iter().filter(|m| m.id != mount.id) {
            let point = below.point.as_bytes();
            if is_below(point, dir) {
                self.aliases_of(below, below.root.as_bytes(), point, &mut aliases);
            }
        }
        aliases
    }

    /// Adds the other paths that mounts of the same file system give to `dir`, which is the directory `inside` there.
    fn aliases_of(&self, mount: &Mount, inside: &[u8], dir: &[u8], aliases: &mut Vec<Alias>) {
        for other in self.of_device(mount.device).filter(|m| m.id != mount.id) {
            let (root, point) = (other.root.as_bytes(), other.point.as_bytes());
            let alias = if is_below(inside, root) {
                Alias {
                    path: join(point, rest(inside, root)),
                    of: dir.to_vec(),
                }
            } else if is_below(root, inside) {
                // This mount shows only a part of the directory.
                Alias {
                    path: point.to_vec(),
                    of: join(dir, rest(root, inside)),
                }
            } else {
                continue;
            };
            if alias.path != alias.of {
                aliases.push(alias);
            }
        }
    }
}

/// What follows a path that this one is below: nothing, or from a slash on.
fn rest<'a>(path: &'a [u8], above: &[u8]) -> &'a [u8] {
    let above = above.strip_suffix(b"/").unwrap_or(above);
    path.strip_prefix(above).unwrap_or_default()
}

fn join(above: &[u8], rest: &[u8]) -> Vec<u8> {
    let above = above.strip_suffix(b"/").unwrap_or(above);
    match [above, rest.strip_suffix(b"/").unwrap_or(rest)].concat() {
        empty if empty.is_empty() => b"/".to_vec(),
        path => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases(mountinfo: &str, dir: &str) -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let found = Mounts::parse(mountinfo.as_bytes()).aliases(dir.as_bytes());
        found
            .into_iter()
            .map(|alias| (text(alias.path), text(alias.of)))
            .collect()
    }

    const MOUNTS: &str = "\
21 1 8:1 / / rw - ext4 /dev/sda1 rw
30 21 8:1 /data/app /srv/app rw - ext4 /dev/sda1 rw
31 21 8:1 /data/app/lib /opt/lib rw - ext4 /dev/sda1 rw
32 21 8:2 / /home rw - ext4 /dev/sda2 rw
33 30 8:2 /me/cache /srv/app/cache rw - ext4 /dev/sda2 rw
";

    #[test]
    fn a_directory_that_is_mounted_in_several_places_has_all_their_paths() {
        for (dir, wanted) in [
            (
                "/srv/app",
                &[
                    ("/data/app", "/srv/app"),
                    ("/opt/lib", "/srv/app/lib"),
                    ("/home/me/cache", "/srv/app/cache"),
                ][..],
            ),
            (
                "/srv/app/lib/x",
                &[
                    ("/data/app/lib/x", "/srv/app/lib/x"),
                    ("/opt/lib/x", "/srv/app/lib/x"),
                ],
            ),
            (
                "/data",
                &[("/srv/app", "/data/app"), ("/opt/lib", "/data/app/lib")],
            ),
            ("/home/me", &[("/srv/app/cache", "/home/me/cache")]),
            ("/tmp", &[]),
        ] {
            let wanted: Vec<_> = wanted
                .iter()
                .map(|&(path, of)| (path.to_owned(), of.to_owned()))
                .collect();
            assert_eq!(aliases(MOUNTS, dir), wanted, "{dir}");
        }
    }

    #[test]
    fn a_path_below_an_alias_is_translated() {
        let alias = Alias {
            path: b"/data/app".to_vec(),
            of: b"/srv/app".to_vec(),
        };
        assert_eq!(alias.translate(b"/data/app/a/b").unwrap(), b"/srv/app/a/b");
        assert_eq!(alias.translate(b"/data/app").unwrap(), b"/srv/app");
        assert_eq!(alias.translate(b"/data/apple"), None);
        let root = Alias {
            path: b"/mnt".to_vec(),
            of: b"/".to_vec(),
        };
        assert_eq!(root.translate(b"/mnt").unwrap(), b"/");
        assert_eq!(root.translate(b"/mnt/x").unwrap(), b"/x");
    }
}

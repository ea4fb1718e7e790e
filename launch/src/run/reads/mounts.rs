//! Which file systems may be looked at when a record is judged: those that need no server to answer.

use super::super::owners::Found;
use crate::sys::lock;
use inspect::gather::has_server;
use inspect::model::Device;
use std::collections::HashMap;
use std::sync::Mutex;

/// What is known of the devices that were asked for.
#[derive(Default)]
pub struct Mounts(Mutex<HashMap<Device, bool>>);

impl Mounts {
    /// Whether the file's file system can be looked at without waiting for a server.
    pub fn answer(&self, found: &Found) -> bool {
        // Only a file system without a block device has a server behind it.
        if found.known.device.0 != 0 {
            return true;
        }
        let device = found.device();
        *lock(&self.0)
            .entry(device)
            .or_insert_with(|| !has_server(device))
    }
}

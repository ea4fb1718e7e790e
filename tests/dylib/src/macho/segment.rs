//! A part of the file that is mapped.

pub struct Segment {
    pub name: String,
    pub address: u64,
    pub size: u64,
    pub offset: usize,
    pub in_file: usize,
    /// `VM_PROT_`: 1 to read, 2 to write, 4 to execute.
    pub protection: u32,
}

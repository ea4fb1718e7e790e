//! What is known of each rule by its file.

/// The names of a rule, and what its text may be.
pub struct About {
    /// The environment variable that sets it.
    pub variable: &'static str,
    /// The flag of `watchfix` that sets it, where there is one.
    pub flag: Option<&'static str>,
    /// What its text may be, as the end of a sentence.
    pub allowed: &'static str,
}

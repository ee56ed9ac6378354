//! The meta commands of memcached 1.6.45: `mg ms md ma me`, and what their flags mean.
//!
//! [`MetaRequest`] holds the flags twice: parsed into [`Options`], and as [`Flags`] in the order of
//! the request, which is the order of the reply. A flag that is known means the same or nothing in
//! every command.

mod key;
mod options;
pub mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use key::Key;
pub use options::{Flags, Options};
pub use request::{Inspection, MetaRequest, MetaVerb, parse, parse_inspection};

//! The whole configuration of a node as one plain value.
//!
//! It is made in layers: [`Config::default`], then the TOML file, then the command line; [`check`]
//! looks at the result and says what to write instead. The field names of the file are the serde
//! names below; `config/memtwin.toml` explains each, and a test holds the two together.

pub(crate) mod address;
pub(crate) mod check;
mod choices;
mod client;
mod file;
mod hint;
mod listen;
mod sasl;
mod settings;
pub(crate) mod startup_error;
mod tls;
pub(crate) mod tuning;
pub(crate) mod units;

pub(crate) use address::Address;
pub use choices::Protocol;
pub(crate) use choices::{Mode, TlsVersion};
pub(crate) use client::REQUESTS_PER_EVENT_DEFAULT;
pub(crate) use file::read_file;
pub(crate) use listen::{Listen, ListenTls};
pub(crate) use sasl::Sasl;
pub use settings::Config;
pub use startup_error::StartupError;
pub(crate) use tls::Tls;
pub(crate) use tuning::Tuning;

#[cfg(test)]
pub(crate) mod tests;

//! Commands on the store, whatever protocol they came in. One file per family.

mod append;
mod arithmetic;
mod cachedump;
mod context;
mod delete;
mod dump;
mod exptime;
mod flush;
mod get;
pub mod meta;
mod number;
mod outcome;
mod output;
mod rewrite;
mod store;
mod store_request;
mod touch;

pub use arithmetic::{ArithmeticRequest, Delta, Initial, Number, arithmetic};
pub use cachedump::Cachedump;
pub use context::Turn;
pub use delete::{Deleted, delete};
pub use dump::dump;
pub use exptime::deadline_ms;
pub use flush::flush_all;
pub use get::{Retrieval, get, get_and_touch, look_up, retrieve};
pub use outcome::Stored;
pub use output::{Chunk, Output};
pub use store::{begin, finish, refuse, store};
pub use store_request::{StoreMode, StoreRequest};
pub use touch::touch;

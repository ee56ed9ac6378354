//! The operations on the store, one for all protocols each. Frontends translate their requests
//! into these and print the results.

mod append;
mod arithmetic;
mod consult;
mod context;
mod delete;
mod exptime;
mod flush;
mod get;
mod get_request;
mod outcome;
mod rewrite;
mod store;
mod store_request;

pub use arithmetic::{ArithmeticOutcome, ArithmeticRequest, Initial, Number, arithmetic};
pub use context::CommandContext;
pub use delete::{DeleteRequest, Deleted, Remains, delete};
pub use exptime::{deadline_ms, expires_unix_secs};
pub use flush::flush_all;
pub use get::{get, get_and_touch, inspect, retrieve, touch};
pub use get_request::{Found, GetRequest, Recache, Vivify};
pub use outcome::Stored;
pub use store::{begin, finish, refuse, store};
pub use store_request::{StoreMode, StoreRequest};

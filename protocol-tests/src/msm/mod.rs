//! Real Tomcats with memcached-session-manager (MSM), the nodes that keep their sessions, and
//! visitors with cookies.
//!
//! The Java half is the Maven project `protocol-tests/msm`.

mod cache;
mod crowd;
mod report;
mod tomcat;
mod wait;

pub use cache::{Cache, Program};
pub use crowd::{Crowd, Tally};
pub use report::Report;
pub use tomcat::{Build, Settings, Tomcat};

//! What a frontend asks of the node: commands beyond one connection and the items.

use std::borrow::Cow;

use super::text::Dump;
use crate::auth::Access;
use crate::protocol::text::{Admin, Events};

/// See the module.
pub trait ServerControl {
    /// `stats` with the words after it.
    fn stats(&self, args: &[&[u8]], out: &mut Vec<u8>);
    /// Whether keys may be listed (`-X` forbids it).
    fn dumps_keys(&self) -> bool;
    /// Executes an administrative command; `follows_replies` says that replies to
    /// commands before it are not sent yet.
    fn administer(&self, command: Admin, follows_replies: bool) -> ControlReply;
    /// Whether `flush_all` is carried out.
    fn takes_flush_all(&self) -> bool {
        true
    }
    /// The answer to `version`.
    fn version(&self) -> &str;
    /// Whose passwords are asked for.
    fn access(&self) -> &Access;
}

/// The result of an administrative command.
pub enum ControlReply {
    /// A line, unless the client wants none.
    Say(Cow<'static, str>),
    /// A dump, which the frontend continues.
    Dump(Box<Dump>),
    /// The connection becomes a watcher of these events.
    Watch(Events),
    /// The connection ends without a word.
    Close,
}

impl ControlReply {
    /// Done.
    pub const OK: Self = Self::say("OK");

    /// These words.
    pub const fn say(words: &'static str) -> Self {
        Self::Say(Cow::Borrowed(words))
    }
}

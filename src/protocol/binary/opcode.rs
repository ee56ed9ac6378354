//! Opcodes: what they ask for, and whether quietly.

/// An opcode as it was sent; replies carry it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u8);

/// What an opcode asks for, its quiet form included.
#[allow(missing_docs, reason = "the protocol's own names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Get,
    GetKey,
    Touch,
    GetAndTouch,
    GetKeyAndTouch,
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    Delete,
    Increment,
    Decrement,
    Flush,
    Noop,
    Version,
    Stat,
    Quit,
    SaslList,
    SaslAuth,
    SaslStep,
}

impl Opcode {
    /// What it asks for; `None` if memcached does not know it (it does not know verbosity, 0x1b).
    pub fn command(self) -> Option<Command> {
        let command = match self.0 {
            0x00 | 0x09 => Command::Get,
            0x01 | 0x11 => Command::Set,
            0x02 | 0x12 => Command::Add,
            0x03 | 0x13 => Command::Replace,
            0x04 | 0x14 => Command::Delete,
            0x05 | 0x15 => Command::Increment,
            0x06 | 0x16 => Command::Decrement,
            0x07 | 0x17 => Command::Quit,
            0x08 | 0x18 => Command::Flush,
            0x0a => Command::Noop,
            0x0b => Command::Version,
            0x0c | 0x0d => Command::GetKey,
            0x0e | 0x19 => Command::Append,
            0x0f | 0x1a => Command::Prepend,
            0x10 => Command::Stat,
            0x1c => Command::Touch,
            0x1d | 0x1e => Command::GetAndTouch,
            0x20 => Command::SaslList,
            0x21 => Command::SaslAuth,
            0x22 => Command::SaslStep,
            0x23 | 0x24 => Command::GetKeyAndTouch,
            _ => return None,
        };
        Some(command)
    }

    /// A quiet retrieval replies to hits only; any other quiet command replies with errors only.
    pub fn is_quiet(self) -> bool {
        matches!(self.0, 0x09 | 0x0d | 0x11..=0x1a | 0x1e | 0x24)
    }
}

//! What a turn leaves behind, as the queue reads it.

/// The time of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Milliseconds of the boot-time clock.
    pub boot_ms: u64,
}

/// What a turn has written.
#[derive(Debug, Default)]
pub struct OpContext {
    /// When.
    pub now: Now,
    /// Slots that were written.
    pub dirty: Vec<u64>,
    /// Those of them whose value needs more than one frame.
    pub large: Vec<u64>,
    /// A flush happened.
    pub flushed: bool,
}

/// The bucket of a slot.
pub fn bucket_of(slot: u64) -> u16 {
    slot as u16 % 64
}

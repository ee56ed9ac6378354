//! What a client knows about a key: what was acknowledged, and what may have happened besides.

use std::time::Instant;

/// Every value begins with its number; a few are larger than what the link sends in one frame.
pub(super) const LARGE_VALUE_EVERY: u64 = 60;
const LARGE_VALUE_BYTES: usize = 100_000;
const SMALL_VALUE_BYTES_MAX: u64 = 2000;

/// What a command does to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It stores a value that stays.
    Value,
    /// It stores a value that expires within seconds.
    Brief,
    /// It lets whatever value there is expire within seconds.
    Touched,
    /// It deletes.
    Gone,
}

/// One command of a client, numbered in the order in which the client sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// Its number.
    pub number: u64,
    /// What it does.
    pub effect: Effect,
}

/// One process: a side of the pair, and how often it was started before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The side.
    pub side: usize,
    /// How often it was started before.
    pub starts: u64,
}

/// An answer to a command that changed something.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    /// The command.
    pub write: Write,
    /// The process that answered.
    pub life: Life,
    /// When the answer had arrived.
    pub at: Instant,
}

/// What the only client that writes a key knows about it.
#[derive(Debug, Default)]
pub struct Note {
    acknowledged: Option<Acknowledged>,
    /// Commands without an answer. A process that was frozen may execute one of them late.
    unanswered: Vec<Write>,
    /// Nothing is known until the next answer.
    forgotten: bool,
}

/// How what a node answers compares with what was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As acknowledged, or as a command leaves it that was not answered.
    Right,
    /// An acknowledged value is missing.
    Lost,
    /// An older value is there, or one that was deleted or has expired.
    Stale,
}

impl Note {
    /// The command was answered.
    pub fn acknowledge(&mut self, acknowledged: Acknowledged) {
        self.acknowledged = Some(acknowledged);
        self.forgotten = false;
    }

    /// The command was sent and its answer did not come.
    pub fn leave_unanswered(&mut self, write: Write) {
        self.unanswered.push(write);
    }

    /// Anything is right until the next answer.
    pub fn forget(&mut self) {
        self.forgotten = true;
    }

    /// What was sent before can not be executed any more.
    pub fn settle(&mut self) {
        self.unanswered.clear();
    }

    /// The last answer.
    pub fn acknowledged(&self) -> Option<&Acknowledged> {
        self.acknowledged.as_ref()
    }

    /// Compares with the number of the value that a node answers, once all short lives are over.
    pub fn judge(&self, found: Option<u64>) -> Verdict {
        let last = self.acknowledged.map(|last| last.write);
        let kept = last.filter(|write| write.effect == Effect::Value);
        let late = |wanted: &dyn Fn(&Write) -> bool| self.unanswered.iter().any(wanted);
        let is_right = match found {
            _ if self.forgotten => true,
            Some(number) => {
                kept.is_some_and(|write| write.number == number)
                    || late(&|write| write.number == number && write.effect == Effect::Value)
            }
            None => kept.is_none() || late(&|write| write.effect != Effect::Value),
        };
        match found {
            _ if is_right => Verdict::Right,
            Some(_) => Verdict::Stale,
            None => Verdict::Lost,
        }
    }
}

/// The value with this number.
pub fn value_of(number: u64) -> Vec<u8> {
    let bytes = if number.is_multiple_of(LARGE_VALUE_EVERY) {
        LARGE_VALUE_BYTES
    } else {
        (number * 37 % SMALL_VALUE_BYTES_MAX) as usize
    };
    let mut value = format!("{number} ").into_bytes();
    value.resize(value.len() + bytes, b'a' + (number % 26) as u8);
    value
}

/// The number of a value; `None` if no number has this value.
pub fn number_of(value: &[u8]) -> Option<u64> {
    let end = memchr::memchr(b' ', value)?;
    let number = std::str::from_utf8(&value[..end]).ok()?.parse().ok()?;
    (value_of(number) == value).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Life = Life { side: 0, starts: 0 };

    fn note(acknowledged: Effect, unanswered: &[(u64, Effect)]) -> Note {
        let mut note = Note::default();
        note.acknowledge(Acknowledged {
            write: Write {
                number: 5,
                effect: acknowledged,
            },
            life: LIFE,
            at: Instant::now(),
        });
        for &(number, effect) in unanswered {
            note.leave_unanswered(Write { number, effect });
        }
        note
    }

    #[test]
    fn what_was_acknowledged_is_wanted() {
        use Effect::*;
        use Verdict::*;
        let cases = [
            (Value, &[][..], Some(5), Right),
            (Value, &[], None, Lost),
            (Value, &[], Some(4), Stale),
            (Gone, &[], None, Right),
            (Gone, &[], Some(4), Stale),
            (Brief, &[], None, Right),
            (Brief, &[], Some(5), Stale),
            (Touched, &[], Some(4), Stale),
        ];
        for (effect, unanswered, found, verdict) in cases {
            let note = note(effect, unanswered);
            assert_eq!(note.judge(found), verdict, "{effect:?} {found:?}");
        }
    }

    #[test]
    fn what_was_not_answered_may_have_happened() {
        use Effect::*;
        use Verdict::*;
        let cases = [
            (Value, [(6, Value)], Some(6), Right),
            (Value, [(6, Value)], Some(5), Right),
            (Value, [(6, Value)], None, Lost),
            (Value, [(6, Gone)], None, Right),
            (Value, [(6, Touched)], None, Right),
            (Value, [(6, Brief)], Some(6), Stale),
            (Value, [(6, Gone)], Some(6), Stale),
            (Gone, [(6, Value)], Some(6), Right),
            (Gone, [(6, Value)], Some(4), Stale),
        ];
        for (effect, unanswered, found, verdict) in cases {
            let mut note = note(effect, &unanswered);
            assert_eq!(note.judge(found), verdict, "{effect:?} {unanswered:?}");
            note.forget();
            assert_eq!(note.judge(found), Right);
        }
    }

    #[test]
    fn a_value_is_recognised_whole_or_not_at_all() {
        for number in [0, 1, 59, 60, 61, 1234] {
            let mut value = value_of(number);
            assert_eq!(number_of(&value), Some(number));
            value.push(b'x');
            assert_eq!(number_of(&value), None);
        }
        assert_eq!(number_of(b""), None);
        assert_eq!(number_of(b"x 1"), None);
    }
}

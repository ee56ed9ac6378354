//! What a running node reads again on SIGHUP: password files, certificates.
//!
//! Each such thing is shared by those who use it and by the node's [`Reloads`]; nobody is
//! disconnected, and what was in use stays in use when the new files are no good.

use std::error::Error;
use std::sync::Arc;

/// Why one thing was not read again, in its own type.
pub(crate) type ReloadError = Box<dyn Error>;

/// Something that was read from files at the start and can be read again.
pub trait Reload: Send + Sync {
    /// What it is, for the log.
    fn name(&self) -> &'static str;

    /// Reads the files again and takes them over as a whole, for whoever comes from now on. It may
    /// read files, so no thread that serves clients calls it.
    ///
    /// # Errors
    /// Where, what and the hint; then nothing has changed.
    fn reload(&self) -> Result<(), ReloadError>;
}

/// Everything of a node that can be read again, in the order in which it is.
#[derive(Clone, Default)]
pub struct Reloads(Vec<Arc<dyn Reload>>);

impl Reloads {
    /// Adds one.
    pub fn add(&mut self, thing: Arc<dyn Reload>) {
        self.0.push(thing);
    }

    /// Reads all of them again and logs how each went: one that fails stops no other.
    pub fn run(&self) {
        if self.0.is_empty() {
            tracing::info!("SIGHUP: there is nothing to reload");
        }
        for thing in &self.0 {
            match thing.reload() {
                Ok(()) => tracing::info!(what = thing.name(), "SIGHUP: reloaded"),
                Err(error) => tracing::error!(
                    what = thing.name(),
                    %error,
                    "SIGHUP: not reloaded, what was read before stays in use"
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counted {
        fails: bool,
        reloads: AtomicU32,
    }

    impl Reload for Counted {
        fn name(&self) -> &'static str {
            "counted"
        }

        fn reload(&self) -> Result<(), ReloadError> {
            self.reloads.fetch_add(1, Ordering::Relaxed);
            if self.fails {
                return Err("no good".into());
            }
            Ok(())
        }
    }

    #[test]
    fn one_that_fails_stops_no_other() {
        let counted = |fails| Counted {
            fails,
            ..Counted::default()
        };
        let things = [true, false, true].map(counted).map(Arc::new);
        let mut reloads = Reloads::default();
        for thing in &things {
            reloads.add(Arc::clone(thing) as Arc<dyn Reload>);
        }
        reloads.run();
        reloads.run();
        for thing in &things {
            assert_eq!(thing.reloads.load(Ordering::Relaxed), 2);
        }
    }
}

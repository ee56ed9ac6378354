//! Signals: which end a node, and which has it read its files again.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{self, SignalKind, signal};

use crate::config::StartupError;
use crate::reload::Reloads;

/// Keeps SIGHUP waiting until [`Signals::take`]: it is a request to a running node, and must not
/// end one that is just starting. The other signals end a starting process at once.
///
/// # Errors
/// The system refuses.
pub fn hold_hangups() -> Result<(), StartupError> {
    let hangup = SigSet::from(Signal::SIGHUP);
    hangup.thread_block().map_err(|error| refused(error.into()))
}

/// The signals a node waits for.
pub struct Signals {
    runtime: Runtime,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    graceful: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// From now on signals wait for [`Signals::wait`]. To be called after the process has detached
    /// and before it has a second thread.
    ///
    /// # Errors
    /// The system gives no signal handler.
    pub fn take() -> Result<Self, StartupError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refused)?;
        let entered = runtime.enter();
        let terminate = signal(SignalKind::terminate()).map_err(refused)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
        let graceful = signal(SignalKind::user_defined1()).map_err(refused)?;
        let hangup = signal(SignalKind::hangup()).map_err(refused)?;
        drop(entered);
        let held = SigSet::from(Signal::SIGHUP);
        held.thread_unblock()
            .map_err(|error| refused(error.into()))?;
        Ok(Self {
            runtime,
            terminate,
            interrupt,
            graceful,
            hangup,
        })
    }

    /// Waits until a signal stops the process; the name of the signal. SIGHUP reads files again.
    pub fn wait(&mut self, reloads: &Reloads) -> &'static str {
        let Self {
            runtime,
            terminate,
            interrupt,
            graceful,
            hangup,
        } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => return "SIGTERM",
                    _ = interrupt.recv() => return "SIGINT",
                    _ = graceful.recv() => return "SIGUSR1",
                    _ = hangup.recv() => reloads.run(),
                }
            }
        })
    }
}

fn refused(error: io::Error) -> StartupError {
    StartupError::system(format!("signals cannot be received: {error}"))
}

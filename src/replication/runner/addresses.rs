//! The partner's addresses, looked up again and again.
//!
//! A lookup is a blocking call that may take seconds, on a thread of its own. One runs at a time,
//! however many ask, and until it has an answer the addresses of the last one count.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::config::Address;
use crate::limits::{LOOKUP_INTERVAL_MS, LOOKUP_WAIT_MS, PARTNER_ADDRESSES_MAX};
use crate::logs::Repeated;

/// Asks the resolver; may block.
type Lookup = dyn Fn() -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct PartnerAddresses {
    shared: Arc<Shared>,
}

struct Shared {
    /// As it is configured.
    name: String,
    /// `None`: the address is written as a number.
    lookup: Option<Box<Lookup>>,
    cache: Mutex<Cache>,
    /// What the log says of failed lookups.
    failures: Mutex<Repeated>,
    lookup_ended: Notify,
}

#[derive(Default)]
struct Cache {
    addresses: Vec<SocketAddr>,
    is_looking_up: bool,
    next_lookup: Option<Instant>,
    /// Why the last lookup has failed, if it has.
    failure: Option<String>,
}

impl PartnerAddresses {
    /// The addresses that a configured one stands for.
    #[must_use]
    pub fn of(address: Address) -> Self {
        let name = address.to_string();
        if address.host.parse::<IpAddr>().is_ok() {
            // Asks nobody.
            let addresses = address.resolve().unwrap_or_default();
            return Self::with(name, None, addresses);
        }
        Self::looked_up_by(name, move || address.resolve())
    }

    /// The addresses that `lookup` finds for a name.
    pub(super) fn looked_up_by(
        name: String,
        lookup: impl Fn() -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self::with(name, Some(Box::new(lookup)), Vec::new())
    }

    fn with(name: String, lookup: Option<Box<Lookup>>, addresses: Vec<SocketAddr>) -> Self {
        let cache = Cache {
            addresses,
            ..Cache::default()
        };
        Self {
            shared: Arc::new(Shared {
                name,
                lookup,
                cache: Mutex::new(cache),
                failures: Mutex::default(),
                lookup_ended: Notify::new(),
            }),
        }
    }

    /// Begins to look the name up, unless that is under way or has just been done.
    pub(super) fn refresh(&self) {
        if self.shared.lookup.is_none() {
            return;
        }
        let mut cache = self.shared.cache.lock();
        let now = Instant::now();
        if cache.is_looking_up || cache.next_lookup.is_some_and(|next| now < next) {
            return;
        }
        cache.is_looking_up = true;
        cache.next_lookup = Some(now + Duration::from_millis(LOOKUP_INTERVAL_MS));
        drop(cache);
        let shared = Arc::clone(&self.shared);
        spawn_blocking(move || shared.look_up());
    }

    /// The addresses to dial, and a look whether they are still right. Waits only if none is known.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn to_dial(&self) -> Result<Vec<SocketAddr>, String> {
        self.refresh();
        let limit = Duration::from_millis(LOOKUP_WAIT_MS);
        // A lookup that takes longer goes on; the next attempt finds what it has found.
        let _ = timeout(limit, self.first_lookup()).await;
        let cache = self.shared.cache.lock();
        if !cache.addresses.is_empty() {
            return Ok(cache.addresses.clone());
        }
        let failure = cache.failure.as_deref();
        let failure = failure.unwrap_or("the resolver has not answered yet");
        Err(format!(
            "the name {} has no address: {failure}",
            self.shared.name
        ))
    }

    /// Whether this is the partner's host. Waits, no longer than a lookup may take, only if no
    /// address is known yet: a node that starts must not take its partner for a stranger.
    pub(super) async fn include_once_known(&self, host: IpAddr) -> bool {
        self.refresh();
        let limit = Duration::from_millis(LOOKUP_WAIT_MS);
        let _ = timeout(limit, self.first_lookup()).await;
        self.include(host)
    }

    /// Whether this is the partner's host, as far as is known.
    pub(super) fn include(&self, host: IpAddr) -> bool {
        self.refresh();
        let cache = self.shared.cache.lock();
        let mut known = cache.addresses.iter();
        known.any(|address| address.ip().to_canonical() == host.to_canonical())
    }

    /// Until an address is known or the lookup under way has failed.
    async fn first_lookup(&self) {
        loop {
            let ended = self.shared.lookup_ended.notified();
            {
                let cache = self.shared.cache.lock();
                if !cache.addresses.is_empty() || !cache.is_looking_up {
                    return;
                }
            }
            ended.await;
        }
    }
}

impl fmt::Debug for PartnerAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PartnerAddresses")
            .field(&self.shared.name)
            .finish()
    }
}

impl fmt::Display for PartnerAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shared.name)
    }
}

impl Shared {
    fn look_up(&self) {
        let Some(lookup) = &self.lookup else {
            return;
        };
        let found = match lookup() {
            Ok(found) if found.is_empty() => Err("the resolver knows none".to_owned()),
            Ok(found) => Ok(found),
            Err(error) => Err(error.to_string()),
        };
        self.log(&found);
        let mut cache = self.cache.lock();
        cache.is_looking_up = false;
        match found {
            Ok(mut found) => {
                found.truncate(PARTNER_ADDRESSES_MAX);
                cache.addresses = found;
                cache.failure = None;
            }
            Err(reason) => cache.failure = Some(reason),
        }
        drop(cache);
        self.lookup_ended.notify_waiters();
    }

    fn log(&self, found: &Result<Vec<SocketAddr>, String>) {
        let name = &self.name;
        let mut failures = self.failures.lock();
        match found {
            Ok(_) => {
                if let Some(suppressed) = failures.resolved() {
                    tracing::info!(name, suppressed, "the partner's name is resolved again");
                }
            }
            Err(reason) => {
                if let Some(suppressed) = failures.log_now(std::time::Instant::now()) {
                    tracing::warn!(
                        name,
                        reason,
                        suppressed,
                        "the partner's name cannot be resolved: check replication.failover and \
                         the resolver of this host"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    const PARTNER: [u8; 4] = [127, 0, 0, 9];

    /// How often a lookup began, and how many ran at once at most.
    #[derive(Default)]
    struct Count {
        begun: AtomicUsize,
        running: AtomicUsize,
        running_max: AtomicUsize,
    }

    /// A resolver that takes its time and gives these answers in turn, the last one for ever.
    fn slow(answers: Vec<io::Result<Vec<SocketAddr>>>) -> (PartnerAddresses, Arc<Count>) {
        let count = Arc::new(Count::default());
        let counted = Arc::clone(&count);
        let lookup = move || {
            let turn = counted.begun.fetch_add(1, Ordering::SeqCst);
            let running = counted.running.fetch_add(1, Ordering::SeqCst) + 1;
            counted.running_max.fetch_max(running, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
            counted.running.fetch_sub(1, Ordering::SeqCst);
            match &answers[turn.min(answers.len() - 1)] {
                Ok(found) => Ok(found.clone()),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            }
        };
        (
            PartnerAddresses::looked_up_by("twin:1".to_owned(), lookup),
            count,
        )
    }

    fn run(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work);
    }

    /// With a host name as failover and a slow resolver, each stranger on the replication port
    /// started a lookup, each on a thread of its own: 1,500 of them took a node to 176 threads.
    #[test]
    fn however_many_ask_one_lookup_runs_at_a_time_and_seldom() {
        let at = SocketAddr::from((PARTNER, 1));
        let (addresses, count) = slow(vec![Ok(vec![at])]);
        run(async {
            let began = Instant::now();
            for round in 0..1500 {
                let known = addresses.include(at.ip());
                assert!(round > 0 || !known, "known before the first lookup");
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            assert!(addresses.include(at.ip()) && !addresses.include([127, 0, 0, 8].into()));
            assert_eq!(addresses.to_dial().await, Ok(vec![at]));
            let intervals = began.elapsed().as_millis() as usize / LOOKUP_INTERVAL_MS as usize;
            assert!(count.begun.load(Ordering::SeqCst) <= intervals + 1);
            assert_eq!(count.running_max.load(Ordering::SeqCst), 1);
        });
    }

    #[test]
    fn a_partner_that_moves_is_found_and_a_lookup_that_fails_forgets_nothing() {
        let at = |port| SocketAddr::from((PARTNER, port));
        let fails = || Err(io::Error::other("no such host"));
        let (addresses, _) = slow(vec![fails(), Ok(vec![at(1)]), fails(), Ok(vec![at(2)])]);
        run(async {
            let mut seen = Vec::new();
            while seen.last() != Some(&Ok(vec![at(2)])) {
                let now = addresses.to_dial().await;
                if seen.last() != Some(&now) {
                    seen.push(now);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let reason = seen.remove(0).unwrap_err();
            assert!(
                reason.contains("no such host") && reason.contains("twin:1"),
                "{reason}"
            );
            assert_eq!(seen, [Ok(vec![at(1)]), Ok(vec![at(2)])]);
        });
    }

    #[test]
    fn a_number_is_never_looked_up() {
        let addresses = PartnerAddresses::of(Address::parse("[::1]:7").unwrap());
        assert!(addresses.shared.lookup.is_none());
        assert!(addresses.include("::1".parse().unwrap()));
    }
}

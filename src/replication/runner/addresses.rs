//! The partner's addresses, looked up repeatedly.
//!
//! A lookup is a blocking call that may take seconds, so it runs on a thread of its own. Only one
//! runs at a time, and until it has an answer the addresses of the one before are used.

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

/// The name of the partner and its last known addresses. Clones share them.
#[derive(Clone)]
pub struct PartnerAddresses {
    shared: Arc<Shared>,
}

struct Shared {
    /// As it is configured.
    name: String,
    /// `None` if the configured address is numeric.
    lookup: Option<Box<Lookup>>,
    cache: Mutex<Cache>,
    /// Limits the log lines of failed lookups.
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
    /// The addresses of a configured host.
    #[must_use]
    pub fn of(address: Address) -> Self {
        let name = address.to_string();
        if address.host.parse::<IpAddr>().is_ok() {
            // Numeric: no resolver is asked.
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

    /// Starts a lookup, unless one is running or has just run.
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

    /// The addresses to dial. Starts a lookup, and waits for it only if no address is known.
    ///
    /// # Errors
    /// Why no address is known.
    pub(super) async fn to_dial(&self) -> Result<Vec<SocketAddr>, String> {
        self.refresh();
        let limit = Duration::from_millis(LOOKUP_WAIT_MS);
        // A lookup that takes longer continues; the next attempt uses its answer.
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

    /// Whether this is the partner's host. Waits for a lookup only if no address is known yet: a
    /// starting node must recognise its partner.
    pub(super) async fn include_once_known(&self, host: IpAddr) -> bool {
        self.refresh();
        let limit = Duration::from_millis(LOOKUP_WAIT_MS);
        let _ = timeout(limit, self.first_lookup()).await;
        self.include(host)
    }

    /// Whether this is one of the known addresses of the partner's host.
    pub(super) fn include(&self, host: IpAddr) -> bool {
        self.refresh();
        let cache = self.shared.cache.lock();
        let mut known = cache.addresses.iter();
        known.any(|address| address.ip().to_canonical() == host.to_canonical())
    }

    /// Waits until an address is known or the running lookup has failed.
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
        let addresses = PartnerAddresses::looked_up_by("partner:1".to_owned(), lookup);
        (addresses, count)
    }

    fn run(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work);
    }

    /// Regression: with a host name as failover and a slow resolver, each unauthenticated
    /// connection started a lookup on a thread of its own: 1,500 of them led to 176 threads.
    #[test]
    fn one_lookup_runs_at_a_time_and_not_more_often_than_its_interval() {
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
    fn a_new_address_is_found_and_a_failed_lookup_keeps_the_known_ones() {
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
            let says_both = reason.contains("no such host") && reason.contains("partner:1");
            assert!(says_both, "{reason}");
            assert_eq!(seen, [Ok(vec![at(1)]), Ok(vec![at(2)])]);
        });
    }

    #[test]
    fn a_numeric_address_is_never_looked_up() {
        let addresses = PartnerAddresses::of(Address::parse("[::1]:7").unwrap());
        assert!(addresses.shared.lookup.is_none());
        assert!(addresses.include("::1".parse().unwrap()));
    }
}

//! TLS for clients: one configuration for each kind of listening address, loaded from files and
//! loaded again on request.
//!
//! A connection keeps the configuration it was accepted with. A reload replaces all configurations
//! or none. Sessions and tickets belong to one kind of address and one load, so a session cannot be
//! resumed at an address with other requirements.

pub(crate) mod limited_stream;
pub(crate) mod pinned;

mod ciphers;
mod error;
mod files;
mod verifier;

use std::sync::Arc;

use parking_lot::RwLock;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::config::{Tls, TlsVersion};
use crate::limits::{TLS_SESSIONS_MAX, TLS_WRITE_BYTES_MAX, TLS_WRITE_BYTES_MIN};
use crate::reload::{Reload, ReloadError};
use crate::store::Clock;
pub(crate) use error::TlsError;
use verifier::ClientAuth;

/// The requirements on clients at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsPolicy {
    /// As `ssl_verify_mode` says.
    Usual,
    /// `mtls`: every client must show a good certificate.
    Mutual,
    /// `btls`: no client is asked for one.
    Basic,
}

/// The TLS configurations of a node.
pub struct ClientTls {
    settings: Tls,
    configs: RwLock<TlsConfigs>,
}

/// The configurations made from the files when they were last read.
struct TlsConfigs {
    usual: Arc<ServerConfig>,
    mutual: Arc<ServerConfig>,
    basic: Arc<ServerConfig>,
    at_boot_ms: u64,
}

impl ClientTls {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// The first of them that cannot be used.
    pub fn load(settings: &Tls) -> Result<Self, TlsError> {
        Ok(Self {
            configs: RwLock::new(TlsConfigs::from_files(settings)?),
            settings: settings.clone(),
        })
    }

    /// Reads the files again. If one of them cannot be used, the present configurations stay.
    ///
    /// # Errors
    /// As [`ClientTls::load`].
    pub fn refresh(&self) -> Result<(), TlsError> {
        let configs = TlsConfigs::from_files(&self.settings)?;
        *self.configs.write() = configs;
        Ok(())
    }

    /// When the files were last read with success, on the boot-time clock.
    pub fn refreshed_boot_ms(&self) -> u64 {
        self.configs.read().at_boot_ms
    }

    /// The configuration for a new connection to an address of this kind.
    pub(crate) fn config(&self, policy: TlsPolicy) -> Arc<ServerConfig> {
        let configs = self.configs.read();
        Arc::clone(match policy {
            TlsPolicy::Usual => &configs.usual,
            TlsPolicy::Mutual => &configs.mutual,
            TlsPolicy::Basic => &configs.basic,
        })
    }

    /// Encrypted bytes of a connection that may wait for the socket.
    pub(crate) fn write_bytes(&self) -> usize {
        self.settings
            .wbuf_bytes
            .clamp(TLS_WRITE_BYTES_MIN, TLS_WRITE_BYTES_MAX)
    }
}

impl Reload for ClientTls {
    fn name(&self) -> &'static str {
        "certificates"
    }

    fn reload(&self) -> Result<(), ReloadError> {
        Ok(self.refresh()?)
    }
}

impl TlsConfigs {
    fn from_files(settings: &Tls) -> Result<Self, TlsError> {
        let provider = Arc::new(provider(settings)?);
        let certified = Arc::new(files::certified(settings, &provider)?);
        let authorities = Arc::new(files::authorities(settings)?);
        let kind = |client_auth| config(settings, &provider, &certified, &authorities, client_auth);
        Ok(Self {
            usual: kind(ClientAuth::from_mode(settings.verify_mode))?,
            mutual: kind(ClientAuth::Required)?,
            basic: kind(ClientAuth::None)?,
            at_boot_ms: Clock::new().now().boot_ms,
        })
    }
}

fn provider(settings: &Tls) -> Result<CryptoProvider, TlsError> {
    let mut provider = ring::default_provider();
    if let Some(list) = &settings.ciphers {
        let chosen = ciphers::choose(list);
        if chosen.is_empty() {
            return Err(TlsError::Ciphers(list.clone()));
        }
        // As in OpenSSL, the list does not apply to TLS 1.3.
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some() || chosen.contains(&suite.suite()));
    }
    Ok(provider)
}

fn config(
    settings: &Tls,
    provider: &Arc<CryptoProvider>,
    certified: &Arc<CertifiedKey>,
    authorities: &Arc<RootCertStore>,
    client_auth: ClientAuth,
) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[&SupportedProtocolVersion] = match settings.min_version {
        TlsVersion::V1_3 => &[&TLS13],
        // The library has nothing older than 1.2.
        TlsVersion::V1_0 | TlsVersion::V1_1 | TlsVersion::V1_2 => &[&TLS12, &TLS13],
    };
    let verifier = verifier::new(client_auth, authorities, provider)?;
    let resolver = SingleCertAndKey::from(CertifiedKey::clone(certified));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(resolver));
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = if settings.session_cache {
        ServerSessionMemoryCache::new(TLS_SESSIONS_MAX)
    } else {
        Arc::new(NoServerSessionStorage {})
    };
    Ok(Arc::new(config))
}

//! Settings that are one of a few words or numbers.

/// What clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// The first byte of a connection tells.
    #[default]
    Auto,
    /// Text only.
    Ascii,
    /// Binary only.
    Binary,
}

/// When a write is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Once the partner holds it, or has been waited for for long enough.
    #[default]
    SemiSync,
    /// At once; the partner follows within milliseconds.
    Async,
}

impl Mode {
    /// The word in the configuration, in `stats replication` and in logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::SemiSync => "semi-sync",
            Self::Async => "async",
        }
    }
}

/// A version of TLS, as `-o ssl_min_version` numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 0: TLS 1.0
    V1_0,
    /// 1: TLS 1.1
    V1_1,
    /// 2: TLS 1.2
    V1_2,
    /// 3: TLS 1.3
    V1_3,
}

impl TlsVersion {
    /// The version with memcached's number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::V1_0),
            1 => Some(Self::V1_1),
            2 => Some(Self::V1_2),
            3 => Some(Self::V1_3),
            _ => None,
        }
    }

    /// What `stats settings` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "tlsv1.0",
            Self::V1_1 => "tlsv1.1",
            Self::V1_2 => "tlsv1.2",
            Self::V1_3 => "tlsv1.3",
        }
    }
}

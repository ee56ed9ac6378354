//! `watch`: the kinds of events that a client subscribes to.

use super::token::tokens;

/// Kinds of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events(pub u16);

impl Events {
    /// Command lines; memcached tells none.
    pub const RAW_COMMANDS: Self = Self(1);
    /// Items that made room for others.
    pub const EVICTIONS: Self = Self(1 << 1);
    /// Lookups.
    pub const FETCHERS: Self = Self(1 << 2);
    /// Storage commands.
    pub const MUTATIONS: Self = Self(1 << 3);
    /// What memcached's threads do that are not here.
    pub const SYSTEM: Self = Self(1 << 4);
    /// Clients that come and go.
    pub const CONNECTIONS: Self = Self(1 << 5);
    /// Proxy events; there are none.
    pub const PROXY: Self = Self(1 << 6);
    /// Deletions.
    pub const DELETIONS: Self = Self(1 << 7);

    /// What concerns items.
    pub const ITEMS: Self =
        Self(Self::EVICTIONS.0 | Self::FETCHERS.0 | Self::MUTATIONS.0 | Self::DELETIONS.0);

    /// Whether there is one of these.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// In the order in which memcached compares them: the beginning of a word is the word.
const NAMES: [(&str, Events); 10] = [
    ("rawcmds", Events::RAW_COMMANDS),
    ("evictions", Events::EVICTIONS),
    ("fetchers", Events::FETCHERS),
    ("mutations", Events::MUTATIONS),
    ("sysevents", Events::SYSTEM),
    ("connevents", Events::CONNECTIONS),
    ("proxyreqs", Events::PROXY),
    ("proxyevents", Events::PROXY),
    ("proxyuser", Events::PROXY),
    ("deletions", Events::DELETIONS),
];

/// Parses the words after `watch`; without any, lookups. `None` for an unknown word.
pub(super) fn parse(args: &[u8]) -> Option<Events> {
    let mut events = Events::default();
    for word in tokens(args) {
        let named = NAMES
            .iter()
            .find(|(name, _)| name.as_bytes().starts_with(word));
        events = events.and(named?.1);
    }
    if events == Events::default() {
        return Some(Events::FETCHERS);
    }
    Some(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_memcacheds_names() {
        let parsed = |args: &str| parse(args.as_bytes());
        assert_eq!(parsed(""), Some(Events::FETCHERS));
        assert_eq!(parsed(" f"), Some(Events::FETCHERS));
        let both = Events::MUTATIONS.and(Events::EVICTIONS);
        assert_eq!(parsed(" mutations evictions"), Some(both));
        assert_eq!(parsed(" proxyuser"), Some(Events::PROXY));
        for wrong in [" bogus", " fetchers noreply", " fetchersx", " FETCHERS"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}

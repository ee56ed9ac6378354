//! Flags over the configuration.

use crate::config::Config;

/// Puts a flag's value into the setting whose field is named as its key is.
macro_rules! put {
    ($layer:expr, $section:ident.$key:ident, $value:expr) => {
        $layer.put(
            concat!(stringify!($section), ".", stringify!($key)),
            $value,
            |config| &mut config.$section.$key,
        )
    };
}
pub(super) use put;

/// The configuration while flags are put over it, and the keys they have set.
pub(super) struct Layer<'c> {
    pub(super) config: &'c mut Config,
    pub(super) flagged: Vec<&'static str>,
}

impl Layer<'_> {
    /// Puts a flag's value, where there is one, into its setting.
    pub(super) fn put<T>(
        &mut self,
        key: &'static str,
        value: Option<impl Into<T>>,
        setting: impl FnOnce(&mut Config) -> &mut T,
    ) {
        if let Some(value) = value {
            *setting(self.config) = value.into();
            self.flagged.push(key);
        }
    }
}

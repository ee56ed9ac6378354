//! The node that inputs are played to: all of a server but its threads and sockets.

use std::fs;
use std::sync::{Arc, OnceLock};

use memtwin::auth::Access;
use memtwin::config::{Config, Protocol};
use memtwin::node::{Node, ReplicationStats};
use memtwin::store::{ClassPlan, Now, Store, StoreConfig};

use crate::plan::{Grammar, Plan};

/// Every input begins at this moment.
pub(crate) const START: Now = Now {
    boot_ms: 1_000_000,
    wall_ms: 200_000_000_000,
};
/// `-I`: small enough for inputs to reach it, and beyond the size of values that are copied.
pub(crate) const ITEM_BYTES_MAX: usize = 40 << 10;
const MEMORY_BYTES: u64 = 64 << 20;
/// The tables take an eighth of it; a few items of the largest size fit.
const LITTLE_MEMORY_BYTES: u64 = 256 << 10;

/// A node as the plan wants it.
pub(crate) fn start(plan: &Plan<'_>) -> Node {
    let mut config = Config::default();
    config.client.threads = 1;
    config.client.protocol = match plan.grammar {
        _ if !plan.is_fixed() => Protocol::Auto,
        Grammar::Text | Grammar::Meta => Protocol::Ascii,
        Grammar::Binary => Protocol::Binary,
    };
    let limit_bytes = if plan.is_tight() {
        LITTLE_MEMORY_BYTES
    } else {
        MEMORY_BYTES
    };
    let store = Store::new(&StoreConfig {
        limit_bytes,
        item_bytes_max: ITEM_BYTES_MAX,
        evicting: plan.evicts(),
        hash_secret: [7; 16],
        side: 0,
        replicated: plan.is_replicated(),
        classes: ClassPlan::default(),
    });
    let stats = ReplicationStats(Box::new(|_| {}));
    let mut node = Node::new(config, Arc::new(store), None, stats);
    if plan.asks_for_passwords() {
        node.access = access().clone();
    }
    node
}

/// One user, `user`, whose password is `pass`.
fn access() -> &'static Access {
    static ACCESS: OnceLock<Access> = OnceLock::new();
    ACCESS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder for the password file");
        let path = folder.path().join("users");
        fs::write(&path, "user:pass\n").expect("the password file");
        let mut config: Config =
            toml::from_str("[sasl]\nusers = { user = \"pass\" }").expect("a user");
        config.client.sasl = true;
        config.client.auth_file = Some(path);
        Access::load(&config).expect("passwords")
    })
}

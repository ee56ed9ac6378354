//! What no single value can be wrong about: how the settings fit together.

mod error;
mod tuning;

use super::file::ConfigFile;
use super::startup_error::{EXIT_CONFIG, EXIT_SYSTEM, EXIT_USAGE, StartupError};
use super::{Address, Config, ListenTls, Protocol};
use crate::limits::{DRAIN_MS_MAX, ITEM_BYTES_MAX, ITEM_BYTES_MIN, LOGBUF_BYTES_MAX};
use error::{ConfigError, refuse};

/// Checks the finished configuration and resolves its listen addresses.
///
/// # Errors
/// The first setting that does not fit, with file and line when it came from the file (`flagged`
/// names the keys that the command line has overridden).
pub(crate) fn check(
    mut config: Config,
    file: Option<&ConfigFile>,
    flagged: &[&'static str],
) -> Result<Config, StartupError> {
    let said =
        |key: &str| flagged.contains(&key) || file.is_some_and(|file| file.place_of(key).is_some());
    config.file = file.map(|file| file.path().to_owned());
    let outcome = check_client(&config)
        .and_then(|()| check_protocol(&mut config, said("client.protocol")))
        .and_then(|()| check_sasl(&config))
        .and_then(|()| check_tls(&config))
        .and_then(|()| check_memory(&config))
        .and_then(|()| tuning::check(&config))
        .and_then(|()| check_pair(&config))
        .and_then(|()| check_msm(&config))
        .and_then(|()| resolve(&mut config));
    match outcome {
        Ok(()) => Ok(config),
        Err(error) => Err(locate(error, file, flagged)),
    }
}

fn locate(error: ConfigError, file: Option<&ConfigFile>, flagged: &[&'static str]) -> StartupError {
    let ConfigError { key, exit, text } = error;
    match file {
        Some(file) if !flagged.contains(&key) => {
            let place = file.place_of(key).unwrap_or_else(|| file.place());
            StartupError::new(EXIT_CONFIG, format!("{place}{text}"))
        }
        _ => StartupError::new(exit, text),
    }
}

fn check_client(config: &Config) -> Result<(), ConfigError> {
    let client = &config.client;
    for (key, number, what) in [
        ("client.threads", client.threads, "Number of threads"),
        (
            "client.connections",
            client.connections_max,
            "Maximum connections",
        ),
        (
            "client.requests_per_event",
            client.requests_per_event,
            "Number of requests per event",
        ),
    ] {
        if number == 0 {
            return refuse(key, 1, format!("{what} must be greater than 0"));
        }
    }
    for (key, bytes) in [
        ("client.watcher_logbuf_size", client.watcher_logbuf_size),
        ("client.worker_logbuf_size", client.worker_logbuf_size),
    ] {
        if bytes > LOGBUF_BYTES_MAX {
            let text = format!("{key}: {bytes} bytes are too many: write a gigabyte at most");
            return refuse(key, 1, text);
        }
    }
    let socket = client.socket.as_deref();
    if socket.is_some_and(|path| path.as_os_str().is_empty()) {
        let text = "the unix socket has no name: write a path (-s, client.socket), or leave it out";
        return refuse("client.socket", EXIT_SYSTEM, text);
    }
    if client.socket.is_none() && client.listen.is_empty() {
        let text = "nobody could reach this node: give it a port (-p, client.listen) or a unix \
                    socket (-s, client.socket)";
        return refuse("client.listen", EXIT_USAGE, text);
    }
    Ok(())
}

/// Who authenticates with `-S` speaks binary, with `-Y` text.
fn check_protocol(config: &mut Config, is_said: bool) -> Result<(), ConfigError> {
    let client = &mut config.client;
    let wanted = match (client.sasl, client.auth_file.is_some()) {
        (false, false) => return Ok(()),
        (true, false) => Protocol::Binary,
        (false, true) => Protocol::Ascii,
        (true, true) => {
            let text = "-S is for the binary protocol and -Y for the text protocol: write one";
            return refuse("client.auth_file", EXIT_USAGE, text);
        }
    };
    if !is_said {
        client.protocol = wanted;
    }
    for listen in &mut client.listen {
        // An undecided port speaks what clients authenticate in, as memcached's does with -Y.
        if listen.protocol == Some(Protocol::Auto) {
            listen.protocol = Some(wanted);
        }
        if listen.protocol.is_some_and(|protocol| protocol != wanted) {
            // Of the other memcached thinks only where clients have come in already.
            let ascii_only = "Cannot use binary protocol when ascii authentication enabled: ";
            let (exit, words) = match wanted {
                Protocol::Ascii => (EXIT_SYSTEM, ascii_only),
                _ => (EXIT_USAGE, ""),
            };
            let text = format!(
                "{words}clients of `{listen}` could not be asked for a password: remove its \
                 proto[], or -S and -Y"
            );
            return refuse("client.listen", exit, text);
        }
    }
    if client.protocol == wanted {
        return Ok(());
    }
    let text = if client.sasl {
        "ERROR: You cannot allow the ASCII protocol while using SASL."
    } else {
        "ERROR: You cannot allow the BINARY protocol while using ascii authentication tokens."
    };
    refuse("client.protocol", EXIT_USAGE, text)
}

/// Passwords nobody is asked for protect nothing.
fn check_sasl(config: &Config) -> Result<(), ConfigError> {
    let sasl = &config.sasl;
    let has_some = !sasl.users.is_empty() || sasl.password_file.is_some();
    if has_some && !config.client.sasl {
        let text = "there are passwords, and nobody is asked for one: write client.sasl = true \
                    (-S), or remove [sasl]";
        return refuse("client.sasl", EXIT_USAGE, text);
    }
    for (user, password) in &sasl.users {
        let is_bare = user.trim_ascii() == user && !user.is_empty();
        if !is_bare || user.contains('\0') || password.bytes().contains(&0) {
            let text = format!(
                "no client could be {user:?}: write a user without spaces around it, and no zero \
                 bytes"
            );
            return refuse("sasl.users", EXIT_USAGE, text);
        }
    }
    Ok(())
}

/// What an address says of TLS means something only where there is TLS.
fn check_tls(config: &Config) -> Result<(), ConfigError> {
    let mut listen = config.client.listen.iter();
    let Some(first) = listen.find_map(|listen| listen.tls) else {
        return Ok(());
    };
    if config.tls.enabled {
        return Ok(());
    }
    let name = match first {
        ListenTls::Plain => "notls",
        ListenTls::Mutual => "mtls",
        ListenTls::Basic => "btls",
    };
    let text = format!(
        "'{name}' option is valid only when SSL is enabled: write -Z too (tls.enabled = true)"
    );
    refuse("client.listen", EXIT_SYSTEM, text)
}

fn check_memory(config: &Config) -> Result<(), ConfigError> {
    let memory = &config.memory;
    let wrong = |text: &str| refuse("memory.max_item_size", EXIT_USAGE, text);
    if memory.max_item_bytes < ITEM_BYTES_MIN {
        return wrong("Item max size cannot be less than 1024 bytes.");
    }
    if memory.max_item_bytes > memory.limit_bytes / 2 {
        return wrong("Cannot set item size limit higher than 1/2 of memory max.");
    }
    if memory.max_item_bytes > ITEM_BYTES_MAX {
        return wrong("Cannot set item size limit higher than a gigabyte.");
    }
    Ok(())
}

fn check_pair(config: &Config) -> Result<(), ConfigError> {
    let replication = &config.replication;
    let Some(failover) = &replication.failover else {
        if replication.listen.is_some() || replication.key_file.is_some() {
            let text = "a pair needs the partner's address too: write replication.failover = \
                        \"host:port\" (--failover)";
            return refuse("replication.failover", EXIT_USAGE, text);
        }
        return Ok(());
    };
    if failover.port.is_none_or(|port| port == 0) || failover.host == "*" {
        let text = format!("`{failover}` cannot be dialled: write the partner's host:port");
        return refuse("replication.failover", EXIT_USAGE, text);
    }
    if replication.drain_timeout.as_millis() > u128::from(DRAIN_MS_MAX) {
        let text = format!(
            "a node stops after {} s in any case: write that or less as \
             replication.drain_timeout (--drain-timeout)",
            DRAIN_MS_MAX / 1000
        );
        return refuse("replication.drain_timeout", EXIT_USAGE, text);
    }
    if replication.key_file.is_none() {
        let text = "a pair needs its key: make one with `memtwin keygen FILE`, copy it to both \
                    nodes and write replication.key_file = \"FILE\" (--key-file)";
        return refuse("replication.key_file", EXIT_USAGE, text);
    }
    match (config.node.side, &replication.listen) {
        (None, _) => {
            let text = "a pair needs its sides: write node.side = 0 on one node and 1 on the other \
                        (--side)";
            refuse("node.side", EXIT_USAGE, text)
        }
        (Some(1), None) => {
            let text = "side 1 is dialled by its partner: write replication.listen = \"host:port\" \
                        (--replication-listen)";
            refuse("replication.listen", EXIT_USAGE, text)
        }
        (_, Some(Address { host, port: None })) => {
            let text = format!("`{host}` names no port: write \"{host}:11311\"");
            refuse("replication.listen", EXIT_USAGE, text)
        }
        _ => Ok(()),
    }
}

fn check_msm(config: &Config) -> Result<(), ConfigError> {
    let (id, nodes) = (&config.node.id, &config.msm.nodes);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_wrong = |id: &&String| id.is_empty() || !id.bytes().all(is_part);
    let wrong = nodes.iter().find(is_wrong).map(|id| ("msm.nodes", id));
    let own = Some(id).filter(|id| !id.is_empty() && is_wrong(id));
    if let Some((key, wrong)) = wrong.or_else(|| own.map(|id| ("node.id", id))) {
        let text = format!("`{wrong}` is no node id: write letters, digits and _, as in \"n1\"");
        return refuse(key, EXIT_USAGE, text);
    }
    if !nodes.is_empty() && !id.is_empty() && !nodes.contains(id) {
        let text = format!("`{id}` is none of msm.nodes: write every node id of MSM there");
        return refuse("msm.nodes", EXIT_USAGE, text);
    }
    Ok(())
}

/// Turns names into numbers, so that a name that does not resolve ends the start (exit 71).
fn resolve(config: &mut Config) -> Result<(), ConfigError> {
    if config.client.socket.is_some() {
        config.client.addresses.clear();
        return Ok(());
    }
    let groups = config.client.listen.iter().map(|listen| {
        let address = &listen.address;
        address.resolve().map_err(|error| ConfigError {
            key: "client.listen",
            exit: EXIT_SYSTEM,
            text: format!("cannot listen on `{address}`: {error}; write an address of this host"),
        })
    });
    config.client.addresses = groups.collect::<Result<_, _>>()?;
    Ok(())
}

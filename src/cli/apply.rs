//! From the command line, and the file it names, to a checked [`Config`].

use super::{Cli, MemcachedFlags, OwnFlags};
use crate::config::problem::{EXIT_SYSTEM, EXIT_USAGE, Problem};
use crate::config::{Address, Config, address, check::check, read_file, units};

/// Defaults, then the file, then the flags, then the check of the whole.
///
/// # Errors
/// What is wrong, where, and what to write instead.
pub fn load(cli: Cli) -> Result<Config, Problem> {
    let file = cli.own.config.as_deref().map(read_file).transpose()?;
    let mut config = file
        .as_ref()
        .map_or_else(Config::default, |file| file.config.clone());
    let mut flagged = Vec::new();
    apply_memcached(cli.memcached, &mut config, &mut flagged)?;
    apply_own(cli.own, &mut config, &mut flagged)?;
    check(config, file.as_ref(), &flagged)
}

/// Puts a flag's value, where there is one, into its setting.
fn put<T>(value: Option<T>, into: &mut T, key: &'static str, flagged: &mut Vec<&'static str>) {
    if let Some(value) = value {
        *into = value;
        flagged.push(key);
    }
}

fn apply_memcached(
    flags: MemcachedFlags,
    config: &mut Config,
    flagged: &mut Vec<&'static str>,
) -> Result<(), Problem> {
    refuse_udp(&flags)?;
    apply_listen(&flags, config, flagged)?;
    apply_protocol(&flags, config, flagged)?;
    let count = |text: Option<String>| text.map(|text| atoi(&text).clamp(0, 1 << 40) as usize);
    let Config {
        client,
        memory,
        node,
        ..
    } = config;
    put(
        flags.unix_socket.map(Some),
        &mut client.socket,
        "client.socket",
        flagged,
    );
    let mode = flags.unix_mask.map(|text| octal(&text));
    put(mode, &mut client.socket_mode, "client.socket_mask", flagged);
    put(
        count(flags.threads),
        &mut client.threads,
        "client.threads",
        flagged,
    );
    put(
        count(flags.conn_limit),
        &mut client.connections_max,
        "client.connections",
        flagged,
    );
    let requests = count(flags.max_reqs_per_event);
    put(
        requests,
        &mut client.requests_per_event,
        "client.requests_per_event",
        flagged,
    );
    let backlog = flags.listen_backlog.map(|text| atoi(&text) as i32);
    put(backlog, &mut client.backlog, "client.backlog", flagged);
    let limit = count(flags.memory_limit).map(|megabytes| megabytes << 20);
    put(limit, &mut memory.limit_bytes, "memory.limit", flagged);
    let item = flags.max_item_size.map(|text| item_bytes(&text));
    put(
        item,
        &mut memory.max_item_bytes,
        "memory.max_item_size",
        flagged,
    );
    let evictions = flags.disable_evictions.then_some(false);
    put(
        evictions,
        &mut memory.evictions,
        "memory.evictions",
        flagged,
    );
    put(flags.user.map(Some), &mut node.user, "node.user", flagged);
    let verbosity = (flags.verbose > 0).then_some(flags.verbose);
    put(verbosity, &mut node.verbosity, "node.verbosity", flagged);
    Ok(())
}

fn refuse_udp(flags: &MemcachedFlags) -> Result<(), Problem> {
    if flags.udp_port.as_deref().is_none_or(|port| atoi(port) == 0) {
        return Ok(());
    }
    let text = "-U: UDP is not served, because a datagram with a forged sender turns a cache into \
                an amplifier of attacks on others: write -U 0 or leave it out";
    Err(Problem::new(EXIT_USAGE, text))
}

fn apply_protocol(
    flags: &MemcachedFlags,
    config: &mut Config,
    flagged: &mut Vec<&'static str>,
) -> Result<(), Problem> {
    let protocol = flags.protocol.as_deref().map(units::parse_protocol);
    let protocol = protocol
        .transpose()
        .map_err(|words| Problem::new(EXIT_USAGE, words))?;
    let into = &mut config.client.protocol;
    put(protocol, into, "client.protocol", flagged);
    Ok(())
}

/// `-l` replaces the addresses, `-p` the ports of those that `-l` names without one.
fn apply_listen(
    flags: &MemcachedFlags,
    config: &mut Config,
    flagged: &mut Vec<&'static str>,
) -> Result<(), Problem> {
    let port = match flags.port.as_deref().map(atoi) {
        None => None,
        Some(-1) => Some(0),
        Some(0) => {
            config.client.listen.clear();
            flagged.push("client.listen");
            return Ok(());
        }
        Some(port) => Some(u16::try_from(port).map_err(|_| {
            Problem::new(EXIT_USAGE, format!("ERROR: Invalid port number {port}."))
        })?),
    };
    let mut listen = Vec::new();
    for text in flags.listen.iter().flat_map(|list| list.split([',', ';'])) {
        let mut address = Address::parse(text)
            .map_err(|words| Problem::new(EXIT_SYSTEM, format!("-l: {words}")))?;
        address.port = address.port.or(port).or(Some(address::PORT_DEFAULT));
        if !text.is_empty() && !listen.contains(&address) {
            listen.push(address);
        }
    }
    if !listen.is_empty() {
        put(
            Some(listen),
            &mut config.client.listen,
            "client.listen",
            flagged,
        );
    } else if port.is_some() {
        for address in &mut config.client.listen {
            address.port = port;
        }
        flagged.push("client.listen");
    }
    Ok(())
}

fn apply_own(
    flags: OwnFlags,
    config: &mut Config,
    flagged: &mut Vec<&'static str>,
) -> Result<(), Problem> {
    let Config {
        node,
        replication,
        msm,
        ..
    } = config;
    put(flags.node_id, &mut node.id, "node.id", flagged);
    put(flags.side.map(Some), &mut node.side, "node.side", flagged);
    let listen = flags.replication_listen.map(Some);
    put(
        listen,
        &mut replication.listen,
        "replication.listen",
        flagged,
    );
    let failover = flags.failover.map(Some);
    put(
        failover,
        &mut replication.failover,
        "replication.failover",
        flagged,
    );
    put(
        flags.replication_mode,
        &mut replication.mode,
        "replication.mode",
        flagged,
    );
    let key_file = flags.key_file.map(Some);
    put(
        key_file,
        &mut replication.key_file,
        "replication.key_file",
        flagged,
    );
    let nodes = (!flags.msm_nodes.is_empty()).then_some(flags.msm_nodes);
    put(nodes, &mut msm.nodes, "msm.nodes", flagged);
    let patience = flags
        .start_alone_after
        .as_deref()
        .map(units::parse_patience)
        .transpose();
    let patience = patience
        .map_err(|words| Problem::new(EXIT_USAGE, format!("--start-alone-after: {words}")))?;
    let alone = "replication.start_alone_after";
    put(patience, &mut replication.start_alone_after, alone, flagged);
    Ok(())
}

/// A number as C's `atoi` reads it: what follows the digits is ignored, no digits are 0.
fn atoi(text: &str) -> i64 {
    let text = text.trim_start();
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit).take(12);
    sign * digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

fn octal(text: &str) -> u32 {
    let digits = text
        .trim_start()
        .bytes()
        .take_while(|byte| matches!(byte, b'0'..=b'7'))
        .take(9);
    digits.fold(0, |number, digit| number * 8 + u32::from(digit - b'0'))
}

/// `-I`: a number of bytes, or of KiB or MiB with the unit behind it.
fn item_bytes(text: &str) -> usize {
    let shift = match text.as_bytes().last() {
        Some(b'k' | b'K') => 10,
        Some(b'm' | b'M') => 20,
        _ => 0,
    };
    (atoi(text).clamp(0, 1 << 40) as usize).saturating_mul(1 << shift)
}

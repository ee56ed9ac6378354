//! `-p`, `-l` and `-U`: where clients connect.

use super::flags::MemcachedFlags;
use super::layer::{Layer, put};
use super::numbers::atoi;
use crate::config::startup_error::{EXIT_SYSTEM, EXIT_USAGE, StartupError};
use crate::config::{Listen, address};

/// What `-p` means.
enum Port {
    Unsaid,
    /// No TCP at all.
    Off,
    /// 0 is one that is free.
    On(u16),
}

/// `-l` replaces the addresses, `-p` the ports of those that `-l` names without one.
pub(super) fn apply(flags: &MemcachedFlags, layer: &mut Layer<'_>) -> Result<(), StartupError> {
    refuse_udp(flags)?;
    if flags.unix_socket.is_some() {
        // Instead of TCP: memcached looks at neither flag then.
        remember(flags, layer);
        return Ok(());
    }
    let port = match port(flags)? {
        Port::Off => {
            put!(layer, client.listen, Some(Vec::new()));
            return Ok(());
        }
        Port::On(port) => Some(port),
        Port::Unsaid => None,
    };
    let mut listen = Vec::new();
    for text in flags.listen.iter().flat_map(|list| list.split([',', ';'])) {
        if text.trim().is_empty() {
            continue;
        }
        let mut one =
            Listen::parse(text).map_err(|error| StartupError::system(format!("-l: {error}")))?;
        let own = &mut one.address.port;
        *own = own.or(port).or(Some(address::PORT_DEFAULT));
        if !listen.contains(&one) {
            listen.push(one);
        }
    }
    if listen.is_empty() && !flags.listen.is_empty() {
        // No address is not every address: who wrote `-l "$ADDRESS"` wanted one.
        let text = "-l names no address: write -l 127.0.0.1, or leave -l out for every address";
        return Err(StartupError::system(text));
    }
    if !listen.is_empty() {
        put!(layer, client.listen, Some(listen));
    } else if port.is_some() {
        let mut listen = layer.config.client.listen.clone();
        for one in &mut listen {
            one.address.port = port;
        }
        put!(layer, client.listen, Some(listen));
    }
    remember(flags, layer);
    Ok(())
}

fn port(flags: &MemcachedFlags) -> Result<Port, StartupError> {
    let port = match flags.port.as_deref().map(atoi) {
        None => return Ok(Port::Unsaid),
        Some(0) => return Ok(Port::Off),
        Some(-1) => 0,
        Some(port) => port,
    };
    let exit = if port < 0 { EXIT_SYSTEM } else { EXIT_USAGE };
    let wrong = |_| StartupError::new(exit, format!("ERROR: Invalid port number {port}."));
    u16::try_from(port).map(Port::On).map_err(wrong)
}

fn refuse_udp(flags: &MemcachedFlags) -> Result<(), StartupError> {
    if flags.udp_port.as_deref().is_none_or(|port| atoi(port) == 0) {
        return Ok(());
    }
    let text = "-U: UDP is not served, because a datagram with a forged sender turns a cache into \
                an amplifier of attacks on others: write -U 0 or leave it out";
    Err(StartupError::new(EXIT_USAGE, text))
}

/// `stats settings` shows the flags as they were given.
fn remember(flags: &MemcachedFlags, layer: &mut Layer<'_>) {
    let tuning = &mut layer.config.tuning;
    let default = i64::from(address::PORT_DEFAULT);
    let port = flags.port.as_deref().map(atoi);
    tuning.port = port.or_else(|| (!flags.listen.is_empty()).then_some(default));
    for text in &flags.listen {
        match &mut tuning.interfaces {
            None => tuning.interfaces = Some(text.trim().to_owned()),
            Some(all) if all.contains(text.trim()) => {}
            Some(all) => *all = format!("{all},{}", text.trim()),
        }
    }
}

//! Watchers, and the lines they are told.

use anyhow::{Context, Result, ensure};

use crate::client::Client;
use crate::server::Server;

/// A client that watches.
pub fn watcher(server: &Server, events: &str) -> Result<Client> {
    let mut client = server.connect()?;
    client.expect(&format!("watch {events}"), "OK")?;
    Ok(client)
}

/// The next line without its time and number, which are checked for their form.
pub fn next(watcher: &mut Client) -> Result<String> {
    let line = watcher.read_line()?;
    let text = String::from_utf8(line)?;
    let fields = text.strip_suffix('\n').context("no end of the line")?;
    ensure!(
        !fields.ends_with('\r'),
        "a line of a log ends with LF: {fields}"
    );
    let mut words = fields.splitn(3, ' ');
    let ts = words.next().and_then(|word| word.strip_prefix("ts="));
    let (secs, us) = ts.and_then(|ts| ts.split_once('.')).context(text.clone())?;
    let gid = words.next().and_then(|word| word.strip_prefix("gid="));
    for number in [secs, us, gid.context(text.clone())?] {
        number.parse::<u64>().context(text.clone())?;
    }
    Ok(words.next().context(text.clone())?.to_owned())
}

/// The number of a `name=` in a line.
pub fn field<'l>(line: &'l str, name: &str) -> Result<&'l str> {
    line.split(' ')
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        .with_context(|| format!("no {name} in {line}"))
}

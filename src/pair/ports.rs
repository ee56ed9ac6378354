//! The ports of `memtwin pair`, and who holds one that it needs.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::StartupError;

/// The link's ports are this far above the clients'.
const LINK_OFFSET: u16 = 100;
/// The kernel's number of the state LISTEN.
const LISTEN: &str = "0A";

/// Two ports for clients and two for the link, primary first.
pub(super) struct Ports {
    pub(super) clients: [u16; 2],
    links: [u16; 2],
}

/// The addresses of one node, as its flags take them.
pub(super) struct Addresses {
    pub(super) clients: String,
    pub(super) own_link: String,
    pub(super) partner_link: String,
}

impl Ports {
    pub(super) fn from_base(base: u16) -> Self {
        let link = base + LINK_OFFSET;
        Self {
            clients: [base, base + 1],
            links: [link, link + 1],
        }
    }

    pub(super) fn of_primary(&self) -> Addresses {
        self.of(0, 1)
    }

    pub(super) fn of_failover(&self) -> Addresses {
        self.of(1, 0)
    }

    fn of(&self, own: usize, partner: usize) -> Addresses {
        let local = |port: u16| format!("127.0.0.1:{port}");
        Addresses {
            clients: local(self.clients[own]),
            own_link: local(self.links[own]),
            partner_link: local(self.links[partner]),
        }
    }

    /// Finds out before anything is started whether a port is taken, and by whom.
    pub(super) fn check_free(&self) -> Result<(), StartupError> {
        for port in self.clients.into_iter().chain(self.links) {
            if let Err(error) = try_bind(port) {
                let holder = match error.kind() {
                    io::ErrorKind::AddrInUse => format!("held by {}", holder_of(port)),
                    _ => error.to_string(),
                };
                let text = format!(
                    "port {port} is needed and {holder}; stop that, or take other ports with \
                     `memtwin pair --port-base N`"
                );
                return Err(StartupError::system(text));
            }
        }
        Ok(())
    }
}

fn try_bind(port: u16) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    // Two may bind where nobody listens; only one may listen.
    socket.listen(1)
}

/// The process that listens on a port, as far as this user may know.
fn holder_of(port: u16) -> String {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.iter().flat_map(fs::read_to_string);
    let mut inodes = tables.flat_map(|table| listeners_in(&table, port));
    inodes
        .find_map(|inode| process_with(&inode))
        .unwrap_or_else(|| "a process of another user (`sudo ss -ltnp` names it)".to_owned())
}

/// Socket inodes that listen on a port, out of a table such as /proc/net/tcp: columns `sl`,
/// `local_address` (hex ip:port), `rem_address`, `st` and, as the tenth, `inode`.
fn listeners_in(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|columns| {
            columns.len() > 9 && columns[1].ends_with(&suffix) && columns[3] == LISTEN
        })
        .map(|columns| columns[9].to_owned())
        .collect()
}

/// The name and id of the process that has this socket open.
fn process_with(inode: &str) -> Option<String> {
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    for process in processes {
        let name = process.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if has_open(&process.path().join("fd"), &wanted) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {id})", name.trim_end()));
        }
    }
    None
}

fn has_open(files: &Path, wanted: &str) -> bool {
    fs::read_dir(files).is_ok_and(|files| {
        files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.as_os_str() == wanted)
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_holder_of_a_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let holder = holder_of(port);
        let own = format!("(process {})", std::process::id());
        assert!(holder.contains(&own), "{holder}");
    }

    #[test]
    fn a_taken_port_is_told_before_anything_starts() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ports = Ports {
            clients: [port, port],
            links: [port, port],
        };
        let problem = ports.check_free().unwrap_err();
        let words = format!("port {port} is needed and held by");
        assert!(problem.text.starts_with(&words), "{problem}");
        assert!(problem.text.contains("--port-base"), "{problem}");
    }
}

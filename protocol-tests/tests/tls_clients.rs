//! Who is let in: certificates of clients, versions, cipher suites, sessions, and addresses that
//! differ in all of it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::{Kind, Subject};
use protocol_tests::tls::{Authority, Identity, TlsClient, Trust};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, HandshakeKind};

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

/// Whether a client like this gets an answer.
fn is_served(client: Result<Client>) -> bool {
    let answer = client.and_then(|mut client| client.ask("version"));
    answer.is_ok_and(|answer| answer.starts_with("VERSION "))
}

#[test]
fn the_mode_says_who_must_show_a_certificate() -> Result<()> {
    let trust = Trust::new()?;
    let known = TlsClient::showing(&trust.authority, &trust.authority.client("known")?)?;
    let elsewhere = Authority::new("elsewhere")?;
    let stranger = TlsClient::showing(&trust.authority, &elsewhere.client("stranger")?)?;
    let authority = trust.authority.file().display().to_string();
    for subject in subjects()? {
        for (mode, nobody, with_strange) in [
            (0, true, true),
            (1, true, false),
            (2, false, false),
            (3, false, false),
        ] {
            let options = format!("ssl_verify_mode={mode},ssl_ca_cert={authority}");
            let server = trust.start_for(&subject, &["-o", &options], &known)?;
            let served = [&trust.client, &stranger, &known]
                .map(|client| is_served(server.connect_as(client)));
            let wanted = [nobody, with_strange, true];
            ensure!(served == wanted, "{} {mode}: {served:?}", subject.kind());
            server.is_well()?;
        }
    }
    Ok(())
}

/// Who may come in where.
struct Doors {
    server: Server,
    ports: [u16; 4],
}

impl Doors {
    /// An address each without TLS, with it, and with and without certificates of clients.
    fn open(subject: &Subject, trust: &Trust, flags: &[&str]) -> Result<Self> {
        let ports = [free_port()?, free_port()?, free_port()?, free_port()?];
        let [open, usual, mutual, basic] = ports;
        let list = format!(
            "notls:127.0.0.1:{open},127.0.0.1:{usual},mtls:127.0.0.1:{mutual},\
             btls:127.0.0.1:{basic}"
        );
        let mut all = trust.server.flags();
        all.extend(["-l".to_owned(), list]);
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let server = Server::spawn(subject, &all, Address::Tcp(loopback(open)))?;
        server.wait_until_it_answers(Duration::from_secs(20))?;
        Ok(Self { server, ports })
    }

    fn connect(&self, door: usize, client: &TlsClient) -> Result<Client> {
        let address = loopback(self.ports[door]);
        Client::connect(&Address::Tls(address, client.clone()))
    }
}

const USUAL: usize = 1;
const MUTUAL: usize = 2;
const BASIC: usize = 3;

#[test]
fn addresses_side_by_side_ask_for_what_they_say() -> Result<()> {
    let trust = Trust::new()?;
    let known = TlsClient::showing(&trust.authority, &trust.authority.client("known")?)?;
    let authority = trust.authority.file().display().to_string();
    for subject in subjects()? {
        if subject.kind() == Kind::MemcachedOld {
            continue;
        }
        for (mode, usual) in [(0, true), (2, false)] {
            let options = format!("ssl_verify_mode={mode},ssl_ca_cert={authority}");
            let doors = Doors::open(&subject, &trust, &["-o", &options])?;
            let name = subject.kind();
            ensure!(doors.server.connect()?.set("key", b"value")? == "STORED");
            for (door, nobody) in [(USUAL, usual), (MUTUAL, false), (BASIC, true)] {
                let served = is_served(doors.connect(door, &trust.client));
                ensure!(served == nobody, "{name}: door {door}, mode {mode}");
                let mut client = doors.connect(door, &known)?;
                ensure!(client.get("key")?.as_deref() == Some(b"value".as_slice()));
            }
            // Nothing of TLS is understood where none is spoken, and the other way round.
            let mut open = Client::connect(&Address::Tcp(loopback(doors.ports[USUAL])))?;
            open.send(b"get key\r\n")?;
            ensure!(!open.read_to_end()?.starts_with(b"VALUE"));
            doors.server.is_well()?;
        }
    }
    Ok(())
}

/// Without anybody who vouches, no certificate is good.
#[test]
fn an_address_that_knows_nobody_lets_nobody_in() -> Result<()> {
    let trust = Trust::new()?;
    let known = TlsClient::showing(&trust.authority, &trust.authority.client("known")?)?;
    for subject in subjects()? {
        if subject.kind() == Kind::MemcachedOld {
            continue;
        }
        let doors = Doors::open(&subject, &trust, &[])?;
        ensure!(!is_served(doors.connect(MUTUAL, &trust.client)));
        ensure!(!is_served(doors.connect(MUTUAL, &known)));
        ensure!(is_served(doors.connect(USUAL, &known)));
        doors.server.is_well()?;
    }
    Ok(())
}

/// OpenSSL asks a resumed session for no certificate, whoever it was made with; a client that came
/// in where none is asked for could take its session to the address that asks.
#[test]
fn a_session_opens_no_other_door() -> Result<()> {
    let trust = Trust::new()?;
    let authority = trust.authority.file().display().to_string();
    let options = format!("ssl_session_cache,ssl_ca_cert={authority}");
    for version in [&TLS12, &TLS13] {
        let client = TlsClient::speaking(&trust.authority, None, &[version])?.resuming();
        let doors = Doors::open(&Subject::memtwin()?, &trust, &["-o", &options])?;
        for _ in 0..3 {
            ensure!(is_served(doors.connect(BASIC, &client)));
            ensure!(!is_served(doors.connect(MUTUAL, &client)), "{version:?}");
        }
    }
    Ok(())
}

#[test]
fn versions_below_the_floor_are_refused() -> Result<()> {
    let trust = Trust::new()?;
    let old = TlsClient::speaking(&trust.authority, None, &[&TLS12])?;
    let new = TlsClient::speaking(&trust.authority, None, &[&TLS13])?;
    for subject in subjects()? {
        for (floor, serves_old) in [("0", true), ("2", true), ("3", false)] {
            let floor = format!("ssl_min_version={floor}");
            let server = trust.start(&subject, &["-o", &floor])?;
            let name = subject.kind();
            ensure!(
                is_served(server.connect_as(&old)) == serves_old,
                "{name} {floor}"
            );
            ensure!(is_served(server.connect_as(&new)), "{name} {floor}");
        }
    }
    Ok(())
}

#[test]
fn cipher_suites_are_those_that_were_listed() -> Result<()> {
    let trust = Trust::new()?;
    let client = TlsClient::speaking(&trust.authority, None, &[&TLS12])?;
    let chosen = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    for subject in subjects()? {
        let server = trust.start(
            &subject,
            &["-o", "ssl_ciphers=AES128-SHA:ECDHE-ECDSA-CHACHA20-POLY1305"],
        )?;
        let connected = server.connect_as(&client)?;
        let suite = connected
            .tls()
            .and_then(|tls| tls.negotiated_cipher_suite());
        ensure!(
            suite.is_some_and(|suite| suite.suite() == chosen),
            "{suite:?}"
        );
        // TLS 1.3 has its own.
        ensure!(is_served(server.connect()));
    }
    Ok(())
}

fn resumed(server: &Server, client: &TlsClient) -> Result<bool> {
    let mut connection = server.connect_as(client)?;
    // Tickets of TLS 1.3 come with the first answer.
    ensure!(connection.ask("version")?.starts_with("VERSION "));
    let kind = connection.tls().and_then(|tls| tls.handshake_kind());
    Ok(kind == Some(HandshakeKind::Resumed))
}

#[test]
fn sessions_are_resumed_and_only_new_ones_counted() -> Result<()> {
    let trust = Trust::new()?;
    for subject in subjects()? {
        for flags in [&[][..], &["-o", "ssl_session_cache"]] {
            let server = trust.start(&subject, flags)?;
            for version in [&TLS12, &TLS13] {
                let client = TlsClient::speaking(&trust.authority, None, &[version])?.resuming();
                ensure!(!resumed(&server, &client)?, "a session from nowhere");
                let mut console = server.connect()?;
                let sessions = |console: &mut Client| -> Result<Option<String>> {
                    Ok(console.stats("stats")?.remove("ssl_new_sessions"))
                };
                let before = sessions(&mut console)?;
                ensure!(resumed(&server, &client)?, "{} {version:?}", subject.kind());
                ensure!(before.is_some() == !flags.is_empty());
                // memcached counts the tickets that it hands out.
                if subject.kind() == Kind::Memtwin {
                    ensure!(sessions(&mut console)? == before);
                }
            }
        }
    }
    Ok(())
}

/// Runs until it ends, and returns the exit code and what was said.
fn refused(subject: &Subject, flags: &[String]) -> Result<(Option<i32>, String)> {
    let port = free_port()?;
    let text = port.to_string();
    let mut all = vec!["-l", "127.0.0.1", "-p", &text];
    all.extend(flags.iter().map(String::as_str));
    let mut server = Server::spawn(subject, &all, Address::Tcp(loopback(port)))?;
    let status = server.wait_for_end(Duration::from_secs(20))?;
    Ok((status.code(), server.log()))
}

#[test]
fn files_that_are_no_good_end_the_start_in_words() -> Result<()> {
    let trust = Trust::new()?;
    let other = trust.authority.server("other")?;
    let nothing = trust.authority.folder().join("nothing.pem");
    let nonsense = trust.authority.folder().join("nonsense.pem");
    fs::write(&nonsense, "nonsense")?;
    let with = |certificate: &std::path::Path, key: &std::path::Path| {
        let identity = Identity {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        identity.flags()
    };
    let (chain, key) = (&trust.server.certificate, &trust.server.key);
    let mut bad_authority = trust.server.flags();
    let option = format!("ssl_ca_cert={}", nonsense.display());
    bad_authority.extend(["-o".to_owned(), option]);
    let mut bad_ciphers = trust.server.flags();
    bad_ciphers.extend(["-o".to_owned(), "ssl_ciphers=nonsense".to_owned()]);
    for subject in subjects()? {
        for (flags, words) in [
            (
                vec!["-Z".to_owned()],
                "Error loading the certificate chain: (null) : ",
            ),
            (with(&nothing, key), "Error loading the certificate chain: "),
            (
                with(&nonsense, key),
                "Error loading the certificate chain: ",
            ),
            (with(chain, &nothing), "Error loading the key: "),
            (with(chain, &nonsense), "Error loading the key: "),
            (with(chain, &other.key), "Error loading the key: "),
            (bad_authority.clone(), "Error loading the CA certificate: "),
            (
                bad_ciphers.clone(),
                "Error setting the provided cipher(s): nonsense",
            ),
        ] {
            let (code, log) = refused(&subject, &flags)?;
            ensure!(code == Some(64), "{} {flags:?}: {code:?}", subject.kind());
            ensure!(log.contains(words), "{} {flags:?}: {log}", subject.kind());
        }
    }
    Ok(())
}

/// What memcached's help says, and its code does not do.
#[test]
fn the_key_may_stand_with_the_certificate_or_be_der() -> Result<()> {
    let trust = Trust::new()?;
    let folder = trust.authority.folder();
    let mut both = fs::read(&trust.server.certificate)?;
    both.extend(fs::read(&trust.server.key)?);
    let together = folder.join("together.pem");
    fs::write(&together, both)?;
    let option = format!("ssl_chain_cert={}", together.display());
    let subject = Subject::memtwin()?;
    let server = Server::start_with_tls(&subject, &["-Z", "-o", &option], &trust.client)?;
    server.is_well()?;
    let der = folder.join("key.der");
    let key = fs::read_to_string(&trust.server.key)?;
    let (_, key) = rustls::pki_types::pem::from_buf(&mut key.as_bytes())?.context("no key")?;
    fs::write(&der, key)?;
    for subject in subjects()? {
        let option = format!(
            "ssl_chain_cert={},ssl_keyformat=2,ssl_key={}",
            trust.server.certificate.display(),
            der.display()
        );
        let server = Server::start_with_tls(&subject, &["-Z", "-o", &option], &trust.client)?;
        server.is_well()?;
    }
    Ok(())
}

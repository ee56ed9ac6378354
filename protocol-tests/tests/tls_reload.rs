//! Certificates that are read anew while the server runs: `refresh_certs` and SIGHUP.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use protocol_tests::client::Client;
use protocol_tests::pair::eventually;
use protocol_tests::server::{Address, Server, free_port, loopback};
use protocol_tests::subject::{Kind, Subject};
use protocol_tests::tls::{Authority, TlsClient, Trust};
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const PATIENCE: Duration = Duration::from_secs(20);

fn subjects() -> Result<[Subject; 2]> {
    Ok([Subject::memcached()?, Subject::memtwin()?])
}

/// The certificate that a connection was shown.
fn shown(client: &Client) -> Result<CertificateDer<'static>> {
    let session = client.tls().context("no TLS")?;
    let chain = session.peer_certificates().context("no certificate")?;
    Ok(chain[0].clone().into_owned())
}

/// The same of a new connection.
fn shown_by(server: &Server) -> Result<CertificateDer<'static>> {
    shown(&server.connect()?)
}

#[test]
fn new_connections_are_shown_the_new_certificate() -> Result<()> {
    for subject in subjects()? {
        let trust = Trust::new()?;
        let (first, second) = (trust.server.shown()?, trust.authority.server("second")?);
        let third = trust.authority.server("third")?;
        let server = trust.start(&subject, &[])?;
        let mut old = server.connect()?;
        ensure!(shown(&old)? == first);
        trust.server.replace(&second)?;
        ensure!(shown_by(&server)? == first, "not asked yet");
        ensure!(old.ask("refresh_certs")? == "OK");
        ensure!(shown_by(&server)? == second.shown()?);
        // In silence, as every command; the next answer is another's.
        trust.server.replace(&third)?;
        old.send_line("refresh_certs noreply")?;
        ensure!(old.ask("version")?.starts_with("VERSION "));
        ensure!(shown_by(&server)? == third.shown()?);
        trust.server.replace(&second)?;
        // 1.6.18 does not listen to the signal.
        match subject.kind() {
            Kind::MemcachedOld => ensure!(old.ask("refresh_certs")? == "OK"),
            _ => server.signal(Signal::HUP)?,
        }
        eventually("the second certificate is shown", || {
            Ok(shown_by(&server)? == second.shown()?)
        })?;
        ensure!(old.set("old", b"alive")? == "STORED");
        let since = old.stats("stats")?.remove("time_since_server_cert_refresh");
        let since: u64 = since.context("no time")?.parse()?;
        ensure!(since < 30, "{since} s since the certificates were read");
    }
    Ok(())
}

#[test]
fn files_that_are_no_good_change_nothing() -> Result<()> {
    for subject in subjects()? {
        let trust = Trust::new()?;
        let other = trust.authority.server("other")?;
        let server = trust.start(&subject, &[])?;
        let mut client = server.connect()?;
        let first = shown(&client)?;
        let good = fs::read(&trust.server.certificate)?;
        fs::write(&trust.server.certificate, "nonsense")?;
        let answer = client.ask("refresh_certs")?;
        let words = format!(
            "Error loading the certificate chain: {} : ",
            trust.server.certificate.display()
        );
        ensure!(answer.starts_with(&words), "{}: {answer}", subject.kind());
        fs::remove_file(&trust.server.certificate)?;
        let answer = client.ask("refresh_certs")?;
        ensure!(answer.starts_with(&words), "{}: {answer}", subject.kind());
        server.signal(Signal::HUP)?;
        ensure!(shown_by(&server)? == first);
        // A key of another certificate.
        fs::write(&trust.server.certificate, &good)?;
        fs::copy(&other.key, &trust.server.key)?;
        let answer = client.ask("refresh_certs")?;
        let words = format!("Error loading the key: {} : ", trust.server.key.display());
        ensure!(answer.starts_with(&words), "{}: {answer}", subject.kind());
        ensure!(client.set("key", b"value")? == "STORED");
        if subject.kind() == Kind::Memtwin {
            ensure!(shown_by(&server)? == first);
            server.wait_until_logged("stays in use")?;
        }
    }
    Ok(())
}

/// A file's certificates, in DER.
fn ders(file: &Path) -> Result<Vec<Vec<u8>>> {
    let all = CertificateDer::pem_file_iter(file)?;
    all.map(|one| Ok(one?.to_vec())).collect()
}

/// They as a file.
fn pem(ders: &[&[u8]]) -> String {
    let block = |der: &&[u8]| {
        let text = BASE64_STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    ders.iter().map(block).collect()
}

/// Damaged certificates were taken, at the start and by a running node, because nobody looked at
/// more than their PEM: from then on no client could connect.
#[test]
fn a_damaged_certificate_is_refused_wherever_it_stands() -> Result<()> {
    for subject in subjects()? {
        let trust = Trust::new()?;
        let file = &trust.server.certificate;
        let good = &*ders(file)?.remove(0);
        let cut = &good[..good.len() - 40];
        let longer = &*[good, b"xy"].concat();
        let authority = &*ders(&trust.authority.file())?.remove(0);
        let chains = [
            pem(&[cut]),
            pem(&[longer]),
            pem(&[b"garbage, in good base64"]),
            pem(&[good, b"garbage"]),
            pem(&[good, authority, cut]),
            pem(&[good]) + &pem(&[authority]).replace("MII", "MIx"),
        ];
        fs::write(file, pem(&[good, authority]))?;
        let server = trust.start(&subject, &[])?;
        let mut client = server.connect()?;
        let words = format!("Error loading the certificate chain: {} : ", file.display());
        for chain in chains {
            let kind = subject.kind();
            fs::write(file, &chain)?;
            let answer = client.ask("refresh_certs")?;
            ensure!(answer.starts_with(&words), "{kind}: {answer}, {chain}");
            server.signal(Signal::HUP)?;
            ensure!(client.set("key", b"value")? == "STORED");
            ensure!(shown_by(&server)?.to_vec() == good, "{kind}: {chain}");
            let flags = trust.server.flags();
            let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            let port = free_port()?;
            let text = port.to_string();
            flags.extend(["-l", "127.0.0.1", "-p", &text]);
            let mut second = Server::spawn(&subject, &flags, Address::Tcp(loopback(port)))?;
            let ended = second.wait_for_end(PATIENCE)?.code();
            ensure!(ended == Some(64), "{kind}: {ended:?}, {chain}");
            let log = second.log();
            ensure!(log.contains("Error loading the certificate chain"), "{log}");
            ensure!(
                kind != Kind::Memtwin || log.contains("write the file again"),
                "{log}"
            );
        }
    }
    Ok(())
}

#[test]
fn without_tls_there_is_nothing_to_refresh() -> Result<()> {
    for subject in subjects()? {
        let server = Server::start(&subject, &[])?;
        let answer = server.connect()?.ask("refresh_certs")?;
        ensure!(
            answer == "Error TLS not enabled",
            "{}: {answer}",
            subject.kind()
        );
    }
    Ok(())
}

/// memcached adds an authority that is new in the file, and never takes one away.
#[test]
fn an_authority_that_left_the_file_vouches_for_nobody() -> Result<()> {
    let trust = Trust::new()?;
    let newer = Authority::new("newer")?;
    let file = trust.authority.folder().join("clients.pem");
    fs::copy(trust.authority.file(), &file)?;
    let known = TlsClient::showing(&trust.authority, &trust.authority.client("known")?)?.resuming();
    let new = TlsClient::showing(&trust.authority, &newer.client("new")?)?;
    let options = format!("ssl_verify_mode=2,ssl_ca_cert={}", file.display());
    let server = trust.start_for(&Subject::memtwin()?, &["-o", &options], &known)?;
    let serves = |client: &TlsClient| {
        let answer = server
            .connect_as(client)
            .and_then(|mut client| client.ask("version"));
        answer.is_ok_and(|answer| answer.starts_with("VERSION "))
    };
    ensure!(serves(&known) && !serves(&new));
    let mut old = server.connect()?;
    fs::copy(newer.file(), &file)?;
    ensure!(old.ask("refresh_certs")? == "OK");
    // Not even by a session from before.
    ensure!(!serves(&known) && serves(&new));
    // Who is in stays in.
    ensure!(old.set("key", b"value")? == "STORED");
    Ok(())
}

#[test]
fn nobody_is_dropped_while_certificates_change() -> Result<()> {
    let trust = Trust::new()?;
    let identities = [
        trust.authority.server("one")?,
        trust.authority.server("two")?,
    ];
    let server = trust.start(&Subject::memtwin()?, &[])?;
    let (done, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let serve = |comes_and_goes: bool| -> Result<()> {
        let mut client = server.connect()?;
        while !done.load(Ordering::Relaxed) {
            if comes_and_goes {
                client = server.connect()?;
            }
            ensure!(client.set("key", b"value")? == "STORED");
            served.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let clients = [true, true, false, false].map(|kind| scope.spawn(move || serve(kind)));
        let mut console = server.connect()?;
        let changed = (0..100).try_for_each(|index| {
            trust.server.replace(&identities[index % 2])?;
            if index % 10 == 0 {
                server.signal(Signal::HUP)?;
            }
            let answer = console.ask("refresh_certs")?;
            ensure!(answer == "OK", "{answer}");
            Ok(())
        });
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("a client panicked")?;
        }
        changed
    })?;
    ensure!(
        served.load(Ordering::Relaxed) > 100,
        "hardly anybody was served"
    );
    let stats = server.connect()?.stats("stats")?;
    let failed = stats.get("ssl_handshake_errors").map(String::as_str);
    ensure!(failed == Some("0"), "{failed:?}");
    Ok(())
}

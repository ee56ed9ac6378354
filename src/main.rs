//! The memtwin server.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use memtwin::boot::{self, Running, Secrets};
use memtwin::cli::{self, Cli, Parsed, Verb};
use memtwin::config::StartupError;
use memtwin::daemon::{self, PidFile};
use memtwin::signals::{self, Signals};
use memtwin::{logs, pair, privileges};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    logs::log_panics();
    let _flushed = logs::FlushAtExit;
    match cli::parse(env::args_os()).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logs::line(&error.text);
            error.exit_code()
        }
    }
}

fn run(parsed: Parsed) -> Result<(), StartupError> {
    let cli = match parsed {
        Parsed::Run(cli) => cli,
        Parsed::Print(text) => {
            say(&text);
            return Ok(());
        }
    };
    match cli.verb {
        Some(Verb::Keygen { file, .. }) => boot::keygen(&file).map(|text| say(&text)),
        Some(Verb::CheckConfig { file, .. }) => boot::check_config(&file).map(|text| say(&text)),
        Some(Verb::Pair(flags)) => pair::run(&flags),
        None => serve(cli),
    }
}

/// The life of a node, from the command line to the last byte for the partner.
fn serve(cli: Cli) -> Result<(), StartupError> {
    signals::hold_hangups()?;
    let config = cli::load(cli)?;
    logs::start(config.node.verbosity);
    let secrets = Secrets::load(&config)?;
    privileges::ensure_large_pages(config.tuning.large_pages)?;
    privileges::raise_core_limit(config.node.core_dumps)?;
    privileges::raise_open_files(config.client.connections_max)?;
    privileges::become_user(config.node.user.as_deref())?;
    privileges::end_with_parent()?;
    let sockets = boot::bind(&config)?;
    if config.node.daemon {
        // What was logged so far is for whoever started the daemon.
        logs::flush();
        daemon::detach(config.node.verbosity > 0, config.node.core_dumps)?;
    }
    privileges::lock_memory(config.node.lock_memory);
    let mut signals = Signals::take()?;
    logs::write_on().map_err(boot::refused)?;
    let _pid_file = config.node.pid_file.as_deref().and_then(PidFile::write);
    boot::banner(&config, &sockets);
    let node = Running::start(config, secrets, sockets)?;
    let signal = signals.wait(node.reloads());
    tracing::info!(
        signal,
        "stopping: clients first, then what the partner is owed"
    );
    let stopped = node.stop();
    tracing::info!("stopped");
    stopped
}

/// Answers a person who asked something.
fn say(text: &str) {
    // Nobody is there to hear that nobody is there.
    let _ = writeln!(io::stdout(), "{text}");
}

//! Sessions of a real Tomcat survive the death of a node of a memtwin pair, where stock memcached
//! loses them; in both protocols, with either of MSM's usual serializers, with a password or
//! without.
//!
//! Needs `java`, `mvn` and `memcached` on the PATH, and memtwin's release build (or `MEMTWIN_BIN`).
//! `MSM_SUBJECTS=memcached` or `memtwin` runs one server only.

use std::io::{Write, stderr};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use parking_lot::Mutex;
use protocol_tests::msm::{Build, Cache, Crowd, Program, Report, Settings, Tally, Tomcat};

const SESSIONS: usize = 200;
const USER: &str = "tomcat";
const PASSWORD: &str = "pass word";
/// Longer than MSM's asynchronous backups take.
const IDLE: Duration = Duration::from_secs(1);

/// One way to lose sessions.
struct Scenario {
    name: &'static str,
    settings: fn(&Cache) -> [Settings; 2],
    run: fn(&mut Stage, &mut Crowd) -> Result<Tally>,
    /// What stock memcached loses of 200: from, to. Outside of it the scenario proves nothing.
    memcached_lost: (usize, usize),
    /// The most that memtwin may lose of 200.
    memtwin_lost_max: usize,
}

/// Two nodes and two Tomcats.
struct Stage {
    cache: Cache,
    tomcats: Vec<Tomcat>,
}

const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "sticky, n1 and n2; Tomcat 1 killed",
        settings: sticky_two_nodes,
        run: kill_tomcat,
        memcached_lost: (0, 0),
        memtwin_lost_max: 0,
    },
    Scenario {
        name: "non-sticky, n1 and n2; n1 killed, back empty, 5 s, n2 killed",
        settings: non_sticky_two_nodes,
        run: kill_one_node_then_the_other,
        memcached_lost: (190, 200),
        // A perfect pair, emulated, loses 0 to 3: what MSM asks for before it notices the death.
        memtwin_lost_max: 5,
    },
    Scenario {
        name: "sticky, own twin, no node id; Tomcat 1 and its node killed",
        settings: sticky_own_twin,
        run: kill_tomcat_and_its_node,
        memcached_lost: (200, 200),
        memtwin_lost_max: 0,
    },
];

/// What MSM speaks, and how it writes sessions.
#[derive(Clone, Copy)]
struct Speech {
    name: &'static str,
    protocol: &'static str,
    with_kryo: bool,
    with_password: bool,
}

/// Two cores carry the Tomcats of one test at a time.
static STAGE_IS_FREE: Mutex<()> = Mutex::new(());

#[test]
fn sessions_survive() -> Result<()> {
    sessions_survive_in(Speech {
        name: "text",
        protocol: "text",
        with_kryo: false,
        with_password: false,
    })
}

#[test]
fn sessions_survive_in_the_binary_protocol() -> Result<()> {
    sessions_survive_in(Speech {
        name: "binary",
        protocol: "binary",
        with_kryo: false,
        with_password: false,
    })
}

/// As most users of MSM have it.
#[test]
fn sessions_survive_in_the_binary_protocol_with_kryo() -> Result<()> {
    sessions_survive_in(Speech {
        name: "binary, Kryo",
        protocol: "binary",
        with_kryo: true,
        with_password: false,
    })
}

/// Only memtwin is asked: memcached's passwords are no business of ours here.
#[test]
fn sessions_survive_behind_a_password() -> Result<()> {
    sessions_survive_in(Speech {
        name: "binary, password",
        protocol: "binary",
        with_kryo: false,
        with_password: true,
    })
}

fn sessions_survive_in(speech: Speech) -> Result<()> {
    let _stage = STAGE_IS_FREE.lock();
    let build = Build::make()?;
    let mut report = Report::default();
    let mut failures = Vec::new();
    for scenario in &SCENARIOS {
        for program in Program::chosen()? {
            if speech.with_password && program == Program::Memcached {
                continue;
            }
            let name = format!("{}: {}", speech.name, scenario.name);
            let played = play(scenario, speech, program, &build);
            if let Ok(tally) = &played {
                report.add(name.clone(), program, *tally);
            }
            if let Err(failure) = played.and_then(|tally| judge(scenario, program, tally)) {
                failures.push(format!("{name}, {}: {failure:#}", program.name()));
            }
        }
    }
    // Not println!: the figures are worth reading when the test passes, too.
    writeln!(stderr(), "\n{report}")?;
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Runs a scenario; its files stay for reading when it fails.
fn play(scenario: &Scenario, speech: Speech, program: Program, build: &Build) -> Result<Tally> {
    let dir = tempfile::Builder::new().prefix("memtwin-msm-").tempdir()?;
    let played = play_in(dir.path(), scenario, speech, program, build);
    let good = played
        .as_ref()
        .is_ok_and(|tally| judge(scenario, program, *tally).is_ok());
    if !good {
        writeln!(
            stderr(),
            "{}, {}: logs in {}",
            scenario.name,
            program.name(),
            dir.keep().display()
        )?;
    }
    played
}

fn play_in(
    dir: &Path,
    scenario: &Scenario,
    speech: Speech,
    program: Program,
    build: &Build,
) -> Result<Tally> {
    let cache = if speech.with_password {
        Cache::start_with_password(dir, USER, PASSWORD)?
    } else {
        Cache::start(program, dir)?
    };
    let settings = (scenario.settings)(&cache).map(|settings| speech.add_to(settings));
    let tomcats = Tomcat::start_all(build, dir, &settings)?;
    let mut stage = Stage { cache, tomcats };
    // A cold JVM's first pages take longer than MSM gives a node to answer.
    Crowd::new(20).visit(&stage.tomcats)?;
    (scenario.run)(&mut stage, &mut Crowd::new(SESSIONS))
}

/// A session without its last visit is as bad as a lost one.
fn judge(scenario: &Scenario, program: Program, tally: Tally) -> Result<()> {
    let gone = tally.lost + tally.stale + tally.failed;
    let (from, to) = match program {
        Program::Memcached => scenario.memcached_lost,
        Program::Memtwin => (0, scenario.memtwin_lost_max),
    };
    ensure!(
        (from..=to).contains(&gone),
        "{tally:?}, expected {from} to {to} lost"
    );
    Ok(())
}

/// All sessions are made and then changed at the given Tomcats.
fn settle(crowd: &mut Crowd, tomcats: &[Tomcat]) -> Result<()> {
    let made = crowd.visit(tomcats)?;
    ensure!(
        made.first == SESSIONS,
        "not every visitor got a session: {made:?}"
    );
    let changed = crowd.visit(tomcats)?;
    let expected = Tally {
        visits: SESSIONS,
        ..Tally::default()
    };
    ensure!(
        changed == expected,
        "sessions were lost before any fault: {changed:?}"
    );
    Ok(())
}

fn kill_tomcat(stage: &mut Stage, crowd: &mut Crowd) -> Result<Tally> {
    settle(crowd, &stage.tomcats[..1])?;
    sleep(IDLE);
    stage.tomcats[0].kill()?;
    crowd.visit(&stage.tomcats[1..])
}

fn kill_tomcat_and_its_node(stage: &mut Stage, crowd: &mut Crowd) -> Result<Tally> {
    settle(crowd, &stage.tomcats[..1])?;
    sleep(IDLE);
    stage.cache.kill(0)?;
    stage.tomcats[0].kill()?;
    crowd.visit(&stage.tomcats[1..])
}

/// The sessions rest all the time; one visitor a Tomcat and second keeps MSM's connections awake,
/// because MSM notices a broken one only by using it.
fn kill_one_node_then_the_other(stage: &mut Stage, crowd: &mut Crowd) -> Result<Tally> {
    let mut awake = Crowd::new(stage.tomcats.len());
    settle(crowd, &stage.tomcats)?;
    awake.pace(&stage.tomcats, IDLE)?;
    stage.cache.kill(0)?;
    stage.cache.restart(0)?;
    awake.pace(&stage.tomcats, Duration::from_secs(5))?;
    stage.cache.kill(1)?;
    crowd.visit(&stage.tomcats)
}

impl Speech {
    fn add_to(self, settings: Settings) -> Settings {
        let mut settings = settings.set("memcachedProtocol", self.protocol);
        if self.with_password {
            settings = settings.set("username", USER).set("password", PASSWORD);
        }
        if !self.with_kryo {
            return settings;
        }
        let factory = "de.javakaffee.web.msm.serializer.kryo.KryoTranscoderFactory";
        let opened = ["lang", "util", "lang.reflect", "util.concurrent"];
        opened
            .iter()
            .fold(settings, |settings, package| {
                // Kryo writes private fields of the JDK's own classes.
                settings.jvm_option(format!("--add-opens=java.base/java.{package}=ALL-UNNAMED"))
            })
            .set("transcoderFactoryClass", factory)
    }
}

fn sticky_two_nodes(cache: &Cache) -> [Settings; 2] {
    let settings = noticing_quickly()
        .set("memcachedNodes", &cache.node_list())
        .set("sticky", "true")
        .set("sessionBackupTimeout", "2000");
    [
        settings.clone().set("jvmRoute", "t1"),
        settings.set("jvmRoute", "t2"),
    ]
}

fn non_sticky_two_nodes(cache: &Cache) -> [Settings; 2] {
    let settings = noticing_quickly()
        .set("memcachedNodes", &cache.node_list())
        .set("sticky", "false")
        .set("sessionBackupAsync", "false")
        .set("sessionBackupTimeout", "2000");
    [settings.clone(), settings]
}

fn sticky_own_twin(cache: &Cache) -> [Settings; 2] {
    [0, 1].map(|node| {
        Settings::default()
            .property("msm.maxReconnectDelay", "1")
            .set("memcachedNodes", &cache.address(node))
            .set("sticky", "true")
            .set("sessionBackupAsync", "true")
            .set("operationTimeout", "6000")
            .set("sessionBackupTimeout", "6000")
            .set("backgroundProcessorDelay", "10")
            .set("jvmRoute", &format!("t{}", node + 1))
    })
}

/// MSM looks at once a second by default, and comes back to a node after up to 30 s.
fn noticing_quickly() -> Settings {
    Settings::default()
        .property("msm.nodeAvailabilityCacheTTL", "50")
        .property("msm.maxReconnectDelay", "1")
}

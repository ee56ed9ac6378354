//! The administrative commands of clients.
//!
//! Commands that tune what does not exist here (slab pages, parts of an LRU) are checked as
//! memcached checks them and shown in `stats settings`, and change nothing else.

use std::sync::atomic::Ordering;

use rustix::process::{Signal, getpid, kill_process};

use super::Node;
use crate::frontend::control::ControlReply;
use crate::frontend::text::Dump;
use crate::limits::VERBOSITY_MAX;
use crate::logs::clients;
use crate::protocol::text::{
    Admin, ClassFilter, CrawlerCommand, DumpFormat, Events, Lru, Shutdown, Slabs,
};
use crate::tls::TlsError;

impl Node {
    pub(crate) fn carry_out(&self, command: Admin, follows_replies: bool) -> ControlReply {
        match command {
            Admin::Verbosity { level } => {
                let level = level.min(VERBOSITY_MAX);
                self.verbosity.store(level, Ordering::Relaxed);
                crate::logs::set_verbosity(level);
                ControlReply::OK
            }
            Admin::MemoryLimit { megabytes } => {
                self.store.set_limit_bytes(u64::from(megabytes) << 20);
                clients::memory_limit_changed(megabytes);
                ControlReply::OK
            }
            Admin::Shutdown(how) => self.shut_down(how),
            Admin::Lru(lru) => ControlReply::say(self.lru(lru)),
            Admin::Slabs(slabs) => ControlReply::say(self.slabs(slabs)),
            Admin::Crawler(crawler) => self.crawler(crawler, follows_replies),
            Admin::RefreshCerts => self.refresh_certs(),
            Admin::Watch(events) => self.begin_watch(events, follows_replies),
        }
    }

    fn refresh_certs(&self) -> ControlReply {
        let tls = self.tls.as_ref().ok_or(TlsError::NotEnabled);
        match tls.and_then(|tls| tls.refresh()) {
            Ok(()) => {
                clients::certificates_refreshed();
                ControlReply::OK
            }
            Err(error) => ControlReply::Say(error.to_string().into()),
        }
    }

    fn begin_watch(&self, events: Option<Events>, follows_replies: bool) -> ControlReply {
        if !self.config.client.watch {
            return ControlReply::say("CLIENT_ERROR watch commands not allowed");
        }
        if follows_replies {
            return ControlReply::say("ERROR cannot pipeline other commands before watch");
        }
        events.map_or(ControlReply::say("ERROR"), ControlReply::Watch)
    }

    fn shut_down(&self, how: Shutdown) -> ControlReply {
        if !self.config.client.shutdown_command {
            return ControlReply::say("SERVER_ERROR: shutdown not enabled");
        }
        let signal = match how {
            Shutdown::Now => Signal::INT,
            Shutdown::Graceful => Signal::USR1,
            Shutdown::Unknown => return ControlReply::say("CLIENT_ERROR invalid shutdown mode"),
        };
        tracing::info!("a client asked for the stop");
        match kill_process(getpid(), signal) {
            Ok(()) => ControlReply::Close,
            Err(error) => {
                tracing::error!(%error, "the stop cannot be signalled; send SIGTERM");
                ControlReply::say("SERVER_ERROR shutdown failed")
            }
        }
    }

    fn lru(&self, lru: Lru) -> &'static str {
        let tuning = &mut self.tuning.lock().lru;
        match lru {
            Lru::Tune {
                hot_pct,
                warm_pct,
                hot_factor,
                warm_factor,
            } => {
                tuning.hot_pct = i64::from(hot_pct);
                tuning.warm_pct = i64::from(warm_pct);
                tuning.hot_max_factor = hot_factor;
                tuning.warm_max_factor = warm_factor;
            }
            Lru::Mode { .. } | Lru::TempTtl { .. } if !tuning.maintainer => return "ERROR",
            Lru::Mode { segmented } => tuning.segmented = segmented,
            Lru::TempTtl { secs } => {
                tuning.temporary = secs.is_some();
                tuning.temporary_ttl_secs = secs.unwrap_or(tuning.temporary_ttl_secs);
            }
        }
        "OK"
    }

    fn slabs(&self, slabs: Slabs) -> &'static str {
        let tuning = &mut self.tuning.lock().slabs;
        match slabs {
            Slabs::Reassign(_) if !tuning.reassign => {
                return "CLIENT_ERROR slab reassignment disabled";
            }
            Slabs::Reassign(classes) => {
                let last = self.store.classes().each().count() as i32;
                return reassign(classes, last);
            }
            Slabs::Automove(level) => tuning.automove = i64::from(level),
            Slabs::Ratio(ratio) => tuning.automove_ratio = ratio,
            Slabs::FreeRatio(ratio) => tuning.automove_freeratio = ratio,
            Slabs::Window(window) => tuning.automove_window = i64::from(window),
        }
        "OK"
    }

    fn crawler(&self, crawler: CrawlerCommand, follows_replies: bool) -> ControlReply {
        let lru = &mut self.tuning.lock().lru;
        match crawler {
            CrawlerCommand::Enable(true) if lru.crawler => {
                return ControlReply::say("ERROR failed to start lru crawler thread");
            }
            CrawlerCommand::Enable(enabled) => lru.crawler = enabled,
            CrawlerCommand::SleepUs(us) => lru.crawler_sleep_us = i64::from(us),
            CrawlerCommand::ToCrawl(items) => lru.crawler_tocrawl = items,
            CrawlerCommand::Crawl(_) | CrawlerCommand::Dump(..) if !lru.crawler => {
                return ControlReply::say("CLIENT_ERROR lru crawler disabled");
            }
            CrawlerCommand::Crawl(classes) => return ControlReply::say(self.crawl(classes)),
            CrawlerCommand::Dump(format, classes) => {
                let begun = self.dump(format, classes, follows_replies);
                return begun.unwrap_or_else(ControlReply::say);
            }
        }
        ControlReply::OK
    }

    /// Lets housekeeping remove all expired items at once, whatever the classes: it would remove
    /// them within a second anyway.
    fn crawl(&self, classes: Option<ClassFilter>) -> &'static str {
        match classes {
            None => BAD_CLASS,
            Some(ClassFilter::Hash) => "ERROR an unknown error happened",
            Some(classes) if classes.are_none() => NO_CLASS,
            Some(_) if self.crawler.ask_for_expiry(self.clock.now().boot_ms) => "OK",
            Some(_) => CRAWLING,
        }
    }

    fn dump(
        &self,
        format: DumpFormat,
        classes: Option<ClassFilter>,
        follows_replies: bool,
    ) -> Result<ControlReply, &'static str> {
        let is_meta = format == DumpFormat::Meta;
        match classes {
            _ if !self.config.client.dumps && is_meta => Err("ERROR metadump not allowed"),
            _ if !self.config.client.dumps => Err("ERROR key dump not allowed"),
            _ if follows_replies && is_meta => {
                Err("ERROR cannot pipeline other commands before metadump")
            }
            _ if follows_replies => Err("ERROR cannot pipeline other commands before mgdump"),
            None => Err(BAD_CLASS),
            Some(classes) if classes.are_none() => Err(NO_CLASS),
            Some(classes) => {
                let turn = self.crawler.begin_dump(self.clock.now().boot_ms);
                let turn = turn.ok_or(CRAWLING)?;
                let dump = Dump::new(format, classes, turn);
                Ok(ControlReply::Dump(Box::new(dump)))
            }
        }
    }
}

const BAD_CLASS: &str = "BADCLASS invalid class id";
const NO_CLASS: &str = "NOTSTARTED no items to crawl";
const CRAWLING: &str = "BUSY currently processing crawler request";

/// The reply to `slabs reassign`: there are no slab pages to move. Class 0 is memcached's pool of
/// free pages.
fn reassign(classes: Option<(i32, i32)>, last: i32) -> &'static str {
    let exists = |class| (0..=last).contains(&class);
    match classes {
        None => "CLIENT_ERROR bad command line format",
        Some((from, to)) if from == to => "SAME src and dst class are identical",
        Some((from, to)) if exists(from) && exists(to) => "NOSPARE source class has no spare pages",
        Some(_) => "BADCLASS invalid src or dst class id",
    }
}

//! Visitors, each with a cookie, who notice when their session is gone.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ureq::Agent;
use ureq::http::header::{COOKIE, SET_COOKIE};

use super::tomcat::Tomcat;

/// Above every time that MSM waits for a node.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Where a round of visits ends early: each may take `ANSWER_LIMIT`.
const FAILED_MAX: usize = 8;

/// What a round of visits met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Visits.
    pub visits: usize,
    /// First visits of all.
    pub first: usize,
    /// Sessions that should have been there and were not.
    pub lost: usize,
    /// Sessions that were found without their last visit.
    pub stale: usize,
    /// Visits without an answer.
    pub failed: usize,
}

/// Visitors who always come in the same order.
pub struct Crowd {
    agent: Agent,
    visitors: Vec<Visitor>,
}

impl Crowd {
    /// `count` visitors who were never there.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .timeout_global(Some(ANSWER_LIMIT))
            // A connection each, so that no Tomcat's death breaks one that is kept for later.
            .max_idle_connections(0);
        let visitors = (0..count).map(Visitor::new).collect();
        Self {
            agent: config.build().into(),
            visitors,
        }
    }

    /// Each visitor comes once, one after the other, to the Tomcats in turn.
    pub fn visit(&mut self, tomcats: &[Tomcat]) -> Result<Tally> {
        let mut tally = Tally::default();
        for (visitor, tomcat) in self.visitors.iter_mut().zip(tomcats.iter().cycle()) {
            tally.visits += 1;
            match visitor.visit(&self.agent, tomcat.url()) {
                Ok(page) => visitor.check(&page, &mut tally)?,
                Err(failure) => {
                    tally.failed += 1;
                    ensure!(
                        tally.failed < FAILED_MAX,
                        "many visits failed, at last: {failure:#}"
                    );
                }
            }
        }
        Ok(tally)
    }

    /// Everybody comes once a second, for as long as `duration`.
    pub fn pace(&mut self, tomcats: &[Tomcat], duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.visit(tomcats)?;
            let rest = end.saturating_duration_since(Instant::now());
            sleep(rest.min(Duration::from_secs(1)));
        }
        Ok(())
    }
}

struct Visitor {
    number: usize,
    cookie: Option<String>,
    visits: u32,
}

impl Visitor {
    fn new(number: usize) -> Self {
        Self {
            number,
            cookie: None,
            visits: 0,
        }
    }

    fn visit(&mut self, agent: &Agent, url: &str) -> Result<Page> {
        let mut request = agent.get(format!("{url}/visit?visitor={}", self.number));
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let mut response = request.call()?;
        // MSM may name the session twice when it moves it; browsers keep the last.
        for line in response.headers().get_all(SET_COOKIE) {
            let cookie = line.to_str()?.split(';').next().unwrap_or_default();
            if cookie.starts_with("JSESSIONID=") {
                self.cookie = Some(cookie.to_owned());
            }
        }
        Page::parse(&response.body_mut().read_to_string()?)
    }

    fn check(&mut self, page: &Page, tally: &mut Tally) -> Result<()> {
        let number = self.number;
        ensure!(
            page.visitor == number,
            "visitor {number} got the session of {}",
            page.visitor
        );
        ensure!(page.intact, "visitor {number} got a damaged session");
        let expected = self.visits + 1;
        match (page.found, self.visits) {
            (false, 0) => tally.first += 1,
            (false, _) => tally.lost += 1,
            (true, 0) => bail!("visitor {number} had a session before the first visit"),
            (true, _) if page.visits < expected => tally.stale += 1,
            (true, _) => {}
        }
        self.visits = page.visits;
        Ok(())
    }
}

/// What the servlet says of a session.
struct Page {
    found: bool,
    visitor: usize,
    visits: u32,
    intact: bool,
}

impl Page {
    fn parse(text: &str) -> Result<Self> {
        let value = |name: &str| {
            let mut pairs = text
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(key, _)| *key == name);
            found
                .map(|(_, value)| value)
                .with_context(|| format!("no {name} in {text:?}"))
        };
        Ok(Self {
            found: value("found")?.parse()?,
            visitor: value("visitor")?.parse()?,
            visits: value("visits")?.parse()?,
            intact: value("intact")?.parse()?,
        })
    }
}

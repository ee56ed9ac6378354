//! A node that opens before its partner's table is there asks the partner for what clients want.
//!
//! A restarted node used to stay closed until its partner's whole table had arrived. Now it opens
//! when the partner has answered its hello, and must not answer a miss for what it does not have
//! yet: memcached-session-manager would log the user out.

use anyhow::{Result, ensure};
use protocol_tests::client::Client;
use protocol_tests::pair::{Pair, eventually, fill, keys};

const FLAGS: [&str; 4] = ["-m", "512", "--start-alone-after", "never"];
/// Far more than arrives while a test looks, over a link that delays each piece.
const ITEMS: usize = 40_000;
const VALUE: [u8; 2000] = [b'v'; 2000];
const DELAY_MS: u64 = 3;

/// A pair of which side 0 holds items that side 1 lacks, and side 1 does not run.
fn one_side_full() -> Result<(Pair, Vec<String>)> {
    let mut pair = Pair::start(&FLAGS)?;
    pair.kill(1);
    pair.wait_for_stat(0, "link", "down")?;
    let all = keys("session", ITEMS);
    store_all(&mut pair.client(0)?, &all)?;
    Ok((pair, all))
}

fn store_all(client: &mut Client, keys: &[String]) -> Result<()> {
    for key in keys {
        ensure!(client.set(key, &VALUE)? == "STORED");
    }
    Ok(())
}

/// What side 1 answers to a command. On a busy machine its partner may be too slow for it: then it
/// closes the connection, and the client asks again.
fn answer_of(pair: &Pair, command: &str) -> Result<String> {
    let mut answer = String::new();
    eventually("an answer", || {
        answer = pair.client(1)?.ask(command).unwrap_or_default();
        Ok(!answer.is_empty())
    })?;
    Ok(answer)
}

/// Whether side 1 has its partner's table.
fn has_table(pair: &Pair) -> Result<bool> {
    Ok(pair.stat(1, "pass_received")? != "0")
}

#[test]
fn a_restarted_node_answers_no_false_miss_from_its_first_client_on() -> Result<()> {
    let (mut pair, all) = one_side_full()?;
    pair.link().delay(DELAY_MS);
    pair.launch(1)?;
    pair.wait_until_open(1)?;
    let mut client = pair.client(1)?;
    let mut asked = 0;
    for key in all.iter().step_by(ITEMS / 40) {
        ensure!(
            client.get(key)?.as_deref() == Some(&VALUE),
            "{key} was missed"
        );
        asked += u32::from(!has_table(&pair)?);
    }
    ensure!(asked > 0, "the table was there before the first client");
    // Several keys of one command, and commands that depend on what is held.
    let line = format!("get {}", all[1..200].join(" "));
    client.send_line(&line)?;
    let reply = client.read_until(b"END\r\n")?;
    let hits = reply.windows(6).filter(|it| it == b"VALUE ").count();
    ensure!(hits == 199, "{hits} of 199");
    for (command, answer) in [
        (format!("add {} 0 0 1\r\nx", all[201]), "NOT_STORED"),
        (format!("append {} 0 0 1\r\nx", all[202]), "STORED"),
        (format!("touch {} 1000", all[203]), "TOUCHED"),
        (format!("delete {}", all[204]), "DELETED"),
    ] {
        let told = answer_of(&pair, &command)?;
        ensure!(told == answer, "{command}: {told}");
    }
    ensure!(client.get("nobody has it")?.is_none());
    ensure!(!has_table(&pair)?, "the rest came before the commands");
    pair.link().delay(0);
    eventually("the table arrives", || has_table(&pair))?;
    pair.wait_for_stat(1, "sync_progress_percent", "100")?;
    pair.wait_for_value(0, &all[204], None)
}

/// What it does not know it does not answer.
#[test]
fn a_node_that_loses_its_partner_before_the_table_is_there_closes_without_an_answer() -> Result<()>
{
    let (mut pair, all) = one_side_full()?;
    pair.link().delay(DELAY_MS);
    pair.launch(1)?;
    pair.wait_until_open(1)?;
    let mut client = pair.client(1)?;
    pair.freeze(0)?;
    // The last of them has not come yet.
    client.send_line(&format!("get {}", all.join(" ")))?;
    let reply = client.read_to_end()?;
    ensure!(reply.is_empty(), "{}", protocol_tests::client::text(&reply));
    pair.thaw(0)?;
    pair.link().delay(0);
    eventually("it opens again and has the table", || {
        Ok(pair.wait_until_open(1).is_ok() && has_table(&pair)?)
    })?;
    let mut client = pair.client(1)?;
    for key in all.iter().step_by(ITEMS / 40) {
        ensure!(client.get(key)?.is_some(), "{key} was missed");
    }
    Ok(())
}

/// A node that has had its partner's table answers from its own when the partner does not, and
/// counts it.
#[test]
fn a_node_with_the_table_answers_from_its_own_and_counts_it() -> Result<()> {
    let pair = Pair::start(&FLAGS)?;
    let old = keys("old", 10);
    fill(&mut pair.client(0)?, &old, "first")?;
    pair.wait_until_equal(&old)?;
    pair.link().cut();
    pair.wait_for_stat(0, "link", "down")?;
    pair.wait_for_stat(1, "link", "down")?;
    let all = keys("session", ITEMS);
    store_all(&mut pair.client(0)?, &all)?;
    pair.link().delay(DELAY_MS);
    pair.link().heal();
    pair.wait_for_stat(1, "link", "up")?;
    let mut client = pair.client(1)?;
    ensure!(client.get(&all[ITEMS - 1])?.is_some(), "it is asked for");
    pair.link().hold();
    for key in all.iter().rev() {
        let _ = client.get(key)?;
        if pair.stat(1, "asks_unanswered")? != "0" {
            break;
        }
    }
    ensure!(pair.stat(1, "asks_unanswered")? != "0");
    ensure!(client.get(&old[0])?.is_some());
    pair.link().delay(0);
    pair.link().heal();
    pair.wait_until_equal(&all[ITEMS - 10..])
}

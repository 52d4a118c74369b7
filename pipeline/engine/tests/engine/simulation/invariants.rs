//! What must hold after every life of the process, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    epoch::{EpochContext, EpochPlan, Pass, commit_epoch},
    import::ImportTails,
    model::{EpochRecord, Instant, KEY_GROUPS},
    parallel::Threads,
    ports::{Sink, Source},
    recovery::epoch_range,
};

use super::{
    bystanders::{Bystanders, CELLS},
    expected::{Expected, expected},
};
use crate::memory::{Contents, Log, Requests, State};

type Check = Result<(), String>;

fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Everything that must hold at any moment at which nothing runs.
pub fn check(bystanders: &Bystanders, announced: &[EpochRecord]) -> Result<Expected, String> {
    let lake = &bystanders.lake;
    let epochs = lake.rows.epochs.lock().unwrap().clone();
    let ledger = bystanders.ledger();
    one_clock(&epochs, |position| ledger.get(position as usize - 1).map(|request| request.arrival_micros))?;
    once_announced(&epochs, announced)?;
    let expected = expected(&bystanders.facts, &ledger, &epochs);
    counts(bystanders, &epochs, &expected)?;
    system_times_of_rows(bystanders, &epochs)?;
    answers(bystanders, &expected)?;
    let kept: BTreeSet<(u64, u32, u32)> = bystanders.requests.quarantine.lock().unwrap().keys().copied().collect();
    must(kept.is_subset(&expected.quarantine), || {
        format!("in quarantine though acceptable: {:?}", kept.difference(&expected.quarantine).collect::<Vec<_>>())
    })?;
    bystanders.read_again();
    bystanders.wrong().map_or(Ok(expected), Err)
}

/// What must hold besides once everything is committed and every import is sealed. A state that forgets holds no more than it
/// has to, and no replay says what that is.
pub fn check_drained(bystanders: &Bystanders, expected: &Expected, state: &State, forgets: bool) -> Check {
    let (requests, lake) = (&bystanders.requests, &bystanders.lake);
    let head = lake.head();
    let committed = head.as_ref().map_or(0, |head| head.position);
    must(committed == requests.last_position(), || {
        format!("requests up to {} are acknowledged, up to {committed} committed", requests.last_position())
    })?;
    must(expected.held == 0, || format!("{} records are held back of sealed imports", expected.held))?;
    let kept = requests.quarantine.lock().unwrap();
    let missing: Vec<_> = expected.quarantine.iter().filter(|place| !kept.contains_key(*place)).collect();
    must(missing.is_empty(), || format!("missing in quarantine: {missing:?}"))?;
    let ledger = bystanders.ledger();
    for (&(position, line, dataset_id), entry) in kept.iter() {
        let request = &ledger[position as usize - 1];
        let sent = &request.records[line as usize - 1];
        let same = sent.line.text.as_bytes() == entry.raw && sent.dataset_id == dataset_id;
        let told = entry.arrival.micros() == request.arrival_micros && !entry.reason.is_empty() && entry.events == 1;
        must(same && told, || format!("the quarantine says otherwise than what was sent: {entry:?}, {sent:?}"))?;
    }
    drop(kept);
    let fresh = replayed(bystanders, 3);
    let contents = state.contents();
    must(forgets || contents.entries == fresh.entries, || "the state is not what a replay makes".to_owned())?;
    let epoch = head.map_or(0, |head| head.epoch);
    must(contents.applied.iter().all(|&applied| applied == epoch), || {
        format!("not all key groups have epoch {epoch}: {:?}", contents.applied)
    })
}

/// System times ascend, and no record arrived after the system time of its epoch. Positions ascend too: no record is in
/// two epochs.
fn one_clock(epochs: &[EpochRecord], arrival: impl Fn(u64) -> Option<i64>) -> Check {
    let mut before = (0, Instant(i64::MIN), 0);
    for record in epochs {
        let EpochRecord { epoch, system_time, position, .. } = *record;
        must(epoch == before.0 + 1 && system_time > before.1 && position > before.2, || {
            format!("epoch {epoch} at {system_time:?} up to {position} follows {before:?}")
        })?;
        for inside in before.2 + 1..=position {
            let arrival =
                arrival(inside).ok_or_else(|| format!("epoch {epoch} has request {inside}, which is none"))?;
            must(arrival <= system_time.micros(), || {
                format!("request {inside} arrived at {arrival}, its epoch is known at {system_time:?}")
            })?;
        }
        before = (epoch, system_time, position);
    }
    Ok(())
}

/// What was announced is committed as it was announced, and nothing is announced twice.
fn once_announced(epochs: &[EpochRecord], announced: &[EpochRecord]) -> Check {
    let mut seen = BTreeSet::new();
    for record in announced {
        must(seen.insert(record.epoch), || format!("epoch {} was announced twice", record.epoch))?;
        let committed = epochs.iter().find(|committed| committed.epoch == record.epoch);
        must(committed == Some(record), || format!("announced was {record:?}, committed is {committed:?}"))?;
    }
    Ok(())
}

/// Received is committed, unchanged, quarantined or in flight, epoch by epoch.
fn counts(bystanders: &Bystanders, epochs: &[EpochRecord], expected: &Expected) -> Check {
    let rows = &bystanders.lake.rows;
    let (counts, sealed) = (rows.counts.lock().unwrap(), rows.sealed.lock().unwrap());
    must(*sealed == expected.sealed, || format!("sealed by {sealed:?}, expected {:?}", expected.sealed))?;
    for (&(epoch, dataset_id), &(acted, refused)) in &expected.counts {
        let [committed, unchanged, quarantined] = counts.get(&(epoch, dataset_id)).copied().unwrap_or_default();
        must((committed + unchanged, quarantined) == (acted, refused), || {
            format!(
                "epoch {epoch} of dataset {dataset_id} counts {committed} committed, {unchanged} unchanged, \
                 {quarantined} quarantined; {acted} act and {refused} are refused"
            )
        })?;
    }
    for record in epochs {
        let of_epoch = expected.counts.iter().filter(|((epoch, _), _)| *epoch == record.epoch);
        let acted: u64 = of_epoch.map(|(_, (acted, _))| acted).sum();
        must(record.records == acted, || format!("{record:?} took in {acted} records"))?;
    }
    Ok(())
}

/// Rows became known with the epoch that brought them, of an import as it says itself.
fn system_times_of_rows(bystanders: &Bystanders, epochs: &[EpochRecord]) -> Check {
    let times: BTreeMap<u64, i64> = epochs.iter().map(|record| (record.epoch, record.system_time.micros())).collect();
    let sealed = bystanders.lake.rows.sealed.lock().unwrap().clone();
    for facts in &bystanders.facts {
        let import_until = if facts.kind.import { sealed.get(&facts.id).copied().unwrap_or(u64::MAX) } else { 0 };
        for row in bystanders.lake.rows_of(facts.id) {
            let time = times.get(&row.epoch).copied().ok_or_else(|| format!("no epoch brought {row:?}"))?;
            let carried = row.epoch <= import_until && row.system_from <= time;
            must(carried || row.system_from == time, || {
                format!("known at another time than its epoch {time}: {row:?}")
            })?;
        }
    }
    Ok(())
}

/// At each system time, and just before it, the lake says what the records say that were known then.
fn answers(bystanders: &Bystanders, expected: &Expected) -> Check {
    for facts in &bystanders.facts {
        let Some(answers) = expected.answers.get(&facts.id) else { continue };
        let times: Vec<i64> = answers.keys().flat_map(|at| [at - 1, *at]).collect();
        let nothing = vec![vec![0; CELLS]; facts.keys.len()];
        let grids = bystanders.lake.grids(facts.id, &facts.keys, CELLS, &times)?;
        for (at, found) in times.iter().zip(grids) {
            let expected = answers.range(..=at).next_back().map_or(&nothing, |(_, expected)| expected);
            must(found == *expected, || {
                let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
                let key = differs.unwrap_or_default();
                format!(
                    "dataset {} ({:?}) as of {at}, key {}: found\n{:?}, the records say\n{:?}",
                    facts.id, facts.kind, facts.keys[key], found[key], expected[key]
                )
            })?;
        }
    }
    Ok(())
}

/// The state that all committed epochs make, one after the other, in an empty one.
fn replayed(bystanders: &Bystanders, slots: u16) -> Contents {
    let source = Requests::new(bystanders.requests.partitions());
    *source.requests.lock().unwrap() = bystanders.requests.requests.lock().unwrap().clone();
    let state = State::new(Log::default());
    let sink: &dyn Sink = bystanders.lake.rows.as_ref();
    let context =
        EpochContext { source: &source, state: &state, sink, slots, small_epoch_records: 0, workers: &Threads };
    let (mut tails, mut previous) = (ImportTails::default(), None);
    let applied_epochs = vec![0; usize::from(KEY_GROUPS)];
    for record in bystanders.lake.rows.epochs.lock().unwrap().clone() {
        let range = epoch_range(previous.as_ref(), &record);
        let plan = EpochPlan { epoch: record.epoch, system_time: record.system_time, range };
        let pass = Pass::Replay { applied_epochs: &applied_epochs };
        tails = commit_epoch(context, &plan, &tails, pass).unwrap().settle().unwrap().tails;
        previous = Some(record);
    }
    state.contents()
}

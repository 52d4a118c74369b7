//! What the lake has to say, worked out the slow way: the acknowledged records, one after the other, on dense grids. Of
//! the engine's doings only the ends and the system times of epochs are taken, which are its own to choose.

use std::collections::{BTreeMap, BTreeSet};

use engine::model::EpochRecord;

use super::bystanders::{Acknowledged, CELLS, Facts, Sent, Truth};
use crate::{
    grid::{Draft, Grid},
    lake::Grids,
};

/// Position and line.
type Place = (u64, u32);

/// What has to hold of some epochs.
#[derive(Debug, Default)]
pub struct Expected {
    /// By dataset and system time, of what can be read.
    pub answers: BTreeMap<u32, BTreeMap<i64, Grids>>,
    /// Records that acted and records refused, by epoch and dataset.
    pub counts: BTreeMap<(u64, u32), (u64, u64)>,
    /// Position, line and dataset of what cannot be accepted.
    pub quarantine: BTreeSet<(u64, u32, u32)>,
    /// By import, the epoch that sealed it.
    pub sealed: BTreeMap<u32, u64>,
    /// Records held back of imports.
    pub held: u64,
}

/// One dataset on the way.
struct Model<'a> {
    facts: &'a Facts,
    grids: Vec<Grid>,
    /// Whether it is an import that is not sealed.
    importing: bool,
    /// The latest time that was known so far; what is earlier comes too late.
    floor: i64,
    held: Vec<(i64, Place, Draft)>,
    imported: Vec<(i64, Place, Draft)>,
}

impl Model<'_> {
    fn new(facts: &Facts) -> Model<'_> {
        let grids = vec![Grid::new(facts.kind, CELLS); facts.keys.len()];
        let (held, imported) = (Vec::new(), Vec::new());
        Model { facts, grids, importing: facts.kind.import, floor: i64::MIN, held, imported }
    }

    fn cells(&self) -> Grids {
        self.grids.iter().map(Grid::cells).collect()
    }

    /// Takes what an epoch brings to an open import; gives the places of what is refused, and how many act.
    fn import(&mut self, arrived: Vec<(i64, Place, Draft)>, epoch_time: i64, sealing: bool) -> (Vec<Place>, u64) {
        let (floor, acted_before) = (self.floor, self.imported.len());
        let mut all = std::mem::take(&mut self.held);
        all.extend(arrived);
        let (fit, unfit): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(known, ..)| floor <= *known && *known <= epoch_time);
        let latest = fit.iter().map(|(known, ..)| *known).max();
        self.floor = latest.unwrap_or(floor);
        for one in fit {
            let back = !sealing && Some(one.0) == latest;
            if back { self.held.push(one) } else { self.imported.push(one) }
        }
        (unfit.into_iter().map(|(_, place, _)| place).collect(), (self.imported.len() - acted_before) as u64)
    }

    /// Lets the import act, in the order in which it was known, and gives what held as of each such time.
    fn act_as_known(&mut self) -> BTreeMap<i64, Grids> {
        let mut imported = std::mem::take(&mut self.imported);
        imported.sort_by_key(|(known, place, _)| (*known, *place));
        let mut answers = BTreeMap::new();
        for (known, _, draft) in imported {
            self.grids[draft.key].take(&draft);
            answers.insert(known, self.cells());
        }
        answers
    }
}

/// Works it out.
pub fn expected(facts: &[Facts], ledger: &[Acknowledged], epochs: &[EpochRecord]) -> Expected {
    let mut expected = Expected::default();
    let mut models: Vec<Model<'_>> = facts.iter().map(Model::new).collect();
    let mut after = 0;
    for record in epochs {
        let range = after as usize..(record.position as usize).clamp(after as usize, ledger.len());
        let requests = (after + 1..).zip(&ledger[range]);
        let records: Vec<(Place, &Sent)> = requests
            .clone()
            .flat_map(|(position, request)| {
                (1..).zip(&request.records).map(move |(line, sent)| ((position, line), sent))
            })
            .collect();
        let seals: BTreeSet<u32> = requests.flat_map(|(_, request)| request.seals.iter().copied()).collect();
        for ((position, line), sent) in &records {
            if matches!(sent.truth, Truth::Bad) {
                expected.quarantine.insert((*position, *line, sent.dataset_id));
            }
        }
        for model in &mut models {
            epoch(&mut expected, model, &records, record, seals.contains(&model.facts.id));
        }
        after = record.position;
    }
    expected.held = models.iter().map(|model| model.held.len() as u64).sum();
    expected
}

/// One epoch of one dataset.
fn epoch(
    expected: &mut Expected,
    model: &mut Model<'_>,
    records: &[(Place, &Sent)],
    record: &EpochRecord,
    sealing: bool,
) {
    let (id, at) = (model.facts.id, record.system_time.micros());
    let ours = records.iter().filter(|(_, sent)| sent.dataset_id == id);
    let bad = ours.clone().filter(|(_, sent)| matches!(sent.truth, Truth::Bad)).count() as u64;
    let said = ours.filter_map(|(place, sent)| match &sent.truth {
        Truth::Bad => None,
        Truth::Says { draft, known } => Some((known.unwrap_or_default(), *place, draft.clone())),
    });
    let said: Vec<(i64, Place, Draft)> = said.collect();
    if model.importing {
        let (refused, acted) = model.import(said, at, sealing);
        expected.counts.insert((record.epoch, id), (acted, bad + refused.len() as u64));
        expected.quarantine.extend(refused.into_iter().map(|(position, line)| (position, line, id)));
        if !sealing {
            return;
        }
        model.importing = false;
        expected.sealed.insert(id, record.epoch);
        expected.answers.insert(id, model.act_as_known());
    } else {
        expected.counts.insert((record.epoch, id), (said.len() as u64, bad));
        said.iter().for_each(|(_, _, draft)| model.grids[draft.key].take(draft));
    }
    expected.answers.entry(id).or_default().insert(at, model.cells());
}

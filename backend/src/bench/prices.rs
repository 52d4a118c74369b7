//! Daily prices of instruments, as the pipeline leaves them on disk after a catch-up.
//!
//! Each round is a day on which every instrument gets one row, in an order drawn anew. After the first day one row in
//! twenty is a correction of an earlier day, which ends at the next change the instrument had, as `until_changed` has
//! it. An epoch has up to 250,000 rows; the epochs of a day are spread evenly over it, and each of its two files holds
//! half of the key groups in the order of the hash of the key, as a slot writes it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use engine::state_value::key_group;
use lake::{Dataset, DatasetCommit, EpochCommit, Lake, StagedFile};
use model::{
    DatasetDefinition, EpochRecord, Instant, KEY_GROUPS, arrow_layout::assertion_schema, key_encoding::text_key_hash,
};
use serde_json::json;

use super::figures::draw;
use crate::error::{Error, ErrorKind, Result};

/// A day.
pub const DAY_MICROS: i64 = 86_400_000_000;
/// The first day: 2024-01-01.
const FIRST_DAY_MICROS: i64 = 1_704_067_200_000_000;
const ROWS_PER_EPOCH: usize = 250_000;
/// One row in so many is a correction.
const CORRECTION_EVERY: u64 = 20;
const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "JPY"];
const VENUES: [&str; 7] = ["XETR", "XLON", "XNYS", "XNAS", "XPAR", "XAMS", "XTKS"];
const COUNTRIES: [&str; 8] = ["DE", "US", "GB", "JP", "FR", "NL", "CH", "SE"];

/// What draws are for.
const ORDER: u64 = 1;
const WHETHER_CORRECTION: u64 = 2;
const CORRECTED_DAY: u64 = 3;
const PRICE: u64 = 4;
const ABOUT_INSTRUMENT: u64 = 5;

/// So many days of prices. Days count from 2024-01-01; rounds from 0.
#[derive(Debug, Clone, Copy)]
pub struct History {
    /// Day of the first round.
    pub first_day: u32,
    /// Rounds, one a day.
    pub rounds: u32,
}

/// One assertion: the price of an instrument over some days. Days count from the history's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    from_day: u32,
    /// None for no end.
    to_day: Option<u32>,
    /// The price.
    pub cents: u64,
}

/// The first moment of a day.
pub fn start_of_day(day: u32) -> Instant {
    Instant(FIRST_DAY_MICROS + i64::from(day) * DAY_MICROS)
}

/// Identifiers of so many instruments, like ISINs, in the order of their hashes.
pub fn instruments(count: u32) -> Vec<String> {
    let mut identifiers: Vec<String> = (0..u64::from(count)).map(identifier).collect();
    identifiers.sort_by_cached_key(|identifier| text_key_hash(identifier.as_bytes()));
    identifiers
}

/// Twelve characters: a country, nine letters or digits that no other instrument has, and a digit.
fn identifier(number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const NUMBERS: u64 = 36_u64.pow(9);
    /// Has no divisor in common with `NUMBERS`, so that no two instruments get the same.
    const SPREAD: u128 = 62_823_704_177_141;
    let mut rest = (u128::from(number) * SPREAD % u128::from(NUMBERS)) as u64;
    let random = draw(ABOUT_INSTRUMENT, number, 0);
    let mut text = COUNTRIES[(random % COUNTRIES.len() as u64) as usize].to_owned();
    for _ in 0..9 {
        text.push(char::from(DIGITS[(rest % 36) as usize]));
        rest /= 36;
    }
    text.push(char::from(DIGITS[(random >> 32) as usize % 10]));
    text
}

impl History {
    /// The first moment after the last day.
    pub fn end(&self) -> Instant {
        start_of_day(self.first_day + self.rounds)
    }

    /// What the round brings for an instrument, which is given by its place in [`instruments`].
    fn price(instrument: u32, round: u32) -> Price {
        let (instrument, number) = (u64::from(instrument), u64::from(round));
        let cents = 1 + draw(PRICE, instrument, number) % 10_000_000;
        if !is_correction(instrument, round) {
            return Price { from_day: round, to_day: None, cents };
        }
        let drawn = (draw(CORRECTED_DAY, instrument, number) % number) as u32;
        let from_day = (0..=drawn).rev().find(|&day| !is_correction(instrument, day)).unwrap_or(0);
        let to_day = (from_day + 1..round).find(|&day| !is_correction(instrument, day));
        Price { from_day, to_day, cents }
    }

    /// The price that holds at a time, as it was known at the start of the round's day: what SQL has to answer.
    pub fn price_at(&self, instrument: u32, valid: Instant, round: u32) -> Option<Price> {
        let since_start = valid.micros() - start_of_day(self.first_day).micros();
        let day = u32::try_from(since_start.div_euclid(DAY_MICROS)).ok()?;
        let holds = |price: &Price| price.from_day <= day && price.to_day.is_none_or(|end| day < end);
        (0..round).rev().map(|round| History::price(instrument, round)).find(holds)
    }
}

/// One epoch of a round.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    history: History,
    round: u32,
    system_time: Instant,
}

impl Epoch {
    /// The assertion rows of some instruments.
    fn batch(&self, dataset: &Dataset, identifiers: &[String], instruments: &[u32]) -> Result<RecordBatch> {
        let prices: Vec<Price> = instruments.iter().map(|&instrument| History::price(instrument, self.round)).collect();
        let of_list = |list: &'static [&'static str]| -> ArrayRef {
            let pick = |&i: &u32| list[(draw(ABOUT_INSTRUMENT, u64::from(i), 1) % list.len() as u64) as usize];
            Arc::new(StringArray::from_iter_values(instruments.iter().map(pick)))
        };
        let day = |day: u32| start_of_day(self.history.first_day + day).micros();
        let cents = Decimal128Array::from_iter_values(prices.iter().map(|price| i128::from(price.cents)));
        let names = instruments.iter().map(|&instrument| identifiers[instrument as usize].as_str());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(cents.with_precision_and_scale(18, 2).map_err(internal)?),
            of_list(&CURRENCIES),
            of_list(&VENUES),
            times(prices.iter().map(|price| Some(day(price.from_day)))),
            times(prices.iter().map(|price| price.to_day.map(day))),
            times(prices.iter().map(|_| Some(self.system_time.micros()))),
            times(prices.iter().map(|_| None)),
            Arc::new(StringArray::from_iter_values(prices.iter().map(|_| "put"))),
        ];
        RecordBatch::try_new(assertion_schema(&dataset.definition), columns).map_err(internal)
    }

    /// Writes the rows of instruments, which are in the order of their hashes, as two slots do.
    fn stage(
        &self,
        lake: &Lake,
        dataset: &Dataset,
        identifiers: &[String],
        instruments: &[u32],
    ) -> Result<Vec<StagedFile>> {
        let group = |&instrument: &u32| key_group(text_key_hash(identifiers[instrument as usize].as_bytes()));
        let (first, second) = instruments.split_at(instruments.partition_point(|i| group(i) < KEY_GROUPS / 2));
        let write = |instruments: &[u32]| -> Result<Vec<StagedFile>> {
            let mut writer = lake.writer(dataset)?;
            writer.write(&self.batch(dataset, identifiers, instruments)?)?;
            Ok(writer.finish()?)
        };
        std::thread::scope(|scope| {
            let second = scope.spawn(|| write(second));
            let mut files = write(first)?;
            files.extend(second.join().map_err(|_| Error::new(ErrorKind::Internal, "a writer panicked"))??);
            Ok(files)
        })
    }
}

fn is_correction(instrument: u64, round: u32) -> bool {
    round > 0 && draw(WHETHER_CORRECTION, instrument, u64::from(round)).is_multiple_of(CORRECTION_EVERY)
}

fn times(micros: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("+00:00"))
}

/// Defines a dataset of prices and commits a history of the instruments to it, one row per instrument and round.
pub async fn write(lake: &Lake, name: &str, identifiers: &Arc<Vec<String>>, history: History) -> Result<()> {
    let definition: DatasetDefinition = serde_json::from_value(json!({
        "columns": [
            {"name": "instrument", "type": "string"}, {"name": "value", "type": "decimal(18,2)"},
            {"name": "currency", "type": "string"}, {"name": "venue", "type": "string"},
            {"name": "day", "type": "timestamp"},
        ],
        "key": ["instrument"], "valid_from": "day", "mode": "until_changed",
    }))
    .map_err(internal)?;
    let dataset = lake.define_dataset(name, &definition).await?.dataset().clone();
    for round in 0..history.rounds {
        let mut order: Vec<u32> = (0..).take(identifiers.len()).collect();
        order.sort_by_cached_key(|&instrument| draw(ORDER, u64::from(instrument), u64::from(round)));
        let epochs = order.len().div_ceil(ROWS_PER_EPOCH) as i64;
        for (number, instruments) in (1_i64..).zip(order.chunks(ROWS_PER_EPOCH)) {
            let of_day = number * DAY_MICROS / (epochs + 1);
            let system_time = Instant(start_of_day(history.first_day + round).micros() + of_day);
            let epoch = Epoch { history, round, system_time };
            let (lake_too, dataset_too, identifiers) = (lake.clone(), dataset.clone(), identifiers.clone());
            let mut instruments = instruments.to_vec();
            // They are numbered in the order of their hashes.
            instruments.sort_unstable();
            let stage = move || epoch.stage(&lake_too, &dataset_too, &identifiers, &instruments);
            let files = tokio::task::spawn_blocking(stage).await.map_err(internal)??;
            commit(lake, &[(dataset.id, files)], system_time).await?;
        }
        if (round + 1) % 10 == 0 || round + 1 == history.rounds {
            eprintln!("{name}: {} of {} days written", round + 1, history.rounds);
        }
    }
    Ok(())
}

/// Commits the files of datasets as the next epoch, which no stream knows of.
pub async fn commit(lake: &Lake, files: &[(u32, Vec<StagedFile>)], system_time: Instant) -> Result<()> {
    let epoch = lake.head().map_or(1, |head| head.epoch + 1);
    let rows_of = |files: &[StagedFile]| files.iter().map(|file| file.rows).sum::<u64>();
    let rows = files.iter().map(|(_, files)| rows_of(files)).sum();
    let record = EpochRecord { epoch, system_time, position: 0, records: rows, rows, duration_micros: 0 };
    let datasets = files.iter().map(|(dataset_id, files)| DatasetCommit {
        dataset_id: *dataset_id,
        // Datasets of benchmarks stay as they were defined.
        version: 1,
        files: files.clone(),
        committed: rows_of(files),
        unchanged: 0,
        quarantined: 0,
        ignored_fields: 0,
        seal: false,
    });
    let commit = EpochCommit { record, datasets: datasets.collect(), checkpoint: format!("bench-{epoch}") };
    lake.commit_epoch(commit).await?;
    Ok(())
}

fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "the benchmark's rows could not be made").because(source)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_are_unique_and_of_twelve_characters() {
        let identifiers = instruments(20_000);
        assert!(identifiers.iter().all(|identifier| identifier.len() == 12));
        assert_eq!(identifiers.iter().collect::<HashSet<_>>().len(), identifiers.len());
    }

    #[test]
    fn corrections_end_at_the_next_change() {
        let mut corrections = 0;
        for instrument in 0..2_000 {
            for round in 0..20 {
                let price = History::price(instrument, round);
                if price.from_day == round {
                    assert_eq!(price.to_day, None);
                    continue;
                }
                corrections += 1;
                assert!(price.from_day < round && price.to_day.is_none_or(|end| price.from_day < end && end < round));
            }
        }
        assert!((1_600..2_200).contains(&corrections), "{corrections} of 40,000");
    }
}

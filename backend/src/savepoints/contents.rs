//! What savepoints there are at a place.

use std::{path::Path, sync::Arc};

use lake::ObjectStore;

use super::SavepointRecord;
use crate::{
    error::{ErrorKind, Result},
    store::{SAVEPOINTS, Store, open_store},
};

/// What is at a place.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Oldest first.
    pub records: Vec<SavepointRecord>,
    /// What is wrong with each record that cannot be read.
    pub damaged: Vec<String>,
}

impl Contents {
    /// All there is at a place; nothing where nothing was put there yet.
    pub fn at(place: &Path, objects: &Arc<dyn ObjectStore>) -> Result<Contents> {
        match open_store(place, SAVEPOINTS, objects) {
            Ok(store) => Contents::of(&*store),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Contents::default()),
            Err(error) => Err(error),
        }
    }

    /// All there is in a store.
    pub(super) fn of(store: &dyn Store) -> Result<Contents> {
        let mut contents = Contents::default();
        for name in store.ids()? {
            match store.record(&name).and_then(|text| SavepointRecord::read(&name, &text)) {
                Ok(record) => contents.records.push(record),
                // It was deleted since the names were read.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if error.kind() == ErrorKind::Unprocessable => contents.damaged.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        contents.records.sort_by(|a, b| (a.taken, &a.name).cmp(&(b.taken, &b.name)));
        Ok(contents)
    }
}

//! What became of a column that a query names and that is not there: it may have been dropped or renamed since the query
//! was written, which is soon forgotten of the query of a view.

use lake::{Lake, model::DefinitionChange};

use crate::error::{Error, ErrorKind};

/// Says of a missing column what became of it in one of the datasets that are read, up to an epoch; and which views the
/// query comes through.
pub(crate) fn explained(error: Error, lake: &Lake, datasets: &[String], views: &[String], epoch: u64) -> Error {
    if error.kind() != ErrorKind::UnknownColumn {
        return error;
    }
    let Some(column) = column_of(error.message()) else { return error };
    let Some(fate) = datasets.iter().find_map(|dataset| fate(lake, dataset, column, epoch)) else { return error };
    let through = match views {
        [] => String::new(),
        [view] => format!("; the query reads the view '{view}', which may name it"),
        several => format!("; the query reads the views '{}', which may name it", several.join("', '")),
    };
    error.map_message(|message| format!("{message}; {fate}{through}"))
}

/// The column that a message is about, without its table.
fn column_of(message: &str) -> Option<&str> {
    let name = message.strip_prefix("there is no column '")?.split('\'').next()?;
    name.rsplit('.').next()
}

fn fate(lake: &Lake, dataset: &str, column: &str, epoch: u64) -> Option<String> {
    let versions = lake.definitions(dataset).ok()?;
    versions.iter().rev().filter(|version| version.from_epoch <= epoch).find_map(|version| {
        let fate = version.changes.iter().rev().find_map(|change| match change {
            DefinitionChange::Drop { column: dropped } if dropped == column => Some("was dropped".to_owned()),
            DefinitionChange::Rename { from, to, .. } if from == column => Some(format!("was renamed to '{to}'")),
            _ => None,
        })?;
        Some(format!("'{column}' of '{dataset}' {fate} in epoch {}", version.from_epoch))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_is_found_in_the_message() {
        assert_eq!(column_of("there is no column 'p.venue'; there are 'id'"), Some("venue"));
        assert_eq!(column_of("there is no column 'venue'"), Some("venue"));
        assert_eq!(column_of("the column 'venue' is in several tables"), None);
    }
}

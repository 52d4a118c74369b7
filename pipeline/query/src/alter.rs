//! ALTER TABLE: what it changes about a dataset's columns. Changing them is the caller's.

use datafusion::sql::sqlparser::{
    ast::{
        AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, ColumnOption, DataType, ExactNumberInfo,
        Ident, ObjectName, Spanned, Statement, TimezoneInfo,
    },
    tokenizer::Location,
};
use lake::model::{ColumnDefinition, ColumnType, DefinitionChange, DefinitionProblem};

use crate::{
    clause,
    error::{Error, ErrorKind, Result},
    parameters::{Binding, Parameters},
    statement::{self, normalise},
};

/// What ALTER TABLE changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alteration {
    /// The dataset.
    pub dataset: String,
    /// The changes, all to be made or none.
    pub changes: Vec<DefinitionChange>,
}

/// ALTER TABLE, read.
pub(crate) struct Altering {
    pub(crate) table: Vec<String>,
    pub(crate) location: Location,
    /// Each change with its place in the text.
    pub(crate) changes: Vec<(DefinitionChange, Location)>,
}

/// What a text changes about columns; `None` where it is about something else.
pub(crate) fn read(sql: &str, given: &Parameters) -> Result<Option<Altering>> {
    let tokens = clause::tokens(sql)?;
    if !statement::changes_columns(&tokens) {
        return Ok(None);
    }
    let mut parsed = statement::parse_one(tokens)?;
    let mut binding = Binding::new(given);
    binding.bind(&mut parsed)?;
    binding.finish()?;
    let Statement::AlterTable(alter) = parsed else { return Err(not_offered()) };
    let AlterTable { name, if_exists, only, operations, location, on_cluster, table_type, .. } = alter;
    let place = name.span().start;
    if if_exists || only || location.is_some() || on_cluster.is_some() || table_type.is_some() {
        return Err(not_offered().at(place));
    }
    let mut changes = Vec::new();
    for operation in operations {
        read_operation(operation, &mut changes).map_err(|error| error.at(place))?;
    }
    Ok(Some(Altering { table: parts(&name), location: place, changes }))
}

fn not_offered() -> Error {
    let offered = "of ALTER only ALTER TABLE dataset ADD COLUMN name type, RENAME COLUMN name TO name, DROP COLUMN name and \
                   ALTER COLUMN name [SET DATA] TYPE type are offered, several of them with commas between";
    Error::new(ErrorKind::Unsupported, offered)
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|part| part.as_ident()).map(normalise).collect()
}

fn read_operation(operation: AlterTableOperation, changes: &mut Vec<(DefinitionChange, Location)>) -> Result<()> {
    use AlterTableOperation::{AddColumn, AlterColumn, DropColumn, RenameColumn};
    match operation {
        AddColumn { if_not_exists: false, column_def, column_position: None, .. } => {
            let place = column_def.name.span.start;
            changes.push((DefinitionChange::Add(new_column(&column_def)?), place));
        }
        RenameColumn { old_column_name, new_column_name } => {
            let (from, to) = (normalise(&old_column_name), normalise(&new_column_name));
            changes.push((DefinitionChange::Rename { from, to, path: None }, old_column_name.span.start));
        }
        DropColumn { column_names, if_exists: false, drop_behavior: None, .. } => {
            let change = |name: &Ident| (DefinitionChange::Drop { column: normalise(name) }, name.span.start);
            changes.extend(column_names.iter().map(change));
        }
        AlterColumn { column_name, op: AlterColumnOperation::SetDataType { data_type, using: None, .. } } => {
            let place = column_name.span.start;
            let column_type = column_type(&data_type).map_err(|error| error.at(place))?;
            changes.push((DefinitionChange::Widen { column: normalise(&column_name), column_type }, place));
        }
        other => return Err(not_offered().at(other.span().start)),
    }
    Ok(())
}

fn new_column(column: &ColumnDef) -> Result<ColumnDefinition> {
    let place = column.name.span.start;
    if column.options.iter().any(|option| option.option != ColumnOption::Null) {
        let message = "a new column is null in all rows there are: it has no default and no constraint";
        return Err(Error::new(ErrorKind::Unsupported, message).at(place));
    }
    let column_type = column_type(&column.data_type).map_err(|error| error.at(place))?;
    Ok(ColumnDefinition { name: normalise(&column.name), column_type, path: None })
}

/// The type that SQL's name of it stands for; the names of definitions are known too.
fn column_type(named: &DataType) -> Result<ColumnType> {
    Ok(match named {
        DataType::Text | DataType::String(None) | DataType::Varchar(None) | DataType::CharacterVarying(None) => {
            ColumnType::String
        }
        DataType::Bool | DataType::Boolean => ColumnType::Bool,
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) | DataType::Int32 => ColumnType::Int32,
        DataType::BigInt(None) | DataType::Int8(None) | DataType::Int64 => ColumnType::Int64,
        DataType::Double(ExactNumberInfo::None) | DataType::DoublePrecision | DataType::Float8 | DataType::Float64 => {
            ColumnType::Float64
        }
        DataType::Decimal(digits) | DataType::Numeric(digits) | DataType::Dec(digits) => decimal(*digits)?,
        DataType::Date => ColumnType::Date,
        DataType::Timestamp(None | Some(6), TimezoneInfo::None | TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
            ColumnType::Timestamp
        }
        other => {
            let message = format!(
                "a column cannot be of the type {other}; use VARCHAR, BOOLEAN, INTEGER, BIGINT, DOUBLE, DECIMAL(p,s), DATE \
                 or TIMESTAMP"
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    })
}

fn decimal(digits: ExactNumberInfo) -> Result<ColumnType> {
    let written = match digits {
        ExactNumberInfo::PrecisionAndScale(precision, scale) => format!("decimal({precision},{scale})"),
        ExactNumberInfo::Precision(precision) => format!("decimal({precision},0)"),
        ExactNumberInfo::None => "decimal".to_owned(),
    };
    written.parse().map_err(|_| {
        let message = format!("{written} needs digits: DECIMAL(p,s) with p from 1 to 38 and s from 0 to p");
        Error::new(ErrorKind::Unsupported, message)
    })
}

/// The first of the problems that changes have, with its place.
pub(crate) fn refused(problems: &[DefinitionProblem], places: &[Location]) -> Error {
    let Some(first) = problems.first() else { return not_offered() };
    let index = first.pointer.split('/').nth(2).and_then(|index| index.parse::<usize>().ok());
    let place = index.and_then(|index| places.get(index)).copied().unwrap_or(Location::empty());
    Error::new(ErrorKind::Unsupported, first.reason.clone()).at(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(sql: &str) -> Result<String> {
        let altering = read(sql, &Parameters::default())?.expect("this alters");
        let changes: Vec<&DefinitionChange> = altering.changes.iter().map(|(change, _)| change).collect();
        Ok(format!("{} {}", altering.table.join("."), serde_json::to_string(&changes).expect("JSON")))
    }

    #[test]
    fn changes_are_read_in_their_order() {
        for (sql, expected) in [
            (
                "ALTER TABLE Prices ADD COLUMN Currency VARCHAR NULL, ADD \"Big\" DECIMAL(18, 4), ADD COLUMN at TIMESTAMP;",
                r#"prices [{"add":{"name":"currency","type":"string"}},{"add":{"name":"Big","type":"decimal(18,4)"}},{"add":{"name":"at","type":"timestamp"}}]"#,
            ),
            (
                "ALTER TABLE public.t RENAME COLUMN a TO b, DROP COLUMN c",
                r#"public.t [{"rename":{"from":"a","to":"b"}},{"drop":{"column":"c"}}]"#,
            ),
            (
                "alter table t alter column a type bigint, alter column b set data type numeric(10)",
                r#"t [{"widen":{"column":"a","type":"int64"}},{"widen":{"column":"b","type":"decimal(10,0)"}}]"#,
            ),
            (
                "ALTER TABLE t ADD COLUMN a INT64, ADD COLUMN b FLOAT64, ADD COLUMN c DATE, ADD COLUMN d BOOLEAN",
                r#"t [{"add":{"name":"a","type":"int64"}},{"add":{"name":"b","type":"float64"}},{"add":{"name":"c","type":"date"}},{"add":{"name":"d","type":"bool"}}]"#,
            ),
        ] {
            assert_eq!(changes(sql).unwrap(), expected, "{sql}");
        }
        assert!(read("SELECT 1", &Parameters::default()).unwrap().is_none());
    }

    #[test]
    fn what_is_not_offered_is_refused_in_its_place() {
        for (sql, message, column) in [
            ("ALTER TABLE t ADD COLUMN a JSON", "cannot be of the type JSON", 26),
            ("ALTER TABLE t ADD COLUMN a DECIMAL", "needs digits", 26),
            ("ALTER TABLE t ADD COLUMN a INT, ADD COLUMN b DECIMAL(39,2)", "decimal(39,2) needs digits", 44),
            ("ALTER TABLE t ADD COLUMN a INT DEFAULT 3", "no default", 26),
            ("ALTER TABLE t ADD COLUMN a INT NOT NULL", "no constraint", 26),
            ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT", "of ALTER only", 40),
            ("ALTER TABLE IF EXISTS t DROP COLUMN a", "of ALTER only", 23),
            ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "of ALTER only", 28),
            ("ALTER TABLE t RENAME TO u", "of ALTER only", 25),
        ] {
            let error = changes(sql).unwrap_err();
            assert!(error.message().contains(message), "{sql}: {error}");
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{sql}");
            assert_eq!(error.position().map(|position| position.column), Some(column), "{sql}: {error}");
        }
        assert_eq!(changes("ALTER TABLE t ADD COLUMN").unwrap_err().kind(), ErrorKind::Syntax);
        assert_eq!(changes("ALTER VIEW v AS SELECT 1").unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

//! What the columns of an answer are there for, where a statement says nothing of it: told from their types.

use crate::{
    arrow::Table,
    dashboards::builder::{OutputColumn, Role, ValueType},
};

/// The columns of an answer: the first time is the one it runs along, texts are categories, numbers are measured.
pub fn columns_of(table: &Table) -> Vec<OutputColumn> {
    let mut has_time = false;
    let one = |(place, name): (usize, &String)| {
        let column = table.column_at(place)?;
        let (role, value) = if column.is_time() && !has_time {
            has_time = true;
            (Role::Time, if column.is_day() { ValueType::Day } else { ValueType::Instant })
        } else if column.is_time() {
            (Role::Plain, ValueType::Instant)
        } else if column.is_number() {
            (Role::Measure { counts: false }, ValueType::Decimal)
        } else {
            (Role::Category, ValueType::Text)
        };
        Some(OutputColumn::new(name, name, role, value))
    };
    let mut columns: Vec<OutputColumn> = table.names().iter().enumerate().filter_map(one).collect();
    // Rows that nothing tells apart by a time are facts as they are where they have several texts and times.
    if columns.iter().any(|column| column.role == Role::Plain) {
        columns.iter_mut().for_each(|column| column.role = Role::Plain);
    }
    columns
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Date32Array, Float64Array, StringArray};

    use super::*;
    use crate::{
        arrow::tests::table,
        dashboards::builder::{PictureKind, pictures},
    };

    #[test]
    fn an_answer_suggests_a_picture_by_its_types() {
        let day = || Arc::new(Date32Array::from(vec![20_000, 20_001]));
        let number = || Arc::new(Float64Array::from(vec![1.0, 2.0]));
        let text = || Arc::new(StringArray::from(vec!["a", "b"]));
        let first = |answer: &Table| PictureKind::of(&pictures("Answer", &columns_of(answer))[0]);
        assert_eq!(first(&table(vec![("day", day()), ("value", number())])), PictureKind::Line);
        assert_eq!(first(&table(vec![("value", number()), ("name", text())])), PictureKind::Bar);
        assert_eq!(first(&table(vec![("a", text()), ("b", text()), ("c", text())])), PictureKind::Table);
        assert_eq!(first(&table(vec![("from", day()), ("to", day()), ("value", number())])), PictureKind::Table);
    }
}

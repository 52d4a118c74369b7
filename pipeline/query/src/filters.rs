//! Which conditions may go below resolution.
//!
//! Only conditions on key columns: leaving out whole keys changes nothing about the others, while leaving out rows of
//! a key by their values or times would bring back what those rows override.

use datafusion::{
    arrow::{array::ArrayRef, datatypes::SchemaRef},
    logical_expr::{BinaryExpr, Expr, Operator, expr::InList},
    scalar::ScalarValue,
};
use lake::KeyFilter;

/// Values a key column may have, more than which are not worth handing to the scan.
const MOST_VALUES: usize = 4_096;

/// `column` is one of `values`; none of them is null.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyCondition {
    pub(crate) column: String,
    pub(crate) values: Vec<ScalarValue>,
}

impl KeyCondition {
    /// What `filter` demands of one key column: `key = x`, `key IN (x, y)`, or several of these joined by OR.
    ///
    /// `None` when it demands anything else. A null among the values can never be equal and is left out.
    pub(crate) fn of(filter: &Expr, keys: &[String], schema: &SchemaRef) -> Option<KeyCondition> {
        let mut condition = read(filter)?;
        if !keys.contains(&condition.column) {
            return None;
        }
        let wanted = schema.field_with_name(&condition.column).ok()?.data_type();
        condition.values.retain(|value| !value.is_null());
        for value in &mut condition.values {
            if value.data_type() != *wanted {
                let text = value.try_as_str().flatten().map(|text| ScalarValue::Utf8(Some(text.to_owned())))?;
                *value = text;
            }
        }
        let same_type = condition.values.iter().all(|value| value.data_type() == *wanted);
        (same_type && !condition.values.is_empty() && condition.values.len() <= MOST_VALUES).then_some(condition)
    }

    /// The condition as the lake's scan takes it.
    pub(crate) fn to_key_filter(&self) -> datafusion::common::Result<KeyFilter> {
        let values: ArrayRef = ScalarValue::iter_to_array(self.values.iter().cloned())?;
        Ok(KeyFilter { column: self.column.clone(), values })
    }

    /// For plans: `country IN [GER, FRA]`, shortened after five values.
    pub(crate) fn describe(&self) -> String {
        let shown: Vec<String> = self.values.iter().take(5).map(ToString::to_string).collect();
        let more = if self.values.len() > 5 { format!(", … {} values", self.values.len()) } else { String::new() };
        format!("{} IN ({}{more})", self.column, shown.join(", "))
    }
}

fn read(filter: &Expr) -> Option<KeyCondition> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
                Some(KeyCondition { column: column.name.clone(), values: vec![value.clone()] })
            }
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (mut left, right) = (read(left)?, read(right)?);
            left.values.extend(right.values);
            (left.column == right.column).then_some(left)
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let Expr::Column(column) = expr.as_ref() else { return None };
            let literal = |item: &Expr| if let Expr::Literal(value, _) = item { Some(value.clone()) } else { None };
            let values: Option<Vec<ScalarValue>> = list.iter().map(literal).collect();
            Some(KeyCondition { column: column.name.clone(), values: values? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::{
        arrow::datatypes::{DataType, Field, Schema},
        prelude::{col, lit},
    };

    use super::*;

    fn values(filter: &Expr) -> Option<String> {
        let fields = vec![Field::new("country", DataType::Utf8, false), Field::new("year", DataType::Int64, false)];
        let schema = Arc::new(Schema::new([fields, vec![Field::new("value", DataType::Int64, true)]].concat()));
        KeyCondition::of(filter, &["country".into(), "year".into()], &schema).map(|condition| condition.describe())
    }

    #[test]
    fn equality_and_lists_on_key_columns_go_down() {
        assert_eq!(values(&col("country").eq(lit("GER"))).unwrap(), "country IN (GER)");
        assert_eq!(values(&lit(3_i64).eq(col("year"))).unwrap(), "year IN (3)");
        let list = col("country").in_list(vec![lit("GER"), lit("FRA")], false);
        assert_eq!(values(&list).unwrap(), "country IN (GER, FRA)");
        assert_eq!(values(&list.or(col("country").eq(lit("ITA")))).unwrap(), "country IN (GER, FRA, ITA)");
        assert_eq!(values(&col("country").eq(lit(ScalarValue::Utf8View(Some("x".into()))))).unwrap(), "country IN (x)");
    }

    #[test]
    fn everything_else_stays_above() {
        for filter in [
            col("value").eq(lit(1_i64)),
            col("country").gt(lit("GER")),
            col("country").not_eq(lit("GER")),
            col("country").in_list(vec![lit("GER")], true),
            col("country").eq(lit("GER")).or(col("year").eq(lit(1_i64))),
            col("country").eq(lit("GER")).or(col("value").eq(lit(1_i64))),
            col("year").eq(lit(1.5)),
            col("country").eq(col("value")),
            col("country").eq(lit(ScalarValue::Utf8(None))),
        ] {
            assert_eq!(values(&filter), None, "{filter}");
        }
    }
}

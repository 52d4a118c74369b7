//! Times are compared in microseconds, in which they are stored.
//!
//! DataFusion would bring a column of microseconds and a text, or `now()`, to nanoseconds, which end in the year 2262
//! and begin in 1677: a bond without an end could not be compared at all. Here the other side comes to microseconds.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    common::{
        DFSchema, Result,
        config::ConfigOptions,
        tree_node::{Transformed, TransformedResult, TreeNode},
    },
    logical_expr::{
        Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, expr::InList, expr_rewriter::NamePreserver,
        utils::merge_schema,
    },
    optimizer::{Analyzer, AnalyzerRule},
    scalar::ScalarValue,
    sql::sqlparser::ast::{self, TimezoneInfo, VisitMut, visit_expressions_mut},
};
use lake::model::{Instant, arrow_layout::timestamp_type};

use crate::error::{Error, ErrorKind, external};

/// DataFusion's rules, and before them the one of this module.
pub(crate) fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(CompareInMicros)];
    rules.extend(Analyzer::new().rules);
    rules
}

/// `TIMESTAMP` without a precision, in casts and literals, is one of microseconds in UTC.
pub(crate) fn name_precision(part: &mut impl VisitMut) {
    let _ = visit_expressions_mut(part, |expression| {
        let data_type = match expression {
            ast::Expr::Cast { data_type, .. } => data_type,
            ast::Expr::TypedString(typed) => &mut typed.data_type,
            _ => return std::ops::ControlFlow::<()>::Continue(()),
        };
        if let ast::DataType::Timestamp(None, _) = data_type {
            *data_type = ast::DataType::Timestamp(Some(6), TimezoneInfo::WithTimeZone);
        }
        std::ops::ControlFlow::Continue(())
    });
}

#[derive(Debug)]
struct CompareInMicros;

impl AnalyzerRule for CompareInMicros {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let mut schema = merge_schema(&plan.inputs());
            schema.merge(plan.schema());
            // What the query calls a column stays its name.
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expression| {
                let name = names.save(&expression);
                let changed = expression.transform_up(|inner| compared(inner, &schema))?;
                Ok(changed.update_data(|expression| name.restore(expression)))
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "compare_in_micros"
    }
}

fn compared(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let micros = |expr: &Expr| expr.get_type(schema).is_ok_and(|found| found == timestamp_type());
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            let (left, right) = match (micros(&left), micros(&right)) {
                (true, false) => (left, Box::new(in_micros(*right, schema)?)),
                (false, true) => (Box::new(in_micros(*left, schema)?), right),
                _ => (left, right),
            };
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })))
        }
        Expr::Between(Between { expr, negated, low, high }) if micros(&expr) => {
            let (low, high) = (Box::new(in_micros(*low, schema)?), Box::new(in_micros(*high, schema)?));
            Ok(Transformed::yes(Expr::Between(Between { expr, negated, low, high })))
        }
        Expr::InList(InList { expr, list, negated }) if micros(&expr) => {
            let list = list.into_iter().map(|item| in_micros(item, schema)).collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::InList(InList { expr, list, negated })))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_comparison(operator: datafusion::logical_expr::Operator) -> bool {
    use datafusion::logical_expr::Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Texts, dates and timestamps of other precision as microseconds; anything else as it is.
fn in_micros(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    if let Expr::Literal(value, metadata) = &expression
        && let Some(Some(text)) = value.try_as_str()
    {
        let instant = Instant::parse(text).map_err(|reason| external(Error::new(ErrorKind::InvalidTime, reason)))?;
        let value = ScalarValue::TimestampMicrosecond(Some(instant.micros()), Some("+00:00".into()));
        return Ok(Expr::Literal(value, metadata.clone()));
    }
    Ok(match expression.get_type(schema) {
        Ok(DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Date32 | DataType::Utf8 | DataType::Utf8View) => {
            Expr::Cast(Cast::new(Box::new(expression), timestamp_type()))
        }
        _ => expression,
    })
}

//! The function `last_commit()`: the system time of the last commit of the snapshot that a query reads. Under one token it is
//! always the same, so what has it in it can be kept as anything else.

use std::sync::Arc;

use datafusion::{
    common::ScalarValue,
    logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf},
};
use lake::model::{Instant, arrow_layout::timestamp_type};

/// For queries of a snapshot whose last commit is of `system_time`.
pub(crate) fn function(system_time: Instant) -> Arc<ScalarUDF> {
    let value = move || -> datafusion::common::Result<ColumnarValue> {
        let micros = ScalarValue::TimestampMicrosecond(Some(system_time.micros()), None);
        Ok(ColumnarValue::Scalar(micros.cast_to(&timestamp_type())?))
    };
    let function =
        create_udf("last_commit", vec![], timestamp_type(), Volatility::Immutable, Arc::new(move |_| value()));
    Arc::new(function)
}

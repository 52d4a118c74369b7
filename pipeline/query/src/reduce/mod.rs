//! What an answer is reduced to before it leaves: no more rows than a chart can draw.
//!
//! `m4` keeps the rows that a line drawn through all would show, `dots` those that dots would, `top` the categories that
//! weigh most, `bins` counts where rows lie, and `at_most` refuses what has too many rows. Each folds batches as they come
//! (in the module of its name) and says nothing before the last; `exec` puts them on top of a query's plan. What comes out
//! depends on the rows and their order, never on how they were cut into batches. Reading anything but the answer may not
//! happen here.

mod at_most;
mod axis;
mod bind;
mod bins;
mod dots;
mod exec;
mod groups;
mod kept;
mod m4;
mod numbers;
mod scale;
mod slots;
mod sums;
#[cfg(test)]
mod tests;
mod top;
mod totals;

use std::fmt;

use datafusion::{arrow::array::RecordBatch, common::Result};

pub(crate) use exec::on_top;

/// Buckets or bins along one axis, at most.
pub(crate) const MOST_COLUMNS: usize = 4_096;
/// Categories that keep their rows, at most.
pub(crate) const MOST_CATEGORIES: usize = 1_000;
/// Series of one answer, at most.
pub(crate) const MOST_SERIES: usize = 10_000;
/// Rows that `at_most` can let pass.
pub(crate) const MOST_ROWS: usize = 1_000_000;
/// Reductions of one answer, at most.
pub(crate) const MOST_REDUCTIONS: usize = 8;

/// What is done with the rows of an answer. Columns are named as the answer names them.
#[derive(Debug, Clone, PartialEq)]
pub enum Reduction {
    /// M4: of each series and bucket of `x` the rows with the first and the last x, and with the least and the greatest
    /// value of each y. The rows come as they are, each once, by x and then as they arrived; those whose x is null or not
    /// finite are left out. Of no more rows than `columns` all come.
    M4 {
        /// A time, a date or a number.
        x: String,
        /// Times, dates or numbers. Values that are null or not finite take no part.
        y: Vec<String>,
        /// What tells series apart; all rows are one series without it. At most 10,000 series.
        by: Vec<String>,
        /// Buckets of x, at most: 1 to 4,096. They have edges that do not move while rows are added.
        columns: usize,
    },
    /// Of each series, each y and each cell of a grid over x and y the first row. The rows come as they are, each once, as they
    /// arrived; those without a place are left out. Of no more than eight for each column all come, with or without a place.
    Dots {
        /// A time, a date, a number, or a text, of which there are at most 4,096.
        x: String,
        /// The same, each an axis of its own.
        y: Vec<String>,
        /// What tells series apart; all rows are one series without it.
        by: Vec<String>,
        /// Cells along x, at most: 1 to 4,096.
        columns: usize,
        /// Cells along y, at most: 1 to 4,096.
        rows: usize,
    },
    /// All rows, or an error where there are more than these: 1 to 1,000,000.
    AtMost {
        /// How many may come.
        rows: usize,
    },
    /// The categories that weigh most keep their rows. A last column `others` says how many categories a row stands for,
    /// null for the rows that are kept.
    Top {
        /// The category. Null is one as well.
        by: String,
        /// Numbers. The sum of the absolute values of the first is what a category weighs; of equal ones the one with
        /// the lesser value comes first.
        of: Vec<String>,
        /// Categories that keep their rows: 1 to 1,000.
        n: usize,
        /// What becomes of all others.
        others: Others,
    },
    /// Counts rows in bins along `x`, or `x` and `y`: a bin for each value of a text or truth value, and bins between
    /// round edges of a time, date or number. Rows whose x is null or not finite have a bin without edges.
    Bins {
        /// The first axis.
        x: String,
        /// The second axis.
        y: Option<String>,
        /// Bins along x, at most: 1 to 4,096.
        columns: usize,
        /// Bins along y, at most: 1 to 4,096; only with y, 40 without it.
        rows: Option<usize>,
        /// A number whose values are put together in a column `value`; those that are null or not finite take no part.
        of: Option<String>,
        /// How they are put together.
        aggregate: Aggregate,
    },
}

/// What becomes of categories that are not among the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Others {
    /// One category, null: for each combination of the remaining columns one row, with the exact sums of `of`.
    #[default]
    Sum,
    /// Their rows are left out.
    None,
}

/// How the values of a bin are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregate {
    /// How many there are; without `of` there is no value.
    #[default]
    Count,
    /// Their sum: exact, integers in 64 bits.
    Sum,
    /// Their mean, a floating-point number.
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reduction::M4 { x, y, by, columns } => {
                write!(f, "m4, x={x}, y=[{}], by=[{}], columns={columns}", y.join(", "), by.join(", "))
            }
            Reduction::Dots { x, y, by, columns, rows } => {
                let (y, by) = (y.join(", "), by.join(", "));
                write!(f, "dots, x={x}, y=[{y}], by=[{by}], columns={columns}, rows={rows}")
            }
            Reduction::AtMost { rows } => write!(f, "at_most, rows={rows}"),
            Reduction::Top { by, of, n, others } => {
                let others = if *others == Others::Sum { "sum" } else { "none" };
                write!(f, "top, by={by}, of=[{}], n={n}, others={others}", of.join(", "))
            }
            Reduction::Bins { x, y, columns, rows, of, aggregate } => {
                write!(f, "bins, x={x}, columns={columns}")?;
                if let Some(y) = y {
                    write!(f, ", y={y}, rows={}", rows.unwrap_or(bind::ROWS))?;
                }
                let Some(of) = of else { return Ok(()) };
                let aggregate = format!("{aggregate:?}").to_lowercase();
                write!(f, ", of={of}, aggregate={aggregate}")
            }
        }
    }
}

/// Batches that are made as they are taken.
pub(crate) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Takes in all batches of an answer, then gives out others.
pub(crate) trait Fold: Send {
    /// Takes the next batch.
    fn push(&mut self, batch: RecordBatch) -> Result<()>;

    /// Ends the taking in. What is held is let go of with the last batch.
    fn finish(self: Box<Self>) -> Result<Batches>;
}

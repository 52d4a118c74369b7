//! Finds the columns that a reduction names, and refuses what cannot be done with them.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, Field, Schema, SchemaRef},
    common::Result,
    execution::memory_pool::MemoryReservation,
};

use crate::{
    Error, ErrorKind,
    error::{close_names, external, listed, quoted},
};

use super::{
    Aggregate, Fold, MOST_CATEGORIES, MOST_COLUMNS, MOST_ROWS, Reduction, at_most, bins, dots, m4,
    numbers::{Kind, adds_up, sum_type},
    top,
};

/// Bins along y where their number is not said.
pub(crate) const ROWS: usize = 40;

/// The column in which `top` says how many categories a row stands for.
const OTHERS: &str = "others";

/// A reduction of an answer with certain columns.
pub(crate) enum Bound {
    M4(m4::Shape),
    Dots(dots::Shape),
    AtMost(at_most::Shape),
    Top(top::Shape),
    Bins(bins::Shape),
}

impl Bound {
    /// Fails where a column is not there or not of a type that can be used so, and where a limit is passed.
    pub(crate) fn new(reduction: &Reduction, input: &SchemaRef) -> Result<Bound> {
        let columns = Columns { input, reduction: name(reduction) };
        match reduction {
            Reduction::M4 { x, y, by, columns: most } => columns.m4(x, y, by, *most).map(Bound::M4),
            Reduction::Dots { x, y, by, columns: along_x, rows } => {
                columns.dots(x, y, by, (*along_x, *rows)).map(Bound::Dots)
            }
            Reduction::AtMost { rows } => {
                let rows = columns.within("rows", *rows, MOST_ROWS)?;
                Ok(Bound::AtMost(at_most::Shape { schema: input.clone(), rows }))
            }
            Reduction::Top { by, of, n, others } => {
                let (by, of) = (columns.find(by)?, columns.find_all(of)?);
                columns.top(top::Shape { schema: input.clone(), input: input.clone(), by, of, n: *n, others: *others })
            }
            Reduction::Bins { .. } => columns.bins(reduction).map(Bound::Bins),
        }
    }

    /// What comes out.
    pub(crate) fn schema(&self) -> &SchemaRef {
        match self {
            Bound::M4(shape) => &shape.schema,
            Bound::Dots(shape) => &shape.schema,
            Bound::AtMost(shape) => &shape.schema,
            Bound::Top(shape) => &shape.schema,
            Bound::Bins(shape) => &shape.schema,
        }
    }

    /// What does it; the reservation is that of what it keeps.
    pub(crate) fn folder(&self, memory: MemoryReservation) -> Result<Box<dyn Fold>> {
        match self {
            Bound::M4(shape) => shape.folder(memory),
            Bound::Dots(shape) => shape.folder(memory),
            Bound::AtMost(shape) => Ok(shape.folder(memory)),
            Bound::Top(shape) => shape.folder(memory),
            Bound::Bins(shape) => shape.folder(memory),
        }
    }
}

fn name(reduction: &Reduction) -> &'static str {
    match reduction {
        Reduction::M4 { .. } => "m4",
        Reduction::Dots { .. } => "dots",
        Reduction::AtMost { .. } => "at_most",
        Reduction::Top { .. } => "top",
        Reduction::Bins { .. } => "bins",
    }
}

/// The columns of an answer, for a reduction.
struct Columns<'a> {
    input: &'a SchemaRef,
    reduction: &'static str,
}

impl Columns<'_> {
    fn m4(&self, x: &str, y: &[String], by: &[String], most: usize) -> Result<m4::Shape> {
        let most = self.within("columns", most, MOST_COLUMNS)?;
        let (x, y, by) = (self.find(x)?, self.find_all(y)?, self.find_all(by)?);
        for &column in [x].iter().chain(&y) {
            self.need(Kind::of(self.data_type(column)).is_some(), column, "a time, a date or a number")?;
        }
        for &column in &by {
            self.need(can_be_told_apart(self.data_type(column)), column, "a text, a time or a number")?;
        }
        Ok(m4::Shape { schema: self.input.clone(), x, y, by, columns: most })
    }

    fn dots(&self, x: &str, y: &[String], by: &[String], most: (usize, usize)) -> Result<dots::Shape> {
        let cells = (self.within("columns", most.0, MOST_COLUMNS)?, self.within("rows", most.1, MOST_COLUMNS)?);
        let (x, y, by) = (self.find(x)?, self.find_all(y)?, self.find_all(by)?);
        if y.is_empty() {
            return Err(self.refused("'y' names no column; name one or more that dots lie along from bottom to top"));
        }
        for &column in [x].iter().chain(&y).chain(&by) {
            self.need(can_be_told_apart(self.data_type(column)), column, "a text, a time or a number")?;
        }
        Ok(dots::Shape { schema: self.input.clone(), x, y, by, cells })
    }

    fn top(&self, shape: top::Shape) -> Result<Bound> {
        self.within("n", shape.n, MOST_CATEGORIES)?;
        if shape.of.is_empty() {
            return Err(self.refused("'of' names no column; name the number that says what a category weighs"));
        }
        if self.input.fields().iter().any(|field| field.name() == OTHERS) {
            let message = format!("the answer has a column '{OTHERS}' already; give it another name with AS");
            return Err(self.refused(&message));
        }
        let remaining = (0..self.input.fields().len()).filter(|column| !shape.of.contains(column));
        for column in remaining {
            self.need(can_be_told_apart(self.data_type(column)), column, "a text, a time or a number")?;
        }
        for &column in &shape.of {
            self.need(adds_up(self.data_type(column)), column, "a number")?;
            if column == shape.by {
                let name = self.input.field(column).name();
                return Err(self.refused(&format!("'{name}' is both 'by' and 'of'; name another column")));
            }
        }
        let field = |(index, field): (usize, &Arc<Field>)| match index {
            _ if shape.of.contains(&index) => {
                let wide = field.as_ref().clone().with_data_type(sum_type(field.data_type()));
                Arc::new(wide.with_nullable(true))
            }
            _ if index == shape.by => Arc::new(field.as_ref().clone().with_nullable(true)),
            _ => field.clone(),
        };
        let others = Arc::new(Field::new(OTHERS, DataType::Int64, true));
        let fields: Vec<Arc<Field>> = self.input.fields().iter().enumerate().map(field).chain([others]).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, self.input.metadata().clone()));
        Ok(Bound::Top(top::Shape { schema, ..shape }))
    }

    fn bins(&self, reduction: &Reduction) -> Result<bins::Shape> {
        let Reduction::Bins { x, y, columns, rows, of, aggregate } = reduction else {
            return Err(self.refused("this is not a reduction to bins"));
        };
        let mut axes = vec![(self.find(x)?, self.within("columns", *columns, MOST_COLUMNS)?)];
        match (y, rows) {
            (Some(y), rows) => axes.push((self.find(y)?, self.within("rows", rows.unwrap_or(ROWS), MOST_COLUMNS)?)),
            (None, Some(_)) => {
                return Err(self.refused("'rows' is there without 'y'; name the column of the second axis"));
            }
            (None, None) => (),
        }
        let mut fields = Vec::new();
        for (axis, (column, _)) in ["x", "y"].into_iter().zip(&axes) {
            fields.extend(self.axis_fields(axis, *column)?);
        }
        fields.push(Field::new("count", DataType::Int64, false));
        let of = of.as_deref().map(|of| self.find(of)).transpose()?;
        match of {
            Some(of) => fields.push(Field::new("value", self.value_type(of, *aggregate)?, true)),
            None if *aggregate != Aggregate::Count => {
                return Err(self.refused("'aggregate' is there without 'of'; name the column whose values are meant"));
            }
            None => (),
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(bins::Shape { schema, input: self.input.clone(), axes, of: of.map(|of| (of, *aggregate)) })
    }

    fn axis_fields(&self, axis: &str, column: usize) -> Result<Vec<Field>> {
        let data_type = self.data_type(column);
        self.need(can_be_told_apart(data_type), column, "a text, a time or a number")?;
        if Kind::of(data_type).is_none() {
            return Ok(vec![Field::new(axis, data_type.clone(), true)]);
        }
        let edge = match data_type {
            DataType::Date32 | DataType::Timestamp(..) => data_type.clone(),
            _ => sum_type(data_type),
        };
        Ok(["from", "to"].map(|end| Field::new(format!("{axis}_{end}"), edge.clone(), true)).into())
    }

    fn value_type(&self, of: usize, aggregate: Aggregate) -> Result<DataType> {
        let data_type = self.data_type(of);
        match aggregate {
            Aggregate::Sum | Aggregate::Mean => self.need(adds_up(data_type), of, "a number")?,
            _ => self.need(Kind::of(data_type).is_some(), of, "a time, a date or a number")?,
        }
        Ok(match aggregate {
            Aggregate::Count => DataType::Int64,
            Aggregate::Sum => sum_type(data_type),
            Aggregate::Mean => DataType::Float64,
            Aggregate::Min | Aggregate::Max => data_type.clone(),
        })
    }

    fn data_type(&self, column: usize) -> &DataType {
        self.input.field(column).data_type()
    }

    fn find_all(&self, names: &[String]) -> Result<Vec<usize>> {
        names.iter().map(|name| self.find(name)).collect()
    }

    fn find(&self, name: &str) -> Result<usize> {
        let mut named = (0..self.input.fields().len()).filter(|&column| self.input.field(column).name() == name);
        match (named.next(), named.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => {
                let message =
                    format!("{}: several columns are called '{name}'; give them names with AS", self.reduction);
                Err(external(Error::new(ErrorKind::UnknownColumn, message)))
            }
            _ => Err(external(self.unknown(name))),
        }
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<&str> = self.input.fields().iter().map(|field| field.name().as_str()).collect();
        let near = close_names(name, names.iter().copied());
        let hint = if near.is_empty() {
            format!("there are {}", listed(&names))
        } else {
            format!("did you mean {}?", quoted(&near))
        };
        let message = format!("{}: the answer has no column '{name}'; {hint}", self.reduction);
        Error::new(ErrorKind::UnknownColumn, message)
    }

    fn within(&self, what: &str, given: usize, most: usize) -> Result<u32> {
        match u32::try_from(given) {
            Ok(number) if (1..=most).contains(&given) => Ok(number),
            _ => Err(self.refused(&format!("'{what}' is {given}; it is a number from 1 to {most}"))),
        }
    }

    fn need(&self, met: bool, column: usize, wanted: &str) -> Result<()> {
        if met {
            return Ok(());
        }
        let field = self.input.field(column);
        let is = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
            DataType::Boolean => "true or false".to_owned(),
            other => format!("of type {other}"),
        };
        let message = format!("'{}' is {is} and has to be {wanted}", field.name());
        Err(self.refused(&message))
    }

    fn refused(&self, message: &str) -> datafusion::common::DataFusionError {
        external(Error::new(ErrorKind::InvalidParameter, format!("{}: {message}", self.reduction)))
    }
}

/// Whether values of a type can name a category: of texts, truth values, times and numbers.
fn can_be_told_apart(data_type: &DataType) -> bool {
    let text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean);
    text || Kind::of(data_type).is_some()
}

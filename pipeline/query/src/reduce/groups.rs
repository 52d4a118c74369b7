//! Numbers for the values that some columns have together, null being a value like others.

use datafusion::{
    arrow::{
        array::{Array, ArrayRef},
        datatypes::DataType,
    },
    common::Result,
};

use crate::{key_codes::Coder, key_table::KeyTable};

const NONE: u32 = u32::MAX;

/// Values seen so far, numbered from 0.
pub(crate) struct Groups {
    coder: Coder,
    numbers: KeyTable<u32>,
    /// The number of null, where there is one column.
    null: Option<u32>,
    count: u32,
}

impl Groups {
    /// For one or more columns of these types. Fails for types that cannot be compared.
    pub(crate) fn new(types: &[DataType]) -> Result<Groups> {
        Ok(Groups { coder: Coder::new(types)?, numbers: KeyTable::new(NONE), null: None, count: 0 })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.numbers.bytes()
    }

    /// The number of each row's values; `first` hears of the rows that bring new ones, in the order of their numbers.
    pub(crate) fn number(&mut self, columns: &[ArrayRef], mut first: impl FnMut(u32)) -> Result<Vec<u32>> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut numbers = vec![NONE; rows];
        let nulls = match columns {
            [single] if single.null_count() > 0 => single.logical_nulls(),
            _ => None,
        };
        let keys = self.coder.keys(columns)?;
        let count = &mut self.count;
        let mut see = |row: usize, held: &mut u32| {
            if *held == NONE {
                *held = *count;
                *count += 1;
                first(row as u32);
            }
            numbers[row] = *held;
        };
        let Some(nulls) = nulls else {
            self.numbers.look_up(&self.coder, &keys, 0..rows, see);
            return Ok(numbers);
        };
        let valid: Vec<usize> = (0..rows).filter(|&row| nulls.is_valid(row)).collect();
        self.numbers.look_up(&self.coder, &keys, valid.into_iter(), &mut see);
        let mut null = self.null.unwrap_or(NONE);
        (0..rows).filter(|&row| nulls.is_null(row)).for_each(|row| see(row, &mut null));
        self.null = Some(null).filter(|null| *null != NONE);
        Ok(numbers)
    }
}

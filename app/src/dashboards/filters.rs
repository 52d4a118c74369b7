//! What a page is narrowed down to, by choices on its tiles: the same for every tile, kept in the address.

use serde::{Deserialize, Serialize};

/// Values of columns that are shown alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters(pub Vec<Filter>);

/// The values of one column that are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The column, by its name in the datasets.
    pub column: String,
    /// Its values; at least one.
    #[serde(rename = "in")]
    pub values: Vec<FilterValue>,
}

/// A value; `None` is null.
pub type FilterValue = Option<String>;

/// What stands for null in an address.
const NULL: &str = "~";
/// What has a meaning in the parameter, and is written as `%` and its code where it is part of a value.
const MARKS: [char; 5] = ['%', ':', ',', ';', '~'];

impl Filters {
    /// Reads the address parameter `only`: `sector:Energy,Utilities;currency:EUR`. What cannot be read is left out.
    pub fn parse(parameter: Option<&str>) -> Filters {
        let one = |text: &str| {
            let (column, values) = text.split_once(':')?;
            let value = |text: &str| if text == NULL { None } else { Some(unescaped(text)) };
            let values: Vec<FilterValue> = values.split(',').map(value).collect();
            (!column.is_empty()).then(|| Filter { column: unescaped(column), values })
        };
        Filters(parameter.unwrap_or_default().split(';').filter_map(one).collect())
    }

    /// The address parameter; none where nothing is left out.
    pub fn parameter(&self) -> Option<String> {
        let one = |filter: &Filter| {
            let value = |value: &FilterValue| value.as_deref().map_or_else(|| NULL.to_owned(), escaped);
            let values: Vec<String> = filter.values.iter().map(value).collect();
            format!("{}:{}", escaped(&filter.column), values.join(","))
        };
        (!self.0.is_empty()).then(|| self.0.iter().map(one).collect::<Vec<_>>().join(";"))
    }

    /// With one value more, or without it where it is chosen already. A column without values is not filtered.
    pub fn toggled(&self, column: &str, value: FilterValue) -> Filters {
        let mut filters = self.clone();
        match filters.0.iter_mut().find(|filter| filter.column == column) {
            Some(filter) => match filter.values.iter().position(|known| *known == value) {
                Some(place) => {
                    filter.values.remove(place);
                }
                None => filter.values.push(value),
            },
            None => filters.0.push(Filter { column: column.to_owned(), values: vec![value] }),
        }
        filters.0.retain(|filter| !filter.values.is_empty());
        filters
    }

    /// Without a column.
    pub fn without(&self, column: &str) -> Filters {
        Filters(self.0.iter().filter(|filter| filter.column != column).cloned().collect())
    }
}

fn escaped(text: &str) -> String {
    let character = |c: char| if MARKS.contains(&c) { format!("%{:02X}", u32::from(c)) } else { c.to_string() };
    text.chars().map(character).collect()
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.map(char::from).filter(|c| MARKS.contains(c)) {
            Some(c) => {
                plain.push(c);
                plain.push_str(&part[2..]);
            }
            None => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_choice_is_added_and_taken_back() {
        let one = Filters::default().toggled("sector", Some("Energy".into()));
        let two = one.toggled("sector", None).toggled("currency", Some("EUR".into()));
        assert_eq!(two.parameter().as_deref(), Some("sector:Energy,~;currency:EUR"));
        assert_eq!(two.toggled("sector", Some("Energy".into())).toggled("sector", None).0.len(), 1);
        assert_eq!(two.without("currency").without("sector").parameter(), None);
    }

    proptest! {
        #[test]
        fn what_an_address_says_reads_back(
            columns in prop::collection::vec((".{1,8}", prop::collection::vec(prop::option::of(".{0,8}"), 1..4)), 0..4),
        ) {
            let filters = Filters(columns.into_iter().map(|(column, values)| Filter { column, values }).collect());
            prop_assert_eq!(Filters::parse(filters.parameter().as_deref()), filters);
        }
    }
}

//! What a page is narrowed down to, by choices on its tiles: the same for every tile, kept in the address.

use serde::Serialize;

/// Values of columns that are shown alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters(pub Vec<Filter>);

/// The values of one column that are shown: those in a list, or those in a stretch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Filter {
    /// The column, by its name in the datasets.
    pub column: String,
    /// Its values; none where a stretch is shown.
    #[serde(rename = "in", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<FilterValue>,
    /// The first value of a stretch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The first value behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A value; `None` is null.
pub type FilterValue = Option<String>;

/// What stands for null in an address.
const NULL: &str = "~";
/// What stands between the ends of a stretch in an address.
const UNTIL: char = '~';
/// What has a meaning in the parameter, and is written as `%` and its code where it is part of a value.
const MARKS: [char; 5] = ['%', ':', ',', ';', '~'];

impl Filters {
    /// Reads the address parameter `only`: `sector:Energy,Utilities;currency:EUR;volume:1000~2000`. What cannot be read is left
    /// out.
    pub fn parse(parameter: Option<&str>) -> Filters {
        let one = |text: &str| {
            let (column, values) = text.split_once(':')?;
            let column = Some(unescaped(column)).filter(|column| !column.is_empty())?;
            if let Some((from, to)) = values.split_once(UNTIL).filter(|_| values != NULL && !values.contains(',')) {
                let end = |text: &str| (!text.is_empty()).then(|| unescaped(text));
                return Some(Filter { column, from: end(from), to: end(to), ..Filter::default() });
            }
            let value = |text: &str| if text == NULL { None } else { Some(unescaped(text)) };
            let values: Vec<FilterValue> = values.split(',').map(value).collect();
            Some(Filter { column, values, ..Filter::default() })
        };
        Filters(parameter.unwrap_or_default().split(';').filter_map(one).collect())
    }

    /// The address parameter; none where nothing is left out.
    pub fn parameter(&self) -> Option<String> {
        let one = |filter: &Filter| {
            let value = |value: &FilterValue| value.as_deref().map_or_else(|| NULL.to_owned(), escaped);
            let shown = match &filter.values[..] {
                [] => [&filter.from, &filter.to].map(|end| end.as_deref().map_or_else(String::new, escaped)).join("~"),
                values => values.iter().map(value).collect::<Vec<_>>().join(","),
            };
            format!("{}:{shown}", escaped(&filter.column))
        };
        (!self.0.is_empty()).then(|| self.0.iter().map(one).collect::<Vec<_>>().join(";"))
    }

    /// With one value more, or without it where it is chosen already. A column without values is not filtered.
    pub fn toggled(&self, column: &str, value: FilterValue) -> Filters {
        let mut filters = self.clone();
        match filters.0.iter_mut().find(|filter| filter.column == column && !filter.values.is_empty()) {
            Some(filter) => match filter.values.iter().position(|known| *known == value) {
                Some(place) => {
                    filter.values.remove(place);
                }
                None => filter.values.push(value),
            },
            None => {
                filters = filters.without(column);
                filters.0.push(Filter::one(column, value));
            }
        }
        filters.0.retain(|filter| !filter.values.is_empty() || filter.from.is_some() || filter.to.is_some());
        filters
    }

    /// With a stretch of a column, half-open, in place of what was shown of it.
    pub fn within(&self, column: &str, from: String, to: String) -> Filters {
        let mut filters = self.without(column);
        let (from, to) = (Some(from), Some(to));
        filters.0.push(Filter { column: column.to_owned(), from, to, ..Filter::default() });
        filters
    }

    /// Without a column.
    pub fn without(&self, column: &str) -> Filters {
        Filters(self.0.iter().filter(|filter| filter.column != column).cloned().collect())
    }
}

impl Filter {
    /// One value of a column.
    pub fn one(column: &str, value: FilterValue) -> Filter {
        Filter { column: column.to_owned(), values: vec![value], ..Filter::default() }
    }

    /// What is shown, for people.
    pub fn text(&self) -> String {
        let value = |value: &FilterValue| value.clone().unwrap_or_else(|| "nothing".to_owned());
        match (&self.from, &self.to) {
            (None, None) => self.values.iter().map(value).collect::<Vec<_>>().join(", "),
            (Some(from), None) => format!("from {from}"),
            (None, Some(to)) => format!("below {to}"),
            (Some(from), Some(to)) => format!("{from} – {to}"),
        }
    }
}

/// Values as one part of an address, with commas between them.
pub(super) fn join_list(values: &[String]) -> String {
    if values.is_empty() {
        return NULL.to_owned();
    }
    values.iter().map(|value| escaped(value)).collect::<Vec<_>>().join(",")
}

/// The values that such a part says.
pub(super) fn split_list(text: &str) -> Vec<String> {
    if text == NULL {
        return Vec::new();
    }
    text.split(',').map(unescaped).collect()
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

    #[test]
    fn a_stretch_takes_the_place_of_values_and_the_other_way_round() {
        let one = Filters::default().toggled("volume", Some("7".into()));
        let stretch = one.within("volume", "1000".to_owned(), "2000".to_owned());
        assert_eq!(stretch.parameter().as_deref(), Some("volume:1000~2000"));
        assert_eq!(stretch.0[0].text(), "1000 – 2000");
        assert_eq!(stretch.toggled("volume", Some("7".into())), one);
        let json = serde_json::to_string(&stretch.0).unwrap();
        assert_eq!(json, r#"[{"column":"volume","from":"1000","to":"2000"}]"#);
        assert_eq!(
            Filters::parse(Some("a:~5;b:5~")).0.iter().map(Filter::text).collect::<Vec<_>>(),
            ["below 5", "from 5"]
        );
    }

    proptest! {
        #[test]
        fn what_an_address_says_reads_back(
            columns in prop::collection::vec((".{1,8}", prop::collection::vec(prop::option::of(".{0,8}"), 1..4)), 0..4),
            stretches in prop::collection::vec((".{1,8}", ".{1,8}", prop::option::of(".{1,8}")), 0..3),
        ) {
            let values = |(column, values)| Filter { column, values, ..Filter::default() };
            let stretch = |(column, from, to)| Filter { column, from: Some(from), to, ..Filter::default() };
            let filters = columns.into_iter().map(values).chain(stretches.into_iter().map(stretch));
            let filters = Filters(filters.collect());
            prop_assert_eq!(Filters::parse(filters.parameter().as_deref()), filters);
        }
    }
}

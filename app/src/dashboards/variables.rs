//! Variables of a dashboard: what a reader chooses for the whole page. Their values stand in the address and are bound as
//! parameters of statements, never put into their text.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{PictureDefinition, has_parameter};
use crate::{arrow::Table, format::time, queries::client::ParameterValue};

/// What stands before a variable's name in addresses.
pub const ADDRESS_PREFIX: &str = "var.";
/// Values that can be chosen from at most; more would be no choice.
const OPTIONS_MOST: usize = 1_000;
/// Digits of a number that is bound exactly.
const DIGITS_MOST: usize = 15;

/// A variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its name: `$region` in statements, `var.region` in addresses. Lower-case letters, digits and `_`; neither `from` nor
    /// `to`, which are the effective range of the page.
    pub name: String,
    /// What people call it; its name where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it can be.
    pub kind: VariableKind,
    /// Whether several values can be chosen, for `IN ($name)`. Of choices and queries only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multiple: bool,
    /// What is chosen where the address says nothing: one value, several where several can be. Without it the first of what can
    /// be chosen; where several can be, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default: Vec<String>,
}

/// What a variable can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum VariableKind {
    /// One of these values, bound as text.
    Choice {
        /// The values.
        options: Vec<String>,
    },
    /// Any text; empty where nothing is said.
    Text,
    /// A number of up to fifteen digits, bound as a number.
    Number {
        /// The least.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// The greatest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
        /// What it moves by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<f64>,
    },
    /// A day or a moment, bound as an instant: of a day its first.
    Time,
    /// One of the values that a statement gives in its first column, bound as text. It is read at the page's coordinates.
    Query {
        /// One statement that reads. It may have `$from` and `$to`, and no variable.
        sql: String,
    },
}

/// Variables that every page has.
const GIVEN: [&str; 3] = ["from", "to", "known"];

/// Why a variable cannot have this name, as what follows on the name; none where it can.
pub fn name_refused(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let number = name.strip_prefix('q').unwrap_or_default();
    match () {
        () if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) => {
            Some("it starts with a letter and is made of a to z, 0 to 9 and _")
        }
        () if GIVEN.contains(&name) => Some("every page has a variable of this name"),
        () if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) => {
            Some("names such as q1 are those of values in questions")
        }
        () => None,
    }
}

/// What can be chosen of each variable with a query; none while that is not known.
pub type Options = BTreeMap<String, Vec<String>>;

/// What is bound for each variable that has a value; for the others why there is none, as a sentence, which is empty while what
/// can be chosen is not known.
pub type Values = BTreeMap<String, Result<ParameterValue, String>>;

impl Variable {
    /// What people call it.
    pub fn title(&self) -> &str {
        if self.title.is_empty() { &self.name } else { &self.title }
    }

    /// Its parameter in addresses.
    pub fn parameter(&self) -> String {
        format!("{ADDRESS_PREFIX}{}", self.name)
    }

    /// The values that an address says, or the default; `None` where neither says any.
    pub fn said(&self, parameter: Option<&str>) -> Option<Vec<String>> {
        match parameter {
            Some(text) if self.multiple => Some(super::filters::split_list(text)),
            Some(text) => Some(vec![text.to_owned()]),
            None => (!self.default.is_empty()).then(|| self.default.clone()),
        }
    }

    /// What an address says of these values: nothing where they are the default.
    pub fn address_value(&self, values: &[String]) -> Option<String> {
        let text = if self.multiple { super::filters::join_list(values) } else { values.first().cloned()? };
        (values != self.default || values.is_empty()).then_some(text)
    }

    /// What can be chosen; `None` where anything can be, or where it is not known yet.
    pub fn options<'a>(&'a self, known: &'a Options) -> Option<&'a [String]> {
        match &self.kind {
            VariableKind::Choice { options } => Some(options.as_slice()),
            VariableKind::Query { .. } => known.get(&self.name).map(Vec::as_slice),
            VariableKind::Text | VariableKind::Number { .. } | VariableKind::Time => None,
        }
    }

    /// The values that hold: those that are said, or what stands for them where nothing is. Empty where there is none.
    pub fn chosen(&self, parameter: Option<&str>, known: &Options) -> Vec<String> {
        match (self.said(parameter), self.options(known)) {
            (Some(values), _) => values,
            (None, Some(options)) if self.multiple => options.to_vec(),
            (None, options) => options.and_then(<[String]>::first).cloned().into_iter().collect(),
        }
    }

    /// What is bound.
    fn value(&self, parameter: Option<&str>, known: &Options) -> Result<ParameterValue, String> {
        let chosen = self.chosen(parameter, known);
        let title = self.title();
        if self.multiple {
            return match chosen.is_empty() {
                true => Err(self.nothing(parameter, known)),
                false => Ok(ParameterValue::Several(chosen)),
            };
        }
        let first = chosen.into_iter().next();
        match (&self.kind, first) {
            (VariableKind::Text, value) => Ok(ParameterValue::Text(value.unwrap_or_default())),
            (_, None) => Err(self.nothing(parameter, known)),
            (VariableKind::Number { min, max, .. }, Some(text)) => {
                let number = number_of(&text)
                    .filter(|number| min.is_none_or(|min| *number >= min) && max.is_none_or(|max| *number <= max));
                let bounds = match (min, max) {
                    (Some(min), Some(max)) => format!(" from {min} to {max}"),
                    (Some(min), None) => format!(" of at least {min}"),
                    (None, Some(max)) => format!(" of at most {max}"),
                    (None, None) => String::new(),
                };
                number
                    .map(ParameterValue::Number)
                    .ok_or_else(|| format!("{title} is a number{bounds}; '{text}' is none"))
            }
            (VariableKind::Time, Some(text)) => match time::parse_field(&text) {
                Ok(micros) => Ok(ParameterValue::Text(time::iso(micros))),
                Err(_) => Err(format!("{title} is a day such as 2026-03-31, or a moment; '{text}' is neither")),
            },
            (VariableKind::Choice { .. } | VariableKind::Query { .. }, Some(text)) => Ok(ParameterValue::Text(text)),
        }
    }

    /// Why there is no value; nothing while that is not known.
    fn nothing(&self, parameter: Option<&str>, known: &Options) -> String {
        match self.options(known) {
            None if parameter.is_none() && matches!(self.kind, VariableKind::Query { .. }) => String::new(),
            Some([]) => format!("There is nothing to choose for {}: its list is empty at these times", self.title()),
            _ => format!("Choose a value of {} first", self.title()),
        }
    }
}

/// What is bound for each variable at an address.
pub fn values(variables: &[Variable], known: &Options, address: impl Fn(&str) -> Option<String>) -> Values {
    let value = |variable: &Variable| {
        let said = address(&variable.parameter());
        (variable.name.clone(), variable.value(said.as_deref(), known))
    };
    variables.iter().map(value).collect()
}

/// The values that a statement has a parameter for, or why one of them is missing.
pub fn values_for(sql: &str, values: &Values) -> Result<BTreeMap<String, ParameterValue>, String> {
    let had = values.iter().filter(|(name, _)| has_parameter(sql, name));
    had.map(|(name, value)| value.clone().map(|value| (name.clone(), value))).collect()
}

/// A title in which `$name` stands for the value of a variable, as in a statement; for one that has none yet a gap is left.
pub fn titled(title: &str, values: &Values) -> String {
    let mut written = String::new();
    let mut rest = title;
    while let Some((before, after)) = rest.split_once('$') {
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
        written.push_str(before);
        match values.get(&after[..end]) {
            Some(Ok(value)) => written.push_str(&value.text()),
            Some(Err(_)) => written.push('…'),
            // A sign that names no variable is one.
            None => {
                written.push('$');
                written.push_str(&after[..end]);
            }
        }
        rest = &after[end..];
    }
    written.push_str(rest);
    written
}

/// A picture whose own title says what was chosen: it is what a chart is called where it is read out.
pub fn titled_picture(picture: &PictureDefinition, values: &Values) -> PictureDefinition {
    let mut picture = picture.clone();
    if let PictureDefinition::Chart(chart) = &mut picture {
        chart.title = titled(&chart.title, values);
    }
    picture
}

/// What can be chosen, by the answer to a variable's query: each value of its first column once, in its order.
pub fn options_of(table: &Table) -> Vec<String> {
    let Some(cells) = table.column_at(0) else { return Vec::new() };
    let mut options: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for text in (0..table.rows()).filter_map(|row| cells.plain_text(row)) {
        if options.len() >= OPTIONS_MOST {
            break;
        }
        if seen.insert(text.clone()) {
            options.push(text);
        }
    }
    options
}

/// A number that is written with digits alone, and not more of them than are kept.
fn number_of(text: &str) -> Option<f64> {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    text.parse().ok().filter(|_| plain && (1..=DIGITS_MOST).contains(&digits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_name_what_was_chosen() {
        let values = Values::from([
            ("share".to_owned(), Ok(ParameterValue::Text("STNM".to_owned()))),
            ("sectors".to_owned(), Ok(ParameterValue::Several(vec!["Energy".to_owned(), "Health".to_owned()]))),
            ("least".to_owned(), Ok(ParameterValue::Number(2.5))),
            ("later".to_owned(), Err(String::new())),
        ]);
        assert_eq!(titled("Weeks of $share, by close", &values), "Weeks of STNM, by close");
        assert_eq!(titled("$sectors from $least on", &values), "Energy, Health from 2.5 on");
        assert_eq!(titled("Of $later", &values), "Of …");
        assert_eq!(titled("US$ and $shares: 5 $", &values), "US$ and $shares: 5 $");
    }

    fn variable(kind: &str, more: &str) -> Variable {
        serde_json::from_str(&format!(r#"{{"name": "v", "kind": {kind}{more}}}"#)).unwrap()
    }

    fn bound(variable: &Variable, said: Option<&str>, options: &[&str]) -> Result<ParameterValue, String> {
        let known = Options::from([("v".to_owned(), options.iter().map(|option| (*option).to_owned()).collect())]);
        variable.value(said, &known)
    }

    fn text(text: &str) -> Result<ParameterValue, String> {
        Ok(ParameterValue::Text(text.to_owned()))
    }

    #[test]
    fn what_the_address_says_goes_before_the_default_and_the_first_option() {
        let region = variable(r#"{"choice": {"options": ["EU", "US"]}}"#, "");
        assert_eq!(bound(&region, None, &[]), text("EU"));
        assert_eq!(bound(&region, Some("US"), &[]), text("US"));
        let region = Variable { default: vec!["US".to_owned()], ..region };
        assert_eq!(bound(&region, None, &[]), text("US"));
        assert_eq!(region.address_value(&["US".to_owned()]), None);
        assert_eq!(region.address_value(&["EU".to_owned()]).as_deref(), Some("EU"));
    }

    #[test]
    fn several_values_are_a_list_and_all_of_them_without_a_choice() {
        let region = variable(r#"{"query": {"sql": "SELECT 1"}}"#, r#", "multiple": true"#);
        let several =
            |values: &[&str]| Ok(ParameterValue::Several(values.iter().map(|value| (*value).to_owned()).collect()));
        assert_eq!(bound(&region, None, &["EU", "US"]), several(&["EU", "US"]));
        assert_eq!(bound(&region, Some("US,a%2Cb"), &["EU", "US"]), several(&["US", "a,b"]));
    }

    #[test]
    fn a_variable_without_values_says_so() {
        let region = variable(r#"{"query": {"sql": "SELECT 1"}}"#, "");
        assert!(bound(&region, None, &[]).unwrap_err().contains("nothing to choose for v"));
        assert_eq!(region.value(None, &Options::new()), Err(String::new()));
        assert!(
            bound(&Variable { multiple: true, ..region.clone() }, Some("~"), &["EU"]).unwrap_err().contains("Choose")
        );
        assert_eq!(bound(&region, Some("gone"), &[]), text("gone"));
        assert_eq!(bound(&variable(r#""text""#, ""), None, &[]), text(""));
        assert!(bound(&variable(r#""time""#, ""), None, &[]).is_err());
    }

    #[test]
    fn numbers_and_days_are_checked_before_they_are_bound() {
        let share = variable(r#"{"number": {"min": 0, "max": 1}}"#, "");
        assert_eq!(bound(&share, Some("0.25"), &[]), Ok(ParameterValue::Number(0.25)));
        for refused in ["1.5", "-1", "a", "1e3", "inf", "NaN", "", "1; DROP", "0.1234567890123456"] {
            assert!(bound(&share, Some(refused), &[]).is_err(), "{refused}");
        }
        let day = variable(r#""time""#, "");
        assert_eq!(bound(&day, Some("2026-03-31"), &[]), text("2026-03-31T00:00:00Z"));
        assert_eq!(bound(&day, Some("2026-03-31 18:00 UTC"), &[]), text("2026-03-31T18:00:00Z"));
        assert!(bound(&day, Some("2026-02-30"), &[]).is_err());
    }

    #[test]
    fn a_statement_gets_the_values_it_has_a_parameter_for() {
        let all = Values::from([
            ("a".to_owned(), text("1")),
            ("ab".to_owned(), text("2")),
            ("c".to_owned(), Err("Choose a value of c first".to_owned())),
        ]);
        let names = |sql: &str| values_for(sql, &all).map(|values| values.into_keys().collect::<Vec<_>>());
        assert_eq!(names("SELECT $ab"), Ok(vec!["ab".to_owned()]));
        assert_eq!(names("SELECT 1"), Ok(Vec::new()));
        assert!(names("SELECT $c, $a").is_err());
    }

    proptest! {
        #[test]
        fn what_an_address_says_of_several_values_reads_back(values in prop::collection::vec(".{0,8}", 0..4)) {
            let several = variable(r#"{"choice": {"options": []}}"#, r#", "multiple": true"#);
            let address = several.address_value(&values);
            prop_assert_eq!(several.said(address.as_deref()), Some(values));
        }
    }
}

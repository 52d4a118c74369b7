//! What can stand next in a statement that is being typed: tables, columns, the clauses of both times.

/// A table that statements can name, with its columns: name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<(String, String)>,
    /// The measures that are defined of it: name and what people call it.
    pub measures: Vec<(String, String)>,
}

/// Something that can stand next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What is put in the place of what was typed of it.
    pub text: String,
    /// What it is: a table, a column and its type, a clause.
    pub note: String,
}

/// Completions at most.
const SHOWN_MOST: usize = 30;

const CLAUSES_OF_TABLES: [(&str, &str); 8] = [
    ("FOR VALID_TIME AS OF ", "what holds at one instant"),
    ("FOR VALID_TIME FROM $from TO $to", "what holds at some instant of a range"),
    ("FOR SYSTEM_TIME AS OF ", "what was known at one instant"),
    ("FOR SYSTEM_TIME ALL", "what was superseded too"),
    ("AS ", "another name"),
    ("JOIN ", "another table beside it"),
    ("WHERE ", "a condition"),
    ("GROUP BY ", "what is put together"),
];
const AXES: [(&str, &str); 2] = [("VALID_TIME ", "when it holds, effective"), ("SYSTEM_TIME ", "when it was known")];
const RANGES: [(&str, &str); 4] = [
    ("AS OF ", "at one instant"),
    ("FROM $from TO $to", "at some instant of a range"),
    ("BETWEEN $from AND $to", "the same, the end included"),
    ("ALL", "all of it"),
];
const INSTANTS: [(&str, &str); 5] = [
    ("$to", "the end of the effective range"),
    ("$from", "its beginning"),
    ("now()", "now"),
    ("now() - INTERVAL '30 days'", "a while ago"),
    ("TIMESTAMP '2026-01-01'", "a moment"),
];
const SOURCES: [(&str, &str); 5] = [
    ("history(", "all rectangles of a dataset"),
    ("first_published(", "what was the first to be said"),
    ("diff(", "what differs between two known times"),
    ("instants($from, $to, INTERVAL '1 day')", "a row for each step"),
    ("periods($from, $to, INTERVAL '1 day')", "an interval for each step"),
];
const WORDS: [(&str, &str); 22] = [
    ("SELECT ", "keyword"),
    ("FROM ", "keyword"),
    ("WHERE ", "keyword"),
    ("GROUP BY ", "keyword"),
    ("ORDER BY ", "keyword"),
    ("LIMIT ", "keyword"),
    ("JOIN ", "keyword"),
    ("LEFT JOIN ", "keyword"),
    ("ON ", "keyword"),
    ("AND ", "keyword"),
    ("OR ", "keyword"),
    ("AS ", "keyword"),
    ("IS NULL", "keyword"),
    ("DESC", "keyword"),
    ("VALID_TIME CONTAINS ", "holds at an instant"),
    ("VALID_TIME OVERLAPS ", "shares an instant"),
    ("count(*)", "function"),
    ("sum(", "function"),
    ("avg(", "function"),
    ("min(", "function"),
    ("max(", "function"),
    ("date_trunc('month', ", "function"),
];

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(known) if known.eq_ignore_ascii_case(word))
    }

    fn name(&self) -> Option<&str> {
        match self {
            Token::Word(name) | Token::Quoted(name) => Some(name),
            Token::Sign(_) => None,
        }
    }
}

/// What can stand at the cursor, counted in characters: where what was typed of it begins, and what is possible, the likeliest
/// first. Nothing inside of texts and comments.
pub fn completions(sql: &str, cursor: usize, tables: &[Table]) -> (usize, Vec<Completion>) {
    let letters: Vec<char> = sql.chars().collect();
    let cursor = cursor.min(letters.len());
    let belongs = |c: &&char| c.is_alphanumeric() || **c == '_' || **c == '$';
    let start = cursor - letters[..cursor].iter().rev().take_while(belongs).count();
    let typed: String = letters[start..cursor].iter().collect();
    let Some(before) = tokens(&letters[..start]) else { return (cursor, Vec::new()) };
    let rest: String = letters[cursor..].iter().collect();
    let named = named_tables(&before, &tokens(&rest.chars().collect::<Vec<_>>()).unwrap_or_default(), tables);
    let all = possible(&before, &named, tables);
    let fits = |completion: &Completion| {
        let text = completion.text.trim_start_matches('"').to_lowercase();
        let wanted = typed.to_lowercase();
        // What is there already is no help.
        (text.starts_with(&wanted) || (wanted.len() > 1 && text.contains(&wanted))) && text.trim_end() != wanted
    };
    let mut found: Vec<Completion> = all.into_iter().filter(fits).collect();
    // What begins so comes first, also the name of a measure.
    let begins = |text: &str| text.trim_start_matches('"').to_lowercase().starts_with(&typed.to_lowercase());
    found.sort_by_key(|Completion { text, .. }| !(begins(text) || text.strip_prefix("MEASURE(").is_some_and(begins)));
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|completion| seen.insert(completion.text.clone()));
    found.truncate(SHOWN_MOST);
    (start, found)
}

/// What can follow these tokens.
fn possible(before: &[Token], named: &[(String, &Table)], tables: &[Table]) -> Vec<Completion> {
    let fixed = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(text, note)| Completion { text: (*text).to_owned(), note: (*note).to_owned() })
            .collect::<Vec<_>>()
    };
    let last = |back: usize| before.len().checked_sub(back).and_then(|place| before.get(place));
    let is = |back: usize, word: &str| last(back).is_some_and(|token| token.is(word));
    let axis = |back: usize| is(back, "VALID_TIME") || is(back, "SYSTEM_TIME");
    if last(1) == Some(&Token::Sign('.')) {
        let alias = last(2).and_then(Token::name).unwrap_or_default();
        let known = named.iter().find(|(name, _)| name.eq_ignore_ascii_case(alias));
        return known.map(|(_, table)| columns(table)).unwrap_or_default();
    }
    if is(1, "FOR") {
        return fixed(&AXES);
    }
    if axis(1) && is(2, "FOR") {
        return fixed(&RANGES);
    }
    let as_of = is(1, "OF") && is(2, "AS");
    if as_of || (is(1, "FROM") && axis(2)) || (is(1, "BETWEEN") && axis(2)) || is(1, "TO") {
        return fixed(&INSTANTS);
    }
    if is(1, "FROM") || is(1, "JOIN") {
        let name = |table: &Table| Completion { text: quoted_if_needed(&table.name), note: "dataset".to_owned() };
        return tables.iter().map(name).chain(fixed(&SOURCES)).collect();
    }
    if last(1) == Some(&Token::Sign('(')) && is(2, "MEASURE") {
        return named.iter().flat_map(|(_, table)| measures(table, "")).collect();
    }
    let of_named = named.iter().flat_map(|(_, table)| columns(table).into_iter().chain(measures(table, "MEASURE(")));
    let after_table = (is(2, "FROM") || is(2, "JOIN") || (is(2, "AS") && is(4, "FROM"))) && !axis(3);
    if after_table {
        return fixed(&CLAUSES_OF_TABLES);
    }
    if before.is_empty() {
        return fixed(&WORDS[..1]);
    }
    let aliases = named.iter().map(|(name, table)| Completion {
        text: format!("{}.", quoted_if_needed(name)),
        note: format!("columns of {}", table.name),
    });
    let parameters = fixed(&INSTANTS[..2]);
    of_named.chain(aliases).chain(parameters).chain(fixed(&WORDS)).collect()
}

fn columns(table: &Table) -> Vec<Completion> {
    let times = ["valid_from", "valid_to", "system_from", "system_to"];
    let own = table.columns.iter().map(|(name, kind)| (name.as_str(), kind.as_str()));
    let all = own.chain(times.map(|name| (name, "timestamp")));
    all.map(|(name, kind)| Completion { text: quoted_if_needed(name), note: kind.to_owned() }).collect()
}

/// The measures of a table, each behind what is not typed yet of `MEASURE(`.
fn measures(table: &Table, before: &str) -> Vec<Completion> {
    let one = |(name, title): &(String, String)| {
        let note = if title == name { "measure".to_owned() } else { format!("measure: {title}") };
        Completion { text: format!("{before}{})", quoted_if_needed(name)), note }
    };
    table.measures.iter().map(one).collect()
}

/// A name as SQL takes it: in quotation marks where it is more than small letters, digits and underscores.
fn quoted_if_needed(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The tables of a statement under the names they have in it.
fn named_tables<'a>(before: &[Token], after: &[Token], tables: &'a [Table]) -> Vec<(String, &'a Table)> {
    let all: Vec<&Token> = before.iter().chain(after).collect();
    let mut named = Vec::new();
    for place in 1..all.len() {
        let introduced = all[place - 1].is("FROM") || all[place - 1].is("JOIN");
        let Some(name) = all[place].name().filter(|_| introduced) else { continue };
        let Some(table) = tables.iter().find(|table| table.name == name) else { continue };
        named.push((alias_of(&all[place + 1..]).unwrap_or(name).to_owned(), table));
    }
    named
}

/// The name that a table is given by what stands behind it, before or behind its clauses of time.
fn alias_of<'a>(behind: &[&'a Token]) -> Option<&'a str> {
    let direct = behind.first().filter(|token| !token.is("AS") && !token.is("FOR") && !ends_table(token));
    if let Some(name) = direct.and_then(|token| token.name()) {
        return Some(name);
    }
    let own = behind.iter().take_while(|token| !ends_table(token)).count();
    let pair = behind[..own].windows(2).find(|pair| pair[0].is("AS") && !pair[1].is("OF"));
    pair.and_then(|pair| pair[1].name())
}

/// Whether a table with its clauses ends before this.
fn ends_table(token: &Token) -> bool {
    let words = ["WHERE", "JOIN", "LEFT", "ON", "GROUP", "ORDER", "LIMIT", "CROSS", "INNER", "UNION"];
    words.iter().any(|word| token.is(word)) || matches!(token, Token::Sign(',' | ')' | ';'))
}

/// The tokens of a text; none where it ends inside of a text or a comment.
fn tokens(letters: &[char]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = letters.get(at) {
        match c {
            c if c.is_whitespace() => at += 1,
            '-' if letters.get(at + 1) == Some(&'-') => {
                at += letters[at..].iter().position(|c| *c == '\n')?;
            }
            '/' if letters.get(at + 1) == Some(&'*') => {
                let end = letters[at + 2..].windows(2).position(|pair| pair == ['*', '/'])?;
                at += end + 4;
            }
            '\'' | '"' => {
                let length = letters[at + 1..].iter().position(|other| *other == c)?;
                if c == '"' {
                    tokens.push(Token::Quoted(letters[at + 1..at + 1 + length].iter().collect()));
                } else {
                    tokens.push(Token::Sign('\''));
                }
                at += length + 2;
            }
            c if c.is_alphanumeric() || c == '_' || c == '$' => {
                let belongs = |c: &&char| c.is_alphanumeric() || **c == '_' || **c == '$';
                let length = letters[at..].iter().take_while(belongs).count();
                tokens.push(Token::Word(letters[at..at + length].iter().collect()));
                at += length;
            }
            c => {
                tokens.push(Token::Sign(c));
                at += 1;
            }
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tables() -> Vec<Table> {
        let column = |(name, kind): (&str, &str)| (name.to_owned(), kind.to_owned());
        vec![
            Table {
                name: "gdp".into(),
                columns: [("country", "string"), ("value", "decimal(20,4)"), ("Odd name", "bool")].map(column).to_vec(),
                measures: vec![column(("growth", "Growth on the year before"))],
            },
            Table { name: "regions".into(), columns: vec![column(("region", "string"))], measures: Vec::new() },
        ]
    }

    /// What can stand at the `|` of a statement.
    fn at(sql: &str) -> Vec<String> {
        let cursor = sql.chars().position(|c| c == '|').unwrap();
        let (_, found) = completions(&sql.replacen('|', "", 1), cursor, &tables());
        found.into_iter().map(|completion| completion.text).collect()
    }

    #[test]
    fn tables_stand_behind_from_and_columns_where_values_do() {
        assert_eq!(at("SELECT * FROM g|"), ["gdp"]);
        assert_eq!(at("SELECT c| FROM gdp")[0], "country");
        assert_eq!(at("SELECT g.va| FROM gdp AS g")[..1], ["value"]);
        assert_eq!(at("SELECT r.| FROM gdp g JOIN regions FOR VALID_TIME AS OF $to AS r ON true")[0], "region");
        assert!(at("SELECT odd| FROM gdp").contains(&"\"Odd name\"".to_owned()));
        assert_eq!(at("|")[0], "SELECT ");
        assert!(at("SELECT * FROM |").contains(&"history(".to_owned()));
    }

    #[test]
    fn clauses_of_both_times_stand_where_they_belong() {
        assert!(at("SELECT * FROM gdp f|")[0].starts_with("FOR VALID_TIME"));
        assert_eq!(at("SELECT * FROM gdp FOR |"), ["VALID_TIME ", "SYSTEM_TIME "]);
        assert_eq!(at("SELECT * FROM gdp FOR SYSTEM_TIME |")[0], "AS OF ");
        assert_eq!(at("SELECT * FROM gdp FOR VALID_TIME AS OF |")[0], "$to");
        assert_eq!(at("SELECT * FROM gdp WHERE valid_from >= $f|"), ["$from"]);
    }

    #[test]
    fn measures_stand_where_values_do() {
        assert_eq!(at("SELECT gro| FROM gdp")[0], "MEASURE(growth)");
        assert!(at("SELECT mea| FROM gdp").contains(&"MEASURE(growth)".to_owned()));
        assert_eq!(at("SELECT MEASURE(| FROM gdp"), ["growth)"]);
        assert!(at("SELECT MEASURE(| FROM regions").is_empty());
    }

    #[test]
    fn nothing_stands_in_texts_and_comments() {
        assert_eq!(at("SELECT 'g|"), Vec::<String>::new());
        assert_eq!(at("SELECT 1 -- g|"), Vec::<String>::new());
        assert_eq!(at("SELECT 1 /* g|"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn any_text_can_be_completed_at_any_place(sql in ".{0,40}", cursor in 0_usize..50) {
            let (start, _) = completions(&sql, cursor, &tables());
            prop_assert!(start <= sql.chars().count());
        }
    }
}

//! Temporal clauses: finds `FOR VALID_TIME …` and `FOR SYSTEM_TIME …` behind table names and takes them out of the text.
//!
//! DataFusion's parser does not know these clauses, so they are cut from the list of tokens before it sees them. Each
//! table that had one gets a private name, `gdp@1`, which [`crate::catalog`] binds to the dataset and its times, and
//! keeps the name it goes by in the query (`"gdp@1" AS gdp`). Tokens keep the places they had, so every later error
//! still points into the user's text. Working on tokens is what keeps literals, comments and quoted names out of it.
//!
//! Nothing here knows which datasets exist or evaluates an expression.

use datafusion::sql::sqlparser::{
    ast::Expr,
    dialect::{Dialect, GenericDialect, Precedence},
    keywords::{Keyword, RESERVED_FOR_TABLE_ALIAS},
    parser::Parser,
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word},
};

use crate::error::{Error, ErrorKind, Result};

/// Nesting the parser follows before it refuses.
pub(crate) const NESTING_LIMIT: usize = 48;

/// Bytes of a text that are looked at to tell what it does: more than anybody writes as a comment in front.
const BEGINNING_BYTES: usize = 16 << 10;

/// Tokens the expression of one clause may have: bounds the work per clause.
const EXPRESSION_TOKENS: usize = 200;

/// An expression for a time, not evaluated yet, and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    pub(crate) expression: Expr,
    pub(crate) location: Location,
}

/// What a clause asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Time {
    /// `ALL`.
    All,
    /// `AS OF` an expression.
    AsOf(Written),
    /// `FROM a TO b`: the second bound is not part of it.
    FromTo(Written, Written),
    /// `BETWEEN a AND b`: both bounds are part of it.
    Between(Written, Written),
}

/// One clause.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    pub(crate) time: Time,
}

/// A table reference that carries clauses.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// The name it has in the rewritten query.
    pub(crate) private_name: String,
    /// The name as written, identifiers normalised: one to three parts.
    pub(crate) name: Vec<String>,
    /// Where the name stands.
    pub(crate) location: Location,
    /// Where the first clause stands.
    pub(crate) clause_location: Location,
    pub(crate) valid_time: Option<Clause>,
    pub(crate) system_time: Option<Clause>,
    /// Index of the private name among the tokens.
    token: usize,
}

impl Reference {
    /// A reference that no token of the query's text stands for.
    pub(crate) fn made(
        private_name: String,
        name: Vec<String>,
        location: Location,
        valid_time: Option<Clause>,
        system_time: Option<Clause>,
    ) -> Reference {
        Reference { private_name, name, location, clause_location: location, valid_time, system_time, token: 0 }
    }

    /// The times written in its clauses.
    pub(crate) fn times_mut(&mut self) -> impl Iterator<Item = &mut Written> {
        [&mut self.valid_time, &mut self.system_time].into_iter().flatten().flat_map(|clause| {
            let (first, second) = match &mut clause.time {
                Time::All => (None, None),
                Time::AsOf(time) => (Some(time), None),
                Time::FromTo(from, to) | Time::Between(from, to) => (Some(from), Some(to)),
            };
            first.into_iter().chain(second)
        })
    }

    /// The times written in its clauses.
    pub(crate) fn times(&self) -> impl Iterator<Item = &Written> {
        [&self.valid_time, &self.system_time].into_iter().flatten().flat_map(|clause| {
            let (first, second) = match &clause.time {
                Time::All => (None, None),
                Time::AsOf(time) => (Some(time), None),
                Time::FromTo(from, to) | Time::Between(from, to) => (Some(from), Some(to)),
            };
            first.into_iter().chain(second)
        })
    }
}

/// A query without its temporal clauses.
#[derive(Debug)]
pub(crate) struct Rewritten {
    /// What is left for the parser, with the places of the user's text; no white space.
    pub(crate) tokens: Vec<TokenWithSpan>,
    /// In the order of the text.
    pub(crate) references: Vec<Reference>,
}

/// The tokens of a query's text, without white space and comments.
pub(crate) fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| Error::new(ErrorKind::Syntax, error.message).at(error.location))?;
    Ok(tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect())
}

/// The tokens a text begins with, for whoever only wants to know what it is: of a long text not all are looked at, and
/// what cannot be read ends them.
pub(crate) fn first_tokens(sql: &str) -> Vec<TokenWithSpan> {
    let beginning = &sql[..sql.floor_char_boundary(BEGINNING_BYTES)];
    let mut tokens = Vec::new();
    // The error, where there is one, is told when the whole text is read.
    let _ = Tokenizer::new(&GenericDialect {}, beginning).tokenize_with_location_into_buf(&mut tokens);
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    tokens
}

/// Takes the clauses out of a query's text.
#[cfg(test)]
pub(crate) fn rewrite(sql: &str) -> Result<Rewritten> {
    rewrite_tokens(tokens(sql)?)
}

/// Takes the clauses out of a query's tokens.
pub(crate) fn rewrite_tokens(input: Vec<TokenWithSpan>) -> Result<Rewritten> {
    let mut rewriter = Rewriter { input, at: 0, output: Vec::new(), references: Vec::new() };
    while let Some(token) = rewriter.input.get(rewriter.at) {
        if rewriter.head().is_some() {
            rewriter.take_clauses()?;
        } else {
            rewriter.output.push(token.clone());
            rewriter.at += 1;
        }
    }
    Ok(Rewritten { tokens: rewriter.output, references: rewriter.references })
}

/// The precedence below which an expression ends, for one that ends with its last operator.
const WHOLE: u8 = 0;

/// `FOR PORTION OF VALID_TIME FROM a TO b` of a statement that writes.
#[derive(Debug)]
pub(crate) struct Portion {
    pub(crate) axis: Axis,
    pub(crate) from: Written,
    pub(crate) to: Written,
    pub(crate) location: Location,
}

/// Takes the portion out of a statement that writes, if it has one.
pub(crate) fn take_portion(mut tokens: Vec<TokenWithSpan>) -> Result<(Vec<TokenWithSpan>, Option<Portion>)> {
    let is = |index: usize, word: &str| match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(found)) => found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word),
        _ => false,
    };
    let start = (0..tokens.len()).find(|&i| is(i, "FOR") && is(i + 1, "PORTION") && is(i + 2, "OF"));
    let Some(start) = start else { return Ok((tokens, None)) };
    let location = tokens[start].span.start;
    let behind_table = (0..start).all(|i| tokens[i].token != Token::LParen && !is(i, "SET") && !is(i, "WHERE"));
    if !behind_table {
        let message = "FOR PORTION OF stands behind the name of the dataset that is written";
        return Err(Error::new(ErrorKind::Syntax, message).at(location));
    }
    let axis = match (is(start + 3, "VALID_TIME"), is(start + 3, "SYSTEM_TIME"), is(start + 4, "FROM")) {
        (true, _, true) => Axis::Valid,
        (_, true, true) => Axis::System,
        _ => {
            let message = "expected FOR PORTION OF VALID_TIME FROM … TO …";
            return Err(Error::new(ErrorKind::Syntax, message).at(location));
        }
    };
    let rest = tokens.split_off(start);
    let mut rewriter = Rewriter { input: rest, at: 5, output: Vec::new(), references: Vec::new() };
    let from = rewriter.take_bound_before(Keyword::TO, "FROM")?;
    let to = rewriter.take_time("TO", WHOLE)?;
    tokens.extend(rewriter.input.split_off(rewriter.at));
    Ok((tokens, Some(Portion { axis, from, to, location })))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Valid,
    System,
}

impl Axis {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Axis::Valid => "VALID_TIME",
            Axis::System => "SYSTEM_TIME",
        }
    }
}

/// How a clause goes on after its axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AsOf,
    All,
    FromTo,
    Between,
    ContainedIn,
}

struct Rewriter {
    input: Vec<TokenWithSpan>,
    at: usize,
    output: Vec<TokenWithSpan>,
    references: Vec<Reference>,
}

/// Whether an explicit alias has been seen, and which reference it belongs to.
struct Target {
    reference: usize,
    aliased: bool,
}

impl Rewriter {
    /// Whether a clause begins here. Three words decide, so that `substring(a FOR system_time)` is left alone.
    fn head(&self) -> Option<(Axis, Form)> {
        let bare = |offset: usize| match self.input.get(self.at + offset).map(|token| &token.token) {
            Some(Token::Word(word)) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
            _ => None,
        };
        if bare(0)? != "FOR" {
            return None;
        }
        let axis = match bare(1)?.as_str() {
            "VALID_TIME" => Axis::Valid,
            "SYSTEM_TIME" => Axis::System,
            _ => return None,
        };
        let form = match bare(2)?.as_str() {
            "AS" if bare(3).as_deref() == Some("OF") => Form::AsOf,
            "ALL" => Form::All,
            "FROM" => Form::FromTo,
            "BETWEEN" => Form::Between,
            "CONTAINED" => Form::ContainedIn,
            _ => return None,
        };
        Some((axis, form))
    }

    /// Takes all clauses that stand here in a row, and gives the table an alias if it has none.
    fn take_clauses(&mut self) -> Result<()> {
        let target = self.target()?;
        while let Some((axis, form)) = self.head() {
            let head = self.location();
            let clause = self.take_clause(axis, form)?;
            let reference = &mut self.references[target.reference];
            let slot = match axis {
                Axis::Valid => &mut reference.valid_time,
                Axis::System => &mut reference.system_time,
            };
            if slot.replace(clause).is_some() {
                let message = format!("FOR {} is said twice of '{}'", axis.name(), reference.name.join("."));
                return Err(Error::new(ErrorKind::Syntax, message).at(head));
            }
        }
        if !target.aliased && !self.alias_follows() {
            let reference = &self.references[target.reference];
            let span = self.output[reference.token].span;
            let name = reference.name.last().cloned().unwrap_or_default();
            self.output.push(TokenWithSpan { token: Token::make_keyword("AS"), span });
            self.output.push(TokenWithSpan { token: Token::make_word(&name, Some('"')), span });
        }
        Ok(())
    }

    fn take_clause(&mut self, axis: Axis, form: Form) -> Result<Clause> {
        let location = self.location();
        let time = match form {
            Form::All => {
                self.at += 3;
                Time::All
            }
            Form::AsOf => {
                self.at += 4;
                Time::AsOf(self.take_time("AS OF", WHOLE)?)
            }
            Form::FromTo => {
                self.at += 3;
                let from = self.take_bound_before(Keyword::TO, "FROM")?;
                Time::FromTo(from, self.take_time("TO", WHOLE)?)
            }
            Form::Between => {
                self.at += 3;
                let from = self.take_bound_before(Keyword::AND, "BETWEEN")?;
                let operand = GenericDialect {}.prec_value(Precedence::Between);
                Time::Between(from, self.take_time("AND", operand)?)
            }
            Form::ContainedIn => {
                let name = axis.name();
                let message = format!(
                    "FOR {name} CONTAINED IN is not offered; use FOR {name} ALL and WHERE PERIOD(…) CONTAINS {name}"
                );
                return Err(Error::new(ErrorKind::Unsupported, message).at(location));
            }
        };
        Ok(Clause { time })
    }

    /// The first bound of a range, which ends before the word that comes next outside of parentheses.
    fn take_bound_before(&mut self, word: Keyword, behind: &str) -> Result<Written> {
        let mut depth = 0_usize;
        let end = self.input[self.at..].iter().take(EXPRESSION_TOKENS).position(|token| {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && is_keyword(token, word)
        });
        let Some(end) = end.map(|length| self.at + length) else {
            let message = format!("{word:?} and a second time are missing behind {behind}");
            return Err(Error::new(ErrorKind::Syntax, message).at(self.location()));
        };
        let tokens = self.input[self.at..end].to_vec();
        let place = tokens.is_empty().then(|| self.input[end.saturating_sub(1)].span.start);
        let mut within = Rewriter { input: tokens, at: 0, output: Vec::new(), references: Vec::new() };
        let bound = within.take_time(behind, WHOLE).map_err(|error| match place {
            Some(place) => error.at(place),
            None => error,
        })?;
        if let Some(unread) = within.input.get(within.at) {
            let message = format!("expected {word:?}, found: {}", unread.token);
            return Err(Error::new(ErrorKind::Syntax, message).at(unread.span.start));
        }
        self.at = end + 1;
        Ok(bound)
    }

    fn take_time(&mut self, behind: &str, precedence: u8) -> Result<Written> {
        let location = self.location();
        let rest = &self.input[self.at..];
        // The parser would take a reserved word for a column's name.
        if rest.first().is_none_or(|first| is_reserved(first) || first.token == Token::EOF) {
            return Err(Error::new(ErrorKind::Syntax, format!("a time is missing behind {behind}")).at(location));
        }
        let window = rest[..rest.len().min(EXPRESSION_TOKENS)].to_vec();
        let length = window.len();
        let mut parser =
            Parser::new(&GenericDialect {}).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(window);
        let parsed = parser.parse_subexpr(precedence);
        let used = parser.index().min(length);
        if used == EXPRESSION_TOKENS {
            return Err(Error::new(ErrorKind::InvalidTime, "the time of this clause is too long").at(location));
        }
        self.at += used;
        let expression = parsed.map_err(|error| Error::from(error).at(location))?;
        Ok(Written { expression, location })
    }

    /// The table reference that what has been put out so far ends with; registers it when it is new.
    fn target(&mut self) -> Result<Target> {
        let misplaced = || {
            let message = "a temporal clause stands behind the name of a dataset or its alias, in FROM or JOIN";
            Error::new(ErrorKind::Syntax, message).at(self.location())
        };
        let end = self.output.len();
        let (start, parts) = self.name_ending_at(end).ok_or_else(misplaced)?;
        let explicit = self.output[..start].last().is_some_and(|token| is_keyword(token, Keyword::AS));
        let implicit = self.output[..start].last().is_some_and(|token| identifier(token).is_some());
        if !(explicit || implicit) {
            return self.register(start, end, parts).map(|reference| Target { reference, aliased: false });
        }
        if parts.len() > 1 {
            return Err(misplaced());
        }
        let name_end = if explicit { start - 1 } else { start };
        let (start, parts) = self.name_ending_at(name_end).ok_or_else(misplaced)?;
        let known = self.references.iter().position(|reference| reference.token == start);
        let reference = known.map_or_else(|| self.register(start, name_end, parts), Ok)?;
        Ok(Target { reference, aliased: true })
    }

    /// Where the name that ends before output token `end` starts, and its parts, normalised as DataFusion does.
    fn name_ending_at(&self, end: usize) -> Option<(usize, Vec<String>)> {
        let mut start = end.checked_sub(1)?;
        let mut parts = vec![identifier(&self.output[start])?];
        while start >= 2 && self.output[start - 1].token == Token::Period {
            parts.push(identifier(&self.output[start - 2])?);
            start -= 2;
        }
        parts.reverse();
        Some((start, parts))
    }

    /// Puts a private name in the place of output tokens `start..end`.
    fn register(&mut self, start: usize, end: usize, name: Vec<String>) -> Result<usize> {
        let in_from = self.output[..start].last().is_some_and(|token| {
            matches!(token.token, Token::Comma | Token::LParen)
                || is_keyword(token, Keyword::FROM)
                || is_keyword(token, Keyword::JOIN)
        });
        let location = self.output[start].span.start;
        if !in_from || name.len() > 3 {
            let message = format!("there is no table '{}' in front of this temporal clause", name.join("."));
            return Err(Error::new(ErrorKind::Syntax, message).at(self.location()));
        }
        let number = self.references.len() + 1;
        let private_name = format!("{}@{number}", name.last().map_or("", String::as_str));
        let token = Token::make_word(&private_name, Some('"'));
        let span = self.output[start].span;
        self.output.splice(start..end, [TokenWithSpan { token, span }]);
        let clause_location = self.location();
        self.references.push(Reference {
            private_name,
            name,
            location,
            clause_location,
            valid_time: None,
            system_time: None,
            token: start,
        });
        Ok(number - 1)
    }

    fn alias_follows(&self) -> bool {
        let Some(next) = self.input.get(self.at) else { return false };
        matches!(next.token, Token::Word(_)) && !is_reserved(next)
    }

    /// Where the next token stands, or the last one when there is none.
    fn location(&self) -> Location {
        let token = self.input.get(self.at).filter(|token| token.token != Token::EOF).or(self.input.last());
        token.map_or(Location::empty(), |token| token.span.start)
    }
}

pub(crate) fn is_keyword(token: &TokenWithSpan, keyword: Keyword) -> bool {
    matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.keyword == keyword)
}

/// The identifier a token is, in lower case unless quoted; words that cannot name a table are none.
fn identifier(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(Word { value, quote_style: Some(_), .. }) => Some(value.clone()),
        Token::Word(word) if word.keyword != Keyword::AS && !is_reserved(token) => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// Whether a token is a word that ends a table reference, such as WHERE.
fn is_reserved(token: &TokenWithSpan) -> bool {
    matches!(&token.token, Token::Word(word)
        if word.quote_style.is_none() && RESERVED_FOR_TABLE_ALIAS.contains(&word.keyword))
}

#[cfg(test)]
#[path = "clause_tests.rs"]
mod tests;

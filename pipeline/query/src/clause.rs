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
    dialect::GenericDialect,
    keywords::{Keyword, RESERVED_FOR_TABLE_ALIAS},
    parser::Parser,
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word},
};

use crate::error::{Error, ErrorKind, Result};

/// Nesting the parser follows before it refuses.
pub(crate) const NESTING_LIMIT: usize = 48;

/// Tokens the expression of one clause may have: bounds the work per clause.
const EXPRESSION_TOKENS: usize = 200;

/// A time written in a clause, not evaluated yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Time {
    /// `ALL`.
    All,
    /// `AS OF` an expression.
    AsOf(Box<Expr>),
}

/// One clause and where its time is written.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    pub(crate) time: Time,
    pub(crate) location: Location,
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

/// A query without its temporal clauses.
#[derive(Debug)]
pub(crate) struct Rewritten {
    /// What is left for the parser, with the places of the user's text; no white space.
    pub(crate) tokens: Vec<TokenWithSpan>,
    /// In the order of the text.
    pub(crate) references: Vec<Reference>,
}

/// Takes the clauses out of a query's text.
pub(crate) fn rewrite(sql: &str) -> Result<Rewritten> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| Error::new(ErrorKind::Syntax, error.message).at(error.location))?;
    let input: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Valid,
    System,
}

impl Axis {
    fn name(self) -> &'static str {
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
    Later(&'static str),
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
            "FROM" => Form::Later("FROM … TO …"),
            "BETWEEN" => Form::Later("BETWEEN … AND …"),
            "CONTAINED" => Form::Later("CONTAINED IN"),
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
        match form {
            Form::All if axis == Axis::Valid => {
                self.at += 3;
                Ok(Clause { time: Time::All, location })
            }
            Form::All => Err(unsupported(axis, "ALL", location)),
            Form::Later(what) => Err(unsupported(axis, what, location)),
            Form::AsOf => {
                self.at += 4;
                let location = self.location();
                Ok(Clause { time: Time::AsOf(Box::new(self.take_expression()?)), location })
            }
        }
    }

    fn take_expression(&mut self) -> Result<Expr> {
        let start = self.location();
        let rest = &self.input[self.at..];
        // The parser would take a reserved word for a column's name.
        if rest.first().is_none_or(|first| is_reserved(first) || first.token == Token::EOF) {
            return Err(Error::new(ErrorKind::Syntax, "a time is missing behind AS OF").at(start));
        }
        let window = rest[..rest.len().min(EXPRESSION_TOKENS)].to_vec();
        let length = window.len();
        let mut parser =
            Parser::new(&GenericDialect {}).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(window);
        let parsed = parser.parse_expr();
        let used = parser.index().min(length);
        if used == EXPRESSION_TOKENS {
            return Err(Error::new(ErrorKind::InvalidTime, "the time of this clause is too long").at(start));
        }
        self.at += used;
        parsed.map_err(|error| Error::from(error).at(start))
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

fn unsupported(axis: Axis, form: &str, location: Location) -> Error {
    let name = axis.name();
    let message = format!("FOR {name} {form} is not supported; use FOR {name} AS OF");
    Error::new(ErrorKind::Unsupported, message).at(location)
}

fn is_keyword(token: &TokenWithSpan, keyword: Keyword) -> bool {
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

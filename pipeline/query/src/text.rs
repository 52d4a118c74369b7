//! From the text of a request to one statement: settings in front, temporal clauses and period predicates taken out,
//! parameters put in.

use datafusion::sql::sqlparser::{
    ast::Statement,
    dialect::GenericDialect,
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Location, Token, TokenWithSpan},
};

use crate::{
    clause::{self, Axis, NESTING_LIMIT, Portion, Reference, Rewritten, Written},
    error::{Error, ErrorKind, Result},
    micros,
    parameters::{self, Parameters},
    periods, statement,
};

/// A request's text, read.
pub(crate) struct Text {
    pub(crate) statement: Statement,
    pub(crate) references: Vec<Reference>,
    /// `SET VALID_TIME = …;` and `SET SYSTEM_TIME = …;` in front of the statement.
    pub(crate) settings: Vec<(Axis, Written)>,
}

/// A statement that writes, read.
pub(crate) struct WritingText {
    pub(crate) statement: Statement,
    pub(crate) references: Vec<Reference>,
    pub(crate) portion: Option<Portion>,
}

/// Reads the text of a request that reads.
pub(crate) fn read(sql: &str, given: &Parameters) -> Result<Text> {
    let mut tokens = parameters::number(clause::tokens(sql)?)?;
    let mut settings = Vec::new();
    while let Some(setting) = take_setting(&mut tokens)? {
        settings.push(setting);
    }
    let Rewritten { tokens, mut references } = clause::rewrite_tokens(tokens)?;
    let mut statement = statement::parse(periods::rewrite(tokens)?)?;
    let mut times: Vec<&mut Written> = references.iter_mut().flat_map(Reference::times_mut).collect();
    times.extend(settings.iter_mut().map(|(_, time)| time));
    bind(given, &mut statement, times)?;
    Ok(Text { statement, references, settings })
}

/// Reads the text of a request that writes; `None` where it does not.
pub(crate) fn read_writing(sql: &str, given: &Parameters) -> Result<Option<WritingText>> {
    let tokens = clause::tokens(sql)?;
    if !statement::writes(&tokens) {
        return Ok(None);
    }
    let (tokens, mut portion) = clause::take_portion(parameters::number(tokens)?)?;
    let Rewritten { tokens, mut references } = clause::rewrite_tokens(tokens)?;
    let mut statement = statement::parse_one(periods::rewrite(tokens)?)?;
    let mut times: Vec<&mut Written> = references.iter_mut().flat_map(Reference::times_mut).collect();
    times.extend(portion.iter_mut().flat_map(|portion| [&mut portion.from, &mut portion.to]));
    bind(given, &mut statement, times)?;
    Ok(Some(WritingText { statement, references, portion }))
}

/// Tokens that DataFusion's parser knows.
pub(crate) fn without_clauses(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    periods::rewrite(clause::rewrite_tokens(tokens)?.tokens)
}

fn bind(given: &Parameters, statement: &mut Statement, times: Vec<&mut Written>) -> Result<()> {
    let mut binding = parameters::Binding::new(given);
    micros::name_precision(statement);
    binding.bind(statement)?;
    for time in times {
        micros::name_precision(&mut time.expression);
        binding.bind(&mut time.expression).map_err(|error| error.at(time.location))?;
    }
    binding.finish()
}

/// Takes `SET VALID_TIME = time;` from the front.
fn take_setting(tokens: &mut Vec<TokenWithSpan>) -> Result<Option<(Axis, Written)>> {
    let word = |index: usize| match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        _ => String::new(),
    };
    let axis = match (word(0).as_str(), word(1).as_str()) {
        ("SET", "VALID_TIME") => Axis::Valid,
        ("SET", "SYSTEM_TIME") => Axis::System,
        _ => return Ok(None),
    };
    let syntax = |message: &str, at: usize| {
        let place = tokens.get(at).or(tokens.last()).map(|token| token.span.start);
        Error::new(ErrorKind::Syntax, message).at(place.unwrap_or(Location::empty()))
    };
    let assigned = tokens.get(2).is_some_and(|token| {
        token.token == Token::Eq || matches!(&token.token, Token::Word(word) if word.keyword == Keyword::TO)
    });
    if !assigned {
        return Err(syntax("expected = and a time behind the setting's name", 2));
    }
    let Some(end) = tokens.iter().position(|token| token.token == Token::SemiColon) else {
        return Err(syntax("a setting holds for one request; put ; and the query behind it", tokens.len()));
    };
    if end + 1 >= tokens.len() || tokens[end + 1].token == Token::EOF {
        return Err(syntax("a setting holds for one request; put the query behind it", end));
    }
    if end == 3 {
        return Err(syntax("a time is missing", 3));
    }
    let location = tokens[3].span.start;
    let window: Vec<TokenWithSpan> = tokens[3..end].to_vec();
    let length = window.len();
    let mut parser =
        Parser::new(&GenericDialect {}).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(window);
    let expression = parser.parse_expr().map_err(|error| Error::from(error).at(location))?;
    if parser.index() < length {
        return Err(syntax("expected ; behind the time", 3 + parser.index()));
    }
    tokens.drain(..=end);
    Ok(Some((axis, Written { expression, location })))
}

//! Periods and their predicates: `a.VALID_TIME OVERLAPS PERIOD('2024-01-01', '2024-02-01')` and its like.
//!
//! SQL:2011's predicates on periods, and Allen's thirteen relations, stand between two periods; DataFusion's parser
//! knows neither. A period is a pair of columns or of expressions, so each predicate becomes a call of one of
//! [`crate::period_functions`] with four arguments. As in [`crate::clause`], tokens keep the places they had.
//!
//! A column that happens to be called `valid_time` is left alone: it is a period only beside a predicate and among the
//! arguments of those functions.

use datafusion::sql::sqlparser::{
    dialect::{Dialect, GenericDialect, Precedence},
    keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS},
    parser::Parser,
    tokenizer::{Location, Span, Token, TokenWithSpan},
};

use crate::{
    clause::NESTING_LIMIT,
    error::{Error, ErrorKind, Result},
    period_functions::{CONTAINS_INSTANT, RELATION},
};

/// Words of each predicate and the function it becomes, longer ones before those they begin with.
const PREDICATES: [(&[&str], &str); 25] = [
    (&["IMMEDIATELY", "PRECEDES"], "period_immediately_precedes"),
    (&["IMMEDIATELY", "SUCCEEDS"], "period_immediately_succeeds"),
    (&["OVERLAPPED", "BY"], "period_overlapped_by"),
    (&["STARTED", "BY"], "period_started_by"),
    (&["FINISHED", "BY"], "period_finished_by"),
    (&["MET", "BY"], "period_met_by"),
    (&["OVERLAPPED_BY"], "period_overlapped_by"),
    (&["STARTED_BY"], "period_started_by"),
    (&["FINISHED_BY"], "period_finished_by"),
    (&["MET_BY"], "period_met_by"),
    (&["OVERLAPS"], "period_overlaps"),
    (&["CONTAINS"], "period_contains"),
    (&["EQUALS"], "period_equals"),
    (&["PRECEDES"], "period_precedes"),
    (&["SUCCEEDS"], "period_succeeds"),
    (&["BEFORE"], "period_before"),
    (&["AFTER"], "period_after"),
    (&["MEETS"], "period_meets"),
    (&["ALLEN_OVERLAPS"], "period_allen_overlaps"),
    (&["ALLEN_CONTAINS"], "period_allen_contains"),
    (&["STARTS"], "period_starts"),
    (&["DURING"], "period_during"),
    (&["FINISHES"], "period_finishes"),
    (&["IMMEDIATELY_PRECEDES"], "period_immediately_precedes"),
    (&["IMMEDIATELY_SUCCEEDS"], "period_immediately_succeeds"),
];

/// Tokens the instant behind CONTAINS, and each bound of PERIOD, may have: bounds the work per predicate.
const INSTANT_TOKENS: usize = 200;

/// Puts function calls in the place of predicates.
pub(crate) fn rewrite(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut rewriter = Rewriter { input: tokens, at: 0, output: Vec::new(), calls: Vec::new() };
    while rewriter.at < rewriter.input.len() {
        if !rewriter.take_predicate()? && !rewriter.take_argument() {
            rewriter.copy_token();
        }
    }
    Ok(rewriter.output)
}

struct Rewriter {
    input: Vec<TokenWithSpan>,
    at: usize,
    output: Vec<TokenWithSpan>,
    /// For each open parenthesis, whether it holds the arguments of a function that takes periods.
    calls: Vec<bool>,
}

/// A period among the tokens: its two bounds, and where it ends.
struct Period {
    bounds: [Vec<TokenWithSpan>; 2],
    end: usize,
}

impl Rewriter {
    fn copy_token(&mut self) {
        let token = self.input[self.at].clone();
        match token.token {
            Token::LParen => {
                let function = self.at.checked_sub(1).and_then(|before| bare(&self.input[before]));
                self.calls.push(function.is_some_and(|name| takes_periods(&name)));
            }
            Token::RParen => drop(self.calls.pop()),
            _ => {}
        }
        self.output.push(token);
        self.at += 1;
    }

    /// A predicate between two periods, or CONTAINS between a period and an instant.
    fn take_predicate(&mut self) -> Result<bool> {
        let Some(left) = self.period_at(self.at) else { return Ok(false) };
        let Some((words, function)) = self.predicate_at(left.end) else { return Ok(false) };
        let span = self.input[left.end].span;
        let right = left.end + words;
        if let Some(period) = self.period_at(right) {
            let bounds = left.bounds.into_iter().chain(period.bounds);
            push_call(&mut self.output, function, span, bounds);
            self.at = period.end;
            return Ok(true);
        }
        if function != "period_contains" || self.input.get(right).is_none_or(ends_an_expression) {
            return self.explain_left_over(left.end, words, right);
        }
        let instant = self.instant_at(right)?;
        let end = right + instant.len();
        push_call(&mut self.output, CONTAINS_INSTANT, span, left.bounds.into_iter().chain([instant]));
        self.at = end;
        Ok(true)
    }

    /// A period in front of a word that would be a predicate, were there a period behind it. `PERIOD(…)` can be nothing
    /// else; a column of that name may have an alias, which an operand would not follow.
    fn explain_left_over(&self, word: usize, words: usize, right: usize) -> Result<bool> {
        let operand_follows = self.input.get(right).is_some_and(|token| !ends_an_expression(token));
        if !operand_follows {
            return Ok(false);
        }
        let names: Vec<String> = self.input[word..word + words].iter().map(|token| token.token.to_string()).collect();
        let message = format!(
            "expected a period behind {}: VALID_TIME, SYSTEM_TIME or PERIOD(from, to)",
            names.join(" ").to_uppercase()
        );
        Err(Error::new(ErrorKind::Syntax, message).at(self.input[right].span.start))
    }

    /// A period as an argument becomes two.
    fn take_argument(&mut self) -> bool {
        let first = self.output.last().is_some_and(|token| matches!(token.token, Token::LParen | Token::Comma));
        if !first || self.calls.last() != Some(&true) {
            return false;
        }
        let Some(period) = self.period_at(self.at) else { return false };
        if !self.input.get(period.end).is_some_and(|token| matches!(token.token, Token::Comma | Token::RParen)) {
            return false;
        }
        let span = self.input[self.at].span;
        let [from, to] = period.bounds;
        self.output.extend(from);
        self.output.push(TokenWithSpan { token: Token::Comma, span });
        self.output.extend(to);
        self.at = period.end;
        true
    }

    fn period_at(&self, at: usize) -> Option<Period> {
        if at > 0 && self.input.get(at - 1).is_some_and(|token| token.token == Token::Period) {
            return None;
        }
        if bare(self.input.get(at)?).as_deref() == Some("PERIOD") {
            return self.constructor_at(at);
        }
        let mut last = at;
        while is_word(self.input.get(last)?) && self.input.get(last + 1).is_some_and(|t| t.token == Token::Period) {
            last += 2;
        }
        let axis = match bare(self.input.get(last)?)?.as_str() {
            "VALID_TIME" => "valid",
            "SYSTEM_TIME" => "system",
            _ => return None,
        };
        let bound = |end: &str| {
            let mut tokens = self.input[at..last].to_vec();
            let token = Token::make_word(&format!("{axis}_{end}"), None);
            tokens.push(TokenWithSpan { token, span: self.input[last].span });
            tokens
        };
        Some(Period { bounds: [bound("from"), bound("to")], end: last + 1 })
    }

    /// `PERIOD(from, to)`.
    fn constructor_at(&self, at: usize) -> Option<Period> {
        if self.input.get(at + 1)?.token != Token::LParen {
            return None;
        }
        let (mut depth, mut comma) = (0_usize, None);
        for (index, token) in self.input.iter().enumerate().skip(at + 2).take(2 * INSTANT_TOKENS) {
            match token.token {
                Token::LParen => depth += 1,
                Token::Comma if depth == 0 && comma.is_some() => return None,
                Token::Comma if depth == 0 => comma = Some(index),
                Token::RParen if depth == 0 => {
                    let comma = comma?;
                    let bounds = [self.input[at + 2..comma].to_vec(), self.input[comma + 1..index].to_vec()];
                    return bounds.iter().all(|bound| !bound.is_empty()).then_some(Period { bounds, end: index + 1 });
                }
                Token::RParen => depth -= 1,
                _ => {}
            }
        }
        None
    }

    fn predicate_at(&self, at: usize) -> Option<(usize, &'static str)> {
        let word = |offset: usize| self.input.get(at + offset).and_then(bare);
        let matches = |words: &[&str]| words.iter().enumerate().all(|(i, wanted)| word(i).as_deref() == Some(*wanted));
        PREDICATES.iter().find(|(words, _)| matches(words)).map(|(words, function)| (words.len(), *function))
    }

    /// The tokens of the expression behind CONTAINS: what binds closer than a comparison.
    fn instant_at(&self, at: usize) -> Result<Vec<TokenWithSpan>> {
        let rest = &self.input[at..];
        let window = rest[..rest.len().min(INSTANT_TOKENS)].to_vec();
        let length = window.len();
        let mut parser =
            Parser::new(&GenericDialect {}).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(window);
        let location = self.input[at].span.start;
        let parsed = parser.parse_subexpr(GenericDialect {}.prec_value(Precedence::Eq));
        parsed.map_err(|error| Error::from(error).at(location))?;
        Ok(rest[..parser.index().min(length)].to_vec())
    }
}

fn push_call(
    output: &mut Vec<TokenWithSpan>,
    function: &str,
    span: Span,
    arguments: impl Iterator<Item = Vec<TokenWithSpan>>,
) {
    let token = |token: Token| TokenWithSpan { token, span };
    output.push(token(Token::make_word(function, None)));
    output.push(token(Token::LParen));
    for (index, argument) in arguments.enumerate() {
        if index > 0 {
            output.push(token(Token::Comma));
        }
        output.extend(argument);
    }
    output.push(token(Token::RParen));
}

fn takes_periods(function: &str) -> bool {
    function.eq_ignore_ascii_case(RELATION) || function.starts_with("PERIOD_")
}

fn is_word(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Word(_))
}

/// An unquoted word, in upper case.
fn bare(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    }
}

/// Whether a token can only stand behind an expression, so that the word before it was an alias.
fn ends_an_expression(token: &TokenWithSpan) -> bool {
    match &token.token {
        Token::Word(word) => {
            let operator = matches!(word.keyword, Keyword::AND | Keyword::OR | Keyword::IS | Keyword::AS);
            word.quote_style.is_none() && (operator || RESERVED_FOR_COLUMN_ALIAS.contains(&word.keyword))
        }
        Token::Comma | Token::RParen | Token::SemiColon | Token::EOF | Token::Eq | Token::Neq => true,
        Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => true,
        _ => token.span.start == Location::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clause;

    fn rewritten(sql: &str) -> Result<String> {
        let tokens = rewrite(clause::rewrite(sql)?.tokens)?;
        Ok(tokens.iter().map(|token| token.token.to_string()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn predicates_become_calls() {
        for (sql, expected) in [
            (
                "a.VALID_TIME OVERLAPS b.valid_time AND x",
                "period_overlaps ( a . valid_from , a . valid_to , b . valid_from , b . valid_to ) AND x",
            ),
            (
                "SYSTEM_TIME MET BY PERIOD(DATE '2020-01-01', f(1, 2))",
                "period_met_by ( system_from , system_to , DATE '2020-01-01' , f ( 1 , 2 ) )",
            ),
            (
                "NOT VALID_TIME CONTAINS now() - INTERVAL '1 day' OR y",
                "NOT period_contains_instant ( valid_from , valid_to , now ( ) - INTERVAL '1 day' ) OR y",
            ),
            (
                "s.t.VALID_TIME contains u.at = true",
                "period_contains_instant ( s . t . valid_from , s . t . valid_to , u . at ) = true",
            ),
            ("allen(VALID_TIME, PERIOD(a, NULL))", "allen ( valid_from , valid_to , a , NULL )"),
            (
                "(PERIOD(a, b) IMMEDIATELY PRECEDES VALID_TIME)",
                "( period_immediately_precedes ( a , b , valid_from , valid_to ) )",
            ),
        ] {
            assert_eq!(rewritten(sql).unwrap(), expected, "{sql}");
        }
    }

    #[test]
    fn columns_of_these_names_are_left_alone() {
        for sql in [
            "SELECT valid_time , system_time FROM t",
            "SELECT valid_time contains FROM t",
            "SELECT valid_time overlaps , 1 FROM t",
            "SELECT \"VALID_TIME\" FROM t WHERE valid_time = 1",
            "SELECT period , contains FROM t",
            "SELECT sum ( valid_time ) FROM t",
        ] {
            assert_eq!(rewritten(sql).unwrap(), sql);
        }
    }

    #[test]
    fn a_missing_period_is_told_with_its_place() {
        let error = rewritten("SELECT * FROM t WHERE VALID_TIME MEETS 5").unwrap_err();
        assert!(error.message().starts_with("expected a period behind MEETS"), "{error}");
        assert_eq!(error.position().map(|at| at.column), Some(40));
    }
}

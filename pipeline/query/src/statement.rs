//! From tokens to one statement that only reads, and which tables it names.

use std::{collections::HashSet, ops::ControlFlow, ptr};

use datafusion::sql::sqlparser::{
    ast::{Ident, ObjectName, Query, Spanned, Statement, TableFactor, Visit, Visitor, visit_relations_mut},
    dialect::GenericDialect,
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Location, Token, TokenWithSpan},
};

use crate::{
    clause::NESTING_LIMIT,
    error::{Error, ErrorKind, Result},
};

/// Operators, joins and set operations in one statement. Chains of them become trees as deep as they are long, and
/// nothing may overflow the stack.
const MOST_OPERATORS: usize = 1_000;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// It answers.
    Reads,
    /// INSERT, UPDATE, DELETE.
    Writes,
    /// CREATE VIEW, DROP VIEW.
    ChangesView,
    /// ALTER TABLE.
    ChangesColumns,
}

/// What the statement does that the tokens begin.
pub(crate) fn kind(tokens: &[TokenWithSpan]) -> StatementKind {
    if writes(tokens) {
        StatementKind::Writes
    } else if changes_a_view(tokens) {
        StatementKind::ChangesView
    } else if changes_columns(tokens) {
        StatementKind::ChangesColumns
    } else {
        StatementKind::Reads
    }
}

/// Parses the one statement the tokens are and sees that it reads only.
pub(crate) fn parse(tokens: Vec<TokenWithSpan>) -> Result<Statement> {
    check_verb(&tokens)?;
    let statement = parse_one(tokens)?;
    check_reads(&statement).map(|()| statement)
}

/// Whether the tokens begin a statement that changes rows.
pub(crate) fn writes(tokens: &[TokenWithSpan]) -> bool {
    matches!(first_keyword(tokens), Keyword::INSERT | Keyword::UPDATE | Keyword::DELETE)
}

/// Whether the tokens begin with ALTER.
pub(crate) fn changes_columns(tokens: &[TokenWithSpan]) -> bool {
    first_keyword(tokens) == Keyword::ALTER
}

fn first_keyword(tokens: &[TokenWithSpan]) -> Keyword {
    let first = tokens.iter().find(|token| !matches!(token.token, Token::SemiColon));
    match first.map(|token| &token.token) {
        Some(Token::Word(word)) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

/// Whether the tokens begin with CREATE or DROP … VIEW.
pub(crate) fn changes_a_view(tokens: &[TokenWithSpan]) -> bool {
    let words = tokens.iter().skip_while(|token| token.token == Token::SemiColon).take(4);
    let words: Vec<Keyword> = words
        .map(|token| match &token.token {
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            _ => Keyword::NoKeyword,
        })
        .collect();
    matches!(words.first(), Some(Keyword::CREATE | Keyword::DROP)) && words.contains(&Keyword::VIEW)
}

/// What a visitor that breaks off with an error has found.
pub(crate) fn visited(flow: ControlFlow<Error>) -> Result<()> {
    flow.break_value().map_or(Ok(()), Err)
}

/// The other way about, inside a visitor.
pub(crate) fn or_break(outcome: Result<()>) -> ControlFlow<Error> {
    outcome.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

/// Gives tables other names.
pub(crate) fn rename(statement: &mut Statement, names: &[(String, String)]) {
    let _ = visit_relations_mut(statement, |relation| {
        if let [part] = relation.0.as_slice()
            && let Some(ident) = part.as_ident()
            && let Some((_, new)) = names.iter().find(|(old, _)| *old == ident.value)
        {
            *relation = ObjectName::from(vec![Ident::with_quote_and_span('"', ident.span, new.clone())]);
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Parses the one statement the tokens are.
pub(crate) fn parse_one(tokens: Vec<TokenWithSpan>) -> Result<Statement> {
    check_length(&tokens)?;
    let end = tokens.iter().rfind(|token| token.token != Token::EOF).map(|token| token.span.end);
    let mut parser =
        Parser::new(&GenericDialect {}).with_recursion_limit(NESTING_LIMIT).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().map_err(|error| {
        let error = Error::from(error);
        // The parser has no place for what is missing at the end.
        if error.message().ends_with("found: EOF") { error.at(end.unwrap_or(Location::empty())) } else { error }
    })?;
    let ended = parser.consume_token(&Token::SemiColon);
    while parser.consume_token(&Token::SemiColon) {}
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(statement),
        _ if ended => {
            let message = "one statement at a time; send each in a request of its own";
            Err(Error::new(ErrorKind::Unsupported, message).at(next.span.start))
        }
        unexpected => {
            let message = format!("expected the end of the query, found: {unexpected}");
            Err(Error::new(ErrorKind::Syntax, message).at(next.span.start))
        }
    }
}

/// Words other statements begin with are told apart before parsing: better than a complaint about their grammar.
fn check_verb(tokens: &[TokenWithSpan]) -> Result<()> {
    let first = tokens.iter().find(|token| !matches!(token.token, Token::LParen | Token::SemiColon));
    let Some(TokenWithSpan { token: Token::Word(word), span }) = first else {
        let place = first.map_or(Location::empty(), |token| token.span.start);
        return Err(Error::new(ErrorKind::Syntax, "expected a query, such as SELECT").at(place));
    };
    let reads = [
        Keyword::SELECT,
        Keyword::WITH,
        Keyword::VALUES,
        Keyword::TABLE,
        Keyword::FROM,
        Keyword::EXPLAIN,
        Keyword::SHOW,
        Keyword::DESCRIBE,
        Keyword::DESC,
    ];
    if reads.contains(&word.keyword) {
        return Ok(());
    }
    let message = match word.keyword {
        Keyword::INSERT | Keyword::UPDATE | Keyword::DELETE => {
            "this reads only; send INSERT, UPDATE and DELETE with POST /api/v1/sql"
        }
        Keyword::MERGE | Keyword::COPY | Keyword::TRUNCATE => {
            "only INSERT, UPDATE and DELETE write; other data changes through events: POST /api/v1/datasets/{name}/events"
        }
        Keyword::ALTER => "this reads only; send ALTER TABLE with POST /api/v1/sql",
        Keyword::CREATE | Keyword::DROP => {
            "only queries are answered here; datasets are defined with PUT /api/v1/datasets/{name}"
        }
        Keyword::SET | Keyword::RESET | Keyword::USE => {
            "of settings only VALID_TIME and SYSTEM_TIME can be set: SET VALID_TIME = '2026-03-31'; SELECT …"
        }
        Keyword::NoKeyword => {
            let message = format!("expected a query, such as SELECT, found: {word}");
            return Err(Error::new(ErrorKind::Syntax, message).at(span.start));
        }
        _ => return Err(only_queries().at(span.start)),
    };
    Err(Error::new(ErrorKind::Unsupported, message).at(span.start))
}

/// How many operators there are among tokens, as far as they make trees deep.
pub(crate) fn operators(tokens: &[TokenWithSpan]) -> usize {
    tokens.iter().filter(|token| is_operator(&token.token)).count()
}

fn check_length(tokens: &[TokenWithSpan]) -> Result<()> {
    let operators = tokens.iter().filter(|token| is_operator(&token.token));
    let Some(one_too_many) = operators.skip(MOST_OPERATORS).map(|token| token.span.start).next() else {
        return Ok(());
    };
    let message = format!("more than {MOST_OPERATORS} operators in one query; use IN (…), VALUES or several queries");
    Err(Error::new(ErrorKind::Unsupported, message).at(one_too_many))
}

/// Everything but names, literals and the punctuation between them.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::JOIN
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::SELECT
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::AT
                | Keyword::COLLATE
        ),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::Period
        | Token::SemiColon
        | Token::EOF => false,
        _ => true,
    }
}

fn check_reads(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Query(_)
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowVariable { .. }
        | Statement::ShowFunctions { .. }
        | Statement::ExplainTable { .. } => Ok(()),
        Statement::Explain { statement, .. } if matches!(statement.as_ref(), Statement::Query(_)) => Ok(()),
        _ => Err(only_queries()),
    }
}

/// The refusal of what does more than read.
pub(crate) fn only_queries() -> Error {
    Error::new(ErrorKind::Unsupported, "only queries are answered here: SELECT, WITH, VALUES, EXPLAIN and SHOW")
}

/// A table named in the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    /// One part or more, normalised.
    pub(crate) name: Vec<String>,
    pub(crate) location: Location,
    /// Names of the WITH clauses that can be seen from here.
    pub(crate) in_scope: HashSet<String>,
}

/// The tables a statement names, in order.
pub(crate) fn relations(statement: &Statement) -> Vec<Relation> {
    let mut finder = Finder::default();
    // The visitor never breaks off.
    let _ = statement.visit(&mut finder);
    finder.found
}

#[derive(Default)]
struct Finder {
    found: Vec<Relation>,
    with: WithNames,
}

impl Visitor for Finder {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.with.enter(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.with.leave(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: None, .. } = factor {
            let in_scope = self.with.seen().map(str::to_owned).collect();
            self.found.push(Relation { name: parts(name), location: name.span().start, in_scope });
        }
        ControlFlow::Continue(())
    }
}

/// Which names of WITH clauses can be seen where a visitor is. It is told of each query that is entered and left.
#[derive(Default)]
pub(crate) struct WithNames {
    /// The queries around, outermost first: which of their WITH names can be seen inside.
    scopes: Vec<Scope>,
}

/// What a WITH clause brings into scope, and where.
struct Scope {
    /// Each name with the address of its query.
    names: Vec<(String, *const Query)>,
    /// How many of the names can be seen where the visitor is.
    visible: usize,
}

impl WithNames {
    pub(crate) fn enter(&mut self, query: &Query) {
        if let Some(around) = self.scopes.last_mut() {
            // Inside the query of one WITH name only the names before it can be seen.
            around.enter(query);
        }
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        let names: Vec<_> = ctes.map(|cte| (normalise(&cte.alias.name), ptr::from_ref(cte.query.as_ref()))).collect();
        let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        let visible = names.len();
        let names = if recursive { names.into_iter().map(|(name, _)| (name, ptr::null())).collect() } else { names };
        self.scopes.push(Scope { names, visible });
    }

    pub(crate) fn leave(&mut self, query: &Query) {
        self.scopes.pop();
        if let Some(around) = self.scopes.last_mut() {
            around.leave(query);
        }
    }

    /// Whether a name is one of them.
    pub(crate) fn sees(&self, name: &str) -> bool {
        self.seen().any(|known| known == name)
    }

    fn seen(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().flat_map(|scope| &scope.names[..scope.visible]).map(|(name, _)| name.as_str())
    }
}

impl Scope {
    fn enter(&mut self, query: &Query) {
        if let Some(index) = self.index(query) {
            self.visible = index;
        }
    }

    fn leave(&mut self, query: &Query) {
        if self.index(query).is_some() {
            self.visible = self.names.len();
        }
    }

    fn index(&self, query: &Query) -> Option<usize> {
        self.names.iter().position(|(_, address)| ptr::eq(*address, query))
    }
}

/// The parts of a name as DataFusion looks them up.
pub(crate) fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|part| part.as_ident()).map(normalise).collect()
}

/// An identifier as DataFusion looks it up.
pub(crate) fn normalise(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clause::rewrite;

    fn parsed(sql: &str) -> Result<Statement> {
        parse(rewrite(sql)?.tokens)
    }

    #[test]
    fn names_are_seen_where_with_brings_them() {
        let statement = parsed(
            "WITH a AS (SELECT * FROM x), b AS (SELECT * FROM a JOIN Y ON true)
             SELECT * FROM b WHERE EXISTS (WITH c AS (SELECT 1) SELECT * FROM c, \"Z\".z) AND 1 IN (SELECT d FROM d)",
        );
        let shown: Vec<String> = relations(&statement.unwrap())
            .into_iter()
            .map(|relation| {
                let mut scope: Vec<String> = relation.in_scope.into_iter().collect();
                scope.sort();
                format!("{}:{}", relation.name.join("."), scope.join(""))
            })
            .collect();
        assert_eq!(shown, ["x:", "a:a", "y:a", "b:ab", "c:abc", "Z.z:abc", "d:ab"]);
    }

    #[test]
    fn a_recursive_name_sees_itself() {
        let statement = parsed("WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT * FROM n) SELECT * FROM n").unwrap();
        assert!(relations(&statement).iter().all(|relation| relation.in_scope.contains("n")));
    }

    #[test]
    fn only_one_statement_that_reads() {
        for sql in
            ["SELECT 1", "SELECT 1;", "(SELECT 1) UNION SELECT 2", "VALUES (1)", "EXPLAIN SELECT 1", "SHOW TABLES"]
        {
            assert!(parsed(sql).is_ok(), "{sql}");
        }
        for sql in [
            "INSERT INTO t VALUES (1)",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "DROP TABLE t",
            "COPY t TO 'x'",
            "SET a = 1",
            "EXPLAIN INSERT INTO t VALUES (1)",
            "SELECT 1; SELECT 2",
            "GRANT ALL ON t TO u",
        ] {
            assert_eq!(parsed(sql).map(|s| s.to_string()).unwrap_err().kind(), ErrorKind::Unsupported, "{sql}");
        }
        for sql in ["", ";", "SELEC 1", "SELECT 1 FROM", "SELECT 1 2 3", "42"] {
            assert_eq!(parsed(sql).map(|s| s.to_string()).unwrap_err().kind(), ErrorKind::Syntax, "{sql}");
        }
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_refused() {
        let deep = format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(parsed(&deep).unwrap_err().kind(), ErrorKind::Syntax);
        let subqueries = format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(300), ")".repeat(300));
        assert_eq!(parsed(&subqueries).unwrap_err().kind(), ErrorKind::Syntax);
        let long = format!("SELECT 1{}", " + 1".repeat(100_000));
        assert_eq!(parsed(&long).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

//! Views: put in the place of their names, so that what a query's coordinates or clauses say holds inside them too.
//!
//! A view's text is read like a query's own. Its tables that carry no clause are read at the coordinates of the view's
//! reference: `v FOR SYSTEM_TIME AS OF x` is everything in `v` as of x.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::{
    ast::{
        CreateView, Ident, ObjectName, ObjectType, Spanned, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
    },
    keywords::Keyword,
    tokenizer::Location,
};
use lake::LakeSnapshot;

use crate::{
    clause::{self, Clause, Reference},
    coordinates::depends_on_rows,
    error::{Error, ErrorKind, Result},
    parameters::Parameters,
    planner::qualified,
    statement::{self, normalise, or_break, visited},
    text::{self, Text},
};

/// How deep views may be made of views.
const MOST_NESTED: usize = 16;
/// Views one query may be made of, counting each place anew.
const MOST_VIEWS: usize = 256;

/// A change of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewChange {
    /// `CREATE [OR REPLACE] VIEW name AS query`.
    Put {
        /// The view's name.
        name: String,
        /// The query, as it was written.
        sql: String,
        /// Whether a view of that name is replaced.
        replace: bool,
    },
    /// `DROP VIEW [IF EXISTS] name`.
    Drop {
        /// The view's name.
        name: String,
        /// Whether it is no error when there is none.
        if_exists: bool,
    },
}

/// What a text changes about views; `None` where it is about something else.
pub(crate) fn read_change(sql: &str) -> Result<Option<ViewChange>> {
    let tokens = clause::tokens(sql)?;
    if !statement::changes_a_view(&tokens) {
        return Ok(None);
    }
    let body = tokens.iter().position(|token| clause::is_keyword(token, Keyword::AS)).and_then(|at| tokens.get(at + 1));
    let body = body.map(|token| token.span.start);
    // The clauses of the view's own query are taken out only so that the rest can be parsed.
    let stripped = text::without_clauses(tokens)?;
    match statement::parse_one(stripped)? {
        Statement::CreateView(create) => {
            let name = plain_name(&create.name)?;
            check_plain(&create)?;
            let sql = body
                .and_then(|body| text_from(sql, body))
                .ok_or_else(|| unsupported("CREATE VIEW needs AS and a query"))?;
            let sql = sql.trim_end().trim_end_matches(';').trim_end().to_owned();
            Ok(Some(ViewChange::Put { name, sql, replace: create.or_replace }))
        }
        Statement::Drop { object_type: ObjectType::View, names, if_exists, .. } => match names.as_slice() {
            [name] => Ok(Some(ViewChange::Drop { name: plain_name(name)?, if_exists })),
            _ => Err(unsupported("one view is dropped at a time")),
        },
        _ => Err(unsupported("of CREATE and DROP only CREATE [OR REPLACE] VIEW and DROP VIEW are offered")),
    }
}

fn check_plain(create: &CreateView) -> Result<()> {
    let extras = create.materialized
        || create.temporary
        || create.if_not_exists
        || !create.columns.is_empty()
        || create.to.is_some()
        || create.comment.is_some();
    match extras {
        true => Err(unsupported("of CREATE VIEW only CREATE [OR REPLACE] VIEW name AS query is offered")),
        false => Ok(()),
    }
}

fn plain_name(name: &ObjectName) -> Result<String> {
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(normalise).collect();
    match qualified(&parts) {
        (Some(crate::catalog::DATASETS), table) => Ok(table.to_owned()),
        _ => Err(unsupported("a view has a plain name").at(name.span().start)),
    }
}

/// What stands in a text from a place on.
fn text_from(sql: &str, place: Location) -> Option<&str> {
    let line = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let start: usize = sql.split_inclusive('\n').take(line).map(str::len).sum();
    let offset = sql[start..].char_indices().nth(column).map(|(offset, _)| offset)?;
    sql.get(start + offset..)
}

/// Puts the queries of views in the place of their names, in the statement and in what comes in with them. Gives the names
/// of the views, each once.
pub(crate) fn expand(text: &mut Text, snapshot: &LakeSnapshot) -> Result<Vec<String>> {
    if snapshot.view_names().is_empty() {
        return Ok(Vec::new());
    }
    let references = std::mem::take(&mut text.references);
    let mut expander = Expander { snapshot, references, found: 0, names: Vec::new() };
    let outcome = expander.expand(&mut text.statement, MOST_NESTED, None);
    text.references = expander.references;
    outcome.map(|()| expander.names)
}

struct Expander<'a> {
    snapshot: &'a LakeSnapshot,
    references: Vec<Reference>,
    found: usize,
    names: Vec<String>,
}

/// The clauses that hold for tables without any.
type Coordinates = (Option<Clause>, Option<Clause>);

impl Expander<'_> {
    /// `around` are the clauses of the reference to the view that the statement comes from.
    fn expand(&mut self, statement: &mut Statement, levels: usize, around: Option<&Coordinates>) -> Result<()> {
        // Which names WITH brings is decided before anything is replaced.
        let relations = statement::relations(statement);
        let mut visitor = Places { expander: self, relations: relations.into_iter(), levels, around };
        visited(statement.visit(&mut visitor))
    }

    /// The query of a view, read, with everything in it expanded.
    fn query_of(&mut self, name: &str, sql: &str, levels: usize, around: &Coordinates) -> Result<Statement> {
        let in_view =
            |error: Error| error.map_message(|message| format!("in the view '{name}': {message}")).without_place();
        let Text { mut statement, references, .. } = text::read(sql, &Parameters::default()).map_err(in_view)?;
        self.found += 1;
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        if levels == 0 || self.found > MOST_VIEWS {
            return Err(unsupported(&format!("the view '{name}' is made of too many other views, or of itself")));
        }
        let renamed = self.take_over(references, around);
        statement::rename(&mut statement, &renamed);
        self.expand(&mut statement, levels - 1, Some(around)).map_err(in_view)?;
        Ok(statement)
    }

    /// Gives the references of a view names that no other has, and the coordinates they do not name themselves.
    fn take_over(&mut self, references: Vec<Reference>, around: &Coordinates) -> Vec<(String, String)> {
        let mut renamed = Vec::new();
        for mut reference in references {
            let private_name = format!("{}@{}", reference.private_name, self.found);
            renamed.push((std::mem::replace(&mut reference.private_name, private_name.clone()), private_name));
            reference.valid_time = reference.valid_time.or_else(|| around.0.clone());
            reference.system_time = reference.system_time.or_else(|| around.1.clone());
            self.references.push(reference);
        }
        renamed
    }
}

struct Places<'a, 'b> {
    expander: &'a mut Expander<'b>,
    relations: std::vec::IntoIter<statement::Relation>,
    levels: usize,
    around: Option<&'a Coordinates>,
}

impl VisitorMut for Places<'_, '_> {
    type Break = Error;

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        or_break(self.replace(factor))
    }
}

impl Places<'_, '_> {
    fn replace(&mut self, factor: &mut TableFactor) -> Result<()> {
        let TableFactor::Table { name, alias, args: None, .. } = factor else { return Ok(()) };
        let location = name.span().start;
        // Factors come in the order in which the relations were found.
        let Some(relation) = self.relations.next() else { return Ok(()) };
        let own = relation.name.len() == 1 && relation.in_scope.contains(&relation.name[0]);
        if own {
            return Ok(());
        }
        let index = match &relation.name[..] {
            [only] => self.expander.references.iter().position(|reference| reference.private_name == *only),
            _ => None,
        };
        let (called, around) = match index {
            Some(index) => {
                let reference = &self.expander.references[index];
                (reference.name.clone(), (reference.valid_time.clone(), reference.system_time.clone()))
            }
            None => (relation.name.clone(), self.around.cloned().unwrap_or_default()),
        };
        let (Some(crate::catalog::DATASETS), table) = qualified(&called) else { return Ok(()) };
        let Some(view) = self.expander.snapshot.view(table) else {
            // Inside a view every table is bound here: a WITH of the query around must not take its name.
            if index.is_none() && self.around.is_some() {
                self.bind_to_surroundings(factor, called);
            }
            return Ok(());
        };
        if let Some(index) = index {
            if self.expander.references[index].times().any(|time| depends_on_rows(&time.expression)) {
                let message =
                    format!("the view '{table}' cannot be read AS OF another table's rows; write its query here");
                return Err(unsupported(&message).at(location));
            }
            self.expander.references.remove(index);
        }
        let statement =
            self.expander.query_of(&view.name, &view.sql, self.levels, &around).map_err(|e| e.at(location))?;
        let Statement::Query(subquery) = statement else {
            return Err(unsupported(&format!("the view '{}' is not a query", view.name)).at(location));
        };
        let name = Ident::with_quote('"', table);
        let alias = alias.take().or(Some(TableAlias { explicit: true, name, columns: Vec::new() }));
        *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
        Ok(())
    }

    /// A table of a view that names no coordinates has those of the view's reference.
    fn bind_to_surroundings(&mut self, factor: &mut TableFactor, called: Vec<String>) {
        let TableFactor::Table { name, alias, .. } = factor else { return };
        let Some((valid_time, system_time)) = self.around.cloned() else { return };
        let table = called.last().cloned().unwrap_or_default();
        self.expander.found += 1;
        let private_name = format!("{table}@v{}", self.expander.found);
        alias.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: Ident::with_quote('"', table),
            columns: Vec::new(),
        });
        *name = ObjectName::from(vec![Ident::with_quote('"', private_name.clone())]);
        self.expander.references.push(Reference::made(
            private_name,
            called,
            Location::empty(),
            valid_time,
            system_time,
        ));
    }
}

fn unsupported(message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

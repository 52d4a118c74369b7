//! From a request to a stream that will answer it: one snapshot, names bound, planned by DataFusion.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray},
        datatypes::SchemaRef,
    },
    catalog::{CatalogProviderList, MemoryCatalogProviderList},
    execution::{
        FunctionRegistry, SendableRecordBatchStream, SessionState, SessionStateBuilder, SessionStateDefaults,
        context::SQLOptions,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::GreedyMemoryPool,
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::{ScalarUDF, Volatility},
    physical_optimizer::{PhysicalOptimizerRule, optimizer::PhysicalOptimizer},
    physical_plan::{execute_stream, stream::RecordBatchStreamAdapter},
    prelude::SessionConfig,
    sql::{
        parser::Statement as PlannerStatement,
        sqlparser::{
            ast::{Expr, Statement, Visit, visit_expressions},
            tokenizer::Location,
        },
    },
};
use futures::{StreamExt, TryStreamExt, future::ready};
use lake::{
    Lake, LakeSnapshot,
    model::{DefinitionChange, Instant, SnapshotToken},
};

use crate::{
    alter::{self, Alteration, Altering},
    as_of_join::{self, PerRow},
    catalog::{self, Bound, CATALOG, DATASETS, Datasets, QueryCatalog, SYSTEM, SystemTables},
    clause::{Axis, Reference, Written},
    coordinates::{
        Coordinates, Evaluated, ValidTime, evaluate, evaluate_system_setting, parse_request_system_time,
        parse_request_time,
    },
    engine::{BatchStream, QueryOptions, QueryRequest},
    error::{Error, ErrorKind, Result, close_names, external, listed, quoted},
    gone,
    in_order::KeepOrder,
    interval_join::JoinOverlapsBySweeping,
    last_commit, measures, micros,
    parameters::Parameters,
    period_functions, reduce,
    request_filters::{self, Filtered},
    rows::OUTPUT_ROWS,
    statement::{self, Relation},
    table_functions::{self, Calls},
    text::{self, Text},
    truncate,
    views::{self, ViewChange},
    write::{self, WritePlan},
    yielding::YieldBehindJoins,
};

/// Tables one query may read, those of its views among them.
const MOST_RELATIONS: usize = 1_000;

/// Plans queries over one lake.
pub(crate) struct Planner {
    pub(crate) lake: Lake,
    system_tables: Arc<dyn SystemTables>,
    /// Copied for each query; its catalogs are empty.
    base: SessionState,
}

/// A query that is ready to run. Nothing is read before the stream is polled.
pub(crate) struct Planned {
    pub(crate) schema: SchemaRef,
    pub(crate) token: SnapshotToken,
    pub(crate) system_time: Instant,
    /// Whether the same query under the same token may answer something else.
    pub(crate) volatile: bool,
    /// The request's filters that apply, as indices.
    pub(crate) filters: Option<Vec<usize>>,
    pub(crate) stream: BatchStream,
}

impl Planner {
    /// Fails when the spill folder cannot be used.
    pub(crate) fn new(lake: Lake, options: QueryOptions, system_tables: Arc<dyn SystemTables>) -> Result<Planner> {
        let mode = match options.spill_folder {
            Some(folder) => DiskManagerMode::Directories(vec![folder]),
            None => DiskManagerMode::Disabled,
        };
        let disk =
            DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(options.spill_limit_bytes);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(options.memory_limit_bytes)))
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let base = SessionStateBuilder::new()
            .with_config(session_config())
            .with_runtime_env(runtime)
            .with_default_features()
            .with_scalar_functions(scalar_functions())
            .with_analyzer_rules(micros::analyzer_rules())
            .with_physical_optimizer_rules(physical_rules())
            .build();
        Ok(Planner { lake, system_tables, base })
    }

    /// Plans a query. To be called on a thread with a deep stack: plans are trees.
    pub(crate) async fn plan(&self, request: &QueryRequest) -> Result<Planned> {
        let text = text::read(&request.sql, &request.parameters)?;
        self.plan_text(text, request, self.state()).await
    }

    /// A state of its own for a statement, begun now: every `now()` in it is this moment.
    pub(crate) fn state(&self) -> SessionState {
        let mut state = self.base.clone();
        state.mark_start_execution();
        state
    }

    /// What a text changes about views; `None` for one that changes nothing about them. A new view's query is planned,
    /// to see that it can be.
    pub(crate) async fn view_change(&self, request: &QueryRequest) -> Result<Option<ViewChange>> {
        let Some(change) = views::read_change(&request.sql)? else { return Ok(None) };
        if let ViewChange::Put { name, sql, .. } = &change {
            let in_view =
                |error: Error| error.without_place().map_message(|message| format!("in the view's query: {message}"));
            let text = text::read(sql, &Parameters::default()).map_err(in_view)?;
            let itself = |relation: &Relation| qualified(&relation.name) == (Some(DATASETS), name.as_str());
            let by_clause = text.references.iter().any(|r| qualified(&r.name) == (Some(DATASETS), name.as_str()));
            if by_clause
                || statement::relations(&text.statement).iter().any(|r| !r.in_scope.contains(name) && itself(r))
            {
                return Err(Error::new(ErrorKind::Unsupported, format!("the view '{name}' cannot be made of itself")));
            }
            if !matches!(text.statement, Statement::Query(_)) {
                return Err(Error::new(ErrorKind::Unsupported, "a view is made of a query"));
            }
            self.plan_text(text, &QueryRequest::default(), self.state()).await.map_err(in_view)?;
        }
        Ok(Some(change))
    }

    /// What a text changes about columns; `None` for one that changes nothing about them.
    pub(crate) fn alteration(&self, request: &QueryRequest) -> Result<Option<Alteration>> {
        let Some(Altering { table, location, changes }) = alter::read(&request.sql, &request.parameters)? else {
            return Ok(None);
        };
        let (changes, places): (Vec<DefinitionChange>, Vec<Location>) = changes.into_iter().unzip();
        let known = match qualified(&table) {
            (Some(DATASETS), name) => self.lake.dataset(name),
            _ => None,
        };
        let Some(dataset) = known else {
            let message = format!("there is no dataset '{}' whose columns could change", table.join("."));
            return Err(Error::new(ErrorKind::UnknownTable, message).at(location));
        };
        match self.lake.check_changes(&dataset.name, &changes) {
            Ok(()) => Ok(Some(Alteration { dataset: dataset.name.clone(), changes })),
            Err(error) if !error.problems().is_empty() => Err(alter::refused(error.problems(), &places)),
            Err(error) => Err(Error::from(error).at(location)),
        }
    }

    /// What a statement that writes would do; `None` for one that does not write.
    pub(crate) async fn write(&self, request: &QueryRequest) -> Result<Option<WritePlan>> {
        let Some(text) = text::read_writing(&request.sql, &request.parameters)? else { return Ok(None) };
        let mut state = self.state();
        // Numbers with a point are exact, so that what is written is what is stored.
        state.config_mut().options_mut().sql_parser.parse_float_as_decimal = true;
        let snapshot = self.snapshot(None).await?;
        state.register_udf(last_commit::function(snapshot.token().system_time))?;
        let table = |name: &[String], location: Location| {
            let dataset = self.dataset_called(&snapshot, name, location)?;
            catalog::find(&snapshot, &dataset)?.ok_or_else(|| self.unknown_table(&snapshot, name, location))
        };
        let prepared = write::prepare(&state, text, request, &table)?;
        let text = Text { statement: prepared.rows_wanted, references: prepared.references, settings: Vec::new() };
        let token = snapshot.token().to_string();
        let request = QueryRequest { snapshot: Some(token), ..QueryRequest::default() };
        let planned = self.plan_text(text, &request, state).await?;
        let batches: Vec<RecordBatch> = write::collect(planned.stream).await?;
        write::changes(prepared.target, planned.schema, &batches).map(Some)
    }

    /// Plans what a text was read as.
    pub(crate) async fn plan_text(
        &self,
        text: Text,
        request: &QueryRequest,
        mut state: SessionState,
    ) -> Result<Planned> {
        let mut text = text;
        check_places(&text.references, &statement::relations(&text.statement))?;
        let snapshot = Arc::new(self.snapshot(request.snapshot.as_deref()).await?);
        let views = views::expand(&mut text, &snapshot)?;
        let Text { mut statement, references, settings } = text;
        let relations = statement::relations(&statement);
        if relations.len() > MOST_RELATIONS {
            let message = format!("the query reads more than {MOST_RELATIONS} tables, those of its views among them");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let token = snapshot.token().clone();
        state.register_udf(last_commit::function(token.system_time))?;
        let defaults = session_coordinates(&state, request_coordinates(request, &token)?, &settings, &token)?;
        let times = references.iter().flat_map(Reference::times).chain(settings.iter().map(|(_, time)| time));
        let mut volatile = !matches!(statement, Statement::Query(_))
            || relations.iter().any(|relation| is_system_table(&relation.name))
            || is_volatile(&state, &statement)
            || times.into_iter().any(|time| is_volatile(&state, &time.expression));
        let (mut bound, per_row) = self.bind(&state, &snapshot, defaults, &references)?;
        as_of_join::add_conditions(&mut statement, &per_row, token.system_time)?;
        let called = self.call_functions(&mut statement, &state, &snapshot, defaults.valid)?;
        let names = PrivateNames::of(&references, called.keys());
        bound.extend(called);
        let explain = matches!(statement, Statement::Explain { .. });
        let read = relations.iter().map(|relation| &relation.name).chain(references.iter().map(|r| &r.name));
        let read: Vec<String> = read.map(|name| qualified(name).1.to_owned()).collect();
        let mut datasets = Datasets { snapshot, defaults, bound, filtered: Filtered::default(), explain };
        self.check_names(&datasets, &relations)?;
        if measures::stand_in(&statement) {
            let stored = self.stored_measures(&datasets, &relations).await?;
            measures::put(&mut statement, &datasets, &stored)?;
            volatile |= is_volatile(&state, &statement);
        }
        if let Some(filters) = &request.filters {
            datasets.filtered = request_filters::bind(filters, &datasets.read(&relations)?)?;
        }
        let filters = datasets.filtered.applied.clone();
        state.register_catalog_list(self.catalogs(datasets));
        let state = reduce::on_top(state, &request.reduce)?;

        let gone = |error: Error| gone::explained(error, &self.lake, &read, &views, token.epoch);
        let stream = answer(&state, statement).await.map_err(|error| gone(names.hide(error)))?;
        let schema = stream.schema();
        let shown = names.clone();
        let stream = stream.map_err(move |error| names.hide(error));
        let stream = match explain {
            true => stream.and_then(move |batch| ready(shown.hide_in(&batch))).boxed(),
            false => stream.boxed(),
        };
        Ok(Planned { schema, token, system_time: defaults.known(), volatile, filters, stream })
    }

    fn call_functions(
        &self,
        statement: &mut Statement,
        state: &SessionState,
        snapshot: &LakeSnapshot,
        valid: ValidTime,
    ) -> Result<HashMap<String, Bound>> {
        let dataset = |name: &[String], location| self.dataset_called(snapshot, name, location);
        let last_committed = snapshot.token().system_time;
        let calls = Calls { state, valid, last_committed, dataset: &dataset, normalise: statement::normalise };
        table_functions::replace(statement, &calls)
    }

    /// Whether a function of that name puts rows together.
    pub(crate) fn is_aggregate(&self, function: &str) -> bool {
        self.base.aggregate_functions().contains_key(function)
    }

    pub(crate) async fn snapshot(&self, token: Option<&str>) -> Result<LakeSnapshot> {
        let parse =
            |text: &str| text.parse::<SnapshotToken>().map_err(|reason| Error::new(ErrorKind::UnknownSnapshot, reason));
        let token = token.map(parse).transpose()?;
        Ok(self.lake.snapshot(token.as_ref()).await?)
    }

    /// Binds each reference that carries clauses to its dataset and coordinates; tells which take times from rows.
    fn bind(
        &self,
        state: &SessionState,
        snapshot: &LakeSnapshot,
        defaults: Coordinates,
        references: &[Reference],
    ) -> Result<(HashMap<String, Bound>, Vec<PerRow>)> {
        let committed = snapshot.token().system_time;
        let (mut bound, mut tables) = (HashMap::new(), Vec::new());
        for reference in references {
            let dataset = self.dataset_of(snapshot, reference)?;
            let (valid, system) = (reference.valid_time.as_ref(), reference.system_time.as_ref());
            let Evaluated { coordinates, per_row } = defaults.overridden(state, valid, system, committed)?;
            let private_name = reference.private_name.clone();
            tables.extend(per_row.into_iter().map(|(axis, time)| PerRow {
                private_name: private_name.clone(),
                axis,
                time,
            }));
            bound.insert(private_name, Bound::Dataset { dataset, coordinates });
        }
        Ok((bound, tables))
    }

    fn dataset_of(&self, snapshot: &LakeSnapshot, reference: &Reference) -> Result<String> {
        let (schema, table) = qualified(&reference.name);
        let own = schema == Some(SYSTEM) && catalog::own_dataset(snapshot, table)?.is_some();
        if schema != Some(DATASETS) && !own {
            let message = format!("'{}' is not a dataset and has no times to ask for", reference.name.join("."));
            return Err(Error::new(ErrorKind::Unsupported, message).at(reference.clause_location));
        }
        self.dataset_called(snapshot, &reference.name, reference.location)
    }

    fn dataset_called(&self, snapshot: &LakeSnapshot, name: &[String], location: Location) -> Result<String> {
        let (schema, table) = qualified(name);
        let found = match schema {
            Some(DATASETS) => catalog::find(snapshot, table),
            Some(SYSTEM) => catalog::own_dataset(snapshot, table),
            _ => Ok(None),
        };
        if let Some(found) = found.map_err(|error| error.at(location))? {
            return Ok(found.dataset().name.clone());
        }
        Err(self.unknown_table(snapshot, name, location))
    }

    /// Refuses tables that do not exist, in words that help; DataFusion would name neither place nor choice.
    fn check_names(&self, datasets: &Datasets, relations: &[Relation]) -> Result<()> {
        let snapshot = &datasets.snapshot;
        for Relation { name, location, in_scope } in relations {
            let own = name.len() == 1 && (in_scope.contains(&name[0]) || datasets.bound.contains_key(&name[0]));
            let (schema, table) = qualified(name);
            let exists = own
                || match schema {
                    Some(DATASETS) => datasets.find(table).map_err(|error| error.at(*location))?.is_some(),
                    Some(SYSTEM) => self.system_tables.names().iter().any(|known| known == table),
                    Some("information_schema") => true,
                    _ => false,
                };
            if !exists {
                return Err(self.unknown_table(snapshot, name, *location));
            }
        }
        Ok(())
    }

    fn unknown_table(&self, snapshot: &LakeSnapshot, name: &[String], location: Location) -> Error {
        let mut names = catalog::dataset_names(snapshot);
        names.extend(snapshot.view_names());
        names.extend(self.system_tables.names().into_iter().map(|name| format!("{SYSTEM}.{name}")));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wanted = name.join(".");
        let near = close_names(&wanted, names.iter().copied());
        if name.len() == 1 && snapshot.view(&name[0]).is_some() {
            let message = format!("'{wanted}' is a view; name the dataset it reads");
            return Error::new(ErrorKind::Unsupported, message).at(location);
        }
        let mut message = format!("there is no table '{wanted}'");
        if !near.is_empty() {
            message.push_str(&format!("; did you mean {}?", quoted(&near)));
        } else if names.is_empty() {
            message.push_str("; no dataset is defined yet");
        } else {
            message.push_str(&format!("; there are {}", listed(&names)));
        }
        Error::new(ErrorKind::UnknownTable, message).at(location)
    }

    pub(crate) fn catalogs(&self, datasets: Datasets) -> Arc<dyn CatalogProviderList> {
        let catalogs = MemoryCatalogProviderList::new();
        let catalog = QueryCatalog::new(datasets, self.system_tables.clone());
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        Arc::new(catalogs)
    }
}

/// DataFusion's own and ours. Joins are replaced before distribution and order are settled: the operator that replaces
/// them keeps no order, and what relied on one has to be sorted.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let settled = rules.iter().position(|rule| rule.name() == "EnforceDistribution").unwrap_or(0);
    rules.insert(settled, Arc::new(JoinOverlapsBySweeping));
    rules.push(Arc::new(KeepOrder));
    rules.push(Arc::new(YieldBehindJoins));
    rules
}

/// DataFusion's own, one of them faster, and those on periods.
fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let faster = |own: Arc<ScalarUDF>| if own.name() == truncate::NAME { truncate::function(own) } else { own };
    let own = SessionStateDefaults::default_scalar_functions().into_iter().map(faster);
    own.chain(period_functions::all()).collect()
}

/// One partition and unions kept as written, so that rows come in the same order each time; times in UTC; places kept for errors.
fn session_config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(OUTPUT_ROWS)
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, DATASETS);
    let options = config.options_mut();
    options.execution.time_zone = Some("+00:00".to_owned());
    options.optimizer.prefer_existing_union = true;
    options.sql_parser.collect_spans = true;
    config
}

/// Plans a statement and begins to answer it.
pub(crate) async fn answer(
    state: &SessionState,
    statement: Statement,
) -> datafusion::common::Result<SendableRecordBatchStream> {
    let plan = state.statement_to_plan(PlannerStatement::Statement(Box::new(statement))).await?;
    let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reads.verify_plan(&plan).map_err(|error| external(statement::only_queries().caused_by(error)))?;
    let plan = state.create_physical_plan(&plan).await?;
    Ok(of_one_schema(execute_stream(plan, state.task_ctx())?))
}

/// Gives every batch the schema of the answer. A union passes on the batches of its inputs as they are, also those of one whose
/// column cannot be null where that of the other can.
fn of_one_schema(stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let of_answer = schema.clone();
    let batches = stream.map(move |batch| {
        let batch = batch?;
        if Arc::ptr_eq(batch.schema_ref(), &of_answer) || *batch.schema_ref() == of_answer {
            return Ok(batch);
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(of_answer.clone(), batch.columns().to_vec(), &rows)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

fn request_coordinates(request: &QueryRequest, token: &SnapshotToken) -> Result<Coordinates> {
    let valid = request.valid_time.as_deref().map(|text| parse_request_time("valid_time", text)).transpose()?;
    let system = parse_request_system_time(request.system_time.as_deref(), token.system_time)?;
    Ok(Coordinates { valid: valid.map_or(ValidTime::All, ValidTime::At), system })
}

/// The request's coordinates with what its text sets in front of the query.
fn session_coordinates(
    state: &SessionState,
    mut defaults: Coordinates,
    settings: &[(Axis, Written)],
    token: &SnapshotToken,
) -> Result<Coordinates> {
    for (axis, time) in settings {
        match axis {
            Axis::Valid => defaults.valid = ValidTime::At(evaluate(state, time)?),
            Axis::System => defaults.system = evaluate_system_setting(state, time, token.system_time)?,
        }
    }
    Ok(defaults)
}

/// Whether a function is called that may answer differently each time, such as `now` or `random`.
fn is_volatile(state: &SessionState, part: &impl Visit) -> bool {
    let mut volatile = false;
    let _ = visit_expressions(part, |expression| {
        if let Expr::Function(function) = expression {
            let name =
                function.name.0.last().and_then(|part| part.as_ident()).map(statement::normalise).unwrap_or_default();
            let known = state.scalar_functions().get(&name);
            volatile |= known.is_some_and(|function| function.signature().volatility != Volatility::Immutable);
        }
        ControlFlow::<()>::Continue(())
    });
    volatile
}

/// A clause must stand behind a table, and that table must not be a name WITH brought.
fn check_places(references: &[Reference], relations: &[Relation]) -> Result<()> {
    let single = |relation: &'_ Relation| relation.name.len() == 1;
    let by_name: HashMap<&str, &Relation> =
        relations.iter().filter(|r| single(r)).map(|relation| (relation.name[0].as_str(), relation)).collect();
    for reference in references {
        let Some(relation) = by_name.get(reference.private_name.as_str()) else {
            let message = "a temporal clause stands behind the name of a dataset or its alias, in FROM or JOIN";
            return Err(Error::new(ErrorKind::Syntax, message).at(reference.clause_location));
        };
        if let [name] = &reference.name[..]
            && relation.in_scope.contains(name)
        {
            let message =
                format!("'{name}' is a WITH name here and has no times of its own; write the clause inside the WITH");
            return Err(Error::new(ErrorKind::Unsupported, message).at(reference.clause_location));
        }
    }
    Ok(())
}

/// The schema a name is looked up in, if it is in our catalog, and the table's own name.
pub(crate) fn qualified(name: &[String]) -> (Option<&str>, &str) {
    match name {
        [table] => (Some(DATASETS), table),
        [schema, table] => (Some(schema), table),
        [catalog, schema, table] if catalog == CATALOG => (Some(schema), table),
        _ => (None, name.last().map_or("", String::as_str)),
    }
}

fn is_system_table(name: &[String]) -> bool {
    !matches!(qualified(name).0, Some(DATASETS))
}

/// Puts the names the user wrote where a message shows private ones.
#[derive(Clone)]
struct PrivateNames(Vec<(String, String)>);

impl PrivateNames {
    fn of<'a>(references: &[Reference], calls: impl Iterator<Item = &'a String>) -> PrivateNames {
        let tables = references.iter().map(|reference| (reference.private_name.clone(), reference.name.join(".")));
        let calls = calls.map(|name| (name.clone(), name.split('@').next().unwrap_or_default().to_owned()));
        let mut names: Vec<(String, String)> = tables.chain(calls).collect();
        // The longer first: gdp@1 is a part of gdp@10.
        names.sort_by_key(|(private, _)| std::cmp::Reverse(private.len()));
        PrivateNames(names)
    }

    fn hide(&self, error: impl Into<Error>) -> Error {
        error.into().map_message(|text| self.public(&text))
    }

    fn public(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (private, name)| text.replace(private, name))
    }

    /// In the texts of a plan.
    fn hide_in(&self, plan: &RecordBatch) -> Result<RecordBatch> {
        let column = |column: &ArrayRef| match column.as_string_opt::<i32>() {
            Some(texts) => {
                Arc::new(texts.iter().map(|t| t.map(|t| self.public(t))).collect::<StringArray>()) as ArrayRef
            }
            None => column.clone(),
        };
        let columns = plan.columns().iter().map(column).collect();
        RecordBatch::try_new(plan.schema(), columns)
            .map_err(|error| Error::new(ErrorKind::Internal, "a plan cannot be shown").caused_by(error))
    }
}
